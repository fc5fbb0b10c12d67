"""The report of a driver of which nothing is known but its name, in both modes of DRA, from the objects alone."""

from typing import Any

import pytest

from fake_dra_driver.api.kube.core import Event, EventSource, Node, ObjectReference, Pod
from fake_dra_driver.api.kube.meta import ObjectMeta
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.v1alpha2 import (
    AllocationMode,
    PodSchedulingContext,
    ResourceClaim,
    ResourceClaimSpec,
    ResourceClass,
)
from fake_dra_driver.dra.driver.device import Device
from fake_dra_driver.dra.drivernames import DriverNames
from fake_dra_driver.dra.node.health import Health
from fake_dra_driver.status.anydriver import AnyDriver
from fake_dra_driver.status.report import Report, WaitReason
from fake_dra_driver.status.table import Detail, table
from tests.support.claimworld import NOW, ClaimWorld
from tests.support.memory_api import MemoryApi
from tests.support.world import NAMESPACE
from tests.unit.status.conftest import node_of, report_of

NAMES = DriverNames.of("lamp.example.com")
LAMPS = AnyDriver(NAMES.driver)
LAYOUT = LAMPS.layout
INVENTORY = (
    Device("lamp-0", {"model": "LED"}),
    Device("lamp-1", {"model": "LED"}, capacity={"power": "40"}, shared=True),
    Device("lamp-2", {"model": "Neon"}, health=Health.UNHEALTHY, message="flickers"),
)


def publish(api: MemoryApi, *inventory: Device, **spec: Any) -> None:
    """Node n publishes its devices, and what else stands in its object."""
    wire = {**LAYOUT.spec_for(inventory, {}).to_wire(), **spec}
    metadata = {"name": "n", "namespace": NAMESPACE}
    api.apply(LAYOUT.kind.from_wire({"metadata": metadata, "spec": wire, "status": "Ready"}))


def warn(api: MemoryApi, uid: str, reason: str, message: str, *, component: str = NAMES.event_component) -> None:
    """The controller tells people something about a claim."""
    api.apply(
        Event(
            metadata=ObjectMeta(name=f"event-{uid}", namespace="default"),
            involved_object=ObjectReference(kind="ResourceClaim", namespace="default", name="c", uid=uid),
            reason=reason,
            message=message,
            type="Warning",
            source=EventSource(component=component),
            count=1,
        )
    )


class LampWorld(ClaimWorld):
    """A cluster of classic DRA with one node that has lamps."""

    def __init__(self) -> None:
        super().__init__()
        self.api.apply(ResourceClass(metadata=ObjectMeta(name="lamps"), driver_name=NAMES.driver))
        self.ready_node("n")
        publish(self.api, *INVENTORY)

    def claim(self, name: str, mode: AllocationMode = "WaitForFirstConsumer") -> ResourceClaim:
        spec = ResourceClaimSpec(resource_class_name="lamps", allocation_mode=mode)
        self.api.apply(ResourceClaim(metadata=ObjectMeta(name=name, namespace="default"), spec=spec))
        return self.read_claim(name)

    def answer(self, pod: str, claim: str, *unsuitable: str) -> None:
        """The controller answers the scheduler."""
        answers = [{"name": claim, "unsuitableNodes": list(unsuitable)}]
        self.api.update(PodSchedulingContext, pod, "default", {"status": {"resourceClaims": answers}})

    def report(self) -> Report:
        return report_of(self.api, driver=LAMPS)

    def only(self) -> tuple[WaitReason, str]:
        """Why the only claim that waits does."""
        (claim,) = self.report().waiting
        return claim.reason, claim.message


@pytest.fixture
def world() -> LampWorld:
    return LampWorld()


# --- Devices


def test_devices_are_shown_by_what_the_object_says(world: LampWorld) -> None:
    one, two = world.claim("one"), world.claim("two")
    share = {"name": "lamp-1", "shared": True, "capacity": {"power": "10"}}
    entries = {
        one.uid: {"devices": [{"name": "lamp-0"}, share]},
        two.uid: {"devices": [share, {"name": "lamp-9"}]},
    }
    prepared = {one.uid: {"devices": [{"name": "lamp-0"}]}}
    publish(world.api, *INVENTORY, allocatedClaims=entries, preparedDevices=prepared)
    report = world.report()
    found = node_of(report, "n")
    assert [(device.uuid, device.model, device.state) for device in found.devices] == [
        ("lamp-0", "LED", "prepared"),
        ("lamp-1", "LED", "allocated"),
        ("lamp-2", "Neon", "unavailable"),
        ("lamp-9", "", "missing"),
    ]
    (shared,) = found.devices[1].shared_with
    assert (shared.name, found.devices[1].claim is not None) == ("two", True)
    assert found.problems == (
        "no claim can get devices that are not healthy: lamp-2 (Unhealthy: flickers)",
        "claims hold devices that the node does not have: lamp-9",
    )
    assert (report.driver, report.summary.claims, found.ready) == ("lamp.example.com", 2, True)


def test_a_node_that_keeps_old_devices_says_why(world: LampWorld) -> None:
    spec = LAYOUT.with_problem(LAYOUT.spec_for((), {}), "LampDriver.devices(n) failed: no lamps\n").to_wire()
    publish(world.api, *INVENTORY[:2], **spec)
    found = node_of(world.report(), "n")
    said = "its devices may have changed since: LampDriver.devices(n) failed: no lamps\\n"
    assert (found.ready, found.problems) == (True, (said,))


@pytest.mark.parametrize("detail", [Detail.SHORT, Detail.DEVICES])
def test_a_device_that_claims_share_has_a_row_with_all_of_them(world: LampWorld, detail: Detail) -> None:
    share = {"devices": [{"name": "lamp-1", "shared": True}]}
    publish(world.api, *INVENTORY, allocatedClaims={world.claim(name).uid: share for name in ("one", "two")})
    consumers = {"status": {"reservedFor": [{"resource": "pods", "name": "p", "uid": "p"}]}}
    for name in ("one", "two"):
        world.api.update(ResourceClaim, name, "default", consumers)
    lines = table(world.report(), NOW, detail).splitlines()
    (row,) = [line for line in lines if "allocated " in line and line.startswith("  ")]
    assert row.endswith("default/one, default/two  p")


def test_devices_need_no_model(world: LampWorld) -> None:
    publish(world.api, Device("lamp-0"), Device("lamp-1"))
    assert "NODE n  Ready, 2 of 2 devices free\n" in table(world.report(), NOW, Detail.SHORT)
    publish(world.api, Device("lamp-0"), Device("lamp-1", {"model": "LED"}))
    assert "1 of 1 without a model, 1 of 1 LED" in table(world.report(), NOW, Detail.SHORT)


# --- Waiting in classic DRA


def test_a_claim_waits_as_the_controller_has_told_the_scheduler(world: LampWorld) -> None:
    world.claim("c")
    world.pod("p", ["c"], potential=["n", "other"])
    waits = "the controller is about to allocate; if this stays so, see whether its pod runs"
    assert world.only() == (
        "BeingAllocated",
        f"the controller has not answered yet which nodes are suitable: {waits}",
    )
    world.answer("p", "c", "other")
    assert world.only() == (
        "BeingScheduled",
        "1 of 2 nodes that the scheduler considers has what the pod's claims ask for",
    )
    world.select("p", "n", ["n", "other"])
    assert world.only() == ("BeingAllocated", f"the scheduler has selected node n: {waits}")
    world.answer("p", "c", "other", "n")
    assert world.only() == (
        "InsufficientDevices",
        "the controller has told the scheduler that none of 2 nodes is suitable",
    )


def test_what_the_controller_has_said_about_a_claim_is_why_it_waits(world: LampWorld) -> None:
    uid = world.claim("c").uid
    world.pod("p", ["c"], potential=["n"])
    world.answer("p", "c", "n")
    assert world.only()[1] == "the controller has told the scheduler that node n is not suitable"
    warn(world.api, uid, "InsufficientDevices", "asked for 9 lamps, no node has more than 3")
    assert world.only() == ("InsufficientDevices", "asked for 9 lamps, no node has more than 3")
    warn(world.api, uid, "InvalidParameters", "spec.watts: must be at most 60")
    assert world.only() == ("InvalidParameters", "spec.watts: must be at most 60")
    warn(world.api, uid, "InvalidParameters", "another driver's business", component="another driver")
    assert world.only()[0] == "InsufficientDevices"


def test_a_claim_that_is_allocated_at_once(world: LampWorld) -> None:
    uid = world.claim("c", "Immediate").uid
    assert world.only()[0] == "BeingAllocated"
    warn(world.api, uid, "InsufficientDevices", "no node has any")
    assert world.only() == ("InsufficientDevices", "no node has any")


def test_before_the_scheduler_has_said_anything(world: LampWorld) -> None:
    world.claim("c")
    world.pod("p", ["c"])
    world.api.apply(PodSchedulingContext(metadata=ObjectMeta(name="p", namespace="default")))
    assert world.only() == ("BeingScheduled", "the scheduler has not said yet which nodes it considers")
    world.api.delete(PodSchedulingContext, "p", "default")
    assert world.only()[0] == "NotBeingScheduled"
    world.api.delete(Pod, "p", "default")
    assert (world.report().waiting, world.report().summary.unused) == ((), 1)


def test_claims_of_other_drivers_are_not_shown(world: LampWorld) -> None:
    world.api.apply(ResourceClass(metadata=ObjectMeta(name="lamps"), driver_name="another.example.com"))
    world.claim("c", "Immediate")
    assert (world.report().waiting, world.report().summary.unused) == ((), 0)


# --- Structured DRA


class StructuredLampWorld:
    """A cluster of structured DRA with one node that has lamps."""

    def __init__(self) -> None:
        self.api = MemoryApi()
        cel = v1.CelSelector(expression=f"device.driver == '{NAMES.driver}'")
        spec = v1.DeviceClassSpec(selectors=(v1.DeviceSelector(cel=cel),))
        self.api.apply(v1.DeviceClass(metadata=ObjectMeta(name="lit"), spec=spec))
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        self.api.apply(Node.from_wire({"metadata": {"name": "n"}, "status": ready}))
        publish(self.api, *INVENTORY)
        pool = v1.ResourcePool(name="n", generation=1, resource_slice_count=1)
        slice_spec = v1.ResourceSliceSpec(driver=NAMES.driver, pool=pool, node_name="n")
        self.api.apply(v1.ResourceSlice(metadata=ObjectMeta(name="n-slice"), spec=slice_spec))

    def claim(self, name: str, *devices: str, **result: Any) -> None:
        """A claim; with devices as the scheduler has allocated it, with opaque configuration of any kind."""
        opaque = {"driver": NAMES.driver, "parameters": {"apiVersion": "lamp.example.com/v1alpha1", "kind": "Any"}}
        exactly = {"deviceClassName": "lit"}
        wire: dict[str, Any] = {
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"devices": {"requests": [{"name": "r", "exactly": exactly}], "config": [{"opaque": opaque}]}},
        }
        if devices:
            results = [
                {"request": "r", "driver": NAMES.driver, "pool": "n", "device": device, **result} for device in devices
            ]
            wire["status"] = {"allocation": {"devices": {"results": results}}}
        self.api.apply(v1.ResourceClaim.from_wire(wire))

    def report(self) -> Report:
        return report_of(self.api, version="v1", driver=LAMPS)


def test_in_structured_dra_the_claims_say_what_they_hold() -> None:
    world = StructuredLampWorld()
    world.claim("whole", "lamp-0")
    for name in ("one", "two"):
        world.claim(name, "lamp-1", shareID=name, consumedCapacity={"power": "10"})
    found = node_of(world.report(), "n")
    assert [device.state for device in found.devices] == ["allocated", "allocated", "unavailable"]
    assert [claim.name for claim in found.devices[1].shared_with] == ["two"]
    assert (found.ready, found.claims) == (True, 3)


def test_in_structured_dra_the_scheduler_says_why_a_claim_waits() -> None:
    world = StructuredLampWorld()
    world.claim("c")
    said = "0/1 nodes are available: 1 cannot allocate all claims."
    condition = {"type": "PodScheduled", "status": "False", "message": said}
    world.api.apply(
        Pod.from_wire(
            {
                "metadata": {"name": "p", "namespace": "default"},
                "spec": {"resourceClaims": [{"name": "c", "resourceClaimName": "c"}]},
                "status": {"conditions": [condition]},
            }
        )
    )
    (claim,) = world.report().waiting
    assert (claim.reason, claim.class_name) == ("InsufficientDevices", "lit")


def test_in_structured_dra_the_controller_says_what_is_wrong_with_parameters() -> None:
    world = StructuredLampWorld()
    world.claim("c")
    uid = world.api.read(v1.ResourceClaim, "c", "default").uid
    warn(world.api, uid, "InvalidParameters", "spec.watts: must be at most 60")
    (claim,) = world.report().waiting
    assert (claim.reason, claim.message) == ("InvalidParameters", "spec.watts: must be at most 60")


def test_a_claim_that_cannot_be_prepared_is_a_problem_of_its_node() -> None:
    world = StructuredLampWorld()
    for name, device in (("bad", "lamp-0"), ("unused", "lamp-1")):
        world.claim(name, device)
        warn(world.api, world.api.read(v1.ResourceClaim, name, "default").uid, "PrepareFailed", "on node n: no watts")
    reserved = {"status": {"reservedFor": [{"resource": "pods", "name": "p", "uid": "p"}]}}
    world.api.update(v1.ResourceClaim, "bad", "default", reserved)
    said = "claim default/bad cannot be prepared: on node n: no watts"
    assert node_of(world.report(), "n").problems[1:] == (said,)


def test_a_node_whose_slices_are_gone_takes_no_claims() -> None:
    world = StructuredLampWorld()
    world.api.delete(v1.ResourceSlice, "n-slice")
    found = node_of(world.report(), "n")
    assert not found.ready
    assert "its devices are in no ResourceSlice" in found.problems[0]

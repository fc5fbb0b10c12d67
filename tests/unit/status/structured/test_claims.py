"""The report in structured DRA: what claims hold, and which of them wait and why."""

from typing import Any

import pytest

from fake_dra_driver.api.fake import EVENT_COMPONENT, NodeAllocationState
from fake_dra_driver.api.kube.core import Event, EventSource, ObjectReference, Pod
from fake_dra_driver.api.kube.meta import ObjectMeta
from fake_dra_driver.api.resource import v1
from fake_dra_driver.status.report import NodeReport, Report, WaitingClaim, WaitReason
from tests.support.structuredworld import CLASS, NAMESPACE, StructuredWorld, opaque, parameters, result
from tests.unit.status.conftest import node_of, report_of


@pytest.fixture
def world() -> StructuredWorld:
    """Node n with four devices, and a claim c."""
    world = StructuredWorld()
    world.node("n", devices=4)
    world.claim("c")
    return world


def reported(world: StructuredWorld) -> Report:
    return report_of(world.api, version="v1")


def node(world: StructuredWorld) -> NodeReport:
    return node_of(reported(world), "n")


def only(world: StructuredWorld) -> WaitingClaim:
    """The only claim that waits."""
    (claim,) = reported(world).waiting
    return claim


def judged(world: StructuredWorld) -> tuple[WaitReason, str]:
    claim = only(world)
    return claim.reason, claim.message


def scheduler_says(world: StructuredWorld, reason: str, message: str) -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": reason, "message": message}
    world.api.update(Pod, "p", "default", {"status": {"conditions": [condition]}})


# --- What claims hold


def test_the_claims_say_what_they_hold_also_while_no_controller_runs(world: StructuredWorld) -> None:
    claim = world.claim("held", result("n", 0), result("n", 1), config=[opaque(parameters(split=2))])
    world.api.update(
        v1.ResourceClaim,
        "held",
        "default",
        {"status": {"reservedFor": [{"resource": "pods", "name": "p", "uid": "p"}]}},
    )
    prepared = {claim.uid: {"fake": {"devices": [{"uuid": "child", "parentUUID": "n-0"}]}}}
    stale = {"gone": {"fake": {"devices": [{"uuid": "n-3"}]}}}
    patch = {"spec": {"preparedDevices": prepared, "allocatedClaims": stale}}
    world.api.update(NodeAllocationState, "n", NAMESPACE, patch)
    found = node(world)
    assert [device.state for device in found.devices] == ["prepared", "allocated", "free", "free"]
    assert [len(device.children) for device in found.devices] == [2, 2, 0, 0]
    first = found.devices[0].claim
    assert first is not None
    assert (first.namespace, first.name, first.pods) == ("default", "held", ("p",))
    assert (found.claims, found.problems, reported(world).summary.claims) == (1, (), 1)


def test_a_device_that_the_node_does_not_have(world: StructuredWorld) -> None:
    world.claim("held", result("n", 4))
    found = node(world)
    assert (found.devices[-1].uuid, found.devices[-1].state) == ("fake-4", "missing")
    assert found.problems == ("claims hold devices that the node does not have: fake-4",)


def test_a_shared_device_is_shown_with_a_claim_that_has_it_prepared(world: StructuredWorld) -> None:
    world.claim("first", result("n", 0, shareID="1"))
    second = world.claim("second", result("n", 0, shareID="2"))
    prepared = {second.uid: {"fake": {"devices": [{"uuid": "n-0"}]}}}
    world.api.update(NodeAllocationState, "n", NAMESPACE, {"spec": {"preparedDevices": prepared}})
    device = node(world).devices[0]
    assert device.claim is not None
    assert (device.state, device.claim.name) == ("prepared", "second")


def test_a_claim_with_admin_access_takes_nothing_away(world: StructuredWorld) -> None:
    world.claim("monitor", *(result("n", index, adminAccess=True) for index in range(4)))
    assert node(world).counts.free == 4


# --- Which claims wait, and why


def test_a_claim_that_no_pod_uses_does_not_wait(world: StructuredWorld) -> None:
    world.claim("held", result("n", 0))
    world.pod("p", "held")
    report = reported(world)
    assert (report.waiting, report.summary.waiting, report.summary.unused) == ((), 0, 1)


def test_claims_of_other_drivers_are_not_shown(world: StructuredWorld) -> None:
    world.api.delete(v1.ResourceClaim, "c", "default")
    world.api.apply(v1.DeviceClass(metadata=ObjectMeta(name="other")))
    world.claim("other", requests=[{"name": "x", "exactly": {"deviceClassName": "other"}}])
    world.pod("p", "other")
    report = reported(world)
    assert (report.waiting, report.summary.unused) == ((), 0)


def test_a_pod_that_the_scheduler_has_not_looked_at(world: StructuredWorld) -> None:
    world.pod("p", "c")
    assert judged(world) == ("BeingScheduled", "the scheduler has not said yet whether there is a node for pod p")
    claim = only(world)
    assert (claim.class_name, claim.mode, claim.pods) == (CLASS, "WaitForFirstConsumer", ("p",))


@pytest.mark.parametrize(
    ("reason", "said", "expected"),
    [
        ("Unschedulable", "0/1 nodes are available: 1 cannot allocate all claims.", "InsufficientDevices"),
        ("Unschedulable", "0/1 nodes are available: 1 Insufficient cpu.", "Unschedulable"),
        ("SchedulerError", 'running "DynamicResources" filter plugin: CEL', "Unschedulable"),
    ],
)
def test_what_the_scheduler_says_is_repeated(
    world: StructuredWorld, reason: str, said: str, expected: WaitReason
) -> None:
    world.pod("p", "c")
    scheduler_says(world, reason, said)
    assert judged(world) == (expected, f"the scheduler says about pod p: {said}")


def test_a_pod_with_gates(world: StructuredWorld) -> None:
    world.pod("p", "c")
    scheduler_says(world, "SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates")
    assert judged(world)[0] == "NotBeingScheduled"


def test_what_a_person_can_correct_comes_first(world: StructuredWorld) -> None:
    world.api.delete(v1.DeviceClass, CLASS)
    world.pod("p", "c")
    scheduler_says(world, "Unschedulable", "0/1 nodes are available")
    expected = f"DeviceClass {CLASS} does not exist, or cannot be read: create it"
    assert judged(world) == ("ClassNotFound", expected)
    world.api.delete(Pod, "p", "default")
    assert judged(world) == ("ClassNotFound", expected), "whether or not a pod uses it"
    world.claim("c", config=[opaque(parameters(split=100))])
    expected = "spec.devices.config[0].opaque.parameters.spec.split: must be at most 64, is 100"
    assert judged(world) == ("InvalidParameters", expected)


def test_classes_that_do_not_exist_could_be_anyones(world: StructuredWorld) -> None:
    asked = [{"name": name, "exactly": {"deviceClassName": name}} for name in ("typo", "slip", CLASS)]
    world.claim("c", requests=asked)
    assert judged(world) == (
        "ClassNotFound",
        "DeviceClass typo and slip do not exist, or cannot be read: create them, or make the claim again with class "
        + CLASS,
    )


def test_parameters_of_a_class_that_cannot_be_used(world: StructuredWorld) -> None:
    config = [opaque(parameters(split=100))]
    world.api.update(v1.DeviceClass, CLASS, "", {"spec": {"config": config}})
    assert judged(world) == (
        "InvalidParameters",
        f"DeviceClass {CLASS}: spec.config[0].opaque.parameters.spec.split: must be at most 64, is 100",
    )


def test_all_classes_of_a_claim_are_named(world: StructuredWorld) -> None:
    alternatives: list[dict[str, Any]] = [
        {"name": "a", "deviceClassName": CLASS},
        {"name": "b", "deviceClassName": "older"},
    ]
    world.api.apply(v1.DeviceClass(metadata=ObjectMeta(name="older")))
    world.claim("c", requests=[{"name": "either", "firstAvailable": alternatives}])
    world.pod("p", "c")
    assert only(world).class_name == f"{CLASS}, older"


def test_what_was_told_about_it(world: StructuredWorld) -> None:
    world.pod("p", "c")
    (claim,) = world.claims()
    about = ObjectReference(kind="ResourceClaim", namespace="default", name="c", uid=claim.uid)
    event = Event(
        metadata=ObjectMeta(name="e", namespace="default"),
        involved_object=about,
        reason="InvalidParameters",
        message="no",
        type="Warning",
        source=EventSource(component=EVENT_COMPONENT),
        count=2,
    )
    world.api.apply(event)
    told = only(world).told
    assert told is not None
    assert (told.reason, told.message, told.count) == ("InvalidParameters", "no", 2)

"""Devices with binding conditions become ready, or fail, as their profile and faults have it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.dra.structured import StructuredCaches
from fake_dra_driver.driver.structured.binding import READY_AT_ONCE, BindingPlan, BindingReconciler
from fake_dra_driver.runtime import Cache, loop_time
from tests.support.events import Recorder

pytestmark = pytest.mark.looptime(noop_cycles=1)

DRIVER, NODE = "fabric.example.com", "node-0"
MIDNIGHT = datetime(2026, 1, 2, tzinfo=UTC)
KEY = NamespacedName("default", "c")
SOON_SECONDS = 0.5
"""For what is done at once."""


class Fabric:
    """An API server with claims, and the controller that looks after them."""

    def __init__(self) -> None:
        self.server = ApiServer(seed=1, now=self.now, kubernetes_version="1.37")
        self.admin = self.server.client("admin")
        self.plans: dict[str, BindingPlan] = {}
        """By device."""
        self.events = Recorder()
        self.writes = 0
        self._reconciler: BindingReconciler | None = None

    def now(self) -> datetime:
        return MIDNIGHT + timedelta(seconds=loop_time())

    @asynccontextmanager
    async def controller(self) -> AsyncIterator[None]:
        """One process of the controller."""
        client = self.server.client("controller")
        client.add_write_observer(self._count)
        cache = Cache(client)
        caches = StructuredCaches.of(cache, RESOURCE_APIS["v1"], DRIVER)
        reconciler = BindingReconciler(client, caches.claims, DRIVER, self._plan_of, self.events, self.now)
        self._reconciler = reconciler
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(cache.run()), group.create_task(reconciler.controller.run())]
            await cache.wait_for_sync()
            await asyncio.sleep(SOON_SECONDS)
            yield
            for task in tasks:
                task.cancel()

    async def plan(self, device: str, plan: BindingPlan) -> None:
        """From now on this becomes of the device."""
        self.plans[device] = plan
        assert self._reconciler is not None
        self._reconciler.plans_changed()
        await asyncio.sleep(SOON_SECONDS)

    async def _plan_of(self, result: v1.DeviceRequestAllocationResult) -> BindingPlan:
        return self.plans.get(result.device, READY_AT_ONCE)

    def _count(self, *_: object) -> None:
        self.writes += 1

    async def allocate(self, *devices: str | dict[str, Any], at: datetime | None = None) -> None:
        """What the scheduler writes, for a claim that is there already or not."""
        found = await self.admin.list(v1.ResourceClaim)
        if not found.items:
            request = v1.DeviceRequest(name="a", exactly=v1.ExactDeviceRequest(device_class_name="any"))
            spec = v1.ResourceClaimSpec(devices=v1.DeviceClaim(requests=(request,)))
            metadata = {"name": KEY.name, "namespace": KEY.namespace}
            await self.admin.create(v1.ResourceClaim.model_validate({"metadata": metadata, "spec": spec}))
        common = {"request": "a", "driver": DRIVER, "pool": NODE}
        conditions = {"bindingConditions": ["Attached"], "bindingFailureConditions": ["Broken", "Lost"]}
        results = [
            {**common, **({"device": each, **conditions} if isinstance(each, str) else each)} for each in devices
        ]
        allocation = {
            "devices": {"results": results},
            "allocationTimestamp": f"{at or self.now():%Y-%m-%dT%H:%M:%SZ}",
        }
        patch = {"status": {"allocation": allocation}}
        await self.admin.merge_patch(v1.ResourceClaim, KEY, patch, subresource="status")
        await asyncio.sleep(SOON_SECONDS)

    async def deallocate(self) -> None:
        """What the scheduler does when devices fail."""
        patch = {"status": {"allocation": None, "devices": None}}
        await self.admin.merge_patch(v1.ResourceClaim, KEY, patch, subresource="status")
        await asyncio.sleep(SOON_SECONDS)

    async def conditions(self, device: str = "dev-0") -> dict[str, tuple[str, str, str]]:
        """What is reported of a device: status, reason and message, by type."""
        claim = await self.admin.get(v1.ResourceClaim, KEY)
        return {
            condition.type: (condition.status, condition.reason, condition.message)
            for each in claim.status.devices
            if each.device == device
            for condition in each.conditions or ()
        }

    async def statuses(self) -> dict[str, str]:
        """Of the first device's conditions, by type."""
        return {name: status for name, (status, _, _) in (await self.conditions()).items()}


@pytest.fixture
async def fabric() -> AsyncIterator[Fabric]:
    fabric = Fabric()
    async with fabric.controller():
        yield fabric


async def test_a_device_without_a_plan_is_ready_at_once(fabric: Fabric) -> None:
    await fabric.allocate("dev-0")
    assert await fabric.conditions() == {"Attached": ("True", "Ready", "ready 0 s after the allocation")}
    claim = await fabric.admin.get(v1.ResourceClaim, KEY)
    (condition,) = claim.status.devices[0].conditions or ()
    assert condition.last_transition_time == fabric.now().replace(microsecond=0)


async def test_a_device_without_binding_conditions_and_one_of_another_driver_are_left_alone(fabric: Fabric) -> None:
    other = {"bindingConditions": ["Attached"], "bindingFailureConditions": ["Broken"], "driver": "other.example.com"}
    await fabric.allocate({"device": "dev-0"}, {"device": "dev-1", **other})
    assert (await fabric.admin.get(v1.ResourceClaim, KEY)).status.devices == ()
    assert fabric.writes == 0


async def test_a_device_is_ready_when_its_time_has_come(fabric: Fabric) -> None:
    fabric.plans["dev-0"] = BindingPlan(timedelta(seconds=5), because="DeviceProfile slow")
    await fabric.allocate("dev-0", "dev-1")
    assert await fabric.conditions() == {
        "Attached": ("False", "Waiting", "until 2026-01-02T00:00:05Z (DeviceProfile slow)")
    }
    assert (await fabric.conditions("dev-1"))["Attached"][0] == "True"
    await asyncio.sleep(4)
    assert (await fabric.conditions())["Attached"][0] == "False"
    await asyncio.sleep(1)
    words = "ready 5 s after the allocation (DeviceProfile slow)"
    assert await fabric.conditions() == {"Attached": ("True", "Ready", words)}
    assert (await fabric.conditions("dev-1"))["Attached"][0] == "True", "it is written again with the other one"
    assert fabric.writes == 2


async def test_the_time_goes_on_while_there_is_no_controller() -> None:
    fabric = Fabric()
    fabric.plans["dev-0"] = BindingPlan(timedelta(seconds=20))
    async with fabric.controller():
        await fabric.allocate("dev-0")
        assert (await fabric.conditions())["Attached"][0] == "False"
    await asyncio.sleep(15)
    async with fabric.controller():
        assert (await fabric.conditions())["Attached"][0] == "False"
        await asyncio.sleep(5)
        assert (await fabric.conditions())["Attached"][0] == "True"
    assert fabric.writes == 2


async def test_a_device_fails_with_the_first_of_its_failure_conditions(fabric: Fabric) -> None:
    fabric.plans["dev-0"] = BindingPlan(timedelta(seconds=3), "the cable is loose", "DeviceFault cable")
    await fabric.allocate("dev-0")
    assert set(await fabric.conditions()) == {"Attached"}
    await asyncio.sleep(3)
    assert await fabric.conditions() == {
        "Attached": ("False", "BindingFailed", "Broken is true"),
        "Broken": ("True", "BindingFailed", "the cable is loose (DeviceFault cable)"),
    }
    assert fabric.events.events == [
        ("c", "BindingFailed", "device dev-0 of node-0: the cable is loose (DeviceFault cable)")
    ]


async def test_what_has_been_decided_stays_until_the_claim_is_deallocated(fabric: Fabric) -> None:
    fabric.plans["dev-0"] = BindingPlan(failure="the cable is loose")
    await fabric.allocate("dev-0")
    await fabric.plan("dev-0", READY_AT_ONCE)
    assert (await fabric.conditions())["Broken"][0] == "True"
    await fabric.deallocate()
    assert await fabric.conditions() == {}
    await fabric.allocate("dev-0")
    assert await fabric.statuses() == {"Attached": "True"}
    await fabric.plan("dev-0", BindingPlan(failure="the cable is loose"))
    assert await fabric.statuses() == {"Attached": "True"}


async def test_a_plan_that_changes_holds_for_those_that_wait(fabric: Fabric) -> None:
    fabric.plans["dev-0"] = BindingPlan(timedelta(hours=1))
    await fabric.allocate("dev-0")
    await fabric.plan("dev-0", BindingPlan(timedelta(hours=2)))
    assert (await fabric.conditions())["Attached"] == ("False", "Waiting", "until 2026-01-02T02:00:00Z")
    await fabric.plan("dev-0", READY_AT_ONCE)
    assert (await fabric.conditions())["Attached"][0] == "True"


async def test_shares_of_a_device_have_conditions_of_their_own(fabric: Fabric) -> None:
    shares = [f"{number}0000000-0000-4000-8000-000000000000" for number in range(2)]
    conditions = {"bindingConditions": ["Attached"], "bindingFailureConditions": ["Broken"]}
    await fabric.allocate(*({"device": "dev-0", "shareID": each, **conditions} for each in shares))
    claim = await fabric.admin.get(v1.ResourceClaim, KEY)
    assert sorted(str(each.share_id) for each in claim.status.devices) == shares
    assert all((each.conditions or ())[0].status == "True" for each in claim.status.devices)


async def test_what_the_plugin_reports_of_the_same_device_stays(fabric: Fabric) -> None:
    fabric.plans["dev-0"] = BindingPlan(timedelta(seconds=5))
    await fabric.allocate("dev-0")
    ready = {"type": "Ready", "status": "True", "reason": "Prepared", "lastTransitionTime": "2026-01-02T00:00:00Z"}
    entry = {"driver": DRIVER, "pool": NODE, "device": "dev-0", "data": {"uuid": "u"}, "conditions": [ready]}
    await fabric.admin.apply(
        v1.ResourceClaim,
        KEY,
        {"status": {"devices": [entry]}},
        field_manager=DRIVER,
        force=True,
        subresource="status",
    )
    await asyncio.sleep(5)
    assert await fabric.statuses() == {"Attached": "True", "Ready": "True"}
    claim = await fabric.admin.get(v1.ResourceClaim, KEY)
    assert claim.status.devices[0].data == {"uuid": "u"}

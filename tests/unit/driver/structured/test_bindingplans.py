"""What becomes of binding conditions, by the profile of the node and the faults that hit its devices."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from fake_dra_driver.api.devicefault import DeviceFault
from fake_dra_driver.api.deviceprofile import DeviceProfile
from fake_dra_driver.api.fake import DRIVER_NAME
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.driver.structured.binding import READY_AT_ONCE, BindingPlan
from fake_dra_driver.driver.structured.bindingplans import BindingPlans
from fake_dra_driver.runtime import RetryError
from tests.unit.driver.objectstatus.statusworld import StatusWorld

pytestmark = pytest.mark.looptime(noop_cycles=1)

NODE = "node-0"
CONDITIONS = {"bindingConditions": ["Attached"], "bindingFailureConditions": ["Broken"]}
GPU = {"name": "gpu", "count": 2, **CONDITIONS, "binding": {"delaySeconds": 3}}
NIC = {"name": "nic", "count": 1, **CONDITIONS}


def result(device: str) -> v1.DeviceRequestAllocationResult:
    return v1.DeviceRequestAllocationResult(request="a", driver=DRIVER_NAME, pool=NODE, device=device)


def holder(device: str) -> v1.ResourceClaim:
    """The claim ``default/c``, which has the device."""
    allocation = {"devices": {"results": [result(device).to_wire()]}}
    wire = {"metadata": {"name": "c", "namespace": "default"}, "status": {"allocation": allocation}}
    return v1.ResourceClaim.from_wire(wire)


@asynccontextmanager
async def planning(*claims: v1.ResourceClaim) -> AsyncIterator[tuple[StatusWorld, BindingPlans]]:
    """A node without a profile, which has these claims."""
    world = StatusWorld()
    await world.furnish()
    await world.node(NODE)
    async with world.controller() as status:
        yield world, BindingPlans(status.catalog, lambda _: claims, world.now)


async def test_the_profile_says_how_long_it_takes_and_whether_it_fails() -> None:
    async with planning() as (world, plans):
        assert await plans.plan(result("gpu-0")) == READY_AT_ONCE
        fails = {"name": "tpu", **CONDITIONS, "binding": {"failure": "no cable"}}
        await world.profile("p", groups=[GPU, NIC, fails])
        assert await plans.plan(result("gpu-1")) == BindingPlan(timedelta(seconds=3), because="DeviceProfile p")
        assert await plans.plan(result("nic-0")) == READY_AT_ONCE
        assert await plans.plan(result("tpu-0")) == BindingPlan(failure="no cable", because="DeviceProfile p")
        assert await plans.plan(result("gpu-2")) == BindingPlan(failure="DeviceProfile p has no such device any more")


@pytest.mark.parametrize(
    ("effects", "plan"),
    [
        (
            {"binding": {"delaySeconds": 4}},
            BindingPlan(timedelta(seconds=7), because="DeviceProfile p and DeviceFault f"),
        ),
        (
            {"binding": {"failure": "no light"}},
            BindingPlan(timedelta(seconds=3), "no light", "DeviceProfile p and DeviceFault f"),
        ),
        ({"vanish": True}, BindingPlan(failure="the device is gone")),
        ({"health": {"state": "Unhealthy"}}, BindingPlan(timedelta(seconds=3), because="DeviceProfile p")),
    ],
)
async def test_faults_come_on_top(effects: dict[str, Any], plan: BindingPlan) -> None:
    async with planning() as (world, plans):
        await world.profile("p", groups=[GPU])
        await world.fault("f", target={"devices": ["gpu-0"]}, effects=effects)
        assert await plans.plan(result("gpu-0")) == plan
        assert (await plans.plan(result("gpu-1"))).because == "DeviceProfile p"
        await world.admin.delete(DeviceFault, NamespacedName("", "f"))
        await world.settle()
        assert await plans.plan(result("gpu-0")) == await plans.plan(result("gpu-1"))


async def test_a_fault_for_a_claim_hits_the_devices_that_it_has_and_ends_in_time() -> None:
    async with planning(holder("gpu-1")) as (world, plans):
        await world.profile("p", groups=[GPU])
        target = {"claim": {"namespace": "default", "name": "c"}}
        await world.fault("f", target=target, effects={"binding": {"failure": "no light"}}, duration="10m")
        assert (await plans.plan(result("gpu-0"))).failure == ""
        hit = await plans.plan(result("gpu-1"))
        assert hit.failure == "no light"
        created = (await world.admin.get(DeviceFault, NamespacedName("", "f"))).metadata.creation_timestamp
        assert created is not None
        assert hit.until == created + timedelta(minutes=10)


async def test_a_profile_that_cannot_be_used_keeps_nothing_waiting() -> None:
    async with planning() as (world, plans):
        await world.profile("p", groups=[GPU])
        patch = {"spec": {"groups": [{**GPU, "model": "{{ nothing }}"}]}}
        await world.admin.merge_patch(DeviceProfile, NamespacedName("", "p"), patch)
        await world.settle()
        assert await plans.plan(result("gpu-0")) == READY_AT_ONCE


async def test_nothing_is_decided_before_profiles_and_faults_are_read() -> None:
    world = StatusWorld()
    async with world.controller() as status:
        plans = BindingPlans(status.catalog, lambda _: (), world.now)
        with pytest.raises(RetryError, match="have not been read yet"):
            await plans.plan(result("gpu-0"))

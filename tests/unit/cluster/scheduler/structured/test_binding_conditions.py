"""Devices that have to become ready before a pod is bound."""

import pytest

from fake_dra_driver.cluster.kinds import Pod
from tests.support.control_plane import ref
from tests.unit.cluster.scheduler.structured.conftest import World, world_of

pytestmark = pytest.mark.looptime

FABRIC = {"bindsToNode": True, "bindingConditions": ["Attached"], "bindingFailureConditions": ["Broken"]}


async def pod_that_waits(world: World) -> None:
    """A pod whose device is allocated, and not ready."""
    await world.publish("node-a", {"name": "dev-0", **FABRIC}, {"name": "dev-1", **FABRIC})
    await world.claim("c")
    await world.pod("p", "c")
    await world.plane.until(lambda: ("BindingConditionsPending", WAITING) in world.plane.events("p"))


WAITING = "waiting for binding conditions for device on node node-a"


async def test_a_pod_is_bound_once_its_devices_are_ready(world: World) -> None:
    await pod_that_waits(world)
    assert world.devices_of("c") == [("req", "dev-0")]
    assert len(world.claim_now("c").status.reserved_for) == 1
    await world.plane.pass_time(300)
    assert world.node_of("p") == ""
    await world.report("c", "dev-0", Attached="True")
    assert await world.until_bound("p") == "node-a"
    await world.plane.until(lambda: len(world.plane.events("p")) == 2)
    assert [reason for reason, _ in world.plane.events("p")] == ["BindingConditionsPending", "Scheduled"]


async def test_a_claim_whose_device_fails_is_allocated_again(world: World) -> None:
    await pod_that_waits(world)
    await world.report("c", "dev-0", Broken="True")
    await world.plane.until(lambda: world.plane.attempts("p") >= 2)
    said = [text for reason, text in world.plane.events("p") if reason == "FailedScheduling"]
    failed = 'device binding failed: claim=c, reason=Told, message="by the driver"'
    assert said[0] == f'running PreBind plugin "DynamicResources": {failed}'
    assert said[1].startswith("0/1 nodes are available: 1 resourceclaim not available on the node. deallocation of Res")
    # The claim is allocated again, without what was reported about the device.
    await world.plane.until(lambda: world.devices_of("c") and not world.claim_now("c").status.devices)
    await world.report("c", "dev-0", Attached="True")
    assert await world.until_bound("p") == "node-a"


async def test_devices_that_are_never_ready_are_waited_for_600_seconds(world: World) -> None:
    await pod_that_waits(world)
    await world.plane.pass_time(590)
    assert world.plane.attempts("p") == 0
    await world.plane.until(lambda: world.plane.attempts("p"), within=20)
    said = [text for reason, text in world.plane.events("p") if reason == "FailedScheduling"]
    assert said[0] == 'running PreBind plugin "DynamicResources": device binding timeout: claim=c'


async def test_a_pod_whose_claim_loses_its_devices_meanwhile_is_not_bound_without_them(world: World) -> None:
    await pod_that_waits(world)
    await world.plane.patch(world.api.claims, ref("c"), {"status": {"reservedFor": None, "allocation": None}}, "status")
    await world.plane.pass_time(590)
    assert (world.node_of("p"), world.plane.attempts("p")) == ("", 0)
    await world.plane.until(lambda: world.plane.attempts("p"), within=20)
    said = [text for reason, text in world.plane.events("p") if reason == "FailedScheduling"]
    assert said == ['running PreBind plugin "DynamicResources": device binding timeout: context deadline exceeded']
    await world.plane.until(lambda: bool(world.devices_of("c")))
    await world.report("c", "dev-0", Attached="True")
    assert await world.until_bound("p") == "node-a"


async def test_a_pod_that_goes_while_it_waits_takes_nothing_with_it(world: World) -> None:
    await pod_that_waits(world)
    await world.plane.delete(Pod, ref("p"))
    await world.plane.patch(world.api.claims, ref("c"), {"status": {"reservedFor": None}}, "status")
    await world.report("c", "dev-0", Attached="True")
    await world.pod("p", "c")
    assert await world.until_bound("p") == "node-a"


async def test_where_the_feature_is_off_such_devices_are_left_alone() -> None:
    async with world_of("1.37", DRADeviceBindingConditions=False) as world:
        await world.publish("node-a", {"name": "dev-0"})
        await world.claim("c")
        await world.pod("p", "c")
        await world.until_bound("p")
        allocation = world.claim_now("c").status.allocation
        assert allocation is not None
        assert allocation.allocation_timestamp is None

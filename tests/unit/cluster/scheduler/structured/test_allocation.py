"""From a pending claim to a pod that is bound: what is written, in which order, and what is undone."""

from typing import Any

import pytest

from fake_dra_driver.api.resource import v1
from fake_dra_driver.cluster.apiserver.http.requestfaults import Fault, on
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.runtime.store import Change
from tests.support.control_plane import ref
from tests.unit.cluster.scheduler.structured.conftest import DRIVER, World, world_of

pytestmark = pytest.mark.looptime


def states_of(world: World) -> list[tuple[bool, bool, int]]:
    """Of each change of a claim, as a watcher sees it: finalizer, allocation, reservations."""
    seen: list[tuple[bool, bool, int]] = []

    def note(change: Change[v1.ResourceClaim]) -> None:
        if change.new is not None:
            status = change.new.status
            has_finalizer = v1.CLAIM_FINALIZER in change.new.metadata.finalizers
            seen.append((has_finalizer, status.allocation is not None, len(status.reserved_for)))

    world.plane.cache.informer(world.api.claims).subscribe(note)
    return seen


@pytest.mark.parametrize("version", ["1.32", "1.34", "1.37"])
async def test_a_watcher_sees_the_finalizer_then_allocation_and_reservation_at_once(version: str) -> None:
    async with world_of(version) as world:
        seen = states_of(world)
        await world.publish("node-a", "dev-0")
        await world.claim("c")
        pod = await world.pod("p", "c")
        assert await world.until_bound("p") == "node-a"
        assert seen == [(False, False, 0), (True, False, 0), (True, True, 1)]
        status = world.claim_now("c").status
        assert status.allocation is not None
        [result] = status.allocation.devices.results
        assert (result.request, result.driver, result.pool, result.device) == ("req", DRIVER, "node-a", "dev-0")
        assert [(each.resource, each.name, each.uid) for each in status.reserved_for] == [("pods", "p", pod.uid)]
        is_stamped = status.allocation.allocation_timestamp is not None
        assert is_stamped == (version == "1.37")
        await world.plane.until(lambda: world.plane.events("p"))
        assert world.plane.events("p") == [("Scheduled", "Successfully assigned default/p to node-a")]


async def test_a_pod_without_claims_goes_where_there_are_the_fewest() -> None:
    async with world_of("1.37", ("node-a", "node-b")) as world:
        for name in ("one", "two", "three"):
            await world.pod(name)
            await world.until_bound(name)
        assert [world.node_of(name) for name in ("one", "two", "three")] == ["node-a", "node-b", "node-a"]


async def test_no_device_is_given_away_twice(world: World) -> None:
    names = [f"p{number}" for number in range(6)]
    await world.publish("node-a", *(f"dev-{number}" for number in range(6)))
    for name in names:
        await world.claim(name)
        await world.pod(name, name)
    for name in names:
        await world.until_bound(name)
    assert sorted(device for name in names for _, device in world.devices_of(name)) == [
        f"dev-{number}" for number in range(6)
    ]


async def test_several_claims_of_a_pod_are_allocated_together() -> None:
    async with world_of("1.37", ("node-a", "node-b")) as world:
        await world.publish("node-a", "dev-0")
        await world.publish("node-b", "dev-0", "dev-1")
        await world.claim("one")
        await world.claim("two")
        await world.pod("p", "one", "two")
        assert await world.until_bound("p") == "node-b"
        assert (world.devices_of("one"), world.devices_of("two")) == ([("req", "dev-0")], [("req", "dev-1")])


async def test_pods_that_share_a_claim_follow_its_allocation() -> None:
    async with world_of("1.37", ("node-a", "node-b")) as world:
        await world.publish("node-b", "dev-0")
        await world.claim("c")
        await world.pod("one", "c")
        await world.pod("two", "c")
        assert [await world.until_bound(name) for name in ("one", "two")] == ["node-b", "node-b"]
        assert {each.name for each in world.claim_now("c").status.reserved_for} == {"one", "two"}


async def test_the_node_with_the_better_alternative_is_chosen() -> None:
    async with world_of("1.37", ("node-a", "node-b")) as world:
        await world.publish("node-a", "dev-0")
        await world.publish("node-b", "dev-0", "dev-1")
        pair = {"name": "pair", "deviceClassName": "class", "count": 2}
        single = {"name": "single", "deviceClassName": "class"}
        await world.claim("c", {"name": "req", "firstAvailable": [pair, single]})
        await world.pod("p", "c")
        assert await world.until_bound("p") == "node-b"
        assert world.devices_of("c") == [("req/pair", "dev-0"), ("req/pair", "dev-1")]


async def test_a_claim_that_others_write_to_meanwhile_is_read_again(world: World) -> None:
    await world.publish("node-a", "dev-0")
    await world.claim("c")
    fault = on(Fault.answer(409), verb="update", resource="resourceclaims", subresource="status", times=2)
    with world.plane.server.faults.injected(fault):
        await world.pod("p", "c")
        await world.until_bound("p")
    assert world.plane.attempts("p") == 0


async def test_a_write_that_fails_ends_the_attempt_and_the_devices_are_free_again(world: World) -> None:
    await world.publish("node-a", "dev-0")
    await world.claim("first")
    await world.claim("second")
    fault = on(Fault.answer(500), verb="update", resource="resourceclaims", subresource="status", times=1)
    with world.plane.server.faults.injected(fault):
        await world.pod("one", "first")
        condition = await world.until_refused("one")
    assert condition.reason == "SchedulerError"
    assert condition.message.startswith(
        'running PreBind plugin "DynamicResources": add allocation and reservation to claim default/first: '
    )
    await world.pod("two", "second")
    await world.until_bound("two")


async def test_a_binding_that_fails_leaves_the_allocation_and_no_reservation(world: World) -> None:
    await world.publish("node-a", "dev-0")
    await world.claim("c")
    fault = on(Fault.answer(500), verb="create", resource="pods", subresource="binding", times=1)
    with world.plane.server.faults.injected(fault):
        await world.pod("p", "c")
        condition = await world.until_refused("p")
    assert condition.message.startswith('running Bind plugin "DefaultBinder": ')
    status = world.claim_now("c").status
    assert status.allocation is not None
    assert status.reserved_for == ()
    # An error is followed by another attempt without anything else happening.
    assert await world.until_bound("p") == "node-a"


async def test_a_pod_waits_for_its_claim_without_an_event(world: World) -> None:
    await world.publish("node-a", "dev-0")
    await world.pod("p", "c")
    await world.plane.pass_time(60)
    assert world.plane.events("p") == []
    assert world.plane.get(Pod, ref("p")).condition("PodScheduled") is None
    await world.claim("c")
    await world.until_bound("p")


async def test_a_claim_that_is_being_deleted_is_waited_for(world: World) -> None:
    await world.publish("node-a", "dev-0")
    claim = await world.create(world.api.claims, "c", metadata={"finalizers": ["example.com/stays"]}, spec=spec())
    await world.plane.delete(world.api.claims, claim.key)
    await world.pod("p", "c")
    await world.plane.pass_time(60)
    assert world.plane.events("p") == []


def spec() -> Any:
    return {"devices": {"requests": [{"name": "req", "exactly": {"deviceClassName": "class"}}]}}

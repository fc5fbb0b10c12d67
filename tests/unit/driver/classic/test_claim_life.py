"""How claims live and end when nothing is in their way: with which writes, and what a stop at each of them leaves."""

import asyncio

import pytest

from fake_dra_driver.api.fake import (
    CLAIM_FINALIZER,
    DRIVER_NAME,
)
from fake_dra_driver.api.kube.core import Pod
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim
from tests.support.half_states import add_finalizer, allocate, entries, put_entry, run, update_status
from tests.support.soundness import assert_sound, devices_of_claims
from tests.support.world import Brain, World

pytestmark = pytest.mark.looptime


async def test_deleted_claim_costs_one_write_to_it_and_one_to_the_ledger(world: World) -> None:
    await allocate(world)
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
        brain.client.calls.clear()
        update_status(world, "c", {"reservedFor": None})
        world.api.delete(ResourceClaim, "c", "default")
        await brain.settle()
    assert brain.client.calls == [("merge_patch", "ResourceClaim"), ("json_patch", "NodeAllocationState")]
    assert world.api.wire(ResourceClaim, "c", "default") is None
    assert entries(world) == {}


async def test_releasing_a_claim_that_lives_on_costs_two_writes_to_it_and_one_to_the_ledger(world: World) -> None:
    await allocate(world)
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
        brain.client.calls.clear()
        update_status(world, "c", {"reservedFor": None, "deallocationRequested": True})
        await brain.settle()
    assert brain.client.calls == [("merge_patch", "ResourceClaim")] * 2 + [("json_patch", "NodeAllocationState")]
    status = world.read_claim("c").status
    assert (status.allocation, status.driver_name, status.deallocation_requested) == (None, "", False)
    assert entries(world) == {}


async def test_deleted_claim_with_another_finalizer_gives_its_devices_back_at_once(world: World) -> None:
    await allocate(world)
    world.api.update(
        ResourceClaim, "c", "default", {"metadata": {"finalizers": [CLAIM_FINALIZER, "example.com/other"]}}
    )
    update_status(world, "c", {"reservedFor": None})
    world.api.delete(ResourceClaim, "c", "default")
    await run(world)
    claim = world.read_claim("c")
    assert claim.metadata.finalizers == ("example.com/other",)
    assert claim.status.allocation is None
    assert entries(world) == {}


async def test_reserved_claim_that_is_being_deleted_keeps_its_devices(world: World) -> None:
    await allocate(world)
    world.api.delete(ResourceClaim, "c", "default")
    await run(world)
    assert devices_of_claims(world) == {"c": ["n-0"]}


async def test_entry_on_another_node_is_removed_even_while_a_deleted_claim_is_in_use(world: World) -> None:
    await allocate(world)
    put_entry(world, world.read_claim("c").uid, "other-1", node="other")
    world.api.delete(ResourceClaim, "c", "default")
    await run(world)
    assert entries(world, "other") == {}
    assert devices_of_claims(world) == {"c": ["n-0"]}
    assert world.read_claim("c").metadata.finalizers == (CLAIM_FINALIZER,)
    assert_sound(world)


async def test_allocation_takes_two_writes_to_the_claim_one_to_the_ledger_and_no_read(world: World) -> None:
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
        world.pod("p", ["c"], selected="n")
        await brain.settle()
    assert brain.client.calls == [
        ("merge_patch", "ResourceClaim"),
        ("json_patch", "NodeAllocationState"),
        ("merge_patch", "ResourceClaim"),
    ]
    claim = world.read_claim("c")
    assert claim.status.driver_name == DRIVER_NAME
    assert [consumer.name for consumer in claim.status.reserved_for] == ["p"]


async def test_claims_of_other_drivers_are_left_alone(world: World) -> None:
    add_finalizer(world, "c")
    update_status(world, "c", {"driverName": "other.example.com", "allocation": {"shareable": True}})
    world.api.delete(ResourceClaim, "c", "default")
    brain = await run(world)
    assert [call for call in brain.client.calls if call[1] == "ResourceClaim"] == []


@pytest.mark.parametrize("position", range(6))
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_stopping_at_any_write_of_a_claims_life_loses_nothing(world: World, position: int, moment: str) -> None:
    """Allocation takes three writes and the release two: stop at each of them, and start again with empty hands."""
    world.pod("p", ["c"], selected="n")
    left = position

    class StoppedError(BaseException):
        pass

    def stopping() -> Brain:
        brain = Brain(world)

        async def stop(verb: str, kind: str) -> None:
            nonlocal left
            left -= 1
            if left == -1:
                raise StoppedError

        setattr(brain.client, f"{moment}_write", stop)
        return brain

    async def live(brain: Brain) -> None:
        try:
            async with brain.running():
                await brain.settle()
        except* StoppedError:
            pass

    await live(stopping())
    await run(world)
    assert devices_of_claims(world) == {"c": ["n-0"]}
    assert_sound(world)
    world.api.delete(PodSchedulingContext, "p", "default")
    world.api.delete(Pod, "p", "default")
    update_status(world, "c", {"reservedFor": None})
    world.api.delete(ResourceClaim, "c", "default")
    await live(stopping())
    await run(world)
    assert world.api.wire(ResourceClaim, "c", "default") is None
    assert entries(world) == {}


async def test_many_claims_that_wait_for_a_node_share_ledger_writes() -> None:
    world = World()
    world.node("n", devices=20)
    for number in range(20):
        world.claim(f"c{number:02}")
        world.pod(f"p{number:02}", [f"c{number:02}"], selected="n")
    brain = Brain(world)

    async def turn(verb: str, kind: str) -> None:
        await asyncio.sleep(0.01)  # simulated time: other passes go on while a write is in flight

    brain.client.before_write = turn
    async with brain.running():
        await brain.settle()
    assert len(devices_of_claims(world)) == 20
    assert brain.client.calls.count(("json_patch", "NodeAllocationState")) == 5, "one for each four workers"
    assert_sound(world)

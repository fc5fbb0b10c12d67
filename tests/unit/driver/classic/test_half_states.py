"""What a stop leaves behind becomes what it has to become: design's table of half-states.

Each test makes a half-state, starts a fresh controller on it (nothing in memory survives a stop), lets it run until
nothing happens any more, and looks at the result. Entries that are lost or edited: ``test_lost_entries``.
"""

import pytest

from fake_dra_driver.api.fake import (
    FakeClaimParameters,
    NodeAllocationState,
)
from fake_dra_driver.api.kube.core import Node, Pod
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim
from tests.support.half_states import add_finalizer, allocate, entries, put_entry, remove_node, run, update_status
from tests.support.soundness import assert_sound, devices_of_claims
from tests.support.world import NAMESPACE, Brain, World

pytestmark = pytest.mark.looptime


# --- finalizer, no entry, not allocated ----------------------------------------------------------------------------


async def test_claim_with_nothing_but_the_finalizer_is_allocated_when_it_is_wanted(world: World) -> None:
    add_finalizer(world, "c")
    world.pod("p", ["c"], selected="n")
    await run(world)
    assert devices_of_claims(world) == {"c": ["n-0"]}
    assert_sound(world)


async def test_claim_with_nothing_but_the_finalizer_loses_it_when_it_is_being_deleted(world: World) -> None:
    add_finalizer(world, "c")
    world.api.delete(ResourceClaim, "c", "default")
    await run(world)
    assert world.api.wire(ResourceClaim, "c", "default") is None


# --- entry, claim not allocated there ------------------------------------------------------------------------------


async def test_entry_is_used_when_the_pod_still_wants_the_node(world: World) -> None:
    add_finalizer(world, "c")
    put_entry(world, world.read_claim("c").uid, "n-1")
    world.pod("p", ["c"], selected="n")
    await run(world)
    assert devices_of_claims(world) == {"c": ["n-1"]}
    assert_sound(world)


async def test_entry_goes_when_the_pod_wants_another_node(world: World) -> None:
    add_finalizer(world, "c")
    put_entry(world, world.read_claim("c").uid, "n-1")
    world.pod("p", ["c"], selected="other")
    await run(world)
    assert devices_of_claims(world) == {"c": ["other-0"]}
    assert entries(world) == {}
    assert_sound(world)


async def test_entry_goes_when_no_pod_wants_the_claim(world: World) -> None:
    add_finalizer(world, "c")
    put_entry(world, world.read_claim("c").uid, "n-1")
    await run(world)
    assert entries(world) == {}
    assert world.read_claim("c").metadata.finalizers == ()


async def test_entry_goes_when_its_pod_goes_before_the_claim_is_allocated(world: World) -> None:
    add_finalizer(world, "c")
    put_entry(world, world.read_claim("c").uid, "n-1")
    world.pod("p", ["c"], selected="nowhere")
    world.select("p", "n")
    brain = Brain(world)
    world.api.update(NodeAllocationState, "n", NAMESPACE, {"status": "NotReady"})  # so that it is not used at once
    async with brain.running():
        await brain.settle()
        assert list(entries(world)) == [world.read_claim("c").uid]
        world.api.delete(PodSchedulingContext, "p", "default")
        world.api.delete(Pod, "p", "default")
        await brain.settle()
    assert entries(world) == {}


async def test_entry_that_no_longer_fits_the_request_is_replaced(world: World) -> None:
    """The parameters were corrected between the stop and the restart."""
    add_finalizer(world, "c")
    put_entry(world, world.read_claim("c").uid, "n-0", "n-1")
    world.pod("p", ["c"], selected="n")
    await run(world)
    assert devices_of_claims(world) == {"c": ["n-0"]}
    assert_sound(world)


async def test_entry_that_was_edited_into_an_impossible_one_is_replaced(world: World) -> None:
    add_finalizer(world, "c")
    edited = {"fake": {"devices": [{"uuid": "n-0", "split": 65}]}}
    world.api.update(
        NodeAllocationState, "n", NAMESPACE, {"spec": {"allocatedClaims": {world.read_claim("c").uid: edited}}}
    )
    world.pod("p", ["c"], selected="n")
    await run(world)
    assert devices_of_claims(world) == {"c": ["n-0"]}
    assert_sound(world)


@pytest.mark.parametrize("spec", [{"split": 3}, {"selector": {"model": "OTHER"}}])
async def test_entry_that_was_made_for_other_parameters_is_replaced(world: World, spec: dict[str, object]) -> None:
    add_finalizer(world, "c")
    put_entry(world, world.read_claim("c").uid, "n-0")
    devices = [{"fake": {"uuid": "n-0", "name": "MODEL"}}, {"fake": {"uuid": "n-1", "name": "OTHER"}}]
    world.api.update(NodeAllocationState, "n", NAMESPACE, {"spec": {"allocatableDevice": devices}})
    world.api.update(FakeClaimParameters, "c", "default", {"spec": spec})
    world.pod("p", ["c"], selected="n")
    await run(world)
    (entry,) = entries(world).values()
    assert entry.fake is not None
    (device,) = entry.fake.devices
    assert (device.uuid, device.split) == (("n-0", 3) if "split" in spec else ("n-1", None))
    assert_sound(world)


async def test_of_entries_on_two_nodes_one_remains(world: World) -> None:
    add_finalizer(world, "c")
    put_entry(world, world.read_claim("c").uid, "n-1")
    put_entry(world, world.read_claim("c").uid, "other-1", node="other")
    world.pod("p", ["c"], selected="other")
    await run(world)
    assert len(devices_of_claims(world)["c"]) == 1
    assert (entries(world), len(entries(world, "other"))) == ({}, 1)
    assert_sound(world)


async def test_entry_on_another_node_than_the_allocation_goes(world: World) -> None:
    await allocate(world)
    put_entry(world, world.read_claim("c").uid, "other-1", node="other")
    await run(world)
    assert entries(world, "other") == {}
    assert devices_of_claims(world) == {"c": ["n-0"]}
    assert_sound(world)


# --- entry, claim gone ---------------------------------------------------------------------------------------------


async def test_entry_of_a_claim_that_went_while_no_controller_ran_is_taken_out(world: World) -> None:
    put_entry(world, "uid-of-a-claim-long-gone", "n-0")
    await run(world)
    assert entries(world) == {}


async def test_entry_of_a_claim_that_goes_while_the_controller_runs_is_taken_out_without_a_list(world: World) -> None:
    add_finalizer(world, "c")
    uid = world.read_claim("c").uid
    world.pod("p", ["c"], selected="n")
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
        assert list(entries(world)) == [uid]
        world.api.update(ResourceClaim, "c", "default", {"metadata": {"finalizers": []}})  # taken off by force
        world.api.delete(ResourceClaim, "c", "default")
        await brain.settle()
    assert entries(world) == {}
    assert ("list", "ResourceClaim") not in brain.client.calls


async def test_entry_goes_with_a_claim_that_nothing_protects(world: World) -> None:
    """The finalizer was taken off, and the claim is deleted later: only then the entry has to go."""
    await allocate(world)
    brain = Brain(world)
    async with brain.running():
        world.api.update(ResourceClaim, "c", "default", {"metadata": {"finalizers": []}})
        await brain.settle()
        assert list(entries(world)) == [world.read_claim("c").uid]
        world.api.delete(ResourceClaim, "c", "default")
        await brain.settle()
    assert entries(world) == {}


async def test_entry_without_a_claim_that_appears_while_the_controller_runs_is_taken_out(world: World) -> None:
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
        put_entry(world, "uid-of-no-claim", "n-0")
        await brain.settle()
    assert entries(world) == {}


async def test_entry_of_a_claim_that_the_cache_has_not_seen_yet_stays(world: World) -> None:
    """Another controller is faster than this one's cache: a UID that is unknown here need not be gone."""
    brain = Brain(world)
    brain.deliver()
    world.claim("new")
    put_entry(world, world.read_claim("new").uid, "n-0")
    brain.deliver("NodeAllocationState")
    await brain.pass_over("nodeallocationstate", "n", NAMESPACE)
    assert list(entries(world)) == [world.read_claim("new").uid]


# --- node gone -----------------------------------------------------------------------------------------------------


async def test_claim_of_a_node_that_is_gone_is_released_once_nothing_reserves_it(world: World) -> None:
    await allocate(world)
    brain = Brain(world)
    async with brain.running():
        remove_node(world)
        await brain.settle()
        assert world.read_claim("c").status.allocation is not None
        update_status(world, "c", {"reservedFor": None})
        await brain.settle()
    claim = world.read_claim("c")
    assert claim.status.allocation is None
    assert claim.metadata.finalizers == ()


@pytest.mark.parametrize("first", [Node, NodeAllocationState])
async def test_claim_is_released_whether_its_node_or_its_ledger_goes_first(
    world: World, first: type[Node | NodeAllocationState]
) -> None:
    await allocate(world)
    update_status(world, "c", {"reservedFor": None})
    brain = Brain(world)
    async with brain.running():
        for kind in (Node, NodeAllocationState) if first is Node else (NodeAllocationState, Node):
            world.api.delete(kind, "n", NAMESPACE if kind is NodeAllocationState else "")
            await brain.settle()
    claim = world.read_claim("c")
    assert claim.status.allocation is None
    assert claim.metadata.finalizers == ()


async def test_deleted_claim_of_a_node_that_is_gone_goes(world: World) -> None:
    await allocate(world)
    remove_node(world)
    update_status(world, "c", {"reservedFor": None})
    world.api.delete(ResourceClaim, "c", "default")
    await run(world)
    assert world.api.wire(ResourceClaim, "c", "default") is None


async def test_node_of_the_same_name_gets_its_ledger_from_the_claims(world: World) -> None:
    await allocate(world)
    remove_node(world)
    world.node("n", devices=2)
    await run(world)
    assert list(entries(world)) == [world.read_claim("c").uid]
    assert_sound(world)

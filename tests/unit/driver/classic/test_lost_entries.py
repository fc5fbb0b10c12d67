"""Entries of allocated claims that are lost, or edited by a person: restored, or reported where they cannot be."""

from collections.abc import Callable
from typing import Any

import pytest

from fake_dra_driver.api.fake import (
    DRIVER_NAME,
    NodeAllocationState,
)
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.runtime.errors import RetryError
from tests.support.half_states import (
    add_finalizer,
    allocate,
    empty_entries,
    entries,
    lose_entries,
    put_entry,
    run,
    update_status,
)
from tests.support.soundness import assert_sound, devices_of_claims
from tests.support.world import NAMESPACE, Brain, World

pytestmark = pytest.mark.looptime


async def test_lost_entry_is_restored(world: World) -> None:
    await allocate(world)
    lose_entries(world)
    await run(world)
    assert list(entries(world)) == [world.read_claim("c").uid]
    assert_sound(world)


async def test_entry_that_is_removed_while_the_controller_runs_is_restored(world: World) -> None:
    await allocate(world)
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
        world.api.update(NodeAllocationState, "n", NAMESPACE, {"spec": {"allocatedClaims": None}})
        await brain.settle()
    assert list(entries(world)) == [world.read_claim("c").uid]
    assert_sound(world)


async def test_lost_entry_is_restored_before_its_devices_are_given_away(world: World) -> None:
    await allocate(world)
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
        lose_entries(world)
        await brain.settle()
        world.claim("d", count=2)
        world.pod("q", ["d"], selected="n")
        await brain.settle()
    assert devices_of_claims(world) == {"c": ["n-0"]}
    assert_sound(world)


@pytest.mark.parametrize("is_immediate", [False, True])
@pytest.mark.parametrize("lose", [lose_entries, empty_entries])
async def test_devices_of_a_claim_without_an_entry_are_not_given_away_before_it_is_restored(
    world: World, lose: Callable[[World], None], *, is_immediate: bool
) -> None:
    await allocate(world)
    brain = Brain(world)
    lose(world)
    for name, count in (("small", 1), ("big", 2)):
        if is_immediate:
            world.claim(name, count=count, mode="Immediate")
        else:
            world.claim(name, count=count)
            world.pod(f"pod-{name}", [name], selected="n")
    world.api.delete(NodeAllocationState, "other", NAMESPACE)
    brain.deliver()
    for name in ("big", "small"):
        if is_immediate:
            await brain.pass_over("resourceclaim", name)
        else:
            await brain.pass_over("podschedulingcontext", f"pod-{name}")
    assert devices_of_claims(world) == {"c": ["n-0"], "small": ["n-1"]}


@pytest.mark.parametrize("is_immediate", [False, True])
@pytest.mark.parametrize("lose", [lose_entries, empty_entries])
async def test_devices_of_a_claim_whose_entry_cannot_be_restored_go_to_the_next_claim_when_it_ends(
    world: World, lose: Callable[[World], None], *, is_immediate: bool
) -> None:
    """No record of devices changes then, since it had none."""
    world.claim("pair", count=2)
    world.pod("p", ["pair"], selected="n")
    await run(world)
    lose(world)
    world.claim("thief")
    put_entry(world, world.read_claim("thief").uid, "n-0")
    add_finalizer(world, "thief")
    world.pod("q", ["thief"], selected="n")
    world.api.delete(NodeAllocationState, "other", NAMESPACE)
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
        if is_immediate:
            world.claim("late", mode="Immediate")
        else:
            world.claim("late")
            world.pod("r", ["late"], selected="n")
        await brain.settle()
        assert "late" not in devices_of_claims(world)
        update_status(world, "pair", {"reservedFor": None, "deallocationRequested": True})
        await brain.settle()
    assert devices_of_claims(world) == {"thief": ["n-0"], "late": ["n-1"]}
    assert_sound(world)


async def test_lost_entry_of_the_go_driver_is_restored_from_what_the_plugin_has_prepared(world: World) -> None:
    """An allocation of the Go driver has no handle; a child's parent is the device that the claim holds."""
    await allocate(world)
    update_status(world, "c", {"allocation": {"resourceHandles": []}})
    lose_entries(world)
    uid = world.read_claim("c").uid
    children = [{"uuid": f"child-{i}", "parentUUID": "n-1"} for i in range(3)]
    prepared = {"spec": {"preparedDevices": {uid: {"fake": {"devices": children}}}}}
    world.api.update(NodeAllocationState, "n", NAMESPACE, prepared)
    await run(world)
    assert entries(world)[uid].to_wire() == {"fake": {"devices": [{"uuid": "n-1", "split": 3}]}}


async def test_lost_entry_of_the_go_driver_is_restored_once_the_plugin_says_what_it_has_prepared(world: World) -> None:
    """The plugin recreates its object first, and says what it has prepared a moment later."""
    await allocate(world)
    update_status(world, "c", {"allocation": {"resourceHandles": []}})
    uid = world.read_claim("c").uid
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
        lose_entries(world)
        await brain.settle()
        assert entries(world) == {}
        prepared = {"spec": {"preparedDevices": {uid: {"fake": {"devices": [{"uuid": "n-0"}]}}}}}
        world.api.update(NodeAllocationState, "n", NAMESPACE, prepared)
        await brain.settle()
    assert list(entries(world)) == [uid]
    assert_sound(world)


async def test_lost_entry_whose_devices_another_claim_holds_leads_to_an_event_on_both_and_no_change(
    world: World,
) -> None:
    await allocate(world)
    lose_entries(world)
    world.claim("thief")
    put_entry(world, world.read_claim("thief").uid, "n-0")
    add_finalizer(world, "thief")
    world.pod("q", ["thief"], selected="n")
    brain = await run(world)
    reported = {name for name, reason, _ in brain.events.events if reason == "DevicesHeldByAnotherClaim"}
    assert reported == {"c", "thief"}
    assert list(entries(world)) == [world.read_claim("thief").uid]
    assert devices_of_claims(world)["c"] == ["n-0"]


@pytest.mark.parametrize(
    ("edited", "told"),
    [
        ({"fake": {"devices": []}}, "no devices"),
        ({}, "no devices"),
        ({"fake": {"devices": [{"uuid": "n-1"}]}}, "n-1"),
        ({"fake": {"devices": [{"uuid": "n-0", "split": 2}]}}, "n-0 split into 2"),
        ({"fake": {"devices": [{"uuid": "n-0", "split": 65}]}}, "n-0 split into 65"),
        ({"fake": {"devices": [{"uuid": "n-0"}, {"uuid": "n-1"}]}}, "n-0, n-1"),
    ],
    ids=str,
)
async def test_edited_entry_is_corrected_to_the_claims_devices(
    world: World, edited: dict[str, object], told: str
) -> None:
    """Otherwise its device would be given to another claim, or another be kept from everybody."""
    await allocate(world)
    uid = world.read_claim("c").uid
    world.api.update(NodeAllocationState, "n", NAMESPACE, {"spec": {"allocatedClaims": None}})
    world.api.update(NodeAllocationState, "n", NAMESPACE, {"spec": {"allocatedClaims": {uid: edited}}})
    brain = await run(world)
    assert entries(world)[uid].to_wire() == {"fake": {"devices": [{"uuid": "n-0"}]}}
    assert_sound(world)
    [(reason, message)] = [(reason, message) for name, reason, message in brain.events.events if name == "c"]
    assert reason == "LedgerEntryRestored"
    assert message == (
        f"claim default/c is allocated on node n and had {told} on the node's record; its devices are reserved "
        "again: n-0"
    )


async def test_edited_entry_of_the_go_driver_stays(world: World) -> None:
    """The claim does not say what it has, so that it cannot be told."""
    await allocate(world)
    update_status(world, "c", {"allocation": {"resourceHandles": []}})
    uid = world.read_claim("c").uid
    prepared = {"spec": {"preparedDevices": {uid: {"fake": {"devices": [{"uuid": "n-0"}]}}}}}
    world.api.update(NodeAllocationState, "n", NAMESPACE, prepared)
    put_entry(world, uid, "n-1")
    brain = await run(world)
    assert entries(world)[uid].to_wire() == {"fake": {"devices": [{"uuid": "n-1"}]}}
    assert brain.events.events == []


@pytest.mark.parametrize("also_its_own", [False, True])
async def test_correcting_an_edited_entry_takes_no_device_that_another_claim_now_holds(
    world: World, *, also_its_own: bool
) -> None:
    await allocate(world)
    put_entry(world, world.read_claim("c").uid, "n-1")
    world.claim("thief")
    add_finalizer(world, "thief")
    put_entry(world, world.read_claim("thief").uid, "n-0")
    world.pod("q", ["thief"], selected="n")
    if also_its_own:
        put_entry(world, world.read_claim("c").uid, "n-0", "n-1")
    before = entries(world)
    brain = await run(world)
    assert {name for name, reason, _ in brain.events.events if reason == "DevicesHeldByAnotherClaim"} == {"c", "thief"}
    assert entries(world) == before


async def test_entry_of_a_reallocated_claim_is_not_taken_for_an_edited_one(world: World) -> None:
    """The cache shows the new entry, and still the old allocation."""
    await allocate(world)
    brain = Brain(world)
    brain.deliver()
    handle = world.read_claim("c").status.allocation
    assert handle is not None
    again = handle.resource_handles[0].data.replace("n-0", "n-1")
    update_status(world, "c", {"allocation": {"resourceHandles": [{"driverName": DRIVER_NAME, "data": again}]}})
    put_entry(world, world.read_claim("c").uid, "n-1")
    brain.deliver("NodeAllocationState")
    await brain.pass_over("nodeallocationstate", "n", NAMESPACE)
    assert entries(world)[world.read_claim("c").uid].to_wire() == {"fake": {"devices": [{"uuid": "n-1"}]}}
    assert_sound(world)


async def test_edited_entry_is_not_corrected_once_another_writer_has_changed_the_ledger(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 5: what was read of the claim may be older than that change, also when the cache shows it by now."""
    await allocate(world)
    uid = world.read_claim("c").uid
    put_entry(world, uid, "n-1")
    brain = Brain(world)
    brain.deliver()

    read = brain.client.get

    async def read_and_change(*args: Any) -> Any:
        found = await read(*args)
        put_entry(world, "another", "n-1")
        brain.deliver()
        return found

    monkeypatch.setattr(brain.client, "get", read_and_change)
    with pytest.raises(RetryError):
        await brain.pass_over("nodeallocationstate", "n", NAMESPACE)
    assert entries(world)[uid].to_wire() == {"fake": {"devices": [{"uuid": "n-1"}]}}


@pytest.mark.parametrize("end", ["deleted", "deallocated"])
async def test_entry_of_a_claim_that_is_about_to_end_is_not_restored(world: World, end: str) -> None:
    """Its devices may be another's by the time it would be."""
    await allocate(world)
    lose_entries(world)
    update_status(world, "c", {"reservedFor": None, "deallocationRequested": end == "deallocated"})
    if end == "deleted":
        world.api.delete(ResourceClaim, "c", "default")
    brain = Brain(world)
    brain.deliver()
    await brain.pass_over("nodeallocationstate", "n", NAMESPACE)
    assert entries(world) == {}


async def test_release_of_a_claim_without_an_entry_is_completed(world: World) -> None:
    """A deallocation of the Go driver cut short: it takes the entry out first."""
    await allocate(world)
    lose_entries(world)
    update_status(world, "c", {"deallocationRequested": True, "reservedFor": None})
    await run(world)
    claim = world.read_claim("c")
    assert (claim.status.allocation, claim.status.deallocation_requested) == (None, False)
    assert claim.metadata.finalizers == ()
    assert entries(world) == {}

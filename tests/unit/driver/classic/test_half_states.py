"""What a stop leaves behind becomes what it has to become: design's table of half-states, and the crash windows.

Each test makes a half-state, starts a fresh controller on it (nothing in memory survives a stop), lets it run until
nothing happens any more, and looks at the result.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from fake_dra_driver.api.fake import (
    CLAIM_FINALIZER,
    DRIVER_NAME,
    AllocatedDevice,
    AllocatedDevices,
    AllocatedFakes,
    FakeClaimParameters,
    NodeAllocationState,
)
from fake_dra_driver.api.kube.core import Node, Pod
from fake_dra_driver.api.kube.meta import ObjectMeta
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim
from fake_dra_driver.runtime.errors import RetryError
from tests.support.world import NAMESPACE, Brain, World
from tests.unit.dra.classic.soundness import assert_sound, devices_of_claims

pytestmark = pytest.mark.looptime


def entries(world: World, node: str = "n") -> dict[str, AllocatedDevices]:
    return dict(world.api.read(NodeAllocationState, node, NAMESPACE).spec.allocated_claims)


def put_entry(world: World, uid: str, *devices: str, node: str = "n") -> None:
    """An entry in the ledger, as a stop after the ledger's write leaves it."""
    entry = AllocatedDevices(fake=AllocatedFakes(devices=tuple(AllocatedDevice(uuid=device) for device in devices)))
    patch = {"spec": {"allocatedClaims": {uid: entry.to_wire()}}}
    world.api.update(NodeAllocationState, node, NAMESPACE, patch)


def add_finalizer(world: World, claim: str) -> None:
    world.api.update(ResourceClaim, claim, "default", {"metadata": {"finalizers": [CLAIM_FINALIZER]}})


def update_status(world: World, claim: str, status: dict[str, Any]) -> None:
    world.api.update(ResourceClaim, claim, "default", {"status": status})


async def run(world: World) -> Brain:
    """A fresh controller, until nothing happens any more."""
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
    return brain


@pytest.fixture
def world() -> World:
    """A node with two devices, another with two, and a claim c."""
    world = World()
    world.node("n", devices=2)
    world.node("other", devices=2)
    world.claim("c")
    return world


async def allocated(world: World) -> World:
    """The claim c of pod p, allocated on node n; p has been bound, so the scheduling context is gone."""
    world.pod("p", ["c"], selected="n")
    await run(world)
    world.api.delete(PodSchedulingContext, "p", "default")
    assert list(devices_of_claims(world)) == ["c"]
    return world


# --- finalizer, no entry, not allocated ---------------------------------------------------------------------------


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


# --- entry, claim not allocated there -----------------------------------------------------------------------------


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


async def test_entry_goes_when_its_pod_goes_before_it_was_allocated(world: World) -> None:
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


async def test_entries_on_two_nodes_become_one(world: World) -> None:
    add_finalizer(world, "c")
    put_entry(world, world.read_claim("c").uid, "n-1")
    put_entry(world, world.read_claim("c").uid, "other-1", node="other")
    world.pod("p", ["c"], selected="other")
    await run(world)
    assert len(devices_of_claims(world)["c"]) == 1
    assert (entries(world), len(entries(world, "other"))) == ({}, 1)
    assert_sound(world)


async def test_entry_on_another_node_than_the_allocation_goes(world: World) -> None:
    await allocated(world)
    put_entry(world, world.read_claim("c").uid, "other-1", node="other")
    await run(world)
    assert entries(world, "other") == {}
    assert devices_of_claims(world) == {"c": ["n-0"]}
    assert_sound(world)


# --- entry, claim gone --------------------------------------------------------------------------------------------


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
        world.api.update(ResourceClaim, "c", "default", {"metadata": {"finalizers": []}})  # somebody forced it
        world.api.delete(ResourceClaim, "c", "default")
        await brain.settle()
    assert entries(world) == {}
    assert ("list", "ResourceClaim") not in brain.client.calls


async def test_entry_goes_with_a_claim_that_nothing_protects(world: World) -> None:
    """Somebody has taken the finalizer off, and deletes the claim later: only then the entry has to go."""
    await allocated(world)
    brain = Brain(world)
    async with brain.running():
        world.api.update(ResourceClaim, "c", "default", {"metadata": {"finalizers": []}})
        await brain.settle()
        assert list(entries(world)) == [world.read_claim("c").uid]
        world.api.delete(ResourceClaim, "c", "default")
        await brain.settle()
    assert entries(world) == {}


async def test_entry_of_no_claim_that_comes_while_the_controller_runs_is_taken_out(world: World) -> None:
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
        put_entry(world, "uid-that-nobody-has", "n-0")
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


# --- claim allocated there, no entry ------------------------------------------------------------------------------


def lose_entries(world: World) -> None:
    """The node's object is deleted and made anew by its plugin."""
    fresh = world.api.read(NodeAllocationState, "n", NAMESPACE)
    world.api.delete(NodeAllocationState, "n", NAMESPACE)
    metadata = ObjectMeta(name="n", namespace=NAMESPACE, owner_references=fresh.metadata.owner_references)
    spec = fresh.spec.model_copy(update={"allocated_claims": {}})
    world.api.apply(NodeAllocationState(metadata=metadata, spec=spec, status="Ready"))


def empty_entries(world: World) -> None:
    """Somebody has edited them."""
    edited: dict[str, object] = {uid: {"fake": {"devices": []}} for uid in entries(world)}
    world.api.update(NodeAllocationState, "n", NAMESPACE, {"spec": {"allocatedClaims": edited}})


async def test_lost_entry_is_put_back(world: World) -> None:
    await allocated(world)
    lose_entries(world)
    await run(world)
    assert list(entries(world)) == [world.read_claim("c").uid]
    assert_sound(world)


async def test_entry_that_is_taken_out_while_the_controller_runs_is_put_back(world: World) -> None:
    await allocated(world)
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
        world.api.update(NodeAllocationState, "n", NAMESPACE, {"spec": {"allocatedClaims": None}})
        await brain.settle()
    assert list(entries(world)) == [world.read_claim("c").uid]
    assert_sound(world)


async def test_lost_entry_is_put_back_before_its_devices_are_given_away(world: World) -> None:
    await allocated(world)
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
async def test_devices_of_a_claim_that_is_not_on_record_are_not_given_away_before_it_is_put_back(
    world: World, lose: Callable[[World], None], *, is_immediate: bool
) -> None:
    await allocated(world)
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
async def test_who_waits_for_devices_of_a_claim_that_cannot_be_put_back_gets_them_when_it_ends(
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


async def test_lost_entry_of_the_go_driver_is_put_back_from_what_the_plugin_has_prepared(world: World) -> None:
    """An allocation of the Go driver has no handle; a child's parent is the device that the claim holds."""
    await allocated(world)
    update_status(world, "c", {"allocation": {"resourceHandles": []}})
    lose_entries(world)
    uid = world.read_claim("c").uid
    children = [{"uuid": f"child-{i}", "parentUUID": "n-1"} for i in range(3)]
    prepared = {"spec": {"preparedDevices": {uid: {"fake": {"devices": children}}}}}
    world.api.update(NodeAllocationState, "n", NAMESPACE, prepared)
    await run(world)
    assert entries(world)[uid].to_wire() == {"fake": {"devices": [{"uuid": "n-1", "split": 3}]}}


async def test_lost_entry_of_the_go_driver_is_put_back_once_the_plugin_says_what_it_has_prepared(world: World) -> None:
    """The plugin makes its object anew first, and says what it has prepared a moment later."""
    await allocated(world)
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
    await allocated(world)
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
        ({"fake": {"devices": [{"uuid": "n-0"}, {"uuid": "n-1"}]}}, "n-0, n-1"),
    ],
    ids=str,
)
async def test_entry_that_somebody_has_edited_says_again_what_the_claim_has(
    world: World, edited: dict[str, object], told: str
) -> None:
    """Otherwise its device would be given to another claim, or another be kept from everybody."""
    await allocated(world)
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
    """The claim does not say what it has, so that nobody can tell."""
    await allocated(world)
    update_status(world, "c", {"allocation": {"resourceHandles": []}})
    uid = world.read_claim("c").uid
    prepared = {"spec": {"preparedDevices": {uid: {"fake": {"devices": [{"uuid": "n-0"}]}}}}}
    world.api.update(NodeAllocationState, "n", NAMESPACE, prepared)
    put_entry(world, uid, "n-1")
    brain = await run(world)
    assert entries(world)[uid].to_wire() == {"fake": {"devices": [{"uuid": "n-1"}]}}
    assert brain.events.events == []


@pytest.mark.parametrize("also_its_own", [False, True])
async def test_edited_entry_is_no_reason_to_take_the_device_that_another_claim_has_by_now(
    world: World, *, also_its_own: bool
) -> None:
    await allocated(world)
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


async def test_entry_of_a_claim_that_was_allocated_anew_is_no_edited_one(world: World) -> None:
    """The cache shows the new entry, and still the old allocation."""
    await allocated(world)
    brain = Brain(world)
    brain.deliver()
    handle = world.read_claim("c").status.allocation
    assert handle is not None
    anew = handle.resource_handles[0].data.replace("n-0", "n-1")
    update_status(world, "c", {"allocation": {"resourceHandles": [{"driverName": DRIVER_NAME, "data": anew}]}})
    put_entry(world, world.read_claim("c").uid, "n-1")
    brain.deliver("NodeAllocationState")
    await brain.pass_over("nodeallocationstate", "n", NAMESPACE)
    assert entries(world)[world.read_claim("c").uid].to_wire() == {"fake": {"devices": [{"uuid": "n-1"}]}}
    assert_sound(world)


async def test_edited_entry_is_not_corrected_when_others_have_changed_the_record_since(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 5: what was read of the claim may be older than that change, also when the cache shows it by now."""
    await allocated(world)
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


@pytest.mark.parametrize("end", ["deleted", "given up"])
async def test_entry_of_a_claim_that_is_coming_to_its_end_is_not_put_back(world: World, end: str) -> None:
    """Its devices may be another's by the time it would be."""
    await allocated(world)
    lose_entries(world)
    update_status(world, "c", {"reservedFor": None, "deallocationRequested": end == "given up"})
    if end == "deleted":
        world.api.delete(ResourceClaim, "c", "default")
    brain = Brain(world)
    brain.deliver()
    await brain.pass_over("nodeallocationstate", "n", NAMESPACE)
    assert entries(world) == {}


async def test_released_claim_without_an_entry_is_released_to_the_end(world: World) -> None:
    """A deallocation of the Go driver cut short: it takes the entry out first."""
    await allocated(world)
    lose_entries(world)
    update_status(world, "c", {"deallocationRequested": True, "reservedFor": None})
    await run(world)
    claim = world.read_claim("c")
    assert (claim.status.allocation, claim.status.deallocation_requested) == (None, False)
    assert claim.metadata.finalizers == ()
    assert entries(world) == {}


# --- node gone ----------------------------------------------------------------------------------------------------


def remove_node(world: World) -> None:
    world.api.delete(Node, "n")
    world.api.delete(NodeAllocationState, "n", NAMESPACE)


async def test_claim_of_a_node_that_is_gone_is_released_once_nothing_reserves_it(world: World) -> None:
    await allocated(world)
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
    await allocated(world)
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
    await allocated(world)
    remove_node(world)
    update_status(world, "c", {"reservedFor": None})
    world.api.delete(ResourceClaim, "c", "default")
    await run(world)
    assert world.api.wire(ResourceClaim, "c", "default") is None


async def test_node_of_the_same_name_gets_its_ledger_from_the_claims(world: World) -> None:
    await allocated(world)
    remove_node(world)
    world.node("n", devices=2)
    await run(world)
    assert list(entries(world)) == [world.read_claim("c").uid]
    assert_sound(world)


# --- normal ends, and their cost ----------------------------------------------------------------------------------


async def test_deleted_claim_goes_with_one_write_to_it_and_one_to_the_ledger(world: World) -> None:
    await allocated(world)
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


async def test_claim_that_lives_on_is_released_with_two_writes_to_it_and_one_to_the_ledger(world: World) -> None:
    await allocated(world)
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
    await allocated(world)
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
    await allocated(world)
    world.api.delete(ResourceClaim, "c", "default")
    await run(world)
    assert devices_of_claims(world) == {"c": ["n-0"]}


async def test_entry_on_another_node_goes_also_while_a_deleted_claim_is_still_used(world: World) -> None:
    await allocated(world)
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
async def test_stop_at_each_write_of_a_claims_life_loses_nothing(world: World, position: int, moment: str) -> None:
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

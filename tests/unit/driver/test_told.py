"""What people are told: every reason of Events has a story that leads to it, told on the right object, with advice."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from fake_dra_driver.api.fake import FakeClaimParameters, NodeAllocationState
from fake_dra_driver.api.kube.core import Pod
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.dra.node.calls import ClaimCalls
from fake_dra_driver.dra.node.cdi import CdiFolder
from fake_dra_driver.dra.node.prepared import PreparedClaim
from fake_dra_driver.dra.node.registration import Registration
from fake_dra_driver.dra.nodestate.abandonedclaims import LOOK_SECONDS
from fake_dra_driver.dra.program.reasons import REASONS
from fake_dra_driver.dra.structured.featuregates import DroppedFields
from fake_dra_driver.dra.structured.sliceevents import SliceEvents
from fake_dra_driver.driver.node.prepared import FakePreparedDevice
from fake_dra_driver.driver.node.preparedmodel import FakePreparedModel
from fake_dra_driver.runtime.errors import RuntimeLayerError
from tests.support.events import Recorder
from tests.support.half_states import (
    add_finalizer,
    allocate,
    lose_entries,
    prepare,
    put_entry,
    remove_node,
    run,
    run_pod,
    strip,
    world_with_claim,
)
from tests.support.node import CDI_ROOT, CHECKPOINT, NODE, UUIDS, NodeWorld, Plugin
from tests.support.structuredworld import StructuredBrain, StructuredWorld, result
from tests.support.world import NAMESPACE, Brain, World

pytestmark = pytest.mark.looptime

Story = Callable[[], Awaitable[Recorder]]
STORIES: dict[str, tuple[set[str], str, Story]] = {}
"""By reason: names of the objects that are told of it, words in each message, and the story."""


def story(reason: str, about: set[str], words: str) -> Callable[[Story], Story]:
    def add(function: Story) -> Story:
        STORIES[reason] = (about, words, function)
        return function

    return add


async def allocated() -> World:
    """The claim c has device n-0."""
    world = world_with_claim()
    await allocate(world)
    return world


# --- The controller in classic DRA


@story("InsufficientDevices", {"p", "c"}, "add nodes that have more (n: 2 of 2 devices free)")
async def too_much() -> Recorder:
    world = World()
    world.node("n", devices=2)
    world.claim("c", count=3)
    world.pod("p", ["c"], selected="", potential=["n"])
    return (await run(world)).events


@story("InvalidParameters", {"c"}, "count 128 times split 64 is 8192; count times split must be at most 1024")
async def wrong_parameters() -> Recorder:
    world = world_with_claim()
    world.api.update(FakeClaimParameters, "c", "default", {"spec": {"count": 128, "split": 64}})
    return (await run(world)).events


@story("ParametersNotFound", {"c"}, "FakeClaimParameters default/c do not exist: create them")
async def no_parameters() -> Recorder:
    world = world_with_claim()
    world.api.delete(FakeClaimParameters, "c", "default")
    return (await run(world)).events


@story("RecordDropped", {"c"}, "devices on node n were on record for the claim, and are free again: no pod")
async def unwanted_record() -> Recorder:
    world = world_with_claim()
    put_entry(world, world.read_claim("c").uid, "n-1")
    return (await run(world)).events


async def test_dropping_an_immediate_claims_record_on_an_unusable_node_is_reported() -> None:
    world = World()
    world.node("n", devices=2, status="NotReady")
    world.claim("c", mode="Immediate")
    put_entry(world, world.read_claim("c").uid, "n-1")
    assert (await run(world)).events.messages("RecordDropped") == [
        "devices on node n were on record for the claim, and are free again: the node cannot be used now"
    ]


@story("ReleasedFromGoneNode", {"c"}, "node n, on which the claim was allocated, no longer exists")
async def node_gone() -> Recorder:
    world = await allocated()
    remove_node(world)
    world.api.update(ResourceClaim, "c", "default", {"status": {"reservedFor": None}})
    return (await run(world)).events


@story("DevicesHeldByAnotherClaim", {"c", "thief"}, "delete the pods of one of the two, so that it gets other devices")
async def two_claims_with_one_device() -> Recorder:
    world = await allocated()
    lose_entries(world)
    world.claim("thief")
    put_entry(world, world.read_claim("thief").uid, "n-0")
    add_finalizer(world, "thief")
    world.pod("q", ["thief"], selected="n")
    return (await run(world)).events


@story("ClaimLostInUse", {"n", "p"}, "any more")
async def claim_taken_away_from_a_pod() -> Recorder:
    world = await allocated()
    run_pod(world)
    prepare(world, world.read_claim("c").uid)
    strip(world)
    brain = Brain(world)
    brain.deliver()
    await brain.pass_over("abandonedclaims", "n", NAMESPACE)
    await asyncio.sleep(LOOK_SECONDS)
    await brain.pass_over("abandonedclaims", "n", NAMESPACE)
    return brain.events


@story("DevicesUnknown", {"c"}, "claim default/c is allocated on node n, and nothing says which devices it has there")
async def allocation_without_devices() -> Recorder:
    world = await allocated()
    world.api.update(ResourceClaim, "c", "default", {"status": {"allocation": {"resourceHandles": []}}})
    lose_entries(world)
    return (await run(world)).events


@story("InvalidState", {"n"}, "nothing is allocated on the node until this is corrected: spec.allocatableDevice")
async def state_edited_into_nonsense() -> Recorder:
    world = world_with_claim()
    world.api.update(NodeAllocationState, "n", NAMESPACE, {"spec": {"allocatableDevice": "many"}})
    brain = Brain(world)
    brain.deliver()
    with pytest.raises(RuntimeLayerError):
        await brain.pass_over("nodeallocationstate", "n", NAMESPACE)
    return brain.events


@story(
    "LedgerEntryRemoved",
    {"n"},
    "claim with UID gone no longer exists; what was on record for it is free again: n-0, n-1",
)
async def entry_of_a_claim_that_is_gone() -> Recorder:
    world = world_with_claim()
    put_entry(world, "gone", "n-0", "n-1")
    return (await run(world)).events


@story("LedgerEntryRestored", {"c"}, "missing from the node's record; its devices are reserved again: n-0")
async def entry_lost() -> Recorder:
    world = await allocated()
    lose_entries(world)
    return (await run(world)).events


# --- Kubelet plugin


@story("PrepareFailed", {"c"}, f"on node {NODE}: claim default/c: this node has no device")
async def claim_with_an_unknown_device() -> Recorder:
    world = NodeWorld()
    plugin = await world.start()
    claim = world.claim("c", 0)
    broken = type(claim)(claim.namespace, claim.name, claim.uid, claim.resource_handle.replace(UUIDS[0], "FAKE-1"))
    async with ClaimCalls(plugin.driver, on_failure=plugin.claim_events.call_failed) as calls:
        await calls.run("prepare", [broken], None)
    return plugin.events


@story("UnprepareFailed", {"c"}, f"on node {NODE}: cannot remove the CDI file of claim")
async def disk_that_removes_nothing() -> Recorder:
    world = NodeWorld()
    plugin = await world.start()
    claim = world.claim("c", 0)
    await plugin.driver.prepare(claim)
    plugin.files.errors["remove"] = [OSError(5, "Input/output error")] * 20
    async with ClaimCalls(plugin.driver, on_failure=plugin.claim_events.call_failed) as calls:
        await calls.run("unprepare", [claim], None)
    return plugin.events


async def prepared(world: NodeWorld) -> None:
    """The claim c is prepared and published, and then the process dies."""
    plugin = await world.start()
    await plugin.settle()
    await plugin.driver.prepare(world.claim("c", 0))
    await plugin.settle()
    assert plugin.events.events == []
    world.stop()


@story("CheckpointRebuilt", {NODE}, "it was rebuilt from what the API server has: 1 claim")
async def checkpoint_damaged() -> Recorder:
    world = NodeWorld()
    await prepared(world)
    world.files.contents[CHECKPOINT] = b"{"
    plugin = await world.start()
    await plugin.settle()
    (message,) = plugin.events.messages("CheckpointRebuilt")
    assert f"checkpoint {CHECKPOINT} was set aside as " in message
    return plugin.events


@story("ClaimNotRestored", {"d"}, "which is in use there, could not be restored")
async def checkpoint_lost_and_a_device_unknown() -> Recorder:
    world = NodeWorld()
    await prepared(world)
    world.claim("d", 0)
    del world.files.contents[CHECKPOINT]
    plugin = await world.start()
    await plugin.settle()
    return plugin.events


@story("CDIFilesRestored", {NODE}, "wrote 1 CDI file again, missing or changed since prepared: uid-")
async def reboot() -> Recorder:
    world = NodeWorld()
    await prepared(world)
    world.stop(CDI_ROOT)
    plugin = await world.start()
    await plugin.settle()
    return plugin.events


@story("CDIFilesRemoved", {NODE}, "removed 1 CDI file of claims that are not prepared here: orphan")
async def orphaned_file() -> Recorder:
    world = NodeWorld()
    await prepared(world)
    cdi = CdiFolder(world.files, CDI_ROOT, FakePreparedModel(NODE))
    await cdi.write(PreparedClaim("orphan", "default", "o", (FakePreparedDevice(UUIDS[5], "MODEL"),)))
    plugin = await world.start()
    await plugin.settle()
    return plugin.events


@story("StaleClaimUnprepared", {NODE}, f"its devices are free again: {UUIDS[0]}")
async def claim_that_was_never_unprepared() -> Recorder:
    world = NodeWorld()
    await prepared(world)
    world.delete(world.node_claim("c"))
    plugin = await world.start()
    await plugin.settle()
    return plugin.events


@story("StateRecreated", {NODE}, "deleted while the kubelet plugin ran, and was created again")
async def state_deleted() -> Recorder:
    world = NodeWorld()
    plugin = await world.start()
    await plugin.settle()
    before = world.state()["metadata"]["uid"]
    world.delete_state()
    await plugin.settle()
    assert plugin.events.uids == {world.state()["metadata"]["uid"]} != {before}
    return plugin.events


@story("NodeNotReady", {NODE}, "pods with claims cannot start here until it can")
async def kubelet_away() -> Recorder:
    world = NodeWorld()
    plugin = await world.start()
    await plugin.settle()
    plugin.is_serving = False
    await plugin.settle()
    return plugin.events


@story("PluginStopped", {NODE}, "others with claims cannot start until it is back")
async def plugin_stopped() -> Recorder:
    world = NodeWorld()
    plugin = await world.start()
    await plugin.settle()
    await plugin.publisher.retire()
    return plugin.events


async def settled() -> Plugin:
    plugin = await NodeWorld().start()
    await plugin.settle()
    return plugin


@story("RegistrationRefused", {NODE}, "the kubelet refused the plugin: no such version")
async def registration_refused() -> Recorder:
    plugin = await settled()
    plugin.node_events.registration_changed(Registration(registered=True))
    plugin.node_events.registration_changed(Registration(registered=False, error="no such version"))
    return plugin.events


@story("SocketRestored", {NODE}, "socket /plugin.sock was gone, and is served again")
async def socket_gone() -> Recorder:
    plugin = await settled()
    plugin.node_events.socket_restored(Path("/plugin.sock"))
    return plugin.events


# --- The controller in structured DRA


@story("AllocatedClaimsRestored", {"n"}, "changed by another writer; it was written again as the claims have it (1 of")
async def edited_entries() -> Recorder:
    world = StructuredWorld()
    world.node("n")
    world.claim("c", result("n", 0))
    brain = StructuredBrain(world)
    async with brain.running():
        await brain.settle()
        world.api.update(NodeAllocationState, "n", NAMESPACE, {"spec": {"allocatedClaims": None}})
        await brain.settle()
    return brain.events


@story("LeftoverEntriesRemoved", {"n"}, "what was there of claims that no longer exist: uid-of-classic")
async def entries_of_before_an_upgrade() -> Recorder:
    world = StructuredWorld()
    world.node("n")
    entry = {"uid-of-classic": {"fake": {"devices": [{"uuid": "n-0"}]}}}
    world.api.update(NodeAllocationState, "n", NAMESPACE, {"spec": {"allocatedClaims": entry}})
    return (await world.run()).events


@story(
    "AllocatedClaimsIncomplete", {"n"}, "1 of the claims that hold devices here are not in allocatedClaims, which is"
)
async def more_than_there_is_room_for() -> Recorder:
    world = StructuredWorld()
    world.node("n")
    for number in range(210):  # each shows 32 devices of 63 characters, 2.5 KB
        shares = [result("n", 0, device="d" * 63, shareID=f"{number}-{share}") for share in range(32)]
        world.claim(f"c{number}", *shares)
    return (await world.run()).events


# --- The plugin in structured DRA


def slice_events() -> tuple[Recorder, SliceEvents]:
    recorder = Recorder()
    return recorder, SliceEvents(recorder, NODE)


@story("ResourceSlicesRestored", {NODE}, f"ResourceSlices of pool {NODE} were gone, and are published again: a")
async def slices_deleted() -> Recorder:
    recorder, events = slice_events()
    events.slices_restored(NODE, ["a"])
    return recorder


@story("ResourceSlicesCorrected", {NODE}, f"ResourceSlices of pool {NODE} were changed, and are written again: a")
async def slices_edited() -> Recorder:
    recorder, events = slice_events()
    events.slices_corrected(NODE, ["a"])
    return recorder


@story("ResourceSlicesRemoved", {NODE}, "that the plugin has not made were deleted: c")
async def slices_of_another() -> Recorder:
    recorder, events = slice_events()
    events.slices_removed(NODE, ["c"])
    return recorder


@story("ResourceSliceFieldsDropped", {NODE}, "DRADeviceTaints")
async def feature_gate_that_is_off() -> Recorder:
    recorder, events = slice_events()
    events.fields_dropped(NODE, DroppedFields(("devices[].taints",)))
    return recorder


@story("DeviceStatusNotWritten", {NODE}, "switch on the gate")
async def status_without_its_gate() -> Recorder:
    recorder, events = slice_events()
    events.status_not_written("switch on the gate")
    return recorder


# --- All of them


@pytest.mark.parametrize("reason", [reason.name for reason in REASONS])
async def test_each_reason_is_reported_on_its_objects_in_helpful_words(reason: str) -> None:
    about, words, run_story = STORIES[reason]
    told = [event for event in (await run_story()).events if event[1] == reason]
    assert {name for name, _, _ in told} == about
    for name, _, message in told:
        assert words in message, f"on {name}: {message}"


async def test_a_life_without_faults_leaves_no_events() -> None:
    """Beside that of its stop: a cluster in which all is well needs no Events, and each costs a request."""
    world = await allocated()
    brain = await run(world)
    world.api.delete(Pod, "p", "default")
    world.api.update(ResourceClaim, "c", "default", {"status": {"reservedFor": None}})
    world.api.delete(ResourceClaim, "c", "default")
    assert (brain.events.events, (await run(world)).events.events) == ([], [])
    node = NodeWorld()
    plugin = await node.start()
    await plugin.settle()
    claim = node.claim("c", 0)
    await plugin.driver.prepare(claim)
    await plugin.driver.prepare(claim)
    await plugin.settle()
    await plugin.driver.unprepare(claim)
    node.delete(claim)
    await plugin.settle()
    assert plugin.events.events == []


async def test_a_dispute_is_reported_only_once_while_it_lasts() -> None:
    world = await allocated()
    lose_entries(world)
    world.claim("thief")
    put_entry(world, world.read_claim("thief").uid, "n-0")
    world.pod("q", ["thief"], selected="n")
    brain = Brain(world)
    brain.deliver()
    for _ in range(3):
        await brain.pass_over("nodeallocationstate", "n", NAMESPACE)
    assert len(brain.events.messages("DevicesHeldByAnotherClaim")) == 2

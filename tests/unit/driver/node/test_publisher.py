"""The node's object follows what is on the node: nothing is written without need, and nothing that others own."""

import asyncio

import pytest

from fake_dra_driver.api.fake import (
    ALLOCATED_ANNOTATION,
    LEDGER_REVISION_ANNOTATION,
    MODELS_ANNOTATION,
    SIMULATED_LABEL,
    NodeAllocationState,
)
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.device.split import children
from fake_dra_driver.dra.nodestate.publisher import REGISTRATION_SECONDS
from fake_dra_driver.driver.node.prepared import WantedDevice
from fake_dra_driver.runtime.errors import NotFoundError, PatchTestFailedError, TransportError
from fake_dra_driver.runtime.reconcile import Result
from tests.support.memory_api import no_fault
from tests.support.node import INVENTORY, NODE, STATE, UUIDS, NodeWorld, Plugin

pytestmark = pytest.mark.looptime

ALLOCATABLE = [{"fake": {"uuid": uuid, "name": "LATEST-FAKE-MODEL"}} for uuid in UUIDS]
WRITES = {"create", "json_patch", "merge_patch"}


def writes(plugin: Plugin) -> list[str]:
    """The writes since the last time."""
    return [verb for verb, _ in plugin.client.requests() if verb in WRITES]


# --- What is published ---


async def test_the_object_is_created_for_the_node_and_owned_by_it(world: NodeWorld) -> None:
    plugin = await world.start()
    await plugin.settle()
    state = world.state()
    assert state["metadata"]["ownerReferences"] == [
        {"apiVersion": "v1", "kind": "Node", "name": NODE, "uid": world.api.read(Node, NODE).uid}
    ]
    assert (state["spec"], state["status"]) == ({"allocatableDevice": ALLOCATABLE}, "Ready")


async def test_it_is_not_ready_until_the_kubelet_can_use_it(world: NodeWorld) -> None:
    plugin = await world.start()
    plugin.is_serving = False
    await plugin.settle()
    assert (world.state()["spec"], world.state()["status"]) == ({"allocatableDevice": ALLOCATABLE}, "NotReady")
    plugin.is_serving = True
    await plugin.settle()
    assert world.state()["status"] == "Ready"


async def test_a_restart_that_changes_nothing_writes_nothing(world: NodeWorld, plugin: Plugin) -> None:
    again = await world.start()
    again.is_serving = False
    await again.settle()
    again.is_serving = True
    await again.settle()
    assert writes(again) == []
    assert world.state()["status"] == "Ready"


async def test_a_node_that_was_left_ready_is_not_for_long_without_a_registration(
    world: NodeWorld, plugin: Plugin
) -> None:
    again = await world.start()
    again.is_serving = False
    again.deliver()
    result = await again.publisher.reconcile(STATE)
    assert (result.requeue_after, world.state()["status"]) == (REGISTRATION_SECONDS, "Ready")
    await asyncio.sleep(REGISTRATION_SECONDS)
    await again.settle()
    assert world.state()["status"] == "NotReady"


async def test_devices_that_come_and_go_are_followed(world: NodeWorld, plugin: Plugin) -> None:
    claim = world.claim("c", 0)
    await plugin.prepare(claim)
    world.inventory = (*INVENTORY[1:], Device("FAKE-new", "NEW"))
    await plugin.settle()
    new = {"fake": {"uuid": "FAKE-new", "name": "NEW"}}
    state = world.state()
    assert state["spec"]["allocatableDevice"] == [*ALLOCATABLE[1:], new]
    assert world.published() == {claim.uid: [UUIDS[0]]}, "what is prepared stays so"
    annotations = state["metadata"]["annotations"]
    assert annotations[MODELS_ANNOTATION] == "7 LATEST-FAKE-MODEL, 1 NEW"
    assert annotations[ALLOCATED_ANNOTATION].endswith("/8")
    plugin.client.requests()
    await plugin.settle()
    assert writes(plugin) == []


async def test_prepared_devices_are_listed_with_their_parents(world: NodeWorld, plugin: Plugin) -> None:
    first = world.claim("first", 2, 1)
    second = world.claim("second", WantedDevice(UUIDS[0], 2))
    for claim in (first, second):
        await plugin.driver.prepare(claim)
    await plugin.settle()
    assert world.state()["spec"]["preparedDevices"] == {
        first.uid: {"fake": {"devices": [{"uuid": UUIDS[2]}, {"uuid": UUIDS[1]}]}},
        second.uid: {"fake": {"devices": [{"uuid": uuid, "parentUUID": UUIDS[0]} for uuid in children(UUIDS[0], 2)]}},
    }


async def test_after_prepare_and_unprepare_the_object_is_as_before(world: NodeWorld, plugin: Plugin) -> None:
    initial = world.state()
    claim = world.claim("c", 0, in_ledger=False)
    await plugin.driver.prepare(claim)
    await plugin.settle()
    assert world.published() == {claim.uid: [UUIDS[0]]}
    await plugin.driver.unprepare(claim)
    await plugin.settle()
    assert {**world.state(), "metadata": ""} == {**initial, "metadata": ""}


async def test_nothing_is_written_when_nothing_differs(world: NodeWorld, plugin: Plugin) -> None:
    await plugin.driver.prepare(world.claim("c", 0))
    await plugin.settle()
    plugin.client.requests()
    for _ in range(3):
        assert await plugin.reconcile() == Result()
    assert plugin.client.requests() == []


async def test_simultaneous_changes_share_a_write(world: NodeWorld, plugin: Plugin) -> None:
    for number in range(8):
        await plugin.driver.prepare(world.claim(f"c-{number}", number))
    await plugin.settle()
    assert writes(plugin) == ["json_patch"]
    assert len(world.published()) == 8


async def test_a_node_is_ready_again_though_the_answer_to_creating_its_object_was_lost(
    world: NodeWorld, plugin: Plugin
) -> None:
    world.delete_state()
    plugin.deliver()

    async def lose_the_answer(verb: str, kind: str) -> None:
        plugin.client.after_write = no_fault
        raise TransportError(verb, NodeAllocationState.resource, STATE, "connection reset")

    plugin.client.after_write = lose_the_answer
    with pytest.raises(TransportError):
        await plugin.reconcile()
    assert world.state()["status"] == "NotReady"
    await plugin.settle()
    assert world.state()["status"] == "Ready"
    assert len(plugin.events.messages("StateRecreated")) == 1


async def test_other_objects_are_left_alone(world: NodeWorld, plugin: Plugin) -> None:
    await plugin.driver.prepare(world.claim("c", 0))
    assert await plugin.publisher.reconcile(NamespacedName(STATE.namespace, "another-node")) == Result()
    assert plugin.client.requests() == []


async def test_nothing_is_published_before_the_checkpoint_is_read(world: NodeWorld) -> None:
    plugin = Plugin(world)
    assert await plugin.reconcile() == Result()
    assert plugin.client.requests() == []


# --- What belongs to others ---


async def test_the_ledger_and_its_revision_are_never_touched(world: NodeWorld, plugin: Plugin) -> None:
    claim = world.claim("c", 0)
    foreign = {
        "metadata": {"annotations": {LEDGER_REVISION_ANNOTATION: "17"}, "labels": {"a": "b"}},
        "spec": {"allocatedClaims": {"other": {"fake": {"devices": [{"uuid": UUIDS[5], "split": 2}]}}}},
    }
    world.update_state(foreign)
    before = world.state()
    await plugin.driver.prepare(claim)
    await plugin.settle()
    await plugin.driver.unprepare(claim)
    plugin.is_serving = False
    await plugin.settle()
    after = world.state()
    assert after["spec"]["allocatedClaims"] == before["spec"]["allocatedClaims"]
    assert {"other", claim.uid} == after["spec"]["allocatedClaims"].keys()
    assert {**after["metadata"], "resourceVersion": ""} == {**before["metadata"], "resourceVersion": ""}


async def test_an_allocation_that_the_cache_has_not_seen_survives(world: NodeWorld, plugin: Plugin) -> None:
    """The controller and the plugin write to one object; their fields do not get into each other's way."""
    claim = world.claim("c", 0)
    await plugin.driver.prepare(claim)
    world.put_entry("newer", WantedDevice(UUIDS[1]))
    await plugin.publisher.reconcile(STATE)
    assert {"newer", claim.uid} == world.state()["spec"]["allocatedClaims"].keys()
    assert world.published() == {claim.uid: [UUIDS[0]]}


async def test_an_allocation_in_an_object_that_had_no_spec_survives(world: NodeWorld, plugin: Plugin) -> None:
    world.update_state({"spec": None})
    plugin.deliver()
    world.put_entry("newer", WantedDevice(UUIDS[1]))
    with pytest.raises(PatchTestFailedError):
        await plugin.publisher.reconcile(STATE)
    await plugin.settle()
    assert world.state()["spec"].keys() == {"allocatableDevice", "allocatedClaims"}


async def test_a_status_that_another_client_has_set_stays(world: NodeWorld, plugin: Plugin) -> None:
    """``set-nas-status`` for a node that is being drained."""
    world.update_state({"status": "NotReady"})
    claim = world.claim("c", 0)
    await plugin.driver.prepare(claim)
    await plugin.settle()
    assert world.state()["status"] == "NotReady"
    for plugin.is_serving in (False, True):
        await plugin.settle()
    assert world.state()["status"] == "Ready", "the kubelet has registered the plugin again"


@pytest.mark.parametrize(
    "edit",
    [
        {"spec": {"allocatableDevice": None}},
        {"spec": {"allocatableDevice": ALLOCATABLE[:3]}},
        {"spec": {"allocatableDevice": [{"fake": {"uuid": UUIDS[0], "name": "ANOTHER"}}, *ALLOCATABLE[1:]]}},
        {"spec": {"preparedDevices": {"invented": {"fake": {"devices": [{"uuid": UUIDS[3]}]}}}}},
        {"spec": {"preparedDevices": None}},
        {"spec": None},
    ],
)
async def test_manual_edits_are_corrected(world: NodeWorld, plugin: Plugin, edit: dict[str, object]) -> None:
    claim = world.claim("c", 0, in_ledger=False)
    await plugin.driver.prepare(claim)
    await plugin.settle()
    before = world.state()["spec"]
    world.update_state(edit)
    await plugin.settle()
    assert world.state()["spec"] == before


# --- An object that comes and goes ---


async def test_an_object_that_was_deleted_is_created_again(world: NodeWorld, plugin: Plugin) -> None:
    claim = world.claim("c", 0)
    await plugin.driver.prepare(claim)
    await plugin.settle()
    world.delete_state()
    await plugin.settle()
    assert world.state()["status"] == "Ready"
    assert world.state()["metadata"]["ownerReferences"]
    assert world.published() == {claim.uid: [UUIDS[0]]}
    world.assert_sound(claim)


async def test_a_deletion_that_the_cache_has_not_seen_is_an_error_that_heals(world: NodeWorld, plugin: Plugin) -> None:
    world.delete_state()
    await plugin.driver.prepare(world.claim("c", 0))
    with pytest.raises(NotFoundError):
        await plugin.publisher.reconcile(STATE)
    await plugin.settle()
    assert world.state()["status"] == "Ready"


async def test_a_write_meant_for_an_object_does_not_reach_its_successor(world: NodeWorld, plugin: Plugin) -> None:
    world.delete_state()
    world.api.apply(
        NodeAllocationState.from_wire({"metadata": {"name": NODE, "namespace": STATE.namespace}, "spec": {}})
    )
    await plugin.driver.prepare(world.claim("c", 0, in_ledger=False))
    with pytest.raises(PatchTestFailedError):
        await plugin.publisher.reconcile(STATE)
    assert world.state()["spec"] == {}


POD_OWNER = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u"}


@pytest.mark.parametrize("owners", [None, [POD_OWNER]])
async def test_an_object_without_a_node_that_owns_it_gets_one(
    world: NodeWorld, plugin: Plugin, owners: list[object] | None
) -> None:
    """It was made by hand, and would outlive its node."""
    (node_owner,) = world.state()["metadata"]["ownerReferences"]
    world.update_state({"metadata": {"ownerReferences": owners}})
    await plugin.settle()
    assert world.state()["metadata"]["ownerReferences"] == [*(owners or ()), node_owner]
    plugin.client.requests()
    await plugin.settle()
    assert plugin.client.requests() == []


async def test_an_owner_that_is_added_at_the_same_moment_is_not_lost(world: NodeWorld, plugin: Plugin) -> None:
    world.update_state({"metadata": {"ownerReferences": None}})
    plugin.deliver()
    world.update_state({"metadata": {"ownerReferences": [POD_OWNER]}})
    with pytest.raises(PatchTestFailedError):
        await plugin.publisher.reconcile(STATE)
    await plugin.settle()
    assert [owner["kind"] for owner in world.state()["metadata"]["ownerReferences"]] == ["Pod", "Node"]


async def test_an_object_that_another_client_has_just_created_is_used(world: NodeWorld) -> None:
    plugin = await world.start()
    await plugin.recovery.reconcile(STATE)
    world.api.apply(
        NodeAllocationState.from_wire({"metadata": {"name": NODE, "namespace": STATE.namespace}, "status": "NotReady"})
    )
    await plugin.publisher.reconcile(STATE)
    assert (world.state()["spec"]["allocatableDevice"], world.state()["status"]) == (ALLOCATABLE, "Ready")


async def test_without_a_node_there_is_no_object(world: NodeWorld) -> None:
    world.api.delete(Node, NODE)
    plugin = await world.start()
    with pytest.raises(NotFoundError):
        await plugin.reconcile()
    assert world.api.wire(NodeAllocationState, NODE, STATE.namespace) is None


async def test_a_plugin_that_ends_reports_not_ready(world: NodeWorld, plugin: Plugin) -> None:
    before = world.state()
    await plugin.publisher.retire()
    assert world.state()["status"] == "NotReady"
    assert world.state()["spec"] == before["spec"]


# --- Another process of the plugin, during a rolling update ---


async def test_a_process_that_ends_leaves_the_node_to_its_successor(world: NodeWorld, plugin: Plugin) -> None:
    plugin.has_successor = True
    await plugin.publisher.retire()
    assert world.state()["status"] == "Ready"
    assert writes(plugin) == []
    assert plugin.events.messages("PluginStopped") == []


async def test_a_successor_that_is_not_registered_yet_leaves_the_node_ready(world: NodeWorld, plugin: Plugin) -> None:
    successor = await world.start()
    successor.has_successor, successor.is_serving = True, False
    await successor.settle()
    assert world.state()["status"] == "Ready"
    successor.has_successor = False
    await asyncio.sleep(REGISTRATION_SECONDS)
    await successor.settle()
    assert world.state()["status"] == "NotReady", "the other process is gone"


async def test_what_another_process_has_prepared_is_published(world: NodeWorld, plugin: Plugin) -> None:
    successor = await world.start()
    claim = world.claim("c", 1)
    await successor.driver.prepare(claim)
    plugin.taken = plugin.checkpoint.refresh
    await plugin.reconcile()
    assert world.published() == {claim.uid: [UUIDS[1]]}
    await plugin.driver.unprepare(claim)
    assert world.recorded() == {}


# --- A node that was simulated


def simulate(world: NodeWorld, status: str = "Ready") -> None:
    """What the controller writes of a node without a plugin."""
    simulated = {"allocatableDevice": [{"fake": {"uuid": "another", "name": "m"}}]}
    world.update_state({"metadata": {"labels": {SIMULATED_LABEL: "true"}}, "spec": simulated, "status": status})


async def test_a_plugin_takes_its_node_over(world: NodeWorld, plugin: Plugin) -> None:
    simulate(world)
    again = await world.start()
    await again.settle()
    state = world.state()
    assert state["metadata"]["labels"] == {SIMULATED_LABEL: "false"}
    assert (state["spec"], state["status"]) == ({"allocatableDevice": ALLOCATABLE}, "Ready")
    writes(again)
    await again.settle()
    assert writes(again) == []


async def test_a_plugin_without_a_registration_says_so_again_where_the_controller_was_faster(
    world: NodeWorld,
) -> None:
    plugin = await world.start()
    plugin.is_serving = False
    await plugin.settle()
    await asyncio.sleep(REGISTRATION_SECONDS)
    simulate(world)
    await plugin.settle()
    assert (world.state()["metadata"]["labels"], world.state()["status"]) == ({SIMULATED_LABEL: "false"}, "NotReady")


async def test_a_plugin_that_stops_leaves_the_node_to_the_controller(world: NodeWorld, plugin: Plugin) -> None:
    simulate(world)
    await plugin.settle()
    await plugin.publisher.retire()
    state = world.state()
    assert (state["metadata"].get("labels", {}), state["status"]) == ({}, "NotReady")

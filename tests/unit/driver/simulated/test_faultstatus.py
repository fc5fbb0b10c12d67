"""The entries of simulated nodes in the status of DeviceFaults: which are the controller's, and what becomes of others.

The policy of the chart is in force where an entry changes hands.
"""

import asyncio

import pytest

from fake_dra_driver.api.devicefault import DeviceFault, FaultOnNode
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import NamespacedName
from tests.support.guards import enforced, guard_named
from tests.unit.driver.simulated.fleetworld import FleetWorld

pytestmark = pytest.mark.looptime(noop_cycles=1)

FAULT = NamespacedName("", "f")
GUARD = guard_named("controller-devicefaults-status")
ROOM = "fake_dra_driver.driver.simulated.faultstatus.MAX_LISTED_NODES"
SINCE = "2026-01-02T00:00:00Z"
HIT = {"devices": ["fake-0"], "deviceCount": 1, "since": SINCE}
A_WHILE_SECONDS = 10.0


@pytest.fixture
async def world() -> FleetWorld:
    world = FleetWorld()
    await world.furnish()
    for name in ("a", "b", "c"):
        await world.bare_node(name)
    return world


async def entries(world: FleetWorld) -> dict[str, FaultOnNode]:
    """What the status says, by node, after a while."""
    await asyncio.sleep(A_WHILE_SECONDS)
    found = await world.admin.get(DeviceFault, FAULT)
    return {} if found.status is None else {entry.node: entry for entry in found.status.nodes}


async def simulated(world: FleetWorld) -> dict[str, bool]:
    """Of each node whether the controller says it."""
    return {node: entry.simulated for node, entry in (await entries(world)).items()}


async def test_what_a_plugin_has_left_is_the_controllers_from_then_on(world: FleetWorld) -> None:
    await world.fault(target={"devices": ["fake-0"]})
    await world.plugin_says("a", **HIT, times=3, message="the plugin's word")
    async with enforced(world.admin, GUARD), world.fleet():
        assert await simulated(world) == dict.fromkeys("abc", True)
        (a, b) = [(await entries(world))[node] for node in "ab"]
        assert (a.devices, a.times, a.message) == (("fake-0",), 3, "")
        assert b.times == 0
        writes = world.writes
        await asyncio.sleep(60)
        assert world.writes == writes
        await world.admin.delete(Node, NamespacedName("", "a"))
        assert set(await entries(world)) == {"b", "c"}


@pytest.mark.parametrize("left", [HIT, {}], ids=["a hit", "nothing"])
async def test_what_a_plugin_has_left_goes_where_the_fault_does_nothing(
    world: FleetWorld, left: dict[str, object]
) -> None:
    await world.fault(target={"nodes": ["b"]})
    await world.plugin_says("a", **left)
    async with enforced(world.admin, GUARD), world.fleet():
        assert set(await entries(world)) == {"b"}
        writes = world.writes
        await asyncio.sleep(60)
        assert world.writes == writes


async def test_a_plugin_that_takes_a_node_over_has_its_entry_and_others_go_on(world: FleetWorld) -> None:
    async with world.fleet() as (fleet, _):
        await world.fault()
        assert await simulated(world) == dict.fromkeys("abc", True)
        async with enforced(world.admin, GUARD):
            world.served.add("a")
            fleet.look("a")
            # Before the controller has withdrawn its own.
            await world.plugin_says("a", **HIT, times=1)
            await world.bare_node("d")
            assert await simulated(world) == {"a": False, "b": True, "c": True, "d": True}
        assert (await entries(world))["a"] == FaultOnNode.model_validate({"node": "a", **HIT, "times": 1})


@pytest.mark.parametrize("how", ["served", "not selected", "gone"])
async def test_another_process_withdraws_what_is_not_true_any_more(world: FleetWorld, how: str) -> None:
    async with world.fleet():
        await world.fault()
        assert set(await entries(world)) == set("abc")
    if how == "served":
        world.served.add("b")
    elif how == "not selected":
        await world.change_node("b", annotations=None)
    else:
        await world.admin.delete(Node, NamespacedName("", "b"))
    async with world.fleet():
        assert set(await entries(world)) == set("ac")
        assert (await world.active())[2].startswith("16 devices of 2 nodes")


@pytest.mark.parametrize(
    "nodes",
    [[], [{"node": "a", "simulated": True, "message": "forged"}, {"node": "gone", "simulated": True}]],
    ids=["taken away", "changed"],
)
async def test_entries_that_another_client_changes_are_restored(
    world: FleetWorld, nodes: list[dict[str, object]]
) -> None:
    async with world.fleet():
        await world.fault()
        before = await entries(world)
        await world.admin.merge_patch(DeviceFault, FAULT, {"status": {"nodes": nodes}}, subresource="status")
        assert await entries(world) == before
        writes = world.writes
        await asyncio.sleep(60)
        assert world.writes == writes


async def test_the_entry_of_a_plugin_whose_node_is_gone_leads_to_no_writes(world: FleetWorld) -> None:
    await world.fault()
    await world.plugin_says("gone", **HIT)
    async with world.fleet():
        assert await simulated(world) == {"a": True, "b": True, "c": True, "gone": False}
        writes = world.writes
        for value in "xyz":
            await world.admin.merge_patch(DeviceFault, FAULT, {"metadata": {"annotations": {"x": value}}})
            await world.settle()
        assert world.writes == writes


async def test_nodes_that_the_status_has_no_room_for_count_while_they_are_there(
    world: FleetWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ROOM, 2)
    async with world.fleet():
        await world.fault()
        assert set(await entries(world)) == {"a", "b"}
        assert (await world.active())[2].startswith("24 devices of 3 nodes")
        await world.admin.delete(Node, NamespacedName("", "c"))
        await asyncio.sleep(A_WHILE_SECONDS)
        assert (await world.active())[2].startswith("16 devices of 2 nodes")


async def test_a_restart_says_nothing_else_of_nodes_that_the_status_has_no_room_for(
    world: FleetWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ROOM, 2)
    async with world.fleet():
        await world.fault()
        assert set(await entries(world)) == {"a", "b"}
    writes = world.writes
    async with world.fleet():
        await asyncio.sleep(60)
        assert world.writes == writes


async def test_plugins_find_room_in_the_status(world: FleetWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ROOM, 4)
    async with world.fleet():
        await world.fault()
        await world.bare_node("d")
        assert set(await entries(world)) == set("abcd")
        for node in ("real-0", "real-1", "real-2"):
            await world.node(node, "A100")
        await asyncio.sleep(60)
        assert set(await entries(world)) == {"a", "b"}, "half of it is theirs, if they are that many"
        await world.plugin_says("real-0", **HIT)
        await world.plugin_says("real-1", **HIT)
        await world.plugin_says("real-2", **HIT)
        assert set(await entries(world)) == {"a", "real-0", "real-1", "real-2"}

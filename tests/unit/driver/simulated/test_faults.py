"""DeviceFaults hit the devices of nodes without a plugin, and their status says so as it does of others."""

import asyncio

import pytest

from fake_dra_driver.api.devicefault import DeviceFault
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.driver.profile.mocknode import MockNode
from fake_dra_driver.driver.simulated.fleet import SimulatedFleet
from fake_dra_driver.driver.simulated.member import Member
from fake_dra_driver.driver.simulated.nodemaker import NodeMaker
from tests.unit.driver.simulated.fleetworld import FleetWorld

pytestmark = pytest.mark.looptime(noop_cycles=1)

FAULT = NamespacedName("", "f")
TAINT = {"taint": {"key": "example.com/broken", "effect": "NoSchedule"}}


@pytest.fixture
async def world() -> FleetWorld:
    world = FleetWorld()
    await world.furnish()
    for name in ("a", "b", "c"):
        await world.bare_node(name, rack="r" + name)
    return world


async def vanished(fleet: SimulatedFleet, name: str) -> list[str]:
    node = await fleet.node(name)
    assert node is not None
    return sorted(node.effects.vanished)


async def test_a_fault_concerns_the_nodes_that_it_means(world: FleetWorld) -> None:
    async with world.fleet() as (fleet, _):
        await world.news()
        await world.fault(target={"nodes": ["a", "b"], "devices": ["fake-0", "fake-1"]})
        assert await world.news() == ["a", "b"]
        assert await vanished(fleet, "a") == ["fake-0", "fake-1"]
        assert await vanished(fleet, "c") == []
        node = await fleet.node("a")
        assert node is not None
        assert [device.name for device in node.devices] == [f"fake-{index}" for index in range(2, 8)]
        assert await world.fault_on() == dict.fromkeys(("a", "b"), (2, ("fake-0", "fake-1")))
        assert (await world.active())[:2] == ("True", "Hit")
        writes = world.writes
        await asyncio.sleep(60)
        assert (world.writes, await world.news()) == (writes, [])
        await world.admin.merge_patch(DeviceFault, FAULT, {"spec": {"target": {"nodes": ["b", "c"]}}})
        assert await world.news() == ["a", "c"]
        await world.settle()
        assert set(await world.fault_on()) == {"b", "c"}
        await world.admin.delete(DeviceFault, FAULT)
        assert await world.news() == ["b", "c"]
        assert await vanished(fleet, "b") == []


async def test_the_devices_of_a_node_are_not_made_for_faults_about_others(
    world: FleetWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    make = NodeMaker.make

    async def counted(self: NodeMaker, member: Member) -> tuple[MockNode | None, str]:
        made.append(member.node.metadata.name)
        return await make(self, member)

    monkeypatch.setattr(NodeMaker, "make", counted)
    async with world.fleet():
        await world.fault(target={"nodes": ["a"], "devices": ["fake-0"]})
        assert await world.fault_on() == {"a": (1, ("fake-0",))}
        assert set(made) == {"a"}


async def test_a_fault_ends_when_its_time_has_come(world: FleetWorld) -> None:
    async with world.fleet() as (fleet, _):
        await world.fault(duration="20s", target={"nodes": ["a"]}, effects=TAINT)
        assert (await world.active())[2] == "8 devices of 1 node: a (fake-0, fake-1, fake-2, fake-3 and 4 more)"
        await world.news()
        await asyncio.sleep(20)
        assert await world.news() == ["a"]
        node = await fleet.node("a")
        assert node is not None
        assert node.effects.taints == {}
        assert (await world.active())[:2] == ("False", "Expired")
        assert await world.fault_on() == {}


async def test_devices_fail_and_are_repaired_at_random(world: FleetWorld) -> None:
    chance = {"seed": 1, "meanTimeBetweenFailures": "60s", "meanTimeToRepair": "60s"}
    async with world.fleet() as (fleet, _):
        await world.fault(random=chance)
        await asyncio.sleep(120)
        assert set(await world.fault_on()) == {"a", "b", "c"}
        first = {name: await vanished(fleet, name) for name in "abc"}
        assert any(first.values())
        await world.news()
        await asyncio.sleep(120)
        assert set(await world.news()) == {"a", "b", "c"}
        assert first != {name: await vanished(fleet, name) for name in "abc"}


async def test_what_happens_to_calls_of_a_kubelet_is_nothing_here(world: FleetWorld) -> None:
    async with world.fleet() as (fleet, _):
        await world.fault(effects={"slicesLost": True}, target={"nodes": ["a"]})
        node = await fleet.node("a")
        assert node is not None
        assert node.effects.slices_lost
        assert len(node.devices) == 8


async def test_calls_that_fail_are_counted_for_people_also_by_another_process(world: FleetWorld) -> None:
    async def said() -> list[tuple[str, int, bool]]:
        found = await world.admin.get(DeviceFault, FAULT)
        return [] if found.status is None else [(each.node, each.times, each.simulated) for each in found.status.nodes]

    async with world.fleet() as (_, faults):
        await world.fault(target={"nodes": ["a"]}, effects={"prepare": {"fail": {}}})
        assert await said() == [("a", 0, True)]
        uid = (await world.admin.get(DeviceFault, FAULT)).uid
        faults._status.call_failed("a", uid)
        faults._status.call_failed("b", uid)  # which it does not hit any more
        await asyncio.sleep(10)
        assert await said() == [("a", 1, True)]
    async with world.fleet() as (_, faults):
        faults._status.call_failed("a", uid)
        await asyncio.sleep(10)
        assert await said() == [("a", 2, True)]


async def test_a_node_that_comes_or_gets_other_labels_is_hit(world: FleetWorld) -> None:
    async with world.fleet() as (fleet, _):
        await world.fault(target={"nodeSelector": {"matchLabels": {"rack": "rx"}}})
        assert (await world.active())[1] == "Waiting"
        await world.bare_node("x", rack="rx")
        await world.change_node("b", labels={"rack": "rx"})
        await world.settle()
        assert set(await world.fault_on()) == {"b", "x"}
        await world.change_node("x", annotations={"kwok.x-k8s.io/node": None})
        await world.change_node("b", labels={"rack": "rb"})
        await asyncio.sleep(3)
        assert await world.fault_on() == {}
        assert await vanished(fleet, "b") == []


async def test_devices_of_a_claim_are_hit_once_it_holds_them(world: FleetWorld) -> None:
    async with world.fleet() as (fleet, faults):
        await world.fault(target={"claim": {"namespace": "default", "name": "c"}})
        assert await vanished(fleet, "a") == []
        world.holders["fake-3"] = {NamespacedName("default", "c")}
        faults.claims_changed(["a"])
        await world.settle()
        assert await vanished(fleet, "a") == ["fake-3"]
        assert await world.fault_on() == {"a": (1, ("fake-3",))}


async def test_another_process_goes_on_where_one_has_ended(world: FleetWorld) -> None:
    async with world.fleet():
        await world.fault(target={"nodes": ["a", "b"]})
        before = await world.admin.get(DeviceFault, FAULT)
    await world.change_node("b", annotations={"kwok.x-k8s.io/node": None})
    await world.admin.delete(*node_key("b"))
    await asyncio.sleep(10)
    async with world.fleet():
        await asyncio.sleep(3)
        after = await world.admin.get(DeviceFault, FAULT)
    assert before.status is not None
    assert after.status is not None
    assert [entry.node for entry in after.status.nodes] == ["a"]
    assert after.status.nodes[0].since == before.status.nodes[0].since


async def test_what_plugins_say_stays(world: FleetWorld) -> None:
    await world.node("real", "A100")
    async with world.fleet():
        await world.fault()
        await world.plugin_says("real", deviceCount=3, since="2026-01-02T00:00:00Z", observedGeneration=1)
        await world.admin.delete(*node_key("a"))
        await asyncio.sleep(3)
        found = await world.fault_on()
        assert {name: count for name, (count, _) in found.items()} == {"b": 8, "c": 8, "real": 3}
        assert (await world.active())[2].startswith("19 devices of 3 nodes")


async def test_more_nodes_than_a_status_has_room_for_count_all_the_same(
    world: FleetWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fake_dra_driver.driver.simulated.faultstatus.MAX_LISTED_NODES", 2)
    async with world.fleet():
        await world.fault()
        await world.settle()
        assert set(await world.fault_on()) == {"a", "b"}
        assert (await world.active())[2].startswith("24 devices of 3 nodes")


def node_key(name: str) -> tuple[type, NamespacedName]:

    return Node, NamespacedName("", name)

"""Nodes without a plugin have what their profile says; those who publish it are told of the nodes that have changed."""

import pytest

from fake_dra_driver.api.deviceprofile import DeviceProfile
from fake_dra_driver.api.fake import PROFILE_ANNOTATION, PROFILE_PROBLEM_ANNOTATION
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.cluster.kinds import CustomResourceDefinition
from fake_dra_driver.device.inventory import make_inventory
from fake_dra_driver.driver.simulated.fleet import SimulatedFleet
from fake_dra_driver.runtime import RetryError
from tests.unit.driver.simulated.fleetworld import FleetWorld

pytestmark = pytest.mark.looptime(noop_cycles=1)

GPUS = {"groups": [{"name": "gpu", "count": 2}]}
ON_A = {"nodeSelector": {"matchLabels": {"rack": "a"}}}
BROKEN = {"groups": [{"name": "gpu", "count": 2, "deviceName": "gpu-{{ nothing }}"}]}


@pytest.fixture
async def world() -> FleetWorld:
    world = FleetWorld()
    await world.furnish()
    return world


async def devices_of(fleet: SimulatedFleet, name: str) -> list[str]:
    node = await fleet.node(name)
    assert node is not None
    assert node.mock is not None
    return [device.name for device in node.mock.devices]


async def problem_of(fleet: SimulatedFleet, name: str) -> str:
    node = await fleet.node(name)
    assert node is not None
    assert node.annotations[PROFILE_PROBLEM_ANNOTATION] == node.problem
    return node.problem


async def test_nodes_are_simulated_that_a_selector_is_for_and_no_plugin_serves(world: FleetWorld) -> None:
    await world.bare_node("kwok")
    await world.bare_node("labelled", annotations={}, mock="true")
    await world.bare_node("real", annotations={})
    await world.bare_node("served")
    world.served.add("served")
    async with world.fleet() as (fleet, _):
        assert sorted(fleet.nodes()) == ["kwok", "labelled"]
        assert await world.news() == ["kwok", "labelled", "served"]
        assert await fleet.node("real") is None
        assert fleet.is_selected("served")
        assert not fleet.is_selected("real")
        await world.bare_node("another")
        await world.change_node("real", annotations={"kwok.x-k8s.io/node": "fake"})
        await world.change_node("kwok", annotations={"kwok.x-k8s.io/node": None})
        assert await world.news() == ["another", "kwok", "real"]
        assert sorted(fleet.nodes()) == ["another", "labelled", "real"]
        await world.change_node("real", annotations={"other": "text"})
        assert await world.news() == []
        world.served.add("another")
        fleet.look("another")
        world.served.remove("served")
        fleet.look("served")
        assert await world.news() == ["another", "served"]
        assert sorted(fleet.nodes()) == ["labelled", "real", "served"]
        await world.admin.delete(Node, NamespacedName("", "real"))
        assert await world.news() == ["real"]
        assert fleet.uid_of("real") is None


async def test_before_all_is_read_nothing_is_said(world: FleetWorld) -> None:
    await world.bare_node("n")
    resource = DeviceProfile.resource
    await world.admin.delete(CustomResourceDefinition, NamespacedName("", f"{resource.plural}.{resource.group}"))
    async with world.fleet() as (fleet, _):
        assert not fleet.is_known
        assert not fleet.nodes()
        with pytest.raises(RetryError, match="not known yet"):
            await fleet.node("n")


async def test_a_node_without_a_profile_has_the_devices_of_the_quickstart(world: FleetWorld) -> None:
    await world.bare_node("n")
    async with world.fleet() as (fleet, _):
        node = await fleet.node("n")
        assert node is not None
        assert node.devices == make_inventory("n", 8, ["LATEST-FAKE-MODEL"])
        assert node.uid == (await world.admin.get(Node, NamespacedName("", "n"))).uid
        assert node.annotations[PROFILE_ANNOTATION] == ""


async def test_a_profile_is_for_some_and_only_they_are_looked_at_when_it_changes(world: FleetWorld) -> None:
    for name, rack in (("a", "a"), ("b", "b"), ("c", "a")):
        await world.bare_node(name, rack=rack)
    await world.profile("p", **GPUS, **ON_A)
    async with world.fleet() as (fleet, _):
        assert await world.news() == ["a", "b", "c"]
        assert await devices_of(fleet, "a") == ["gpu-0", "gpu-1"]
        assert len(await devices_of(fleet, "b")) == 8
        await world.change_profile("p", groups=[{"name": "gpu", "count": 3}])
        assert await world.news() == ["a", "c"]
        assert len(await devices_of(fleet, "c")) == 3
        await world.change_node("a", labels={"rack": "b"})
        assert await world.news() == ["a"]
        assert len(await devices_of(fleet, "a")) == 8
        await world.profile("q", groups=[{"name": "lamp"}], priority=1, **ON_A)
        assert await world.news() == ["c"]
        assert await devices_of(fleet, "c") == ["lamp-0"]
        await world.admin.delete(DeviceProfile, NamespacedName("", "q"))
        assert await world.news() == ["c"]
        assert len(await devices_of(fleet, "c")) == 3


async def test_a_profile_that_cannot_be_used_changes_nothing(world: FleetWorld) -> None:
    await world.bare_node("a")
    await world.profile("p", **GPUS)
    async with world.fleet() as (fleet, _):
        before = await devices_of(fleet, "a")
        await world.change_profile("p", **BROKEN)
        assert await world.news() == ["a", "a"]
        assert await devices_of(fleet, "a") == before
        assert (await problem_of(fleet, "a")).startswith(
            "DeviceProfile p cannot be used on this node: spec.groups[0].deviceName"
        )
        await world.bare_node("new")
        await world.settle()
        assert await devices_of(fleet, "new") == before, "it has what the others of its profile have"
        await world.change_profile("p", **GPUS)
        assert await world.news() == ["a", "new", "new"]
        assert await problem_of(fleet, "a") == ""


async def test_after_a_restart_a_broken_profile_leaves_what_is_published(world: FleetWorld) -> None:
    await world.bare_node("a")
    await world.profile("p", **BROKEN)
    async with world.fleet() as (fleet, _):
        node = await fleet.node("a")
        assert node is not None
        assert node.mock is None
        assert node.problem
        assert PROFILE_ANNOTATION not in node.annotations


async def test_a_template_may_lack_a_label_on_one_node(world: FleetWorld) -> None:
    await world.bare_node("a", row="r1")
    await world.profile("p", groups=[{"name": "gpu", "model": "{{ labels.row }}"}])
    async with world.fleet() as (fleet, _):
        assert await problem_of(fleet, "a") == ""
        await world.change_node("a", labels={"row": None})
        assert await world.news() == ["a", "a"]
        assert "row" in await problem_of(fleet, "a")
        node = await fleet.node("a")
        assert node is not None
        assert [device.model for device in node.devices] == ["r1"]


async def test_a_node_that_comes_again_under_its_name_is_another(world: FleetWorld) -> None:
    await world.bare_node("a")
    async with world.fleet() as (fleet, _):
        first = fleet.uid_of("a")
        await world.news()
        await world.admin.delete(Node, NamespacedName("", "a"))
        await world.bare_node("a")
        assert await world.news() == ["a", "a"]
        assert fleet.uid_of("a") not in {first, None}


async def test_in_classic_dra_there_are_no_parts_of_devices(world: FleetWorld) -> None:
    await world.bare_node("a")
    parts = [{"name": "half", "placements": [0, 1]}]
    await world.profile("p", groups=[{"name": "gpu", "partitions": parts}])
    async with world.fleet(is_classic=True) as (fleet, _):
        assert await devices_of(fleet, "a") == ["gpu-0"]
    async with world.fleet() as (fleet, _):
        assert await devices_of(fleet, "a") == ["gpu-0", "gpu-0-half-0", "gpu-0-half-1"]
        await world.news()
        fleet.leave_out_parts()
        assert await world.news() == ["a"]
        assert await devices_of(fleet, "a") == ["gpu-0"]

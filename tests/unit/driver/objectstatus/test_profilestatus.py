"""Of each DeviceProfile it is said whether it can be used, where it is, and with which others it competes."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from fake_dra_driver.api.deviceprofile import DeviceProfile
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import NamespacedName
from tests.unit.driver.objectstatus.statusworld import StatusWorld

pytestmark = pytest.mark.looptime(noop_cycles=1)

GPUS = {"groups": [{"name": "gpu", "count": 2}]}


def on_rack(rack: str, **spec: Any) -> dict[str, Any]:
    return {**GPUS, "nodeSelector": {"matchLabels": {"rack": rack}}, **spec}


@pytest.fixture
async def world() -> AsyncIterator[StatusWorld]:
    world = StatusWorld()
    await world.furnish()
    for name, rack in (("node-0", "a"), ("node-1", "b"), ("node-2", "b")):
        await world.node(name, rack=rack)
    async with world.controller():
        yield world


async def test_a_profile_is_valid_and_is_on_so_many_nodes(world: StatusWorld) -> None:
    await world.profile("p", **on_rack("b"))
    status, conditions = await world.judged("p")
    assert (status.observed_generation, status.nodes) == (1, 2)
    assert {name: (each.status, each.reason) for name, each in conditions.items()} == {
        "Valid": ("True", "Valid"),
        "Conflict": ("False", "NoConflict"),
    }
    key = NamespacedName("", "node-1")
    writes = world.writes
    await world.admin.merge_patch(Node, key, {"metadata": {"annotations": {"x": "y"}}})
    await world.settle()
    assert world.writes == writes
    await world.admin.merge_patch(Node, key, {"metadata": {"labels": {"rack": "c"}}})
    await world.settle()
    status, _ = await world.judged("p")
    assert status.nodes == 1
    assert world.writes == writes + 1


async def test_what_is_wrong_with_a_profile_is_said_with_its_path(world: StatusWorld) -> None:
    await world.profile("p", groups=[{"name": "gpu", "count": 2, "deviceName": "gpu-{{ nothing }}"}])
    _, conditions = await world.judged("p")
    valid = conditions["Valid"]
    assert (valid.status, valid.reason) == ("False", "Invalid")
    assert "spec.groups[0].deviceName" in valid.message
    await world.admin.merge_patch(DeviceProfile, NamespacedName("", "p"), {"spec": GPUS})
    await world.settle()
    status, conditions = await world.judged("p")
    assert conditions["Valid"].status == "True"
    assert status.observed_generation == 2


async def test_a_profile_is_tried_on_a_node_of_its_own(world: StatusWorld) -> None:
    group = {"name": "gpu", "model": "{{ labels.rack }}"}
    await world.profile("p", groups=[group])
    _, conditions = await world.judged("p")
    assert conditions["Valid"].status == "True"
    await world.profile("q", groups=[{**group, "model": "{{ labels.row }}"}], priority=1)
    _, conditions = await world.judged("q")
    assert conditions["Valid"].status == "False"
    assert conditions["Valid"].message.startswith("on node-0: spec.groups[0].model")


async def test_profiles_of_one_priority_compete(world: StatusWorld) -> None:
    await world.profile("a", **on_rack("b"))
    await world.profile("b", **GPUS)
    await world.profile("c", **on_rack("a", priority=1))
    status, conditions = await world.judged("a")
    assert status.nodes == 2
    assert (conditions["Conflict"].status, conditions["Conflict"].reason) == ("True", "SamePriority")
    assert conditions["Conflict"].message == (
        "of the same priority: b on node-1, node-2; a counts there, the first by name: give them different values of "
        "spec.priority"
    )
    status, conditions = await world.judged("b")
    assert status.nodes == 0
    assert conditions["Conflict"].message == (
        "of the same priority: a on node-1, node-2; a counts there, the first by name: give them different values of "
        "spec.priority"
    )
    status, conditions = await world.judged("c")
    assert (status.nodes, conditions["Conflict"].status) == (1, "False")
    await world.admin.delete(DeviceProfile, NamespacedName("", "a"))
    await world.settle()
    status, conditions = await world.judged("b")
    assert (status.nodes, conditions["Conflict"].status) == (2, "False")


async def test_profiles_of_other_drivers_are_left_alone(world: StatusWorld) -> None:
    await world.profile("p", driverName="other.example.com", **GPUS)
    status, _ = await world.judged("p")
    assert status.observed_generation is None

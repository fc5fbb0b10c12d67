"""What ``kubectl get nas`` shows beside fields: how many devices claims hold, and which models the node has."""

import pytest

from fake_dra_driver.api.fake import (
    ALLOCATED_ANNOTATION,
    LEDGER_REVISION_ANNOTATION,
    MODELS_ANNOTATION,
    NodeAllocationState,
)
from fake_dra_driver.api.kube.core import Pod
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.dra.nodestate.columns import models_of, recount
from fake_dra_driver.driver.statelayout import FakeStateLayout
from tests.support.half_states import run
from tests.support.node import NODE, NodeWorld
from tests.support.world import NAMESPACE, World

pytestmark = pytest.mark.looptime


def annotations(world: World) -> dict[str, str]:
    return dict(world.api.read(NodeAllocationState, "n", NAMESPACE).metadata.annotations)


@pytest.mark.parametrize("before", [None, {"another": "writer"}], ids=["no annotations", "others"])
async def test_devices_in_use_are_counted_with_each_write_of_the_ledger(before: dict[str, str] | None) -> None:
    world = World()
    world.node("n", devices=4)
    world.api.update(NodeAllocationState, "n", NAMESPACE, {"metadata": {"annotations": before}})
    world.claim("one")
    world.claim("split", count=2, split=3)
    for claim in ("one", "split"):
        world.pod(f"p-{claim}", [claim], selected="n")
        await run(world)
    assert annotations(world) == {**(before or {}), LEDGER_REVISION_ANNOTATION: "2", ALLOCATED_ANNOTATION: "3/4"}
    world.api.delete(Pod, "p-split", "default")
    world.api.update(ResourceClaim, "split", "default", {"status": {"reservedFor": None}})
    world.api.delete(ResourceClaim, "split", "default")
    await run(world)
    assert annotations(world)[ALLOCATED_ANNOTATION] == "1/4"


async def test_an_idle_node_shows_how_many_devices_it_has() -> None:
    world = NodeWorld()
    plugin = await world.start()
    await plugin.settle()
    assert world.state()["metadata"]["annotations"][ALLOCATED_ANNOTATION] == "0/8"


@pytest.mark.parametrize(("there", "shown"), [("3/8", "3/8"), ("3/4", "1/8"), (None, "1/8")])
async def test_a_plugin_counts_again_when_the_number_is_from_another_inventory(there: str | None, shown: str) -> None:
    world = NodeWorld()
    annotations = {"another": "writer"} if there is None else {ALLOCATED_ANNOTATION: there, "another": "writer"}
    held = {"x": {"fake": {"devices": [{"uuid": "FAKE-1"}]}}}
    metadata = {"name": NODE, "namespace": NAMESPACE, "annotations": annotations}
    world.api.apply(NodeAllocationState.from_wire({"metadata": metadata, "spec": {"allocatedClaims": held}}))
    plugin = await world.start()
    await plugin.settle()
    expected = {**annotations, ALLOCATED_ANNOTATION: shown, MODELS_ANNOTATION: "LATEST-FAKE-MODEL"}
    assert world.state()["metadata"]["annotations"] == expected


@pytest.mark.parametrize(
    ("models", "shown"),
    [([], ""), (["A"], "A"), (["A", "A"], "A"), (["B", "A", "B"], "2 B, 1 A")],
)
def test_models_are_counted_where_there_are_several(models: list[str], shown: str) -> None:
    assert models_of(FakeStateLayout(), [Device(f"d{at}", model) for at, model in enumerate(models)]) == shown


def test_nothing_is_written_where_all_is_said() -> None:
    inventory = [Device("a", "A"), Device("b", "B")]
    annotations = {ALLOCATED_ANNOTATION: "1/2", MODELS_ANNOTATION: "1 A, 1 B"}
    state = NodeAllocationState.from_wire({"metadata": {"name": NODE, "annotations": annotations}})
    assert recount(FakeStateLayout(), state, inventory) == ()
    (change,) = recount(FakeStateLayout(), state, [Device("a", "A"), Device("b", "A")])
    assert change["value"] == "A", "and only what has changed"


def test_what_else_is_to_be_said_is_written_where_it_differs() -> None:
    inventory = [Device("a", "A")]
    there = {ALLOCATED_ANNOTATION: "0/1", MODELS_ANNOTATION: "A", "profile": "old", "gone": "x", "same": "y"}
    state = NodeAllocationState.from_wire({"metadata": {"name": NODE, "annotations": there}})
    others = {"profile": "new", "gone": "", "same": "y", "never": ""}
    written, removed = recount(FakeStateLayout(), state, inventory, others)
    assert (written["path"], written["value"]) == ("/metadata/annotations/profile", "new")
    assert removed == {"op": "remove", "path": "/metadata/annotations/gone"}

"""What ``kubectl get nas`` shows beside fields: how many devices claims hold, as of the ledger's last write."""

import pytest

from fake_dra_driver.api.fake import ALLOCATED_ANNOTATION, LEDGER_REVISION_ANNOTATION, NodeAllocationState
from fake_dra_driver.api.kube.core import Pod
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
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
    assert world.state()["metadata"]["annotations"] == {**annotations, ALLOCATED_ANNOTATION: shown}

"""Claims in mode Immediate are allocated on nodes that can run pods, and wait for the others to come back."""

from collections.abc import Callable

import pytest

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from tests.support.half_states import run
from tests.support.soundness import devices_of_claims
from tests.support.world import NAMESPACE, Brain, World
from tests.unit.driver.classic.negotiating import messages

pytestmark = pytest.mark.looptime


@pytest.fixture
def world() -> World:
    """A node with one device, and one with many, which would be the first choice."""
    world = World()
    world.node("a")
    world.node("b", devices=8)
    return world


def cordon(world: World) -> None:
    world.cordon("b")


def stop(world: World) -> None:
    world.stop_reporting("b")


def taint(world: World) -> None:
    taints = [{"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule"}]
    world.api.update(Node, "b", "", {"spec": {"taints": taints}})


def remove(world: World) -> None:
    world.api.delete(Node, "b")


def drop_reference(world: World) -> None:
    """The Node is gone, and its NodeAllocationState stays: one that a person has made, without an owner."""
    world.api.update(NodeAllocationState, "b", NAMESPACE, {"metadata": {"ownerReferences": None}})
    world.api.delete(Node, "b")


def passes(brain: Brain) -> float:
    """How often a claim was looked at."""
    samples = [each for family in brain.metrics.registry.collect() for each in family.samples]
    return sum(
        each.value
        for each in samples
        if each.name == "controller_runtime_reconcile_total" and each.labels["controller"] == "resourceclaim"
    )


WAYS = [cordon, stop, taint, remove, drop_reference]


@pytest.mark.parametrize("make_unusable", WAYS)
async def test_claims_go_only_to_nodes_that_can_run_pods(world: World, make_unusable: Callable[[World], None]) -> None:
    make_unusable(world)
    world.claim("c", mode="Immediate")
    world.claim("d", mode="Immediate")
    await run(world)
    assert sorted(devices_of_claims(world).values()) == [["a-0"]]


@pytest.mark.parametrize(
    ("make_unusable", "reason"),
    [
        (cordon, "its node is cordoned (SchedulingDisabled)"),
        (stop, "its node is NotReady (NodeStatusUnknown)"),
        (taint, "its node has the taint node.kubernetes.io/disk-pressure"),
        (drop_reference, "its Node object does not exist"),
    ],
)
async def test_a_claim_that_waits_for_a_node_says_which_and_why(
    world: World, make_unusable: Callable[[World], None], reason: str
) -> None:
    make_unusable(world)
    world.claim("c", count=2, mode="Immediate")
    brain = await run(world)
    (message,) = messages(brain, "c")
    assert message.startswith("InsufficientDevices: asked for 2 devices on one node")
    assert f"b: {reason}" in message


async def test_a_claim_is_allocated_as_soon_as_the_node_takes_pods_again(world: World) -> None:
    world.cordon("b")
    world.claim("c", count=2, mode="Immediate")
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
        assert devices_of_claims(world) == {}
        world.cordon("b", undo=True)
        await brain.settle()
    assert devices_of_claims(world) == {"c": ["b-0", "b-1"]}


async def test_a_claim_is_allocated_as_soon_as_its_late_node_is_there(world: World) -> None:
    drop_reference(world)
    world.claim("c", count=2, mode="Immediate")
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
        world.ready_node("b")
        await brain.settle()
    assert devices_of_claims(world) == {"c": ["b-0", "b-1"]}


async def test_a_node_that_can_run_no_pods_any_more_wakes_no_claim(world: World) -> None:
    """It cannot help them, and a node that fails changes several times."""
    world.claim("c", count=9, mode="Immediate")
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
        before = passes(brain)
        world.cordon("b")
        await brain.settle()
        world.stop_reporting("b")
        await brain.settle()
        assert passes(brain) == before


async def test_a_node_that_cannot_be_read_gets_no_claims(world: World) -> None:
    world.api.update(Node, "b", "", {"spec": {"taints": "none"}})
    world.claim("c", count=2, mode="Immediate")
    brain = await run(world)
    (message,) = messages(brain, "c")
    assert "b: its Node object cannot be read: spec.taints" in message


async def test_a_record_of_before_a_stop_is_not_used_on_a_node_that_has_stopped_since(world: World) -> None:
    claim = world.claim("c", mode="Immediate")
    entry = {claim.uid: {"fake": {"devices": [{"uuid": "b-0"}]}}}
    world.api.update(NodeAllocationState, "b", NAMESPACE, {"spec": {"allocatedClaims": entry}})
    world.stop_reporting("b")
    await run(world)
    assert devices_of_claims(world) == {"c": ["a-0"]}
    assert not world.api.read(NodeAllocationState, "b", NAMESPACE).spec.allocated_claims


async def test_a_claim_that_has_its_devices_keeps_them_while_its_node_is_away(world: World) -> None:
    world.claim("c", count=2, mode="Immediate")
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
        version = world.read_claim("c").metadata.resource_version
        for change in (world.cordon, world.stop_reporting):
            change("b")
            await brain.settle()
    assert world.api.read(ResourceClaim, "c", "default").metadata.resource_version == version


async def test_a_pod_that_tolerates_a_cordon_gets_its_claim_on_the_node_that_the_scheduler_selected(
    world: World,
) -> None:
    """Which pods tolerate what is the scheduler's business: a claim with a pod is allocated where that is to run."""
    world.cordon("b")
    world.claim("c")
    world.pod("p", ["c"], selected="b")
    await run(world)
    assert devices_of_claims(world) == {"c": ["b-0"]}

"""What a claim's life costs in requests, write by write, when nothing else is in the way."""

from collections import Counter

import pytest

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.api.kube.core import Pod
from fake_dra_driver.api.kube.meta import OwnerReference
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim
from tests.support.world import NAMESPACE, Brain, World

pytestmark = pytest.mark.looptime


@pytest.fixture
def world() -> World:
    """A node with two devices, and pod p with claim c, made for it, that waits for its node."""
    world = World()
    world.node("n", devices=2)
    world.claim("c")
    pod = world.pod("p", ["c"])
    owner = OwnerReference(api_version="v1", kind="Pod", name="p", uid=pod.uid, controller=True)
    world.api.update(ResourceClaim, "c", "default", {"metadata": {"ownerReferences": [owner.to_wire()]}})
    return world


def writes(brain: Brain) -> Counter[str]:
    """Kinds of what was written since the last time; nothing was read."""
    found = Counter(kind for verb, kind in brain.client.calls if verb not in ("get", "list"))
    assert found.total() == len(brain.client.calls), f"reads in a hot path: {brain.client.calls}"
    brain.client.calls.clear()
    return found


async def allocate(world: World, brain: Brain) -> None:
    world.select("p", "n")
    await brain.settle()
    world.api.delete(PodSchedulingContext, "p", "default")
    await brain.settle()
    assert world.read_claim("c").status.allocation is not None


def end_pod(world: World) -> None:
    """The pod is deleted, and the controller manager asks for the claim's deallocation."""
    world.api.delete(Pod, "p", "default")
    world.api.update(ResourceClaim, "c", "default", {"status": {"reservedFor": None, "deallocationRequested": True}})


def entries(world: World) -> list[str]:
    return sorted(world.api.read(NodeAllocationState, "n", NAMESPACE).spec.allocated_claims)


async def test_allocation_is_two_writes_to_the_claim_and_one_to_the_ledger(world: World) -> None:
    brain = Brain(world)
    async with brain.running():
        await allocate(world, brain)

        assert writes(brain) == {"ResourceClaim": 2, "NodeAllocationState": 1}


async def test_selected_node_that_fits_is_judged_alone(world: World) -> None:
    """Full nodes that the scheduler offers beside it cost no write: the pod does not need them."""
    world.node("full", devices=0)
    brain = Brain(world)
    async with brain.running():
        world.select("p", "n", ["full", "n"])
        await brain.settle()

        assert writes(brain) == {"ResourceClaim": 2, "NodeAllocationState": 1}


async def test_claim_that_is_being_deleted_costs_one_write_to_it_and_one_to_the_ledger(world: World) -> None:
    brain = Brain(world)
    async with brain.running():
        await allocate(world, brain)
        writes(brain)

        world.api.delete(Pod, "p", "default")
        world.api.update(ResourceClaim, "c", "default", {"status": {"reservedFor": None}})
        world.api.delete(ResourceClaim, "c", "default")
        await brain.settle()

        assert writes(brain) == {"ResourceClaim": 1, "NodeAllocationState": 1}
        assert world.api.wire(ResourceClaim, "c", "default") is None
        assert entries(world) == []

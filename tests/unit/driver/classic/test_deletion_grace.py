"""A claim whose pod is gone waits a moment for its deletion, which then costs one write, and no pod is kept waiting."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.api.kube.core import Pod
from fake_dra_driver.api.kube.meta import OwnerReference
from fake_dra_driver.api.resource.v1alpha2 import AllocationMode, PodSchedulingContext, ResourceClaim
from fake_dra_driver.dra.classic.deletion import DELETION_GRACE_SECONDS
from tests.support.world import NAMESPACE, Brain, World

pytestmark = pytest.mark.looptime

MOMENT = 0.01
DEALLOCATION_REQUESTED = {"status": {"reservedFor": None, "deallocationRequested": True}}
"""What the controller manager writes once the last pod is gone."""


def make(mode: AllocationMode = "WaitForFirstConsumer") -> World:
    """A node with one device, and pod p with claim c, made for it, that waits for its node."""
    world = World()
    world.node("n", devices=1)
    world.claim("c", mode=mode)
    pod = world.pod("p", ["c"])
    owner = OwnerReference(api_version="v1", kind="Pod", name="p", uid=pod.uid, controller=True)
    world.api.update(ResourceClaim, "c", "default", {"metadata": {"ownerReferences": [owner.to_wire()]}})
    return world


@pytest.fixture
def world() -> World:
    return make()


async def allocate(world: World, brain: Brain) -> None:
    """Until the pod is bound, and its PodSchedulingContext gone."""
    world.select("p", "n")
    await brain.settle()
    world.api.delete(PodSchedulingContext, "p", "default")
    await brain.settle()
    assert is_allocated(world)
    brain.client.calls.clear()


async def wait(brain: Brain, seconds: float) -> None:
    """The caches see everything, over and over, for so long."""
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        brain.deliver()
        await asyncio.sleep(MOMENT)


def is_allocated(world: World, claim: str = "c") -> bool:
    return world.read_claim(claim).status.allocation is not None


def entries(world: World) -> list[str]:
    return sorted(world.api.read(NodeAllocationState, "n", NAMESPACE).spec.allocated_claims)


def request_deallocation(world: World) -> None:
    world.api.update(ResourceClaim, "c", "default", DEALLOCATION_REQUESTED)


def go(world: World) -> None:
    """The pod is deleted and gone."""
    world.api.delete(Pod, "p", "default")


def end(phase: str) -> Callable[[World], object]:
    return lambda world: world.api.update(Pod, "p", "default", {"status": {"phase": phase}})


# --- It waits -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "leave",
    [
        pytest.param(go, id="gone"),
        pytest.param(end("Succeeded"), id="completed and still there"),
        pytest.param(end("Failed"), id="failed and still there"),
    ],
)
async def test_claim_that_is_deleted_after_its_pod_costs_one_write_to_it_and_one_to_the_ledger(
    world: World, leave: Callable[[World], object]
) -> None:
    brain = Brain(world)
    async with brain.running():
        await allocate(world, brain)

        leave(world)
        request_deallocation(world)
        await wait(brain, DELETION_GRACE_SECONDS / 2)
        assert brain.client.calls == []
        world.api.delete(ResourceClaim, "c", "default")
        await wait(brain, MOMENT)

        assert brain.client.calls == [("merge_patch", "ResourceClaim"), ("json_patch", "NodeAllocationState")]
        assert world.api.wire(ResourceClaim, "c", "default") is None
        assert entries(world) == []


async def test_claim_that_is_not_deleted_after_all_is_released_when_the_time_is_over(world: World) -> None:
    brain = Brain(world)
    async with brain.running():
        await allocate(world, brain)

        go(world)
        request_deallocation(world)
        await wait(brain, DELETION_GRACE_SECONDS - 2 * MOMENT)
        assert is_allocated(world)
        await wait(brain, 4 * MOMENT)

        assert not is_allocated(world)
        assert entries(world) == []


async def test_claim_that_keeps_changing_is_released_when_the_time_is_over(world: World) -> None:
    """Every change leads to a pass; none of them begins the wait again."""
    brain = Brain(world)
    async with brain.running():
        await allocate(world, brain)

        go(world)
        request_deallocation(world)
        for turn in range(12):
            await wait(brain, DELETION_GRACE_SECONDS / 10)
            world.api.update(ResourceClaim, "c", "default", {"metadata": {"labels": {"turn": str(turn)}}})

        assert not is_allocated(world)


async def test_controller_that_starts_during_the_grace_period_still_releases_the_claim(world: World) -> None:
    first = Brain(world)
    async with first.running():
        await allocate(world, first)
        go(world)
        request_deallocation(world)
        await wait(first, DELETION_GRACE_SECONDS / 2)
    assert is_allocated(world)
    second = Brain(world)
    async with second.running():
        await wait(second, DELETION_GRACE_SECONDS + 2 * MOMENT)

        assert not is_allocated(world)
        assert entries(world) == []


# --- It does not wait ---------------------------------------------------------------------------------------------


def stay(world: World) -> None:
    """The scheduler takes the claim from a pod that is still to run, so that it can be allocated elsewhere."""


def let_live(world: World) -> None:
    """The claim was not made for a pod."""
    world.api.update(ResourceClaim, "c", "default", {"metadata": {"ownerReferences": None}})
    go(world)


def be_owned_by_something_else(world: World) -> None:
    owner = OwnerReference(api_version="example.com/v1", kind="Thing", name="p", uid="thing", controller=True)
    world.api.update(ResourceClaim, "c", "default", {"metadata": {"ownerReferences": [owner.to_wire()]}})
    go(world)


def share(world: World) -> None:
    """Another pod names the claim, and waits for it to be allocated where it can run."""
    world.pod("another", ["c"])
    go(world)


@pytest.mark.parametrize("leave", [stay, let_live, be_owned_by_something_else, share])
async def test_claim_that_a_pod_may_use_again_is_released_at_once(world: World, leave: Callable[[World], None]) -> None:
    brain = Brain(world)
    async with brain.running():
        await allocate(world, brain)

        leave(world)
        request_deallocation(world)
        await wait(brain, 2 * MOMENT)

        assert not is_allocated(world)
        assert entries(world) == []


async def test_immediate_claim_is_released_at_once_when_it_is_deleted() -> None:
    """No controller asks for the deallocation of a claim in mode Immediate."""
    world = make("Immediate")
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
        assert is_allocated(world)

        go(world)
        world.api.delete(ResourceClaim, "c", "default")
        await wait(brain, 2 * MOMENT)

        assert world.api.wire(ResourceClaim, "c", "default") is None
        assert entries(world) == []


# --- It ends early where devices are lacking ----------------------------------------------------------------------


def ask(world: World, **wanted: Any) -> None:
    """A pod that finds its only node full."""
    world.claim("next", **wanted)
    world.pod("next", ["next"], selected="n")


@pytest.mark.parametrize("moment", ["before", "in the middle"])
async def test_claim_is_released_at_once_where_a_pod_lacks_its_devices(world: World, moment: str) -> None:
    brain = Brain(world)
    async with brain.running():
        await allocate(world, brain)
        if moment == "before":
            ask(world)
            await wait(brain, 2 * MOMENT)
        go(world)
        request_deallocation(world)
        if moment == "in the middle":
            await wait(brain, 2 * MOMENT)
            ask(world)
        await wait(brain, 10 * MOMENT)

        assert not is_allocated(world)
        assert is_allocated(world, "next")


@pytest.mark.parametrize("moment", ["before", "in the middle"])
async def test_claim_is_released_at_once_where_an_immediate_claim_waits(world: World, moment: str) -> None:
    brain = Brain(world)
    async with brain.running():
        await allocate(world, brain)
        if moment == "before":
            world.claim("next", mode="Immediate")
            await wait(brain, 2 * MOMENT)
        go(world)
        request_deallocation(world)
        if moment == "in the middle":
            await wait(brain, 2 * MOMENT)
            world.claim("next", mode="Immediate")
        await wait(brain, 10 * MOMENT)

        assert not is_allocated(world)
        assert is_allocated(world, "next")


async def test_claim_waits_where_only_another_node_is_full(world: World) -> None:
    world.node("full", devices=0)
    brain = Brain(world)
    async with brain.running():
        await allocate(world, brain)
        world.claim("next")
        world.pod("next", ["next"], selected="full")
        await wait(brain, 2 * MOMENT)
        go(world)
        request_deallocation(world)
        await wait(brain, DELETION_GRACE_SECONDS / 2)

        assert is_allocated(world)

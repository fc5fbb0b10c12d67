"""Words for tests of half-states: what a stop, a person or the Go driver leaves in a ``World``, and what comes of it.

Names of claims, pods and nodes are those of ``world_with_claim``.
"""

from typing import Any

from fake_dra_driver.api.fake import (
    CLAIM_FINALIZER,
    AllocatedDevices,
    AllocatedFake,
    AllocatedFakes,
    NodeAllocationState,
)
from fake_dra_driver.api.kube.core import Node, Pod
from fake_dra_driver.api.kube.meta import ObjectMeta
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim
from tests.support.soundness import devices_of_claims
from tests.support.world import NAMESPACE, Brain, World

__all__ = [
    "add_finalizer",
    "allocate",
    "empty_entries",
    "entries",
    "lose_entries",
    "prepare",
    "put_entry",
    "remove_node",
    "run",
    "run_pod",
    "strip",
    "update_status",
    "world_with_claim",
]


def world_with_claim() -> World:
    """Two nodes with two devices each, and a claim c."""
    world = World()
    world.node("n", devices=2)
    world.node("other", devices=2)
    world.claim("c")
    return world


async def run(world: World) -> Brain:
    """A fresh controller, until nothing happens any more."""
    brain = Brain(world)
    async with brain.running():
        await brain.settle()
    return brain


async def allocate(world: World) -> None:
    """Allocates the claim c of pod p on node n; p has been bound, so the scheduling context is gone."""
    world.pod("p", ["c"], selected="n")
    await run(world)
    world.api.delete(PodSchedulingContext, "p", "default")
    assert list(devices_of_claims(world)) == ["c"]


def run_pod(world: World) -> None:
    """Pod p, for which claim c is allocated, runs on node n."""
    world.api.update(Pod, "p", "default", {"spec": {"nodeName": "n"}, "status": {"phase": "Running"}})
    consumer = {"resource": "pods", "name": "p", "uid": world.api.read(Pod, "p", "default").uid}
    update_status(world, "c", {"reservedFor": [consumer]})


def prepare(world: World, uid: str, *, undo: bool = False) -> None:
    """The plugin of node n publishes that its first device is prepared for a claim."""
    entry = None if undo else {"fake": {"devices": [{"uuid": "n-0"}]}}
    world.api.update(NodeAllocationState, "n", NAMESPACE, {"spec": {"preparedDevices": {uid: entry}}})


def strip(world: World) -> None:
    """A user deletes claim c, and takes its finalizers off."""
    world.api.update(ResourceClaim, "c", "default", {"metadata": {"finalizers": None}})
    world.api.delete(ResourceClaim, "c", "default")


def entries(world: World, node: str = "n") -> dict[str, AllocatedDevices]:
    """The node's ledger."""
    return dict(world.api.read(NodeAllocationState, node, NAMESPACE).spec.allocated_claims)


def put_entry(world: World, uid: str, *devices: str, node: str = "n") -> None:
    """An entry in the ledger, as a stop after the ledger's write leaves it."""
    entry = AllocatedDevices(fake=AllocatedFakes(devices=tuple(AllocatedFake(uuid=device) for device in devices)))
    patch = {"spec": {"allocatedClaims": {uid: entry.to_wire()}}}
    world.api.update(NodeAllocationState, node, NAMESPACE, patch)


def lose_entries(world: World) -> None:
    """The object of node n is deleted, and recreated by its plugin."""
    fresh = world.api.read(NodeAllocationState, "n", NAMESPACE)
    world.api.delete(NodeAllocationState, "n", NAMESPACE)
    metadata = ObjectMeta(name="n", namespace=NAMESPACE, owner_references=fresh.metadata.owner_references)
    spec = fresh.spec.model_copy(update={"allocated_claims": {}})
    world.api.apply(NodeAllocationState(metadata=metadata, spec=spec, status="Ready"))


def empty_entries(world: World) -> None:
    """The entries of node n are edited: they name no devices any more."""
    edited: dict[str, object] = {uid: {"fake": {"devices": []}} for uid in entries(world)}
    world.api.update(NodeAllocationState, "n", NAMESPACE, {"spec": {"allocatedClaims": edited}})


def add_finalizer(world: World, claim: str) -> None:
    """The driver's, as a stop before the ledger's write leaves it."""
    world.api.update(ResourceClaim, claim, "default", {"metadata": {"finalizers": [CLAIM_FINALIZER]}})


def update_status(world: World, claim: str, status: dict[str, Any]) -> None:
    """Merges into the claim's status what another controller, or the Go driver, writes."""
    world.api.update(ResourceClaim, claim, "default", {"status": status})


def remove_node(world: World) -> None:
    """Node n, and with it its object."""
    world.api.delete(Node, "n")
    world.api.delete(NodeAllocationState, "n", NAMESPACE)

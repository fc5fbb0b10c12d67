"""The stories that are told with a stop, or a fault, at each position: all that the driver does for claims."""

from collections.abc import Mapping

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.cluster.kinds import Node, Pod
from tests.crash.stage import NAMESPACE, node_of
from tests.crash.story import Story, Teller

__all__ = ["STORIES"]


async def allocation_and_deallocation(teller: Teller) -> None:
    """A claim goes from pod to pod, and is deleted at last."""
    stage = teller.stage
    await stage.node("n", devices=2)
    await stage.claim("c", count=2)
    for pod in ("first", "second"):
        await stage.pod(pod, "c")
        await teller.running(pod)
        await stage.delete(Pod, pod)
        await teller.at_rest()
    await stage.delete(ResourceClaim, "c")
    await teller.until("the claim is gone", lambda: stage.find(ResourceClaim, "c") is None)
    await teller.at_rest()


async def split(teller: Teller) -> None:
    """Children of devices; the claim is deleted before its pod."""
    stage = teller.stage
    await stage.node("n", devices=2)
    await stage.claim("c", count=1, split=3)
    await stage.claim("d", count=1, split=2)
    await stage.pod("p", "c")
    await stage.pod("q", "d")
    await teller.running("p", "q")
    await stage.delete(ResourceClaim, "c")
    await stage.delete(Pod, "p")
    await teller.until("the claim is gone", lambda: stage.find(ResourceClaim, "c") is None)
    await teller.at_rest()


async def shared_claim(teller: Teller) -> None:
    """Two pods use one claim; it is free when both are gone."""
    stage = teller.stage
    await stage.node("n", devices=1)
    await stage.claim("c")
    await stage.pod("p", "c")
    await stage.pod("q", "c")
    await teller.running("p", "q")
    await stage.delete(Pod, "p")
    await teller.at_rest()
    assert stage.allocated("c"), "q still uses the claim"
    await stage.delete(Pod, "q")
    await teller.at_rest()
    assert not stage.allocated("c")


async def immediate(teller: Teller) -> None:
    """A claim in mode Immediate is allocated without a pod, and kept without one; another waits for its devices."""
    stage = teller.stage
    await stage.node("n", devices=2)
    await stage.claim("c", count=2, mode="Immediate")
    await teller.until("the claim is allocated", lambda: stage.allocated("c"))
    await stage.claim("waits", mode="Immediate")
    await stage.pod("p", "c")
    await teller.running("p")
    await stage.delete(Pod, "p")
    await teller.at_rest()
    assert (stage.allocated("c"), stage.allocated("waits")) == (True, False)
    await stage.delete(ResourceClaim, "c")
    await teller.until("the other claim is allocated", lambda: stage.allocated("waits"))
    await teller.at_rest()


async def several_claims(teller: Teller) -> None:
    """A pod with three claims, two of them from templates, fits on one of two nodes only, and takes them with it."""
    stage = teller.stage
    await stage.node("a", devices=2)
    await stage.node("b", devices=4)
    await stage.template("t", count=2)
    await stage.template("u", split=2)
    await stage.claim("c")
    await stage.pod("p", "c", templates=("t", "u"))
    await teller.running("p")
    await teller.at_rest()
    await stage.delete(Pod, "p")
    await teller.until("the pod's claims are gone", lambda: len(stage.all(ResourceClaim)) == 1)
    await teller.at_rest()


async def a_full_node(teller: Teller) -> None:
    """A pod waits until another one has gone, whose claim goes with it."""
    stage = teller.stage
    await stage.node("n", devices=1)
    await stage.template("t")
    await stage.pod("p", templates=("t",))
    await teller.running("p")
    await stage.pod("q", templates=("t",))
    await teller.at_rest()
    assert not stage.is_running("q")
    await stage.delete(Pod, "p")
    await teller.running("q")
    await teller.at_rest()


async def change_of_mind(teller: Teller) -> None:
    """A pod goes while its claim is being allocated, and the next one wants the device."""
    stage = teller.stage
    await stage.node("n", devices=1)
    await stage.template("t")
    await stage.claim("c")
    await stage.pod("p", "c")
    await teller.until("it is being allocated", lambda: bool(_finalizers(teller, "c")))
    await stage.delete(Pod, "p")
    await stage.delete(ResourceClaim, "c")
    await stage.pod("q", templates=("t",))
    await teller.running("q")
    await teller.at_rest()
    assert stage.find(ResourceClaim, "c") is None


async def loss_of_a_node(teller: Teller) -> None:
    """A node goes with what is on it, its pods with it; what was allocated there can be had elsewhere."""
    stage = teller.stage
    await stage.node("a", devices=1)
    await stage.claim("c")
    await stage.claim("kept", mode="Immediate")
    await teller.until("the claim is allocated", lambda: stage.allocated("kept"))
    await stage.node("b", devices=2)
    await stage.pod("p", "c")
    await teller.running("p")
    await teller.at_rest()
    await stage.delete(NodeAllocationState, "a", NAMESPACE)
    await stage.delete(Node, "a", "")
    await teller.until("the claim is allocated on b", lambda: node_of(stage.find(ResourceClaim, "kept") or {}) == "b")
    await stage.pod("q", "kept")
    await teller.running("q")
    await teller.at_rest()


def _finalizers(teller: Teller, claim: str) -> list[str]:
    found = teller.stage.find(ResourceClaim, claim)
    assert found is not None
    finalizers: list[str] = found["metadata"].get("finalizers", [])
    return finalizers


STORIES: Mapping[str, Story] = {
    story.__name__: story
    for story in (
        allocation_and_deallocation,
        split,
        shared_claim,
        immediate,
        several_claims,
        a_full_node,
        change_of_mind,
        loss_of_a_node,
    )
}

"""What happens to controllers whose caches lag and whose writes are slow or fail, while users and scheduler go on.

For tests in which several of them fight over the same devices. A seed is a run.
"""

import asyncio
import random
from collections.abc import Sequence

from fake_dra_driver.api.kube.core import Pod
from fake_dra_driver.api.kube.meta import NamespacedName, ResourceKind
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim
from fake_dra_driver.runtime.errors import TransportError
from tests.support.claimworld import ClaimWorld, ControllerProcess

__all__ = ["fight"]


async def fight(
    world: ClaimWorld, brains: Sequence[ControllerProcess], claims: Sequence[str], nodes: Sequence[str], seed: int
) -> None:
    """Has controllers, which run, allocate and release the claims on the nodes for a while; then no claim is in use.

    Args:
        world: with the claims.
        brains: the controllers.
        claims: their names.
        nodes: what pods select, more often what is there more often.
        seed: of all that is left to chance.
    """
    rng = random.Random(seed)
    async with asyncio.TaskGroup() as group:
        for brain in brains:
            _shake(brain, rng)
        watches = [group.create_task(_bring_news(brain, rng), name="watch") for brain in brains]
        for _ in range(150):
            await asyncio.sleep(rng.expovariate(1))
            for _ in range(rng.randint(1, 6)):  # at once, so that claims compete
                _act(world, rng, claims, nodes)
        for watch in watches:
            watch.cancel()
        for claim in claims:
            if world.api.wire(Pod, f"pod-{claim}", "default") is None and world.read_claim(claim).status.reserved_for:
                _end(world, claim)


def _shake(brain: ControllerProcess, rng: random.Random) -> None:
    """Makes its writes slow, and some of them fail, before or after they took place."""

    async def fault(verb: str, kind: str) -> None:
        await asyncio.sleep(rng.expovariate(3))
        if rng.random() < 0.1:
            raise TransportError(verb, ResourceKind("", "", kind, kind), NamespacedName("", ""), "connection reset")

    brain.client.before_write = brain.client.after_write = fault


async def _bring_news(brain: ControllerProcess, rng: random.Random) -> None:
    """The watch of one controller, sometimes far behind."""
    while True:
        await asyncio.sleep(rng.expovariate(rng.choice((0.2, 2, 20))))
        brain.deliver()


def _act(world: ClaimWorld, rng: random.Random, claims: Sequence[str], nodes: Sequence[str]) -> None:
    """Something that a user, the scheduler or the controller manager does."""
    claim = rng.choice(claims)
    pod = f"pod-{claim}"
    seen = world.read_claim(claim)
    has_pod = world.api.wire(Pod, pod, "default") is not None
    if seen.status.allocation is None:
        if not has_pod:
            world.pod(pod, [claim], selected=rng.choice(nodes))
        elif rng.random() < 0.7:
            world.select(pod, rng.choice(nodes))
    if has_pod and rng.random() < 0.3:
        world.api.delete(Pod, pod, "default")
        world.api.delete(PodSchedulingContext, pod, "default")
        has_pod = False
    if not has_pod and seen.status.reserved_for:
        _end(world, claim)


def _end(world: ClaimWorld, claim: str) -> None:
    ended = {"status": {"reservedFor": None, "deallocationRequested": True}}
    world.api.update(ResourceClaim, claim, "default", ended)

"""Two real controllers without a lease between them, over the same claims: no write ever gives a device twice.

Their caches lag by random times, their writes are slow, and fail before or after they took place, while pods come, go
and choose other nodes. The invariant is checked on every version that the API server stores. A seed is a run.
"""

import asyncio
import random
from collections.abc import Mapping
from typing import Any

import pytest

from fake_dra_driver.api.kube.core import Pod
from fake_dra_driver.api.kube.meta import NamespacedName, ResourceKind
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim
from fake_dra_driver.runtime.errors import TransportError
from tests.unit.dra.classic.lockers import LockerProcess, LockerWorld, assert_sound

pytestmark = pytest.mark.looptime

CLAIMS = ("c0", "c1", "c2", "c3")
NODES = ("n", "n", "m", "nowhere")


class WatchedWorld(LockerWorld):
    """Looks at every version that is stored."""

    def __init__(self) -> None:
        super().__init__()
        self.allocations = 0
        self.given_twice: list[object] = []
        """What the claims said whenever two of them had the same device."""
        store = self.api._store

        def watched(resource: ResourceKind, wire: dict[str, Any], event: str) -> Mapping[str, Any]:
            stored = store(resource, wire, event)
            said = self.lockers_of_claims()
            given = [device for devices in said.values() for device in devices]
            if len(given) != len(set(given)):
                self.given_twice.append(said)
            self.allocations += resource.kind == "ResourceClaim" and "allocation" in stored.get("status", {})
            return stored

        self.api._store = watched  # type: ignore[method-assign, assignment]  # the test's own server


def shake(brain: LockerProcess, rng: random.Random) -> None:
    """Makes its writes slow, and some of them fail, before or after they took place."""

    async def fault(verb: str, kind: str) -> None:
        await asyncio.sleep(rng.expovariate(3))
        if rng.random() < 0.1:
            raise TransportError(verb, ResourceKind("", "", kind, kind), NamespacedName("", ""), "connection reset")

    brain.client.before_write = brain.client.after_write = fault


async def bring_news(brain: LockerProcess, rng: random.Random) -> None:
    """The watch of one controller, sometimes far behind."""
    while True:
        await asyncio.sleep(rng.expovariate(rng.choice((0.2, 2, 20))))
        brain.deliver()


def act(world: LockerWorld, rng: random.Random) -> None:
    """Something that a user, the scheduler or the controller manager does."""
    claim = rng.choice(CLAIMS)
    pod = f"pod-{claim}"
    seen = world.read_claim(claim)
    has_pod = world.api.wire(Pod, pod, "default") is not None
    if seen.status.allocation is None:
        if not has_pod:
            world.pod(pod, [claim], selected=rng.choice(NODES))
        elif rng.random() < 0.7:
            world.select(pod, rng.choice(NODES))
    if has_pod and rng.random() < 0.3:
        world.api.delete(Pod, pod, "default")
        world.api.delete(PodSchedulingContext, pod, "default")
        has_pod = False
    if not has_pod and seen.status.reserved_for:
        ended = {"status": {"reservedFor": None, "deallocationRequested": True}}
        world.api.update(ResourceClaim, claim, "default", ended)


@pytest.mark.parametrize("seed", range(6))
async def test_two_controllers_without_a_lease_never_give_a_device_twice(seed: int) -> None:
    rng = random.Random(seed)
    world = WatchedWorld()
    world.node("n", lockers=1)
    world.node("m", lockers=1)
    for claim in CLAIMS:
        world.claim(claim)
    brains = [LockerProcess(world), LockerProcess(world)]
    async with brains[0].running(), brains[1].running(), asyncio.TaskGroup() as group:
        for brain in brains:
            shake(brain, rng)
        watches = [group.create_task(bring_news(brain, rng), name="watch") for brain in brains]
        for _ in range(150):
            await asyncio.sleep(rng.expovariate(1))
            for _ in range(rng.randint(1, 6)):  # at once, so that claims compete
                act(world, rng)
        for watch in watches:
            watch.cancel()
        for claim in CLAIMS:
            if world.api.wire(Pod, f"pod-{claim}", "default") is None and world.read_claim(claim).status.reserved_for:
                ended = {"status": {"reservedFor": None, "deallocationRequested": True}}
                world.api.update(ResourceClaim, claim, "default", ended)
    assert world.given_twice == []
    assert world.allocations > 20, "they have done something"
    assert any(call[0] == "json_patch" for call in brains[0].client.calls)
    assert any(call[0] == "json_patch" for call in brains[1].client.calls)
    last = LockerProcess(world)
    async with last.running():
        await last.settle()
    assert_sound(world)
    recorded = {uid for key in world.api.objects["Rack"] for uid in world.ledger(key.name)}
    allocated = {world.read_claim(c).uid for c in CLAIMS if world.read_claim(c).status.allocation is not None}
    assert recorded == allocated, "nothing is left over"

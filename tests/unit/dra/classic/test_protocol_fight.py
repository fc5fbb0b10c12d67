"""Two real controllers without a lease between them, over the same claims: no write ever gives a device twice.

Their caches lag by random times, their writes are slow, and fail before or after they took place, while pods come, go
and choose other nodes. The invariant is checked on every version that the API server stores. A seed is a run.
"""

from collections.abc import Mapping
from typing import Any

import pytest

from fake_dra_driver.api.kube.meta import ResourceKind
from tests.unit.dra.classic.fight import fight
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


@pytest.mark.parametrize("seed", range(6))
async def test_two_controllers_without_a_lease_never_give_a_device_twice(seed: int) -> None:
    world = WatchedWorld()
    world.node("n", lockers=1)
    world.node("m", lockers=1)
    for claim in CLAIMS:
        world.claim(claim)
    brains = [LockerProcess(world), LockerProcess(world)]
    async with brains[0].running(), brains[1].running():
        await fight(world, brains, CLAIMS, NODES, seed)
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

"""Two controllers without a lease between them, over claims that share devices: none is ever given beyond its capacity.

As ``tests.unit.dra.classic.test_protocol_fight``, with a driver as an author writes it.
"""

from collections.abc import Mapping
from typing import Any

import pytest

from fake_dra_driver.api.kube.meta import ResourceKind
from tests.unit.dra.classic.fight import fight
from tests.unit.dra.driver.network import NetworkProcess, NetworkWorld, card, modem

pytestmark = pytest.mark.looptime

CLAIMS = {
    "a": {"bandwidth": "5G"},
    "b": {"bandwidth": "5G"},
    "c": {"bandwidth": "6G"},
    "d": {"bandwidth": "3G"},
    "e": {"kind": "modem"},
    "f": {"kind": "modem"},
}
NODES = ("n", "n", "n", "m", "nowhere")


class WatchedWorld(NetworkWorld):
    """Looks at every version that is stored."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = 0
        """How often several claims had a share of one device."""
        self.overdrawn_devices: list[object] = []
        """What the claims said whenever a device was given away beyond its capacity."""
        store = self.api._store

        def watched(resource: ResourceKind, wire: dict[str, Any], event: str) -> Mapping[str, Any]:
            stored = store(resource, wire, event)
            if resource.kind == "ResourceClaim" and "NodeAllocationState" in self.api.objects:
                held = self.held()
                if self.overdrawn(held.values()):
                    self.overdrawn_devices.append(held)
                self.shared += sum("card-0" in devices for devices in held.values()) > 1
            return stored

        self.api._store = watched  # type: ignore[method-assign, assignment]  # the test's own server


@pytest.mark.parametrize("seed", range(4))
async def test_two_controllers_never_give_away_more_than_there_is(seed: int) -> None:
    world = WatchedWorld()
    world.node("n", card("card-0"), modem("modem-0"))
    world.node("m", card("card-1"))
    for name, spec in CLAIMS.items():
        world.claim(name, **spec)
    brains = [NetworkProcess(world), NetworkProcess(world)]
    async with brains[0].running(), brains[1].running():
        await fight(world, brains, list(CLAIMS), NODES, seed)
    assert world.overdrawn_devices == []
    assert world.shared > 20, "they have shared something"
    assert all(any(verb == "json_patch" for verb, *_ in brain.client.calls) for brain in brains)
    last = NetworkProcess(world)
    async with last.running():
        await last.settle()
    world.assert_sound()
    recorded = {uid for node in ("n", "m") for uid in world.ledger(node)}
    assert recorded == {world.read_claim(name).uid for name in world.held()}, "nothing is left over"

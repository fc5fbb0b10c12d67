"""Memory of the controller in a large cluster, and how soon after its start it allocates."""

import asyncio
from dataclasses import dataclass

from tests.bench.api import all_of
from tests.bench.lab import Lab

__all__ = ["Footprint", "measure_footprint", "time_first_allocation"]

_SETTLE_SECONDS = 5.0
_BIND_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Footprint:
    """The controller, with everything in its caches."""

    nodes: int
    claims: int
    resident_mib: float
    greatest_mib: float
    """The most that was resident, which is while the first lists are read."""
    ready_seconds: float


async def measure_footprint(lab: Lab, *, nodes: int, claims_a_node: int) -> Footprint:
    """Starts the controller where every node has claims that are allocated already."""
    names = await lab.world.grow(nodes)
    await all_of(lab.world.add_allocated(name, claims_a_node) for name in names[:nodes])
    async with lab.controller() as started:
        await asyncio.sleep(_SETTLE_SECONDS)  # its first passes over everything end
        return Footprint(
            nodes=nodes,
            claims=nodes * claims_a_node,
            resident_mib=started.program.resident_mib(),
            greatest_mib=started.program.greatest_resident_mib(),
            ready_seconds=started.ready_seconds,
        )


async def time_first_allocation(lab: Lab) -> float:
    """Seconds from the start of a controller to the binding of a pod that has waited for it."""
    async with lab.world.bindings() as bindings:
        await lab.world.add_pod_with_claim("first")
        await asyncio.sleep(1.0)  # the scheduler selects a node, and waits
        async with lab.controller() as started:
            if not await bindings.wait(["first"], _BIND_SECONDS):
                raise RuntimeError(f"the first pod was not bound within {_BIND_SECONDS} s")
            seconds = bindings.at["first"] - started.program.started_at
            await lab.world.remove_pods_and_claims()
    return seconds

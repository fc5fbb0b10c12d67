"""Memory of the controller in a large cluster, and how soon after its start it allocates."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

from tests.bench.api import Json, all_of
from tests.bench.classic.world import CLAIMS, CONTEXTS, ClassicWorld
from tests.bench.lab import Lab

__all__ = ["Footprint", "measure_footprint", "time_first_allocation"]

_SETTLE_SECONDS = 5.0
_ALLOCATE_SECONDS = 60
_FIRST = "first"


@dataclass(frozen=True, slots=True)
class Footprint:
    """The controller, with everything in its caches."""

    nodes: int
    claims: int
    resident_mib: float
    greatest_mib: float
    """The most that was resident, which is while the first lists are read."""
    ready_seconds: float


async def measure_footprint(lab: Lab[ClassicWorld], *, nodes: int, claims_a_node: int) -> Footprint:
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


async def time_first_allocation(lab: Lab[ClassicWorld]) -> float:
    """Seconds from the start of a controller to the allocation of a claim whose pod has waited for it.

    That the scheduler binds the pod a second or two later has its back-off as the reason.
    """
    await lab.world.add_pod_with_claim(_FIRST)
    await _seen(lab, CONTEXTS, lambda context: bool(context["spec"].get("selectedNode")))
    async with asyncio.TaskGroup() as group:
        seen = _seen(lab, CLAIMS, lambda claim: "allocation" in claim.get("status", {}))
        allocated = group.create_task(seen, name="first-allocation")
        async with lab.controller() as started:
            seconds = await allocated - started.program.started_at
            await lab.world.remove_pods_and_claims()
    return seconds


async def _seen(lab: Lab[ClassicWorld], path: str, is_so: Callable[[Json], bool]) -> float:
    """When the pod's object at that path is seen to be so, by the loop's clock. Raises TimeoutError."""
    async with asyncio.timeout(_ALLOCATE_SECONDS), aclosing(lab.world.api.watch(path)) as events:
        while True:
            _, found = await anext(events)
            if found["metadata"]["name"] == _FIRST and is_so(found):
                return asyncio.get_running_loop().time()

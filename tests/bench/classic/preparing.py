"""NodePrepareResources over the unix socket: how long claims wait for a plugin that makes everything durable first."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

from tests.bench.classic.kubelet import Kubelet
from tests.bench.classic.world import AllocatedClaim, ClassicWorld
from tests.bench.lab import Lab
from tests.bench.statistic import Distribution

__all__ = ["PrepareRun", "prepare"]

_NODE = "bench-plugin"
_WARM_UP = 10


@dataclass(frozen=True, slots=True)
class PrepareRun:
    """What one plugin has shown."""

    registered_seconds: float
    """From the start of the process until the kubelet has accepted it."""
    calls_ms: Mapping[int, Distribution]
    """By how many calls of one claim came at once: how long each of them took."""
    rounds_ms: Mapping[int, Distribution]
    """By how many calls came at once: how long all of them took."""
    batch_ms: Mapping[int, Distribution]
    """By how many claims: how long one call with all of them took."""
    resident_mib: float
    """Memory of the plugin at the end."""


async def prepare(lab: Lab[ClassicWorld], *, claims: int = 100, singles: int = 200, rounds: int = 10) -> PrepareRun:
    """Prepares and unprepares claims again and again.

    Args:
        lab: where.
        claims: how many the node has, each with a device of its own: the most at once.
        singles: how many single calls to time.
        rounds: how many times to time each number of calls at once.
    """
    await lab.world.add_node(_NODE, claims)
    allocated = await lab.world.add_allocated(_NODE, claims)
    loop = asyncio.get_running_loop()
    async with lab.plugin(_NODE, claims) as (program, folders), Kubelet.register(folders.registry) as kubelet:
        registered = loop.time() - program.started_at
        for claim in allocated[:_WARM_UP]:
            await _round(kubelet, [claim])
        calls: dict[int, list[float]] = {}
        totals: dict[int, list[float]] = {}
        for at_once in dict.fromkeys((1, 10, claims)):
            for number in range(singles if at_once == 1 else rounds):
                first = number * at_once % (claims - at_once + 1)
                found, total = await _round(kubelet, allocated[first : first + at_once])
                calls.setdefault(at_once, []).extend(found)
                totals.setdefault(at_once, []).append(total)
        batches = {number: await _batches(kubelet, allocated[:number], rounds) for number in (8, claims)}
        resident = program.resident_mib()
    await lab.world.remove_node(_NODE)
    return PrepareRun(
        registered_seconds=registered,
        calls_ms={at_once: Distribution.of(found) for at_once, found in calls.items()},
        rounds_ms={at_once: Distribution.of(found) for at_once, found in totals.items()},
        batch_ms={number: Distribution.of(found) for number, found in batches.items()},
        resident_mib=resident,
    )


async def _round(kubelet: Kubelet, claims: Sequence[AllocatedClaim]) -> tuple[Sequence[float], float]:
    """Milliseconds of each of the calls, one for each claim and all at once, and of all together."""

    async def one(claim: AllocatedClaim) -> float:
        begun = perf_counter()
        await kubelet.prepare([claim])
        return (perf_counter() - begun) * 1000

    begun = perf_counter()
    found = await asyncio.gather(*(one(claim) for claim in claims))
    total = (perf_counter() - begun) * 1000
    await kubelet.unprepare(claims)
    return found, total


async def _batches(kubelet: Kubelet, claims: Sequence[AllocatedClaim], rounds: int) -> Sequence[float]:
    found = []
    for _ in range(rounds):
        begun = perf_counter()
        await kubelet.prepare(claims)
        found.append((perf_counter() - begun) * 1000)
        await kubelet.unprepare(claims)
    return found

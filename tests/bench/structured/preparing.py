"""NodePrepareResources of ``v1.DRAPlugin``: how long claims wait for a plugin that makes everything durable first.

A plugin has to ask the API server about each claim. What that costs on this machine is measured beside it: before the
plugin is asked about claims, the benchmark reads the same claims itself, as many at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter

from tests.bench.lab import Lab
from tests.bench.statistic import Distribution
from tests.bench.structured.echo import run_echo
from tests.bench.structured.kubelet import Kubelet
from tests.bench.structured.world import CLAIMS, AllocatedClaim, StructuredWorld

__all__ = ["PrepareRun", "Waits", "prepare"]

_NODE = "bench-plugin"


@dataclass(frozen=True, slots=True)
class Waits:
    """How long claims waited, so many of which came at once; milliseconds."""

    each: Distribution
    """Each call, of one claim."""
    all: Distribution
    """Until the last of those that came at once was answered."""
    read: Distribution
    """Until all of the same claims were read by the benchmark itself."""
    echo: Distribution
    """Until as many calls were answered by a plugin that does nothing."""
    besides_read: Distribution
    """``all`` without ``read``, round by round."""


@dataclass(frozen=True, slots=True)
class PrepareRun:
    """What one plugin has shown."""

    at_once: Mapping[int, Waits]
    """By how many calls of one claim each came at once."""
    batch_ms: Mapping[int, Distribution]
    """By how many claims: how long one call with all of them took."""
    resident_mib: float
    """Memory of the plugin at the end."""
    calls: int
    """That it has answered until then, unpreparing apart."""


@dataclass(slots=True)
class _Rounds:
    each: list[float] = field(default_factory=list)
    all: list[float] = field(default_factory=list)
    read: list[float] = field(default_factory=list)
    echo: list[float] = field(default_factory=list)

    def waits(self) -> Waits:
        besides = [whole - read for whole, read in zip(self.all, self.read, strict=True)]
        measured = (self.each, self.all, self.read, self.echo, besides)
        return Waits(*(Distribution.of(values) for values in measured))


async def prepare(lab: Lab[StructuredWorld], *, claims: int = 100, repeat: int = 5) -> PrepareRun:
    """Prepares all claims, one or several at a time, unprepares them, and does so again.

    Args:
        lab: where.
        claims: how many the node has, each with a device of its own: the most at once.
        repeat: how often all of them are prepared for each number that comes at once.
    """
    world = lab.world
    await world.add_ready_node(_NODE)
    allocated = await world.add_allocated(_NODE, claims)
    async with (
        run_echo(lab.folder) as (_, echo),
        lab.plugin(_NODE, claims) as (program, folders),
        Kubelet.register(folders.registry) as kubelet,
    ):
        bench = _Bench(world, kubelet, echo, allocated)
        await bench.batch(allocated)  # connections are made, code is loaded
        at_once = {number: await bench.rounds(number, repeat) for number in dict.fromkeys((1, 10, claims))}
        batches = {number: [await bench.batch(allocated[:number]) for _ in range(repeat)] for number in (8, claims)}
        resident = program.resident_mib()
    await world.remove_pods()
    await world.remove_node(_NODE)
    return PrepareRun(
        at_once={number: found.waits() for number, found in at_once.items()},
        batch_ms={number: Distribution.of(found) for number, found in batches.items()},
        resident_mib=resident,
        calls=sum(len(found.each) for found in at_once.values()) + sum(len(found) for found in batches.values()),
    )


@dataclass(frozen=True, slots=True)
class _Bench:
    world: StructuredWorld
    kubelet: Kubelet
    echo: Kubelet
    claims: Sequence[AllocatedClaim]

    async def rounds(self, at_once: int, repeat: int) -> _Rounds:
        """All claims, so many at a time, again and again."""
        found = _Rounds()
        for _ in range(repeat):
            for first in range(0, len(self.claims), at_once):
                claims = self.claims[first : first + at_once]
                _, read = await _at_once(claims, self._read)
                _, echo = await _at_once(claims, lambda claim: self.echo.prepare([claim]))
                each, whole = await _at_once(claims, lambda claim: self.kubelet.prepare([claim]))
                found.each += each
                found.all.append(whole)
                found.read.append(read)
                found.echo.append(echo)
            await self._end(self.claims)
        return found

    async def batch(self, claims: Sequence[AllocatedClaim]) -> float:
        """Milliseconds of one call with all of the claims."""
        begun = perf_counter()
        await self.kubelet.prepare(claims)
        found = (perf_counter() - begun) * 1000
        await self._end(claims)
        return found

    async def _read(self, claim: AllocatedClaim) -> None:
        await self.world.api.get(f"{CLAIMS}/{claim.name}")

    async def _end(self, claims: Sequence[AllocatedClaim]) -> None:
        """The claims are as they were before they were prepared, and nothing is under way."""
        await self.world.wait_reported(claims)
        await self.kubelet.unprepare(claims)
        await self.world.forget_reports(claims)


async def _at_once(
    claims: Sequence[AllocatedClaim], ask: Callable[[AllocatedClaim], Awaitable[None]]
) -> tuple[Sequence[float], float]:
    """Milliseconds of each of the calls, one for each claim and all at once, and of all together."""

    async def one(claim: AllocatedClaim) -> float:
        begun = perf_counter()
        await ask(claim)
        return (perf_counter() - begun) * 1000

    begun = perf_counter()
    found = await asyncio.gather(*(one(claim) for claim in claims))
    return found, (perf_counter() - begun) * 1000

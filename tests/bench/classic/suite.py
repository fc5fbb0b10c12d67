"""Which measurements make up a run, in the order in which the cluster grows."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from tests.bench.classic import figures
from tests.bench.classic.binding import BindingRun, bind
from tests.bench.classic.footprint import measure_footprint, time_first_allocation
from tests.bench.classic.preparing import prepare
from tests.bench.classic.reaction import time_reactions
from tests.bench.classic.standin import AGENT as STAND_IN_AGENT
from tests.bench.classic.standin import run_stand_in
from tests.bench.classic.world import ClassicWorld
from tests.bench.lab import CONTROLLER_AGENT, Lab
from tests.bench.raw import time_fsyncs, time_writes
from tests.bench.report import Figure
from tests.bench.statistic import Distribution

__all__ = ["PARTS", "Suite", "SuiteOptions"]

PARTS: Final = ("prepare", "start", "binding", "reaction", "scale", "memory")

_FSYNCS = 200
_WRITES = 300


@dataclass(frozen=True, slots=True)
class SuiteOptions:
    """How much is measured."""

    parts: Sequence[str] = PARTS
    pods: int = 300
    nodes: int = 50
    repeat: int = 3
    """How often each load is run; stand-in and driver take turns, and medians count."""
    scale_nodes: Sequence[int] = (100, 300, 1000)
    reactions: int = 100
    claims_a_node: int = 5
    """On the nodes of the large cluster, in which memory is measured."""


class Suite:
    """Runs the parts that are asked for, once."""

    def __init__(self, lab: Lab[ClassicWorld], options: SuiteOptions) -> None:
        self._lab = lab
        self._options = options
        self._write_ms: Distribution | None = None
        self.figures: list[Figure] = []
        self.details: dict[str, Any] = {}
        """By part: everything that was measured."""

    async def run(self) -> None:
        """Fills ``figures`` and ``details``."""
        await self._raw()
        parts = {
            "prepare": self._prepare,
            "start": self._start,
            "binding": self._binding,
            "reaction": self._reaction,
            "scale": self._scale,
            "memory": self._memory,
        }
        for name in PARTS:
            if name in self._options.parts:
                await parts[name]()

    async def _raw(self) -> None:
        fsync_ms = Distribution.of(await asyncio.to_thread(time_fsyncs, self._lab.folder, _FSYNCS))
        write_ms = await self._time_writes()
        self.details["raw"] = {"fsync_ms": asdict(fsync_ms), "write_ms": asdict(write_ms)}
        self.figures += figures.raw_figures(fsync_ms, write_ms)

    async def _prepare(self) -> None:
        run = await prepare(self._lab)
        self.details["prepare"] = asdict(run)
        self.figures += figures.prepare_figures(run)

    async def _start(self) -> None:
        await self._lab.world.grow(self._options.nodes)
        self.figures += figures.start_figures(await time_first_allocation(self._lab))

    async def _binding(self) -> None:
        runs, ceiling = await self._bind(self._options.nodes)
        self.details["binding"] = {"driver": _all(runs), "ceiling": _all(ceiling)}
        self.figures += figures.binding_figures(runs, ceiling)

    async def _reaction(self) -> None:
        await self._lab.world.grow(self._options.nodes)
        lab, count = self._lab, self._options.reactions
        write_ms = await self._time_writes()
        found = Distribution.of(await time_reactions(lab, CONTROLLER_AGENT, lab.controller(), pods=count))
        possible = Distribution.of(await time_reactions(lab, STAND_IN_AGENT, run_stand_in(lab), pods=count))
        self.details["reaction"] = {"driver": asdict(found), "ceiling": asdict(possible), "write_ms": asdict(write_ms)}
        self.figures += figures.reaction_figures(found, possible, write_ms)

    async def _scale(self) -> None:
        runs, ceiling = {}, {}
        for nodes in self._options.scale_nodes:
            runs[nodes], ceiling[nodes] = await self._bind(nodes)
            self.details[f"scale-{nodes}"] = {"driver": _all(runs[nodes]), "ceiling": _all(ceiling[nodes])}
        self.figures += figures.scale_figures(runs, ceiling)

    async def _memory(self) -> None:
        nodes = max(self._options.scale_nodes)
        footprint = await measure_footprint(self._lab, nodes=nodes, claims_a_node=self._options.claims_a_node)
        self.details["memory"] = asdict(footprint)
        self.figures += figures.footprint_figures(footprint)

    async def _bind(self, nodes: int) -> tuple[Sequence[BindingRun], Sequence[BindingRun]]:
        """The driver's runs and the stand-in's."""
        await self._lab.world.grow(nodes)
        runs: list[BindingRun] = []
        ceiling: list[BindingRun] = []
        for _ in range(self._options.repeat):
            for found, agent, program in (
                (ceiling, STAND_IN_AGENT, run_stand_in(self._lab)),
                (runs, CONTROLLER_AGENT, self._lab.controller()),
            ):
                found.append(await bind(self._lab, agent, program, nodes=nodes, pods=self._options.pods))
        return runs, ceiling

    async def _time_writes(self) -> Distribution:
        return Distribution.of(await time_writes(self._lab.world.api, _WRITES))


def _all(runs: Sequence[BindingRun]) -> Sequence[dict[str, Any]]:
    return [asdict(run) for run in runs]

"""Which measurements make up a run in structured DRA."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from tests.bench.lab import Lab
from tests.bench.raw import time_fsyncs, time_writes
from tests.bench.report import Figure
from tests.bench.statistic import Distribution
from tests.bench.structured import figures
from tests.bench.structured.podtraffic import count_requests
from tests.bench.structured.preparing import prepare
from tests.bench.structured.publishing import publish
from tests.bench.structured.world import StructuredWorld

__all__ = ["PARTS", "StructuredSuite"]

PARTS: Final = ("structured-prepare", "structured-publish", "structured-requests")

_FSYNCS = 200
_WRITES = 300


class StructuredSuite:
    """Runs the parts that are asked for, once."""

    def __init__(self, lab: Lab[StructuredWorld], parts: Sequence[str], repeat: int) -> None:
        self._lab = lab
        self._parts = parts
        self._repeat = repeat
        self.figures: list[Figure] = []
        self.details: dict[str, Any] = {}
        """By part: everything that was measured."""

    async def run(self) -> None:
        """Fills ``figures`` and ``details``."""
        await self._raw()
        parts = {
            "structured-prepare": self._prepare,
            "structured-publish": self._publish,
            "structured-requests": self._requests,
        }
        for name in PARTS:
            if name in self._parts:
                await parts[name]()

    async def _raw(self) -> None:
        fsync_ms = Distribution.of(await asyncio.to_thread(time_fsyncs, self._lab.folder, _FSYNCS))
        write_ms = Distribution.of(await time_writes(self._lab.world.api, _WRITES))
        self.details["structured-raw"] = {"fsync_ms": asdict(fsync_ms), "write_ms": asdict(write_ms)}
        self.figures += figures.raw_figures(fsync_ms, write_ms)

    async def _prepare(self) -> None:
        run = await prepare(self._lab, repeat=self._repeat)
        self.details["structured-prepare"] = asdict(run)
        self.figures += figures.prepare_figures(run)

    async def _publish(self) -> None:
        run = await publish(self._lab)
        self.details["structured-publish"] = asdict(run)
        self.figures += figures.publish_figures(run)

    async def _requests(self) -> None:
        runs = await count_requests(self._lab)
        self.details["structured-requests"] = [asdict(run) for run in runs]
        self.figures += figures.traffic_figures(runs)

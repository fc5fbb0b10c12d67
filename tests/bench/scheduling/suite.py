"""Which measurements make up a run about scheduling, and the figures that come out of them."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from tests.bench.api import Api
from tests.bench.control_plane import ControlPlane
from tests.bench.report import Better, Figure
from tests.bench.scheduling.decisions import Decisions, decide_all
from tests.bench.scheduling.embedded import EmbeddedCluster
from tests.bench.scheduling.placing import Placing, place
from tests.bench.scheduling.workload import Workload

__all__ = ["PARTS", "SchedulingSuite"]

PARTS: Final = ("scheduling-decisions", "scheduling-embedded", "scheduling-real")

_DECIDED: Final = Workload(nodes=500, pods=5000)
_PLACED: Final = Workload(nodes=500, pods=2000)


class SchedulingSuite:
    """Runs the parts that are asked for."""

    def __init__(self, parts: Sequence[str], version: str, folder: Path, python: str) -> None:
        self._parts = parts
        self._version = version
        self._folder = folder
        self._python = python
        self.figures: list[Figure] = []
        self.details: dict[str, Any] = {}
        """By part: everything that was measured."""

    async def run(self) -> None:
        """Fills ``figures`` and ``details``."""
        parts = dict(zip(PARTS, (self._decisions, self._embedded, self._real), strict=True))
        for name, run in parts.items():
            if name in self._parts:
                await run()

    async def _decisions(self) -> None:
        found = await asyncio.to_thread(decide_all, _DECIDED)
        self.details["scheduling-decisions"] = asdict(found)
        self.figures += _decision_figures(found)

    async def _embedded(self) -> None:
        async with EmbeddedCluster.start(self._python) as cluster, Api.connect(cluster.kubeconfig) as api:
            placing = await place(api, _PLACED)
        self.details["scheduling-embedded"] = {**asdict(placing), **asdict(cluster)}
        share = cluster.allocator_seconds / placing.bound_seconds
        self.figures += [
            *_placing_figures("embedded", "embedded cluster", placing),
            Figure("embedded-cpu", "embedded cluster: CPU", cluster.cpu_seconds, "s"),
            Figure("embedded-allocator", "embedded cluster: share of the allocator", share * 100, "%"),
        ]

    async def _real(self) -> None:
        async with (
            ControlPlane.start(self._version, self._folder / "control-plane") as plane,
            Api.connect(plane.kubeconfig) as api,
        ):
            before = plane.cpu_seconds()
            placing = await place(api, _PLACED)
            used = {name: seconds - before[name] for name, seconds in plane.cpu_seconds().items()}
        self.details["scheduling-real"] = {**asdict(placing), "cpu_seconds": used}
        self.figures += [
            *_placing_figures("real", f"Kubernetes {self._version}", placing),
            Figure("real-cpu", f"Kubernetes {self._version}: CPU", sum(used.values()), "s", "neither"),
            Figure("real-cpu-scheduler", "kube-scheduler: CPU", used["kube-scheduler"], "s", "neither"),
        ]


def _decision_figures(found: Decisions) -> Sequence[Figure]:
    title = f"decision, {found.workload.nodes} nodes, {found.workload.pods:,} pods"
    return [
        Figure("decision", f"{title}, average", found.average_ms, "ms", reach=5),
        Figure("decision-placed", f"{title}: placed, p50", found.placed_ms.p50, "ms"),
        Figure("decision-placed-p99", f"{title}: placed, p99", found.placed_ms.p99, "ms"),
        Figure("decision-refused", f"{title}: refused, p50", found.refused_ms.p50, "ms"),
        Figure(
            "decision-compared", f"{title}: as many nodes as kube-scheduler compares, p50", found.compared_ms.p50, "ms"
        ),
        Figure("decision-load", "before the first decision", found.load_seconds * 1000, "ms"),
    ]


def _placing_figures(name: str, title: str, placing: Placing) -> Sequence[Figure]:
    better: Better = "more" if name == "embedded" else "neither"
    return [
        Figure(f"{name}-rate", f"{title}: pods placed a second", placing.pods_a_second, "", better),
        Figure(f"{name}-created", f"{title}: {placing.pods:,} pods created", placing.create_seconds, "s", "neither"),
        Figure(f"{name}-bound", f"{title}: all of them bound", placing.bound_seconds, "s"),
    ]

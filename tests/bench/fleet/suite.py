"""Which sizes of a fleet make up a run, and the figures that come out of each."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from tests.bench.api import Api
from tests.bench.control_plane import ControlPlane
from tests.bench.fleet.installation import Installation
from tests.bench.fleet.measuring import FleetLab, FleetLoad, FleetRun, measure_fleet
from tests.bench.fleet.world import FleetWorld
from tests.bench.program import Program
from tests.bench.report import Figure
from tests.support.kwok import kwok_command

__all__ = ["PARTS", "FleetOptions", "FleetSuite"]

PARTS: Final = ("fleet",)

_PRESET: Final = "nvidia-h100"


@dataclass(frozen=True, slots=True)
class FleetOptions:
    """How much is measured."""

    nodes: Sequence[int] = (10, 100, 1000)
    """Each on a control plane of its own."""
    pods_a_node: int = 2
    quiet_seconds: float = 60


class FleetSuite:
    """Runs all sizes, one after the other."""

    def __init__(self, options: FleetOptions, version: str, folder: Path, python: str = sys.executable) -> None:
        self._options = options
        self._version = version
        self._folder = folder
        self._python = python
        self.figures: list[Figure] = []
        self.details: dict[str, Any] = {}
        """By number of nodes: everything that was measured."""

    async def run(self) -> None:
        """Fills ``figures`` and ``details``."""
        for nodes in self._options.nodes:
            load = FleetLoad(nodes, nodes * self._options.pods_a_node, self._options.quiet_seconds)
            async with self._lab(self._folder / f"fleet-{nodes}") as lab:
                before = lab.plane.cpu_seconds()
                found = await measure_fleet(lab, load)
                used = {name: seconds - before[name] for name, seconds in lab.plane.cpu_seconds().items()}
            self.details[f"fleet-{nodes}"] = {**asdict(found), "control_plane_cpu_seconds": used}
            self.figures += _figures(found)

    @asynccontextmanager
    async def _lab(self, folder: Path) -> AsyncIterator[FleetLab]:
        """A control plane with KWOK and the preset."""
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        installation = await asyncio.to_thread(Installation.of_preset, _PRESET, self._version)
        async with (
            ControlPlane.start(self._version, folder / "control-plane") as plane,
            Api.connect(plane.kubeconfig) as api,
            Program.run("kwok", kwok_command(plane.kubeconfig), folder),
        ):
            world = FleetWorld(api)
            await world.install()
            await installation.install(api)
            yield FleetLab(plane, world, installation, _PRESET, folder, self._python)


def _figures(run: FleetRun) -> Sequence[Figure]:
    nodes = run.load.nodes
    name, title = f"fleet-{nodes}", f"{nodes:,} nodes of {run.devices} devices"
    reach = 60 if nodes == 1000 else None
    found = [
        Figure(f"{name}-created", f"{title}: created", run.created_seconds, "s", "neither"),
        Figure(f"{name}-published", f"{title}: all slices there", run.published.seconds, "s", reach=reach),
        Figure(f"{name}-ready", f"{title}: all Ready", run.ready_seconds, "s", reach=reach),
        Figure(f"{name}-writes", f"{title}: writes a node", run.published.traffic.writes / nodes, ""),
        Figure(f"{name}-reads", f"{title}: reads", run.published.traffic.reads, ""),
        Figure(f"{name}-cpu", f"{title}: CPU of the controller", run.published.cpu_seconds, "s"),
        Figure(f"{name}-quiet", f"{title}: writes in {run.quiet.seconds:.0f} s", run.quiet.traffic.writes, "", reach=0),
        Figure(f"{name}-quiet-cpu", f"{title}: CPU in that time", run.quiet.cpu_seconds, "s"),
        Figure(f"{name}-changed", f"{title}: a profile's change", run.changed.seconds, "s", reach=reach),
        Figure(f"{name}-changed-cpu", f"{title}: CPU for that", run.changed.cpu_seconds, "s"),
        Figure(f"{name}-removed", f"{title}: slices of a tenth gone", run.removed.seconds, "s"),
        Figure(f"{name}-memory", f"{title}: memory of the controller", run.quiet.resident_mib, "MiB"),
        Figure(f"{name}-memory-most", f"{title}: its most memory", run.greatest_resident_mib, "MiB"),
    ]
    if run.pods is not None:
        pods = run.load.pods
        found += [
            Figure(f"{name}-bound", f"{title}: {pods:,} pods bound", run.bound_seconds, "s", "neither"),
            Figure(f"{name}-running", f"{title}: {pods:,} pods running", run.pods.seconds, "s"),
            Figure(f"{name}-pod-writes", f"{title}: writes a pod", run.pods.traffic.writes / pods, ""),
        ]
    return found

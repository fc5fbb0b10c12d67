"""The command line: runs the benchmark, or compares two runs."""

import argparse
import asyncio
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from rich.console import Console

from tests.bench.api import Api
from tests.bench.classic.suite import PARTS as CLASSIC_PARTS
from tests.bench.classic.suite import Suite, SuiteOptions
from tests.bench.classic.world import ClassicWorld
from tests.bench.control_plane import ControlPlane
from tests.bench.fleet.suite import PARTS as FLEET_PARTS
from tests.bench.fleet.suite import FleetOptions, FleetSuite
from tests.bench.lab import Lab
from tests.bench.pod import PodLauncher
from tests.bench.report import Report, comparison_table, figure_table
from tests.bench.scheduling.suite import PARTS as SCHEDULING_PARTS
from tests.bench.scheduling.suite import SchedulingSuite
from tests.bench.structured.suite import PARTS as STRUCTURED_PARTS
from tests.bench.structured.suite import StructuredSuite
from tests.bench.structured.world import StructuredWorld
from tests.bench.world import World

_PROJECT = Path(__file__).resolve().parents[2]

_GROUPS: Final = {
    "classic": CLASSIC_PARTS,
    "structured": STRUCTURED_PARTS,
    "scheduling": SCHEDULING_PARTS,
    "fleet": FLEET_PARTS,
}
_PARTS: Final = tuple(part for parts in _GROUPS.values() for part in parts)

W = TypeVar("W", bound=World)


def main() -> int:
    """Returns the exit status: figures never make it anything but 0."""
    arguments = _parser().parse_args()
    console = Console(width=None if sys.stdout.isatty() else 140)
    if arguments.compare:
        before, after = (Report.load(path) for path in arguments.compare)
        console.print(comparison_table(before, after))
        return 0
    report = asyncio.run(_run(arguments))
    console.print(figure_table(report))
    console.print(f"load average before and after: {report.about['load_before']}, {report.about['load_after']}")
    report.save(arguments.json)
    console.print(f"written to {arguments.json}; compare two with --compare BEFORE AFTER")
    return 0


def _parser() -> argparse.ArgumentParser:
    defaults, fleet = SuiteOptions(), FleetOptions()
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measures the driver.")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where the figures go")
    parser.add_argument("--compare", type=Path, nargs=2, metavar=("BEFORE", "AFTER"), help="two files of --json")
    parser.add_argument("--part", action="append", choices=(*_GROUPS, *_PARTS), help="only this part (repeatable)")
    parser.add_argument("--version", default="1.30.14", help="Kubernetes release for classic DRA")
    parser.add_argument("--structured-version", default="1.37.2", help="Kubernetes release for structured DRA")
    parser.add_argument("--pods", type=int, default=defaults.pods)
    parser.add_argument("--nodes", type=int, default=defaults.nodes)
    parser.add_argument("--repeat", type=int, default=defaults.repeat, help="how often each load is run")
    parser.add_argument("--scale", type=int, nargs="+", default=defaults.scale_nodes, metavar="NODES")
    parser.add_argument("--fleet", type=int, nargs="+", default=fleet.nodes, metavar="NODES", help="sizes of fleets")
    parser.add_argument("--fleet-pods", type=int, default=fleet.pods_a_node, help="pods for each node of a fleet")
    parser.add_argument("--fleet-quiet", type=float, default=fleet.quiet_seconds, help="seconds without a change")
    parser.add_argument("--python", default=sys.executable, help="interpreter whose fake_dra_driver is measured")
    parser.add_argument("--folder", type=Path, help="where state and logs go and stay (default: a temporary one)")
    return parser


async def _run(arguments: argparse.Namespace) -> Report:
    parts = {part for name in arguments.part or _GROUPS for part in _GROUPS.get(name, (name,))}
    report = Report(_about(arguments), [])
    with tempfile.TemporaryDirectory(prefix="fake-dra-bench-") as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if classic := [part for part in CLASSIC_PARTS if part in parts]:
            await _run_classic(arguments, classic, folder / "classic", report)
        if structured := [part for part in STRUCTURED_PARTS if part in parts]:
            await _run_structured(arguments, structured, folder / "structured", report)
        if scheduling := [part for part in SCHEDULING_PARTS if part in parts]:
            suite = SchedulingSuite(scheduling, arguments.structured_version, folder, arguments.python)
            await suite.run()
            report.add(suite.figures, suite.details)
        if any(part in parts for part in FLEET_PARTS):
            options = FleetOptions(tuple(arguments.fleet), arguments.fleet_pods, arguments.fleet_quiet)
            fleet = FleetSuite(options, arguments.structured_version, folder, arguments.python)
            await fleet.run()
            report.add(fleet.figures, fleet.details)
    report.about["load_after"] = os.getloadavg()
    return report


async def _run_classic(arguments: argparse.Namespace, parts: Sequence[str], folder: Path, report: Report) -> None:
    options = SuiteOptions(
        parts=parts,
        pods=arguments.pods,
        nodes=arguments.nodes,
        repeat=arguments.repeat,
        scale_nodes=tuple(arguments.scale),
    )
    async with _lab(arguments.version, folder, arguments.python, ClassicWorld) as lab:
        suite = Suite(lab, options)
        await suite.run()
    report.add(suite.figures, suite.details)


async def _run_structured(arguments: argparse.Namespace, parts: Sequence[str], folder: Path, report: Report) -> None:
    async with _lab(arguments.structured_version, folder, arguments.python, StructuredWorld) as lab:
        suite = StructuredSuite(lab, parts, arguments.repeat)
        await suite.run()
    report.add(suite.figures, suite.details)


@asynccontextmanager
async def _lab(version: str, folder: Path, python: str, make_world: Callable[[Api], W]) -> AsyncIterator[Lab[W]]:
    """A control plane with the driver's CRDs and classes, for the block."""
    await asyncio.to_thread(folder.mkdir, exist_ok=True)
    async with (
        ControlPlane.start(version, folder / "control-plane") as plane,
        Api.connect(plane.kubeconfig) as api,
    ):
        world = make_world(api)
        await world.install()
        pods = await asyncio.to_thread(PodLauncher.make, plane.kubeconfig, folder / "service-account")
        yield Lab(plane, world, pods, folder, python)


def _about(arguments: argparse.Namespace) -> dict[str, Any]:
    """Where and when this was, so that two runs are compared only where that makes sense."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=_PROJECT, capture_output=True, text=True, check=False
    )
    return {
        "begun": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip(),
        "kubernetes": arguments.version,
        "kubernetes_structured": arguments.structured_version,
        "python": platform.python_version(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Linux {platform.release()}",
        "load_before": os.getloadavg(),
    }


if __name__ == "__main__":
    sys.exit(main())

"""The life of a fleet: nodes come, nothing happens, their profile changes, pods come, nodes go."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.bench.audit import Traffic, read_audit_log
from tests.bench.control_plane import ControlPlane
from tests.bench.fleet.installation import Installation
from tests.bench.fleet.world import FleetWorld, SliceMarks
from tests.bench.lab import CONTROLLER_AGENT
from tests.bench.program import Program
from tests.bench.statistic import Distribution

__all__ = ["FleetLab", "FleetLoad", "FleetRun", "Stage", "measure_fleet"]

_PROFILE: Final = "/apis/fake.resource.3-shake.com/v1alpha1/deviceprofiles"
_SETTLE_SECONDS: Final = 5.0
"""By then everything that is written behind is written."""
_WHOLE, _PART = "whole", "part"
_LEASES: Final = "leases"


@dataclass(frozen=True, slots=True)
class FleetLoad:
    """How much is measured."""

    nodes: int
    pods: int
    """With a claim each: one for a whole GPU, one for a small partition, and so on in turn."""
    quiet_seconds: float
    """How long nothing happens, to see what is written then."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the life, and what the controller spent on it."""

    seconds: float
    """Until what was waited for was seen."""
    cpu_seconds: float
    resident_mib: float
    """At its end."""
    traffic: Traffic
    """Of the controller, but for its lease."""
    load: float
    """Of the machine, over the last minute, at its end."""


@dataclass(frozen=True, slots=True)
class FleetRun:
    """What was measured with so many nodes."""

    load: FleetLoad
    devices: int
    """Of a node."""
    slices: int
    """Of a node."""
    created_seconds: float
    """From the first node's creation to the last one's: the benchmark's own requests."""
    published: Stage
    """From the first node's creation until all slices of all nodes are there."""
    ready_seconds: float
    """Until all nodes' NodeAllocationStates say Ready."""
    quiet: Stage
    changed: Stage
    """From the change of the profile until no slice of any node is as before."""
    pods: Stage | None
    """From the first pod's creation until all run; None without pods."""
    bound_seconds: float
    """Until all had a node."""
    running: Distribution | None
    """Seconds from when a pod was bound until it ran."""
    removed: Stage
    """From the deletion of a tenth of the nodes until their slices are gone."""
    greatest_resident_mib: float


@dataclass(frozen=True, slots=True)
class FleetLab:
    """Where it is measured."""

    plane: ControlPlane
    world: FleetWorld
    installation: Installation
    profile: str
    """Name of the DeviceProfile."""
    folder: Path
    python: str


class _Stopwatch:
    """Makes stages."""

    def __init__(self, lab: FleetLab, controller: Program) -> None:
        self._lab = lab
        self._controller = controller

    @asynccontextmanager
    async def stage(self) -> AsyncIterator["_Open"]:
        """Begins one; its end is when the block has set ``ended_at``, what is written behind included."""
        loop = asyncio.get_running_loop()
        since, cpu = datetime.now(UTC), self._controller.cpu_seconds() or 0.0
        begun = _Open(loop.time())
        yield begun
        await asyncio.sleep(_SETTLE_SECONDS)
        audited = await asyncio.to_thread(lambda: list(read_audit_log(self._lab.plane.audit_folder, since)))
        begun.found = Stage(
            seconds=begun.ended_at - begun.began_at,
            cpu_seconds=(self._controller.cpu_seconds() or 0.0) - cpu,
            resident_mib=self._controller.resident_mib(),
            traffic=Traffic.of((each for each in audited if each.resource != _LEASES), CONTROLLER_AGENT),
            load=os.getloadavg()[0],
        )


class _Open:
    """A stage under way."""

    def __init__(self, began_at: float) -> None:
        self.began_at = began_at
        self.ended_at = began_at
        self.found: Stage

    def since(self, then: float) -> float:
        """Seconds from the beginning until then."""
        return then - self.began_at


async def measure_fleet(lab: FleetLab, load: FleetLoad) -> FleetRun:
    """One life, with a controller of its own."""
    world, names = lab.world, [f"kwok-{number:05}" for number in range(load.nodes)]
    slices, devices = await _measure_one(lab)
    async with (
        world.slice_marks(lab.installation.driver) as marks,
        lab.installation.controller(world.api, lab.plane.kubeconfig, lab.folder, lab.python) as started,
    ):
        watch, loop = _Stopwatch(lab, started.program), asyncio.get_running_loop()
        async with watch.stage() as publishing:
            await world.add_nodes(names)
            created_seconds = publishing.since(loop.time())
            publishing.ended_at = await marks.wait_complete(names, slices)
            ready_seconds = publishing.since(await world.wait_ready(load.nodes))
        async with watch.stage() as quiet:
            await asyncio.sleep(load.quiet_seconds)
            quiet.ended_at = loop.time()
        async with watch.stage() as changing:
            changing.ended_at = await _change_profile(lab, marks)
        pods, bound_seconds, running = await _run_pods(world, watch, load.pods)
        leaving = names[: max(1, load.nodes // 10)]
        async with watch.stage() as removing:
            await world.remove_nodes(leaving)
            removing.ended_at = await marks.wait_gone(leaving)
            await world.wait_ready(load.nodes - len(leaving))
        return FleetRun(
            load=load,
            devices=devices,
            slices=slices,
            created_seconds=created_seconds,
            published=publishing.found,
            ready_seconds=ready_seconds,
            quiet=quiet.found,
            changed=changing.found,
            pods=pods,
            bound_seconds=bound_seconds,
            running=running,
            removed=removing.found,
            greatest_resident_mib=started.program.greatest_resident_mib(),
        )


async def _measure_one(lab: FleetLab) -> tuple[int, int]:
    """How many slices, and devices in them, a node has: seen on one, with a controller that has ended afterwards."""
    world, name = lab.world, "kwok-first"
    async with (
        world.slice_marks(lab.installation.driver) as marks,
        lab.installation.controller(world.api, lab.plane.kubeconfig, lab.folder, lab.python),
    ):
        await world.add_nodes([name])
        await world.wait_ready(1)
        await marks.wait_some(name)
        count = (await world.slices_of(name))[0]["spec"]["pool"]["resourceSliceCount"]
        await marks.wait_complete([name], count)
        devices = sum(len(each["spec"].get("devices", ())) for each in await world.slices_of(name))
        await world.remove_nodes([name])
        await marks.wait_gone([name])
        await world.wait_ready(0)
    return count, devices


async def _change_profile(lab: FleetLab, marks: SliceMarks) -> float:
    """Gives all GPUs another version of the vendor's driver, as an update on all nodes does."""
    before = marks.copy()
    path = "/spec/groups/0/attributes/driverVersion/version"
    operation = {"op": "replace", "path": path, "value": "580.95.5"}
    await lab.world.api.json_patch(f"{_PROFILE}/{lab.profile}", operation)
    return await marks.wait_changed(before)


async def _run_pods(
    world: FleetWorld, watch: _Stopwatch, count: int
) -> tuple[Stage | None, float, Distribution | None]:
    if not count:
        return None, 0.0, None
    await world.add_template(_WHOLE, "gpu.nvidia.com")
    smallest = "device.attributes['gpu.nvidia.com'].profile == '1g.10gb'"
    await world.add_template(_PART, "mig.nvidia.com", smallest)
    templates = {f"pod-{number:05}": (_WHOLE, _PART)[number % 2] for number in range(count)}
    async with world.running_pods() as pods, watch.stage() as stage:
        await world.add_pods(templates)
        stage.ended_at = await pods.wait(list(templates))
    bound = stage.since(max(pods.bound.values()))
    return stage.found, bound, Distribution.of([at - pods.bound[name] for name, at in pods.running.items()])

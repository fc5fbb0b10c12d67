"""How soon a plugin offers its devices, how soon it repairs what others do to that, and what a restart costs."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.bench.audit import Traffic, read_audit_log
from tests.bench.lab import PLUGIN_AGENT, Lab
from tests.bench.raw import time_writes
from tests.bench.statistic import Distribution
from tests.bench.structured.echo import run_echo
from tests.bench.structured.kubelet import Kubelet
from tests.bench.structured.world import SLICES, SliceChanges, StructuredWorld

__all__ = ["PublishRun", "Start", "publish"]

_NODE = "bench-publisher"
_SETTLE_SECONDS = 4.0
"""By then a plugin has written what it writes behind."""
_REPAIRS = 8
"""Fewer than the driver does at its full pace, which it slows down where another writer does not stop."""
_WRITES = 100


@dataclass(frozen=True, slots=True)
class Start:
    """Of a plugin on a node for which there are no slices; seconds from its start."""

    registered: float
    """Until the kubelet has accepted it."""
    first_slice: float
    """Until a watch has shown the first slice."""
    bare: float
    """Until a Python program with nothing but gRPC has answered a call, right before that."""


@dataclass(frozen=True, slots=True)
class PublishRun:
    """What the plugin of one node has shown."""

    starts: Sequence[Start]
    deleted_ms: Distribution
    """From the request that deletes a slice until a watch has shown the new one."""
    changed_ms: Distribution
    """The same for a slice from which the devices were taken."""
    write_ms: Distribution
    """Writes of the benchmark itself, right after that."""
    devices: int
    resident_mib: float
    """Memory of the plugin before that, which has prepared nothing."""
    after_kill: Traffic
    """What a plugin has sent that was started again after SIGKILL, with nothing changed meanwhile."""
    after_stop: Traffic
    """The same after SIGTERM, without what the old process has sent as its last."""


async def publish(lab: Lab[StructuredWorld], *, devices: int = 8, starts: int = 5) -> PublishRun:
    """Starts the plugin several times, disturbs its slices, and starts it again without any disturbance."""
    await lab.world.add_ready_node(_NODE)
    async with lab.world.slice_changes() as changes:
        found = [await _start(lab, devices, changes) for _ in range(starts)]
        async with lab.plugin(_NODE, devices) as (program, folders), Kubelet.register(folders.registry):
            _, created = await changes.next("ADDED")
            name = created["metadata"]["name"]
            await asyncio.sleep(_SETTLE_SECONDS)
            resident = program.resident_mib()
            deleted = [await _delete(lab, name, changes) for _ in range(_REPAIRS // 2)]
            changed = [await _change(lab, name, changes) for _ in range(_REPAIRS // 2)]
            write_ms = await time_writes(lab.world.api, _WRITES)
            await asyncio.sleep(_SETTLE_SECONDS)
            program.kill()
        after_kill = await _restart(lab, devices)
        after_stop = await _restart(lab, devices)
    await lab.world.remove_node(_NODE)
    return PublishRun(
        starts=found,
        deleted_ms=Distribution.of(deleted),
        changed_ms=Distribution.of(changed),
        write_ms=Distribution.of(write_ms),
        devices=devices,
        resident_mib=resident,
        after_kill=after_kill,
        after_stop=after_stop,
    )


async def _start(lab: Lab[StructuredWorld], devices: int, changes: SliceChanges) -> Start:
    """One start, after which the slice is taken away again."""
    loop = asyncio.get_running_loop()
    async with run_echo(lab.folder) as (bare, kubelet):
        await kubelet.prepare([])
        answered = loop.time() - bare.started_at
    async with lab.plugin(_NODE, devices) as (program, folders), Kubelet.register(folders.registry):
        registered = loop.time() - program.started_at
        shown, created = await changes.next("ADDED")
        first_slice = shown - program.started_at
        await asyncio.sleep(_SETTLE_SECONDS)
    await lab.world.api.delete(f"{SLICES}/{created['metadata']['name']}")
    return Start(registered, first_slice, answered)


async def _delete(lab: Lab[StructuredWorld], name: str, changes: SliceChanges) -> float:
    begun = asyncio.get_running_loop().time()
    await lab.world.api.delete(f"{SLICES}/{name}")
    shown, _ = await changes.next("ADDED")
    return (shown - begun) * 1000


async def _change(lab: Lab[StructuredWorld], name: str, changes: SliceChanges) -> float:
    begun = asyncio.get_running_loop().time()
    await lab.world.api.patch(f"{SLICES}/{name}", {"spec": {"devices": []}})
    while True:
        shown, found = await changes.next("MODIFIED")
        if found["spec"].get("devices"):
            return (shown - begun) * 1000


async def _restart(lab: Lab[StructuredWorld], devices: int) -> Traffic:
    """What a plugin sends that finds everything as it wants it."""
    since = datetime.now(UTC)
    async with lab.plugin(_NODE, devices) as (_, folders), Kubelet.register(folders.registry):
        await asyncio.sleep(_SETTLE_SECONDS)
        requests = await asyncio.to_thread(lambda: list(read_audit_log(lab.plane.audit_folder, since)))
    return Traffic.of(requests, PLUGIN_AGENT)

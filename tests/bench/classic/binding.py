"""The main load: many pods with one claim each, all at once, until every one of them is bound; then all are deleted."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.bench.audit import Traffic, read_audit_log
from tests.bench.classic.world import ClassicWorld
from tests.bench.lab import Lab, Started
from tests.bench.raw import probe_writes
from tests.bench.statistic import Distribution

__all__ = ["BindingRun", "bind"]

_PATIENCE_SECONDS = 600


@dataclass(frozen=True, slots=True)
class BindingRun:
    """What one such load has shown."""

    nodes: int
    pods: int
    bound: int
    seconds: float
    """From the first pod's creation to the last one's binding; all of the patience if some were never bound."""
    traffic: Traffic
    """Of the program under measurement, from the first pod to the last claim's end."""
    write_ms: Distribution
    """Writes of the benchmark itself meanwhile, one after the other."""
    cpu_seconds: Mapping[str, float]
    """What each process has used until the last pod was bound."""
    resident_mib: float
    """Memory of the program under measurement at the end."""
    agents: Mapping[str, int]
    """Requests of everybody, for where the server's time went."""

    @property
    def pods_a_second(self) -> float:
        """The speed."""
        return self.bound / self.seconds

    @property
    def requests_a_claim(self) -> float:
        """To allocate and to deallocate it, everything counted."""
        return self.traffic.total / self.pods

    @property
    def lost_share(self) -> float:
        """Of the program's writes, the part that failed because another writer was faster."""
        return self.traffic.lost / max(1, self.traffic.writes)


async def bind(
    lab: Lab[ClassicWorld], agent: str, program: AbstractAsyncContextManager[Started], *, nodes: int, pods: int
) -> BindingRun:
    """Runs the load once, on as many nodes as there are.

    Args:
        lab: where.
        agent: product in the User-Agent of the program.
        program: what serves the claims, not yet running.
        nodes: how many there are, for the record.
        pods: how many to create.
    """
    loop = asyncio.get_running_loop()
    names = [f"pod-{number:05}" for number in range(pods)]
    async with program as started, lab.world.bindings() as bindings:
        before = _cpu_seconds(lab, started)
        begun, since = loop.time(), datetime.now(UTC)
        async with probe_writes(lab.world.api) as write_ms, asyncio.TaskGroup() as group:
            group.create_task(lab.world.add_pods(names), name="create pods")
            everything = await bindings.wait(names, _PATIENCE_SECONDS)
        last = max(bindings.at.values(), default=begun) if everything else loop.time()
        spent = {name: seconds - before[name] for name, seconds in _cpu_seconds(lab, started).items()}
        await lab.world.remove_pods()
        resident = started.program.resident_mib()
    requests = await asyncio.to_thread(lambda: list(read_audit_log(lab.plane.audit_folder, since)))
    return BindingRun(
        nodes=nodes,
        pods=pods,
        bound=len(bindings.at),
        seconds=last - begun,
        traffic=Traffic.of(requests, agent),
        write_ms=Distribution.of(write_ms),
        cpu_seconds=spent,
        resident_mib=resident,
        agents=dict(Counter(request.agent for request in requests).most_common()),
    )


def _cpu_seconds(lab: Lab[ClassicWorld], started: Started) -> dict[str, float]:
    return {**lab.plane.cpu_seconds(), "driver": started.program.cpu_seconds() or 0.0}

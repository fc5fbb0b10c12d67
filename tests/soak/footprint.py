"""What a container's processes hold: memory, file descriptors, threads (by /proc: the node is this machine), tasks."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fake_dra_driver.runtime.metricfamily import TASKS
from tests.e2e.kubectl import Kubectl
from tests.e2e.local import LocalCluster
from tests.e2e.objects import RunningPod

__all__ = ["Footprint", "footprint"]

_MOMENTS = 5


@dataclass(frozen=True, slots=True)
class Footprint:
    """The sum over all processes of a container."""

    memory_mib: float
    """Resident."""
    descriptors: int
    python_threads: int
    """Without a name of their own: the main thread, gRPC's poller, and those of asyncio's pool."""
    library_threads: int
    """Named by the library that has started them, which is gRPC's core."""
    tasks: int = 0
    """Of asyncio: the fewest of some moments, since each request is a few."""


def footprint(cluster: LocalCluster, kubectl: Kubectl, pod: RunningPod, container: str) -> Footprint:
    """What the container holds now. Raises AssertionError when it does not run."""
    held = list(_held(cluster._processes(pod, container)))
    assert held, f"{pod.key}: container {container} has ended"
    return Footprint(
        sum(one.memory_mib for one in held),
        sum(one.descriptors for one in held),
        sum(one.python_threads for one in held),
        sum(one.library_threads for one in held),
        min(_tasks(kubectl, pod) for _ in range(_MOMENTS)),
    )


def _tasks(kubectl: Kubectl, pod: RunningPod) -> int:
    path = f"/api/v1/namespaces/{pod.key.namespace}/pods/{pod.key.name}:8080/proxy/metrics"
    (line,) = (line for line in kubectl("get", "--raw", path).splitlines() if line.startswith(f"{TASKS.name} "))
    return int(float(line.split()[1]))


def _held(processes: Sequence[int]) -> Iterator[Footprint]:
    for process in processes:
        folder = Path("/proc") / str(process)
        with contextlib.suppress(OSError):  # a probe's, which ended while we looked
            lines = (folder / "status").read_text().splitlines()
            status = {name: value.split() for name, _, value in (line.partition(":") for line in lines)}
            if "VmRSS" in status:
                descriptors = len(list((folder / "fd").iterdir()))
                names = [(thread / "comm").read_text() for thread in (folder / "task").iterdir()]
                # A thread has the name of the one that started it, and thus of the program, unless it is given another.
                python = names.count((folder / "comm").read_text())
                yield Footprint(int(status["VmRSS"][0]) / 1024, descriptors, python, len(names) - python)

"""What a container's processes hold: memory, file descriptors, threads. By /proc: the node is this machine."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.local import LocalCluster
from tests.e2e.objects import RunningPod

__all__ = ["Footprint", "footprint"]


@dataclass(frozen=True, slots=True)
class Footprint:
    """The sum over all processes of a container."""

    memory_mib: float
    """Resident."""
    descriptors: int
    threads: int


def footprint(cluster: LocalCluster, pod: RunningPod, container: str) -> Footprint:
    """What the container holds now. Raises AssertionError when it does not run."""
    held = list(_held(cluster._processes(pod, container)))
    assert held, f"{pod.key}: container {container} has ended"
    return Footprint(
        sum(one.memory_mib for one in held), sum(one.descriptors for one in held), sum(one.threads for one in held)
    )


def _held(processes: Sequence[int]) -> Iterator[Footprint]:
    for process in processes:
        folder = Path("/proc") / str(process)
        with contextlib.suppress(OSError):  # a probe's, which ended while we looked
            lines = (folder / "status").read_text().splitlines()
            status = {name: value.split() for name, _, value in (line.partition(":") for line in lines)}
            if "VmRSS" in status:
                descriptors = len(list((folder / "fd").iterdir()))
                yield Footprint(int(status["VmRSS"][0]) / 1024, descriptors, int(status["Threads"][0]))

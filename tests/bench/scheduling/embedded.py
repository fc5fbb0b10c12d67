"""The embedded cluster in a process of its own: nodes are objects, and no process runs for any plugin or container.

Prints a line of JSON with the kubeconfig, and when its input ends another with what it has used.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from loguru import logger

from fake_dra_driver.allocation import Allocator
from fake_dra_driver.cluster import Cluster

__all__ = ["EmbeddedCluster"]

_RELEASE: Final = "1.37"


@dataclass(slots=True)
class EmbeddedCluster:
    """One that runs."""

    kubeconfig: Path
    allocator_seconds: float = 0.0
    """What the allocator had of the process' time; known once the cluster has stopped."""
    allocations: int = 0
    """How often it was asked about a node."""
    cpu_seconds: float = 0.0
    """Of the whole process."""

    @classmethod
    @asynccontextmanager
    async def start(cls, python: str) -> AsyncIterator["EmbeddedCluster"]:
        """For the block."""
        process = await asyncio.create_subprocess_exec(
            *(python, "-m", __name__), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            cluster = cls(Path(json.loads(await process.stdout.readline())["kubeconfig"]))
            yield cluster
            process.stdin.close()
            used = json.loads(await process.stdout.readline())
            cluster.allocator_seconds, cluster.allocations = used["allocator_seconds"], used["allocations"]
            cluster.cpu_seconds = used["cpu_seconds"]
        finally:
            process.stdin.close()
            await process.wait()


async def _serve() -> None:
    logger.remove()
    used = _measure_allocator()
    async with Cluster(nodes=(), kubernetes_version=_RELEASE, static_nodes=True) as cluster:
        _say({"kubeconfig": str(cluster.kubeconfig)})
        await asyncio.to_thread(sys.stdin.read)
    _say({**used, "cpu_seconds": time.process_time()})


def _measure_allocator() -> dict[str, float]:
    """Counts the calls of ``Allocator.allocate`` from now on, and the seconds spent in them."""
    used = {"allocator_seconds": 0.0, "allocations": 0}
    allocate = Allocator.allocate

    def measured(self: Allocator, *args: Any, **more: Any) -> Any:
        start = time.perf_counter()
        try:
            return allocate(self, *args, **more)
        finally:
            used["allocator_seconds"] += time.perf_counter() - start
            used["allocations"] += 1

    Allocator.allocate = measured  # type: ignore[method-assign]  # the cluster makes the allocator itself
    return used


def _say(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_serve())

"""What this machine asks for one write to the API server and for one fsync: the yardsticks of all other figures."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter

from tests.bench.api import Api
from tests.bench.manifest import NAMESPACE

__all__ = ["probe_writes", "time_fsyncs", "time_writes"]

_MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
_PROBE = "write-probe"
_PAUSE_SECONDS = 0.2
_FSYNC_BYTES = 4096


async def time_writes(api: Api, count: int) -> Sequence[float]:
    """Milliseconds of each of so many patches of one small object, one after the other."""
    await api.apply(_MAPS, {"metadata": {"name": _PROBE}})
    return [await _write(api, number) for number in range(count)]


@asynccontextmanager
async def probe_writes(api: Api) -> AsyncIterator[list[float]]:
    """Writes now and then while the block runs; the list fills with the milliseconds of each write."""
    await api.apply(_MAPS, {"metadata": {"name": _PROBE}})
    found: list[float] = [await _write(api, -1)]

    async def probe() -> None:
        while True:
            found.append(await _write(api, len(found)))
            await asyncio.sleep(_PAUSE_SECONDS)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(probe(), name="probe writes")
        try:
            yield found
        finally:
            task.cancel()


def time_fsyncs(folder: Path, count: int) -> Sequence[float]:
    """Milliseconds of each of so many writes of 4 KiB to a new file with fsync. Blocks."""
    found = []
    for _ in range(count):
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            begun = perf_counter()
            file.write(b"\0" * _FSYNC_BYTES)
            file.flush()
            os.fsync(file.fileno())
            found.append((perf_counter() - begun) * 1000)
    return found


async def _write(api: Api, number: int) -> float:
    begun = perf_counter()
    await api.patch(f"{_MAPS}/{_PROBE}", {"data": {"number": str(number)}})
    return (perf_counter() - begun) * 1000

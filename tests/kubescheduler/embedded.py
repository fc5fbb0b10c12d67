"""The embedded API server and scheduler, in a thread of their own: as the real ones here, without any controllers.

Those of a whole cluster would have a part in what becomes of an example: they evict the pods of tainted devices, and
release claims that no pod uses.
"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.cluster.component import Component, Program
from fake_dra_driver.cluster.releases import find_release
from fake_dra_driver.cluster.scheduler import make_scheduler

__all__ = ["embedded_scheduler"]

_RELEASE: Final = "1.37"


@contextmanager
def embedded_scheduler(kubeconfig: Path) -> Iterator[Path]:
    """Runs them within the block. Gives the kubeconfig, which is written there."""
    loop = asyncio.new_event_loop()
    ready, leave = threading.Event(), asyncio.Event()
    problems: list[BaseException] = []

    def run() -> None:
        try:
            loop.run_until_complete(_serve(kubeconfig, ready, leave))
        except BaseException as problem:  # noqa: BLE001 - raised below, in the thread that waits
            problems.append(problem)
        finally:
            ready.set()
            loop.close()

    thread = threading.Thread(target=run, name="embedded scheduler")
    thread.start()
    ready.wait()
    try:
        if not problems:
            yield kubeconfig
    finally:
        if not problems:
            loop.call_soon_threadsafe(leave.set)
        thread.join()
    if problems:
        raise problems[0]


async def _serve(kubeconfig: Path, ready: threading.Event, leave: asyncio.Event) -> None:
    make = partial(make_scheduler, release=find_release(_RELEASE))
    async with ApiServer(kubernetes_version=_RELEASE) as server, asyncio.TaskGroup() as group:
        await asyncio.to_thread(server.write_kubeconfig, kubeconfig)
        scheduler = Component(Program("kube-scheduler", "default-scheduler", make), server, group)
        scheduler.start()
        ready.set()
        await leave.wait()
        await scheduler.stop()

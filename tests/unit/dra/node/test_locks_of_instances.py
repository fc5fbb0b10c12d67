"""The locks of plugins that share a process: what the system does for processes that are killed."""

import asyncio
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from fake_dra_driver.dra.node.claimlock import ClaimLock
from fake_dra_driver.dra.node.folderlock import FolderLock
from fake_dra_driver.inthread import in_thread
from tests.unit.hosting.stage import Stage, prepared_stage


@pytest.mark.parametrize("kind", ["folder", "claim"])
async def test_a_successor_gets_the_lock_when_the_last_write_has_ended(tmp_path: Path, kind: str) -> None:
    checkpoint = tmp_path / "checkpoint"
    loop, writing, go_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def write_late() -> None:
        loop.call_soon_threadsafe(writing.set)
        go_on.wait(5)
        checkpoint.write_text("old")

    async def holder() -> int:
        async with FolderLock(tmp_path).hold() if kind == "folder" else ClaimLock(tmp_path).hold("uid"):
            await in_thread(write_late)
        return 0

    async def successor() -> int:
        async with FolderLock(tmp_path).hold() if kind == "folder" else ClaimLock(tmp_path).hold("uid"):
            found = await in_thread(checkpoint.exists)
            await in_thread(checkpoint.write_text, "new")
        return int(found)

    async with prepared_stage() as stage:
        killed = asyncio.create_task(stage.run(holder), name="holder")
        await writing.wait()
        stage.instance.signal(signal.SIGKILL)
        following = asyncio.create_task(Stage().run(successor), name="successor")
        await asyncio.wait((following,), timeout=0.05)
        assert not following.done()
        go_on.set()
        assert await killed == -signal.SIGKILL
        assert await following == 1
    assert checkpoint.read_text() == "new"


async def test_an_attempt_that_has_not_begun_leaves_nothing_behind(tmp_path: Path) -> None:
    loop, busy, go_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    reported: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _loop, context: reported.append(context))

    def block() -> None:
        loop.call_soon_threadsafe(busy.set)
        go_on.wait(5)

    async def plugin() -> int:
        async with FolderLock(tmp_path / "plugin").hold():
            return 0

    async with prepared_stage(threads=1) as stage:
        blocking = asyncio.create_task(in_thread(block), name="another one's call")
        await busy.wait()
        async with stage.running(plugin) as task:
            stage.instance.signal(signal.SIGKILL)
        assert task.result() == -signal.SIGKILL
        go_on.set()
        await blocking
        await asyncio.sleep(0)
        assert not await asyncio.to_thread((tmp_path / "plugin").exists)
    assert not reported

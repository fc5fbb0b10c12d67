"""A folder that one process at a time works on. To flock, two locks of one process are as two processes."""

import asyncio
import fcntl
import os
from contextlib import AsyncExitStack
from contextvars import Context
from pathlib import Path

import pytest

from fake_dra_driver.dra.node.folderlock import FolderLock
from fake_dra_driver.dra.node.sockets import SocketError, SocketInUseError

IN_TIME = 10.0
"""Seconds after which a test that hangs fails."""


class Process:
    """What stands for a process: its lock, and what it noticed."""

    def __init__(self, folder: Path, *, turn_seconds: float = 60.0) -> None:
        self.takes = 0
        """How often it was told that it has taken the lock."""
        self.error: Exception | None = None
        """What the next take raises."""
        self.lock = FolderLock(folder, self._taken, turn_seconds=turn_seconds)

    async def _taken(self) -> None:
        self.takes += 1
        error, self.error = self.error, None
        if error is not None:
            raise error

    async def begin(self) -> AsyncExitStack:
        """Holds the folder until the result is closed."""
        stack = AsyncExitStack()
        await stack.enter_async_context(self.lock.hold())
        return stack


@pytest.fixture
def process(folder: Path) -> Process:
    return Process(folder)


@pytest.fixture
def other(folder: Path) -> Process:
    return Process(folder)


def is_locked(folder: Path) -> bool:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


async def test_the_folder_is_locked_while_it_is_held_and_made_if_there_is_none(folder: Path) -> None:
    path = folder / "of" / "the" / "plugin"
    lock = FolderLock(path)
    async with lock.hold():
        assert is_locked(path)
        assert list(path.iterdir()) == []
    assert not is_locked(path)


async def test_another_process_waits_for_the_end_of_the_turn(process: Process, other: Process) -> None:
    first = await process.begin()
    waiting = asyncio.ensure_future(other.begin())
    second = await process.begin()
    await first.aclose()
    assert not waiting.done(), "the second piece of work still goes on"
    await second.aclose()
    async with asyncio.timeout(IN_TIME), await waiting:
        assert (process.takes, other.takes) == (1, 1)


async def test_each_turn_begins_with_the_news_of_what_others_did(process: Process, other: Process) -> None:
    for turn in (1, 2, 3):
        for each in (process, other):
            async with each.lock.hold(), each.lock.hold():
                assert each.takes == turn


async def test_work_does_not_begin_when_the_news_cannot_be_had(process: Process, folder: Path) -> None:
    process.error = OSError("Input/output error")
    with pytest.raises(OSError, match="Input/output error"):
        await process.begin()
    assert not is_locked(folder)
    async with await process.begin():
        assert process.takes == 2


async def test_an_unusable_folder_is_named_in_the_error(folder: Path) -> None:
    (folder / "file").touch()
    lock = FolderLock(folder / "file" / "folder")
    with pytest.raises(SocketError, match=r"cannot use the folder .*file/folder"):
        async with lock.hold():
            pass
    with pytest.raises(SocketError, match=r"cannot use the folder .*file/folder"):
        async with lock.keep():
            pass


async def test_a_folder_that_was_made_again_is_locked_under_its_name(folder: Path) -> None:
    path = folder / "plugin"
    lock = FolderLock(path)
    async with lock.hold():
        path.rmdir()
    async with lock.hold():
        assert is_locked(path)


async def test_one_who_ceases_to_wait_leaves_nothing_behind(process: Process, other: Process, folder: Path) -> None:
    """Cancelled at whatever step: before, in and between its attempts."""
    for steps in range(30):
        holding = await process.begin() if steps % 2 else None
        waiting = asyncio.ensure_future(other.begin())
        for _ in range(steps):
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait((waiting,))
        if not waiting.cancelled():
            await waiting.result().aclose()
        if holding is not None:
            await holding.aclose()
        async with asyncio.timeout(IN_TIME), await process.begin():
            assert is_locked(folder)


async def test_a_process_that_is_never_idle_lets_others_have_a_turn(folder: Path) -> None:
    busy = Process(folder, turn_seconds=0.05)
    is_over = asyncio.Event()

    async def work() -> None:
        while not is_over.is_set():
            async with busy.lock.hold():
                await asyncio.to_thread(os.listdir, folder)

    async with asyncio.timeout(IN_TIME), asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(work())
        for turn in range(3):
            other = Process(folder)
            async with other.lock.hold():
                before = busy.takes
            async with busy.lock.hold():
                assert busy.takes > before, f"turn {turn}: the busy process was not interrupted"
        is_over.set()


async def test_work_that_joined_a_turn_may_join_it_again_after_its_time(folder: Path) -> None:
    """Otherwise it would wait for the end of the turn, which waits for its own end."""
    process = Process(folder, turn_seconds=0.0)
    async with asyncio.timeout(IN_TIME):
        async with process.lock.hold():
            newcomer = asyncio.create_task(process.begin(), context=Context())
            await asyncio.sleep(0)
            async with process.lock.hold(), asyncio.TaskGroup() as group:
                nested = group.create_task(process.begin())
            assert not newcomer.done()
            assert process.takes == 1
        assert not newcomer.done(), "what it had begun still goes on"
        await nested.result().aclose()
        async with await newcomer:
            assert process.takes == 2


async def test_a_task_that_outlives_the_turn_it_was_started_in_waits_like_any_other(
    process: Process, other: Process
) -> None:
    may_begin = asyncio.Event()

    async def work() -> AsyncExitStack:
        await may_begin.wait()
        return await process.begin()

    async with process.lock.hold():
        task = asyncio.ensure_future(work())
        await asyncio.sleep(0)
    async with other.lock.hold():
        may_begin.set()
        await asyncio.sleep(0)
        assert not task.done()
    async with asyncio.timeout(IN_TIME), await task:
        assert process.takes == 2


async def test_a_folder_is_kept_by_one_plugin_at_a_time(process: Process, other: Process, folder: Path) -> None:
    async with process.lock.keep():
        with pytest.raises(SocketInUseError, match="another kubelet plugin runs on"):
            async with other.lock.keep():
                pass
        assert is_locked(folder)
        for _ in range(3):
            async with process.lock.hold():
                assert process.takes == 1
    async with other.lock.keep():
        assert is_locked(folder)


async def test_work_waits_for_a_process_that_keeps_the_folder(process: Process, other: Process) -> None:
    async with process.lock.keep():
        waiting = asyncio.ensure_future(other.begin())
        async with process.lock.hold():
            assert not waiting.done()
    async with asyncio.timeout(IN_TIME), await waiting:
        assert other.takes == 1


async def test_a_process_that_has_work_under_way_keeps_the_folder_after_it(process: Process, folder: Path) -> None:
    working = await process.begin()
    stack = AsyncExitStack()
    keeping = asyncio.ensure_future(stack.enter_async_context(process.lock.keep()))
    await asyncio.sleep(0)
    assert not keeping.done()
    await working.aclose()
    async with asyncio.timeout(IN_TIME):
        await keeping
    assert is_locked(folder)
    await stack.aclose()
    assert not is_locked(folder)

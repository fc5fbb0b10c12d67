"""Callers that share a write."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from fake_dra_driver.groupcommit import GroupCommit, Pending


class Disk:
    """Notes what is written together. Each write waits until it is let go."""

    def __init__(self) -> None:
        self.writes: list[list[str]] = []
        self.errors: list[Exception] = []
        """Raised by the next writes, one each."""
        self.refused: dict[str, Exception] = {}
        self.begun = asyncio.Semaphore(0)
        self.allowed = asyncio.Semaphore(0)

    async def write(self, batch: Sequence[Pending[str]]) -> None:
        self.begun.release()
        await self.allowed.acquire()
        for pending in batch:
            if pending.change in self.refused:
                pending.settle(self.refused[pending.change])
        if self.errors:
            raise self.errors.pop()
        self.writes.append([pending.change for pending in batch if not pending.is_settled])


@asynccontextmanager
async def commits(group: GroupCommit[str], *changes: str) -> AsyncIterator[list[asyncio.Task[None]]]:
    """The changes on their way, each in a task of its own. At the end each has to be done."""
    tasks = [asyncio.ensure_future(group.commit(change)) for change in changes]
    try:
        async with asyncio.timeout(5):
            yield tasks
            await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert group.is_idle


async def test_callers_that_come_together_share_a_write() -> None:
    disk = Disk()
    group = GroupCommit(disk.write)

    async with commits(group, "a", "b", "c"):
        disk.allowed.release()

    assert disk.writes == [["a", "b", "c"]]


async def test_callers_that_come_during_a_write_share_the_next_one() -> None:
    disk = Disk()
    group = GroupCommit(disk.write)

    async with commits(group, "a") as first:
        await disk.begun.acquire()
        async with commits(group, "b", "c") as later:
            await asyncio.sleep(0)
            disk.allowed.release()
            await asyncio.wait(first)
            assert disk.writes == [["a"]]
            assert not any(task.done() for task in later)
            disk.allowed.release()

    assert disk.writes == [["a"], ["b", "c"]]


async def test_a_write_that_fails_fails_exactly_those_who_waited_for_it() -> None:
    disk = Disk()
    disk.errors = [OSError("full")]
    group = GroupCommit(disk.write)

    async with commits(group, "a", "b") as first:
        await disk.begun.acquire()
        async with commits(group, "c") as later:
            await asyncio.sleep(0)
            disk.allowed.release()
            await asyncio.wait(first)
            disk.allowed.release()

    assert [str(task.exception()) for task in first] == ["full", "full"]
    assert [task.exception() for task in later] == [None]
    assert disk.writes == [["c"]]


@pytest.mark.parametrize("fails", [True, False])
async def test_a_change_that_is_settled_alone_keeps_its_own_outcome(fails: bool) -> None:
    disk = Disk()
    disk.errors = [OSError("full")] if fails else []
    disk.refused = {"a": ValueError("no")}
    group = GroupCommit(disk.write)

    async with commits(group, "a", "b") as tasks:
        disk.allowed.release()

    assert [str(task.exception()) for task in tasks] == ["no", "full" if fails else "None"]
    assert disk.writes == ([] if fails else [["b"]])


async def test_a_change_that_is_cancelled_before_its_turn_is_not_written() -> None:
    disk = Disk()
    group = GroupCommit(disk.write)

    async with commits(group, "a"):
        await disk.begun.acquire()
        async with commits(group, "b", "c") as later:
            await asyncio.sleep(0)
            later[0].cancel()
            await asyncio.wait(later[:1])
            disk.allowed.release()
            disk.allowed.release()

    assert disk.writes == [["a"], ["c"]]


async def test_the_others_are_written_by_the_next_in_line_when_the_one_who_writes_is_cancelled() -> None:
    disk = Disk()
    group = GroupCommit(disk.write)

    async with commits(group, "a", "b", "c") as tasks:
        await disk.begun.acquire()
        async with commits(group, "d") as later:
            await asyncio.sleep(0)
            tasks[0].cancel()
            await asyncio.wait(tasks[:1])
            disk.allowed.release()

    assert tasks[0].cancelled()
    assert [task.exception() for task in (*tasks[1:], *later)] == [None, None, None]
    assert disk.writes == [["b", "c", "d"]], "the order is kept"


async def test_the_others_are_written_when_the_first_is_cancelled_at_once() -> None:
    disk = Disk()
    group = GroupCommit(disk.write)

    async with commits(group, "a", "b") as tasks:
        await asyncio.sleep(0)
        tasks[0].cancel()
        disk.allowed.release()

    assert disk.writes == [["b"]]


async def test_what_a_cancelled_write_has_settled_is_not_written_again() -> None:
    seen: list[list[str]] = []
    begun = asyncio.Event()

    async def write(batch: Sequence[Pending[str]]) -> None:
        seen.append([pending.change for pending in batch])
        if not begun.is_set():
            batch[1].settle()
            begun.set()
            await asyncio.Event().wait()

    async with commits(GroupCommit(write), "a", "b", "c") as tasks:
        await begun.wait()
        tasks[0].cancel()

    assert [task.exception() for task in tasks[1:]] == [None, None]
    assert seen == [["a", "b", "c"], ["c"]]

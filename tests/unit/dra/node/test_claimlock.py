"""Claims on whose devices one process at a time works. To the kernel, two locks of one process are as two processes."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from fake_dra_driver.dra.node.claimlock import ClaimLock

IN_TIME = 10.0
"""Seconds after which a test that hangs fails."""
A_MOMENT = 0.05
"""Several attempts of a process that waits."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "plugin"


async def holding(folder: Path, uid: str) -> AsyncExitStack:
    """Another process that works on the claim until this is closed."""
    stack = AsyncExitStack()
    await stack.enter_async_context(ClaimLock(folder).hold(uid))
    return stack


def open_files() -> int:
    """How many this process has."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


async def work(folder: Path, uid: str, within_seconds: float = IN_TIME) -> None:
    """Another process works on the claim for no time at all. Raises TimeoutError when it has to wait for too long."""
    async with asyncio.timeout(within_seconds), ClaimLock(folder).hold(uid):
        pass


async def assert_held(folder: Path, uid: str) -> None:
    """No process can work on the claim."""
    with pytest.raises(TimeoutError):
        await work(folder, uid, A_MOMENT)


async def test_another_process_waits_for_the_claim_alone(folder: Path) -> None:
    async with await holding(folder, "a"):
        await assert_held(folder, "a")
        await work(folder, "b")
    await work(folder, "a")


async def test_a_claim_is_had_as_soon_as_the_other_process_has_done_with_it(folder: Path) -> None:
    stack = await holding(folder, "a")
    async with asyncio.timeout(IN_TIME):
        waiting = asyncio.create_task(holding(folder, "a"), name="waiting")
        await asyncio.sleep(A_MOMENT)
        assert not waiting.done()
        await stack.aclose()
        async with await waiting:
            await assert_held(folder, "a")


async def test_a_process_that_no_longer_waits_leaves_nothing_behind(folder: Path) -> None:
    async with await holding(folder, "a"):
        before = open_files()
        await assert_held(folder, "a")
        assert open_files() == before
    assert contents(folder) == {"claims.lock": b""}


def test_a_link_in_the_place_of_the_file_is_an_error(folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    (folder / "claims.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic link"):
        asyncio.run(work(folder, "a"))
    assert not (tmp_path / "elsewhere").exists()

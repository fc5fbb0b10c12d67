"""Waiting for something that no event in this process tells of."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

__all__ = ["gone", "in_own_task", "is_alive", "until"]

T = TypeVar("T")

_DEADLINE_SECONDS = 20.0
"""Only ever reached by a test that fails."""


async def until(condition: Callable[[], object]) -> None:
    """Returns as soon as the condition holds. An AssertionError in it says that it does not, and why in the end."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _DEADLINE_SECONDS
    while True:
        try:
            if condition():
                return
            failure = AssertionError(f"did not come to hold within {_DEADLINE_SECONDS:g} s")
        except AssertionError as error:
            failure = error
        if loop.time() > deadline:
            raise failure
        await asyncio.sleep(0.005)


def is_alive(pid: int) -> bool:
    """Whether a process runs. One whose parent has not looked yet is dead all the same."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


async def gone(pid: int) -> None:
    """Waits for the end of a process."""
    await until(lambda: not is_alive(pid))


@contextlib.asynccontextmanager
async def in_own_task(manager: contextlib.AbstractAsyncContextManager[T]) -> AsyncIterator[T]:
    """Enters and leaves a context in one task: pytest sets a fixture up and takes it down in two different ones."""
    entered: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    leave = asyncio.Event()

    async def live() -> None:
        async with manager as value:
            entered.set_result(value)
            await leave.wait()

    task = asyncio.create_task(live())
    await asyncio.wait((task, entered), return_when=asyncio.FIRST_COMPLETED)
    try:
        if task.done():
            await task
        yield entered.result()
    finally:
        leave.set()
        await task

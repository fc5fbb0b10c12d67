"""Blocking calls in a thread, such as those on files, whose caller never goes on before the thread has ended."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

__all__ = ["ended", "in_thread"]

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs a blocking call in a thread, to its end: see ``ended``."""
    return await ended(asyncio.get_running_loop().run_in_executor(None, partial(call, *args, **kwargs)))


async def ended(work: asyncio.Future[T]) -> T:
    """The result of a thread's work. When cancelled, it still waits for the work to end, then raises CancelledError.

    A thread cannot be stopped. If its caller went on without it, as with ``asyncio.to_thread``, it could still be
    writing to a file when the next caller writes to it.
    """
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait((work,))
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        work.exception()  # marks it as retrieved: the caller gets CancelledError in its place
        raise cancelled
    return work.result()

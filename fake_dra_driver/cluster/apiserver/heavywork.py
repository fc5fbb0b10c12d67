"""Work that takes long leaves the event loop: in threads, a few at a time, so that all other requests go on.

A real API server has a thread for each request. Here one event loop carries everything, and what is done within some
milliseconds is done on it, in one piece: that is nearly every request, and the fastest way. A request that is heavier
is carried out in a thread, as a whole, by the same code. What that code reads may then change under it; so all that it
writes, it writes through ``on_loop``, in one piece with the check that what it has read is still true.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import ContextVar
from functools import partial
from typing import ParamSpec, TypeVar

from fake_dra_driver.cluster.apiserver.errors import too_many_requests
from fake_dra_driver.inthread import in_thread

__all__ = ["HEAVY", "HeavyWork", "on_loop"]

P = ParamSpec("P")
T = TypeVar("T")

HEAVY = 16 * 1024
"""The weight from which on work is done in a thread. One is the time for a byte of JSON on its way through a write, of
which a slow machine does 400 in a millisecond: what is lighter takes less than 50 ms."""
_AT_ONCE = 2
"""Each thread that computes makes the event loop wait up to 5 ms for each of its turns (sys.getswitchinterval)."""
_MOST_WAITING = 200
"""Beyond it clients are told to come back (--max-mutating-requests-inflight)."""

_home: ContextVar[asyncio.AbstractEventLoop | None] = ContextVar("home", default=None)
"""The event loop that this work has left; None: it is still there."""


class HeavyWork:
    """Carries out work of one event loop, either there or in a thread."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0

    async def run(self, weight: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Does the work, in a thread if it is heavy; without a turn of the event loop in between if it is not.

        Raises:
            StatusError: 429, too much heavy work is waiting already.
        """
        if weight < HEAVY:
            return work(*args, **kwargs)
        if self._waiting >= _MOST_WAITING:
            raise too_many_requests()
        self._waiting += 1
        try:
            async with self._places:
                return await in_thread(_away, asyncio.get_running_loop(), partial(work, *args, **kwargs))
        finally:
            self._waiting -= 1


def on_loop(work: Callable[[], T]) -> T:
    """Does light work on the event loop, in one piece: at once when called there, and else in one of its next turns.

    From a thread of ``HeavyWork`` it blocks until the work is done. Raises what the work raises.
    """
    loop = _home.get()
    if loop is None:
        return work()
    done: Future[T] = Future()

    def do() -> None:
        _home.set(None)  # in a context of its own: a copy of the thread's
        try:
            done.set_result(work())
        except Exception as error:  # noqa: BLE001 - raised again in the thread that waits for it
            done.set_exception(error)

    loop.call_soon_threadsafe(do)
    return done.result()


def _away(loop: asyncio.AbstractEventLoop, work: Callable[[], T]) -> T:
    token = _home.set(loop)
    try:
        return work()
    finally:
        _home.reset(token)

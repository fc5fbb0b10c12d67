"""Work that takes long leaves the event loop: in threads, a few at a time, so that all other requests go on.

A real API server has a thread for each request. Here one event loop carries everything, and what is done within some
milliseconds is done on it, in one piece: that is nearly every request, and the fastest way. A request that is heavier
is carried out in a thread, as a whole, by the same code. What that code reads may then change under it; so all that it
writes, it writes through ``on_loop``, in one piece with the check that what it has read is still true.

What a request weighs is known before it begins, but for what it evaluates: patterns, rules, paths and selectors. They
tell ``spend`` of their steps. Work that turns out to be heavy before it has written anything is begun again in a
thread, and ends with an error when it never seems to end.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import ParamSpec, TypeVar

from fake_dra_driver.cluster.apiserver.errors import timed_out, too_many_requests
from fake_dra_driver.inthread import ended, in_thread

__all__ = ["HEAVY", "LIGHT_STEPS", "MAX_STEPS", "HeavyWork", "call_out", "on_loop", "spend"]

P = ParamSpec("P")
T = TypeVar("T")

HEAVY = 16 * 1024
"""The weight from which on work is done in a thread. One is the time for a byte of JSON on its way through a write, of
which a slow machine does 400 in a millisecond: what is lighter takes less than 50 ms."""
LIGHT_STEPS = 20_000
"""How much is evaluated on the event loop. A slow machine makes a thousand steps in a millisecond or two."""
MAX_STEPS = 20_000_000
"""How much is evaluated for one request; a real API server ends it after a minute (--request-timeout)."""
_AT_ONCE = 2
"""Each thread that computes makes the event loop wait up to 5 ms for each of its turns (sys.getswitchinterval)."""
_WAITING_AT_ONCE = 32
"""Threads that wait for other servers, which takes no time of the processor. Those may write here before they answer,
and wait for others in turn."""
_MOST_WAITING = 200
"""Beyond it clients are told to come back (--max-mutating-requests-inflight)."""

_home: ContextVar[asyncio.AbstractEventLoop | None] = ContextVar("home", default=None)
"""The event loop that this work has left; None: it is still there."""


@dataclass(slots=True)
class _Account:
    """What a piece of work has evaluated."""

    is_light: bool
    """Whether it is done on the loop, and can still be done in a thread."""
    spent: int = 0


_account: ContextVar[_Account | None] = ContextVar("account", default=None)


class _TurnedHeavyError(Exception):
    """The work is too heavy for the loop."""


class _WaitsForOthersError(Exception):
    """The work has to wait for another server, which may ask this one meanwhile."""


class HeavyWork:
    """Carries out work of one event loop, either there or in a thread.

    Args:
        in_threads: False: everything is done on the loop, as simulated time needs it, which waits for no thread.
    """

    def __init__(self, *, in_threads: bool = True) -> None:
        self._in_threads = in_threads
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._waiting_places = asyncio.Semaphore(_WAITING_AT_ONCE)
        self._waiting = 0

    async def run(self, weight: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Does the work, in a thread if it is heavy; without a turn of the event loop in between if it is not.

        Raises:
            StatusError: 429, too much heavy work is waiting already; 504, it evaluates too much.
        """
        places = self._places
        if weight < HEAVY or not self._in_threads:
            token = _account.set(_Account(is_light=self._in_threads))
            try:
                return work(*args, **kwargs)
            except _TurnedHeavyError:
                pass
            except _WaitsForOthersError:
                places = self._waiting_places
            finally:
                _account.reset(token)
        if self._waiting >= _MOST_WAITING:
            raise too_many_requests()
        self._waiting += 1
        try:
            async with places:
                loop, away = asyncio.get_running_loop(), partial(work, *args, **kwargs)
                if places is self._places:
                    return await in_thread(_away, loop, away)
                # Not in a thread of the loop's: it has few, for all that is heavy.
                threads = ThreadPoolExecutor(1, "waiting")
                try:
                    return await ended(loop.run_in_executor(threads, _away, loop, away))
                finally:
                    threads.shutdown(wait=False)
        finally:
            self._waiting -= 1


def on_loop(work: Callable[[], T], *, writes: bool = True) -> T:
    """Does light work on the event loop, in one piece: at once when called there, and else in one of its next turns.

    From a thread of ``HeavyWork`` it blocks until the work is done. Raises what the work raises.
    """
    loop = _home.get()
    if loop is None:
        if writes and (account := _account.get()) is not None:
            account.is_light = False  # what is written is not written again
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


def call_out(call: Callable[[], T]) -> T:
    """Makes a call that waits for another server, in a thread: work on the loop is begun again in one.

    Raises what the call raises. In simulated time it blocks the loop, since nothing else could wait for it.
    """
    account = _account.get()
    if account is not None and account.is_light:
        raise _WaitsForOthersError
    return call()


def spend(steps: int) -> None:
    """Counts steps of evaluating what a client sends.

    Raises:
        StatusError: 504, there are too many of them in one request.
    """
    account = _account.get()
    if account is None:
        return
    account.spent += steps
    if account.is_light and account.spent > LIGHT_STEPS:
        raise _TurnedHeavyError
    if account.spent > MAX_STEPS:
        raise timed_out()


def _away(loop: asyncio.AbstractEventLoop, work: Callable[[], T]) -> T:
    home, account = _home.set(loop), _account.set(_Account(is_light=False))
    try:
        return work()
    finally:
        _account.reset(account)
        _home.reset(home)

"""Notices that a coroutine of a driver's author blocks the event loop, while it does, and says whose and where.

A coroutine is driven step by step: between two of its awaits nothing else runs in the process, and no call of the
kubelet is answered. asyncio can say afterwards that a step took long (debug mode); a step that never ends, such as a
read from a device that does not answer, is seen from another thread alone. That thread lives only while there is a step
to look at. Tasks that a coroutine creates by itself are not looked at.
"""

import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

from loguru import logger

__all__ = ["BlockWatch"]

log = logger.bind(component="driver")

T_co = TypeVar("T_co", covariant=True)

_MAX_FRAMES = 4
"""How many places in the code a message names, the innermost ones."""


class _Step:
    """What the loop does at this moment on behalf of a driver."""

    __slots__ = ("call", "is_reported", "started", "thread")

    def __init__(self, call: str) -> None:
        self.call = call
        self.started = time.monotonic()
        self.thread = threading.get_ident()
        self.is_reported = False


class BlockWatch:
    """Watches the steps of one event loop.

    Args:
        limit_seconds: how long a step may take before it is reported, once.
    """

    def __init__(self, limit_seconds: float) -> None:
        self._limit_seconds = limit_seconds
        self._step: _Step | None = None
        self._timer: threading.Timer | None = None

    def watched(self, call: str, work: Awaitable[T_co]) -> Awaitable[T_co]:
        """The same work, each of whose steps is watched.

        Args:
            call: what a message names.
            work: to be awaited once.
        """
        return _Watched(self, call, _awaited(work))

    @contextmanager
    def step(self, call: str) -> Iterator[None]:
        """Watches a block in which the loop does nothing else."""
        step = self._step = _Step(call)
        if self._timer is None:
            self._arm(self._limit_seconds)
        try:
            yield
        finally:
            self._step = None
            if step.is_reported:
                took_seconds = round(time.monotonic() - step.started, 1)
                log.error("Driver blocks the event loop no longer", call=call, seconds=took_seconds)

    def _arm(self, after_seconds: float) -> None:
        self._timer = threading.Timer(after_seconds, self.look)
        self._timer.name = "driver blocks loop"
        self._timer.daemon = True
        self._timer.start()

    def look(self) -> None:
        """Reports a step that takes too long. Runs in a thread of its own, whether the loop goes on or not."""
        # Before the look at the step: one that begins after that look finds no timer, and starts another.
        self._timer = None
        step = self._step
        if step is None or step.is_reported:
            return
        left_seconds = step.started + self._limit_seconds - time.monotonic()
        if left_seconds > 0:
            if self._timer is None:
                self._arm(left_seconds)
            return
        step.is_reported = True
        log.error(
            "Driver blocks the event loop: no call of the kubelet is answered meanwhile. A method that may block must "
            "not be a coroutine function: then it runs in a thread",
            call=step.call,
            seconds=self._limit_seconds,
            at=_place(step.thread),
        )


class _Watched(Awaitable[T_co], Generic[T_co]):
    def __init__(self, watch: BlockWatch, call: str, work: Generator[Any, Any, T_co]) -> None:
        self._watch = watch
        self._call = call
        self._work = work

    def __await__(self) -> Generator[Any, Any, T_co]:
        sent: Any = None
        thrown: BaseException | None = None
        while True:
            with self._watch.step(self._call):
                try:
                    wanted = self._work.send(sent) if thrown is None else self._work.throw(thrown)
                except StopIteration as end:
                    result: T_co = end.value
                    return result
            try:
                sent, thrown = (yield wanted), None
            except GeneratorExit:
                self._work.close()
                raise
            except BaseException as error:  # noqa: BLE001 - a cancellation too is for the coroutine to see
                sent, thrown = None, error


def _awaited(work: Awaitable[T_co]) -> Generator[Any, Any, T_co]:
    """Any awaitable as something that takes ``send`` and ``throw``; some have iterators that do not."""

    async def wait() -> T_co:
        return await work

    return wait().__await__()


def _place(thread: int) -> str:
    """Where a thread is at this moment, the outermost of a few places first."""
    frame = sys._current_frames().get(thread)  # noqa: SLF001 - the documented way to look at another thread
    if frame is None:
        return "unknown"
    stack = traceback.extract_stack(frame)[-_MAX_FRAMES:]
    return " > ".join(f"{Path(entry.filename).name}:{entry.lineno} {entry.name}" for entry in stack)

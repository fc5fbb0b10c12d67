"""The folder of a plugin as a lock: which of several processes may work on what is in it.

During a rolling update (``maxSurge: 1``, kubelets since 1.33) the old and the new pod of a plugin are both alive and
take calls. What is prepared on the node changes hands between them: a process holds the folder while it has something
to do there, releases it when it is idle, and reads again what it knew when it gets the folder back.

The lock (flock) is on the folder itself. No file is left behind, the end of a process releases it, however it ends, and
it is what each release before rolling updates holds for its whole life. Work of this one therefore waits until such a
predecessor is gone, and the other way round, whichever of the two was started first.
"""

import asyncio
import fcntl
import math
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fake_dra_driver.dra.node.sockets import FOLDER_MODE, SocketError, SocketInUseError
from fake_dra_driver.hosting.process import release_at_end
from fake_dra_driver.regularfile import make_folder

__all__ = ["FolderLock"]

TURN_SECONDS: Final = 0.5
"""How long a busy process lets new work join before it offers the folder to another one."""

BREAK_SECONDS: Final = 0.03
"""For how long it offers the folder then: several attempts of a process that waits."""

_FIRST_PAUSE_SECONDS: Final = 0.001
_LONGEST_PAUSE_SECONDS: Final = 0.01
"""Between two attempts of a process that waits. A thread that blocks in flock could not be cancelled."""


@dataclass(eq=False, slots=True)
class _Turn:
    """The time from taking the lock to its release."""

    lock: "_Lock"
    until: float
    """By the loop's clock: what comes later waits for the next turn."""
    holders: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class _Lock:
    """A descriptor that has the lock, until it is released."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._forget = release_at_end(self._close)

    def release(self) -> None:
        self._forget()
        self._close()

    def _close(self) -> None:
        os.close(self._descriptor)


_turns: ContextVar[frozenset[_Turn]] = ContextVar("turns", default=frozenset())
"""The turns that the running task has joined."""


async def _nothing() -> None:
    pass


class FolderLock:
    """Lets one process at a time work on a folder, with as many tasks as it likes. For one event loop.

    Of a process that always has work, others get the folder every half second. Order: the folder is taken before any
    lock that work on it needs, since the next turn begins only when all work of this one has ended.

    Args:
        folder: is made if there is none.
        on_taken: called whenever this process has taken the lock, before any work: another process may have changed
            what is there. Must not take the lock. What it raises is raised to the task that was to begin.
    """

    def __init__(
        self,
        folder: Path,
        on_taken: Callable[[], Awaitable[None]] = _nothing,
        *,
        turn_seconds: float = TURN_SECONDS,
        break_seconds: float = BREAK_SECONDS,
    ) -> None:
        self._folder = folder
        self._on_taken = on_taken
        self._turn_seconds = turn_seconds
        self._break_seconds = break_seconds
        self._entrance = asyncio.Lock()
        self._turn: _Turn | None = None
        self._busy_until = -math.inf
        """When the folder has to be offered to others. Turns without a break between them are one busy time."""
        self._released_at = -math.inf

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """Holds the folder for this process while the block runs. Waits for as long as another process has it.

        Inside another ``hold`` of the same task, or of the task that started it, it costs nothing.

        Raises:
            SocketError: the folder cannot be made or opened.
            Exception: what ``on_taken`` raises.
        """
        turn = await self._join()
        async with self._joined(turn):
            yield

    @asynccontextmanager
    async def keep(self) -> AsyncIterator[None]:
        """Holds the folder for this process alone while the block runs, however long that is; ``hold`` is free then.

        Raises:
            SocketInUseError: another process holds it.
            SocketError, Exception: as ``hold``.
        """
        async with self._entrance:
            if self._turn is not None:
                await self._turn.ended.wait()
            lock = await self._attempt()
            if lock is None:
                raise SocketInUseError(
                    f"another kubelet plugin runs on {self._folder}; a node needs one instance, stop the other first"
                )
            turn = await self._begin(lock, math.inf)
        async with self._joined(turn):
            yield

    @asynccontextmanager
    async def _joined(self, turn: _Turn) -> AsyncIterator[None]:
        before = _turns.get()
        _turns.set(before | {turn})
        try:
            yield
        finally:
            _turns.set(before)
            turn.holders -= 1
            if not turn.holders:
                turn.lock.release()
                self._turn, self._released_at = None, asyncio.get_running_loop().time()
                turn.ended.set()

    async def _join(self) -> _Turn:
        """A turn in which the caller is counted."""
        if self._turn is not None and self._turn in _turns.get():
            # Not through the entrance, where others may wait for the end of the turn, and so for this task.
            self._turn.holders += 1
            return self._turn
        async with self._entrance:
            if self._turn is not None and asyncio.get_running_loop().time() >= self._turn.until:
                await self._turn.ended.wait()
            if self._turn is not None:
                self._turn.holders += 1
                return self._turn
            await self._offer_to_others()
            pause_seconds = _FIRST_PAUSE_SECONDS
            while (lock := await self._attempt()) is None:
                await asyncio.sleep(pause_seconds)
                pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)
            return await self._begin(lock, self._busy_until)

    async def _offer_to_others(self) -> None:
        """Leaves the folder alone for a moment if this process has worked on it for long."""
        loop = asyncio.get_running_loop()
        free_at = self._released_at + self._break_seconds
        if loop.time() < free_at:
            if loop.time() < self._busy_until:
                return
            await asyncio.sleep(free_at - loop.time())
        self._busy_until = loop.time() + self._turn_seconds

    async def _begin(self, lock: _Lock, until: float) -> _Turn:
        """A turn in which the caller is counted."""
        try:
            await self._on_taken()
        except BaseException:
            lock.release()
            raise
        self._turn = _Turn(lock, until, holders=1)
        return self._turn

    async def _attempt(self) -> _Lock | None:
        """The lock; None when another process has it."""
        attempt = asyncio.get_running_loop().run_in_executor(None, _lock, self._folder)
        forget = release_at_end(lambda: attempt.add_done_callback(_release))
        try:
            descriptor = await asyncio.shield(attempt)
            forget()
            return None if descriptor is None else _Lock(descriptor)
        except asyncio.CancelledError:
            forget()
            attempt.add_done_callback(_release)  # the thread goes on, and may get the lock
            raise


def _lock(folder: Path) -> int | None:
    try:
        make_folder(folder, FOLDER_MODE)
        # Opened for each attempt: a folder that was removed and made again is another one under the same name.
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as e:
        raise SocketError(f"cannot use the folder {folder}: {e.strerror}") from e
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError as e:
        os.close(descriptor)
        raise SocketError(f"cannot lock the folder {folder}: {e.strerror}") from e
    return descriptor


def _release(attempt: "asyncio.Future[int | None]") -> None:
    if not attempt.cancelled() and attempt.exception() is None and (descriptor := attempt.result()) is not None:
        os.close(descriptor)

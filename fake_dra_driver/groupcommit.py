"""Group commit: callers that come while a write is in flight share the next one.

For what is written as a whole however little of it changes: a file, an object that is compared and swapped. Each caller
returns once a write with its change in it has ended, so the number of writes does not grow with the number of callers.

There is no background task, and no thread: of the callers that wait, the first in line writes for all. Knows nothing of
what is written; it stands at the bottom of the house, since both devices, which know no Kubernetes, and the ledger,
which is an object of the API server, need it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

__all__ = ["GroupCommit", "Pending"]

C = TypeVar("C")


class Pending(Generic[C]):
    """A change whose caller waits for it."""

    def __init__(self, change: C) -> None:
        self.change = change
        self.is_settled = False
        """Whether its fate is known: its caller returns, or raises ``error``, as soon as the write has ended."""
        self.error: Exception | None = None

    def settle(self, error: Exception | None = None) -> None:
        """The change is made, or there is nothing to do; or it cannot be made, and ``error`` says why."""
        self.error, self.is_settled = error, True


Write = Callable[[Sequence[Pending[C]]], Awaitable[None]]
"""Makes all the changes, in their order, with one write. May settle some earlier, or with errors of their own."""


class GroupCommit(Generic[C]):
    """Writes changes together. Safe to use concurrently in one event loop.

    Args:
        write: never runs twice at once. The changes that it leaves unsettled are made when it returns; when it raises
            an Exception they have failed with that, and no other caller learns of it. When it is cancelled, which
            means that the caller it runs in was, it is not known whether they were made: the next caller in line makes
            them again with its own, so making a change twice has to be the same as making it once.
    """

    def __init__(self, write: Write[C]) -> None:
        self._write = write
        self._lock = asyncio.Lock()
        self._waiting: list[Pending[C]] = []
        """Invariant: the caller of each is waiting for the lock, or holds it and has not begun to write."""

    @property
    def is_idle(self) -> bool:
        """Whether no write is in flight and no change waits for one."""
        return not self._lock.locked() and not self._waiting

    async def commit(self, change: C) -> None:
        """Returns once the change is made; may be called again meanwhile, by others.

        Cancelled: a change that waits for its write is withdrawn; one whose write has begun may be made all the same.

        Raises:
            Exception: what the write has raised, or has settled this change with.
        """
        pending = Pending(change)
        self._waiting.append(pending)
        try:
            async with self._lock:
                if not pending.is_settled:
                    await asyncio.sleep(0)  # lets those join who are ready at this very moment
                    batch, self._waiting = self._waiting, []
                    await self._write_all(batch)
        finally:
            if pending in self._waiting:  # cancelled
                self._waiting.remove(pending)
        if pending.error is not None:
            raise pending.error

    async def _write_all(self, batch: Sequence[Pending[C]]) -> None:
        error: Exception | None = None
        try:
            await self._write(batch)
        except Exception as failure:  # noqa: BLE001 - every caller of the batch raises it
            error = failure
        except BaseException:
            self._waiting[:0] = [pending for pending in batch if not pending.is_settled]
            raise
        for pending in batch:
            if not pending.is_settled:
                pending.settle(error)

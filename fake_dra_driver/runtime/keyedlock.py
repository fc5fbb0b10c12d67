"""One lock for each key: at most one task at a time works on a claim, a node, an object, and others do not wait for it.

Follows k8s.io/utils/keymutex, but with a lock for each key instead of a fixed number of them that keys share: holding
several keys would otherwise deadlock at a collision. A key that is neither held nor waited for takes no memory.

Order: a task that needs several keys takes them in one call, which sorts them. Taking another key while holding one is
a deadlock in waiting, unless it is of another KeyedLock and all tasks take the two in the same order.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

__all__ = ["KeyedLock"]

K = TypeVar("K", bound=str)


@dataclass(slots=True, eq=False)
class _Entry:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0
    """How many tasks hold the lock or wait for it."""


class KeyedLock(Generic[K]):
    """Locks by key. Fair: of several tasks that wait for a key, the first gets it first. Not reentrant."""

    def __init__(self) -> None:
        self._entries: dict[K, _Entry] = {}
        """Only the keys in use."""

    def __len__(self) -> int:
        """How many keys are held or waited for."""
        return len(self._entries)

    def is_held(self, key: K) -> bool:
        """Whether a task holds the key, or waits for it."""
        return key in self._entries

    @asynccontextmanager
    async def hold(self, *keys: K) -> AsyncIterator[None]:
        """Holds all the keys while the block runs. Read what they guard inside the block, not before it."""
        async with AsyncExitStack() as stack:
            for key in sorted(set(keys)):
                await stack.enter_async_context(self._hold(key))
            yield

    @asynccontextmanager
    async def _hold(self, key: K) -> AsyncIterator[None]:
        entry = self._entries.setdefault(key, _Entry())
        entry.users += 1
        try:
            async with entry.lock:
                yield
        finally:
            entry.users -= 1
            if not entry.users:
                del self._entries[key]

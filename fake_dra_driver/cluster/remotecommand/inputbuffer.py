"""What a client has sent and a command has not yet taken: a little, then the client has to wait."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

__all__ = ["InputBuffer"]

MAX_BYTES: Final = 64 * 1024
"""What a pipe holds. What comes at once may exceed it, and is at most what one read of a connection gives."""

PROBE_SECONDS: Final = 5.0
"""kubectl sends a ping as often."""


class InputBuffer:
    """Bytes in one direction, with one writer and one reader."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._is_ended = self._is_discarded = False
        self._changed = asyncio.Event()

    def put(self, data: bytes) -> None:
        """Adds bytes, which are dropped if they are no longer wanted. Wait for ``room`` before the next ones."""
        if not (self._is_ended or self._is_discarded):
            self._data += data
            self._wake()

    def end(self) -> None:
        """Nothing more comes."""
        self._is_ended = True
        self._wake()

    def discard(self) -> None:
        """Nothing more is wanted: what there is and what comes is dropped, and the writer never waits."""
        self._is_discarded = True
        self._data.clear()
        self._wake()

    async def room(self, probe: Callable[[], Awaitable[None]]) -> None:
        """Waits until more may come.

        Args:
            probe: sends the client something, again and again meanwhile. As long as nothing is read from a connection,
                it is only when something is written that the system notices that the client has gone.
        """
        while len(self._data) >= MAX_BYTES:
            try:
                async with asyncio.timeout(PROBE_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                await probe()

    async def get(self) -> bytes:
        """All that there is, as soon as there is something; empty: nothing more comes."""
        while not self._data and not self._is_ended:
            await self._changed.wait()
        data = bytes(self._data)
        self._data.clear()
        self._wake()
        return data

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

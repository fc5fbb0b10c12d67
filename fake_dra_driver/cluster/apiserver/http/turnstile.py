"""Bounds how many requests of this very process are carried out in one turn of the event loop.

A request is carried out without a pause, which takes milliseconds. When a thousand pods start at once, a thousand tasks
have one to make: in a single turn that would keep the event loop, and so all clients that come over the network and all
probes, waiting for seconds, until they give up and make more work. A real API server has a bound, too
(max-requests-inflight); here it is on what begins, so that a request that has to wait for something holds up no other.
"""

import asyncio
from collections import deque

__all__ = ["Turnstile"]


class Turnstile:
    """Lets some through in each turn of the event loop, in the order in which they came.

    Args:
        most: how many in a turn.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._passed = 0
        """In this turn."""
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._turning_in: asyncio.AbstractEventLoop | None = None
        """The loop that will call ``_turn``, if one will. There may be another one later on."""

    async def enter(self) -> None:
        """Returns when it is one's turn, which is not before other tasks have run."""
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        if self._turning_in is not loop:
            self._waiting.clear()  # with those of a loop that is gone
            self._begin(loop)
        if self._passed < self._most and not self._waiting:
            self._passed += 1
            return
        waiter = loop.create_future()
        self._waiting.append(waiter)
        await waiter

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._passed = 0
        self._turning_in = loop
        loop.call_soon(self._turn)

    def _turn(self) -> None:
        loop, self._turning_in = self._turning_in, None
        if loop is None or not self._waiting:
            return
        self._begin(loop)
        while self._waiting and self._passed < self._most:
            waiter = self._waiting.popleft()
            if not waiter.done():  # as one whose task was cancelled is
                waiter.set_result(None)
                self._passed += 1

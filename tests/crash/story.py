"""A story is told on a stage: what people do, with waits for what has to come of it. ``tell`` tells one."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence

import pytest

from tests.crash.kubernetes import Kubernetes
from tests.crash.stage import Stage

__all__ = ["LIMIT_SECONDS", "SIMULATED", "Story", "Teller"]

SIMULATED = pytest.mark.looptime(noop_cycles=1)
"""Marks tests in simulated time that nothing outside of the event loop takes part in: time goes on at once."""

LIMIT_SECONDS = 600.0
"""Simulated: longer than every back-off of a process that has met one fault."""
_QUIET_SECONDS = 3.0
"""As long as nothing was written, so that late Events are in."""
_FIRST_PAUSE_SECONDS, _MAX_PAUSE_SECONDS = 0.01, 1.0
_MAX_TURNS = 3_000
"""Who still writes then has no end to come to."""


class Teller:
    """Lets time pass on a stage, with Kubernetes at work, until something is so."""

    def __init__(
        self,
        stage: Stage,
        kubernetes: Kubernetes,
        complaints: Callable[[], Sequence[str]],
        limit_seconds: float = LIMIT_SECONDS,
    ) -> None:
        """``complaints`` says what is wrong; nothing, once everything has settled."""
        self.stage = stage
        self.kubernetes = kubernetes
        self._complaints = complaints
        self._limit_seconds = limit_seconds

    async def until(self, what: str, is_so: Callable[[], bool]) -> None:
        """Waits, and fails when it takes too long."""
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + self._limit_seconds, _FIRST_PAUSE_SECONDS
        for turn in itertools.count():
            revision = self.stage.revision
            await self.kubernetes.turn()
            if is_so():
                return
            if loop.time() > deadline or turn > _MAX_TURNS:
                raise AssertionError(f"never so: {what}\n{self.stage.describe()}")
            pause = _FIRST_PAUSE_SECONDS if self.stage.revision != revision else min(2 * pause, _MAX_PAUSE_SECONDS)
            await asyncio.sleep(pause)

    async def running(self, *pods: str) -> None:
        """Until these pods run."""
        await self.until(f"pods {pods} run", lambda: all(map(self.stage.is_running, pods)))

    async def at_rest(self) -> None:
        """Until all is as it should be, and nothing is written any more."""
        loop = asyncio.get_running_loop()
        seen, since = self.stage.revision, loop.time()

        def is_at_rest() -> bool:
            nonlocal seen, since
            if self.stage.revision != seen or self._complaints():
                seen, since = self.stage.revision, loop.time()
            return loop.time() - since >= _QUIET_SECONDS

        try:
            await self.until("all is as it should be", is_at_rest)
        except AssertionError as error:
            raise AssertionError("\n".join([*self._complaints(), str(error)])) from error
        assert not self.stage.given_twice, self.stage.given_twice


Story = Callable[[Teller], Awaitable[None]]

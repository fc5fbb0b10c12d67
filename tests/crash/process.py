"""A process that can be stopped at any write, and is started again as the kubelet does it with a container.

A stop is as abrupt as SIGKILL: from that moment on nothing of the process has an effect any more, and what it had in
memory is gone. The next one begins with what the API server and the disk have.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal, TypeVar

from typing_extensions import override

from fake_dra_driver.api.fake import EVENT_COMPONENT
from fake_dra_driver.driver.classic.setup import make_controllers
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.events import EventRecorder
from fake_dra_driver.runtime.manager import Manager
from fake_dra_driver.runtime.metrics import Metrics
from fake_dra_driver.runtime.transport import HttpRequest, HttpResponse, HttpStream, Transport
from tests.crash.scenery import NAMESPACE, Scenery
from tests.crash.stage import Stage

__all__ = ["CONTROLLER", "Life", "Moment", "Steps", "connect", "controller", "supervised"]

CONTROLLER = "controller"
RESTART_SECONDS = 1.0

Moment = Literal["before", "after"]


class Steps:
    """Counts what processes do to the world outside, and stops the one at work at one of these steps.

    Args:
        stop_at: which step, counted from 0; None: none.
        moment: right before or right after it.
    """

    def __init__(self, stop_at: int | None = None, moment: Moment = "before") -> None:
        self._stop_at = stop_at
        self._moment = moment
        self.taken: list[str] = []
        """What each step was."""
        self.refused: list[str] = []
        """Writes that the API server has refused."""

    @property
    def has_stopped(self) -> bool:
        """Whether the position was reached."""
        return self._stop_at is not None and len(self.taken) > self._stop_at

    def take(self, what: str) -> Callable[[Moment], bool]:
        """Notes a step; returns whether the process is to stop before it, or after it."""
        number = len(self.taken)
        self.taken.append(what)
        return lambda moment: (number, moment) == (self._stop_at, self._moment)


@dataclass
class Life:
    """One process, from its start to its end."""

    steps: Steps
    is_over: bool = False
    """Whether it was stopped: nothing that it does has an effect any more."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    def end(self) -> None:
        """Stops it, from whatever thread."""
        self.is_over = True
        self._loop.call_soon_threadsafe(self.ended.set)


class _Line(Transport):
    """The transport of one process, which ends with it. Each write is a step."""

    def __init__(self, stage: Scenery, line: Transport, life: Life) -> None:
        self._stage = stage
        self._line = line
        self._life = life
        self.host = line.host

    @override
    async def send(self, request: HttpRequest, token: str | None) -> HttpResponse:
        self._check()
        if request.method == "GET":
            return await self._line.send(request, token)
        what = f"{request.method} {request.path}"
        is_end = self._life.steps.take(what)
        if is_end("before"):
            self._life.end()
        self._check()
        response = await self._line.send(request, token)
        if response.status >= HTTPStatus.BAD_REQUEST:
            self._life.steps.refused.append(f"{what}: {response.status}")
        if is_end("after"):
            self._life.end()
        self._check()
        return response

    @override
    @asynccontextmanager
    async def stream(self, request: HttpRequest, token: str | None) -> AsyncIterator[HttpStream]:
        self._check()
        async with self._line.stream(request, token) as stream:
            yield _Stream(stream, self._stage)

    @override
    async def close(self) -> None:
        pass

    def _check(self) -> None:
        if self._life.is_over:
            raise ConnectionError("this process has ended")


class _Stream(HttpStream):
    """A stream that can bring each line twice."""

    def __init__(self, stream: HttpStream, stage: Scenery) -> None:
        self._stream = stream
        self._stage = stage
        self.status = stream.status
        self.headers = stream.headers

    @override
    async def chunks(self) -> AsyncGenerator[bytes, None]:
        async with aclosing(self._stream.chunks()) as chunks:
            async for chunk in chunks:
                times = 2 if self._stage.repeats_events else 1
                yield b"".join(line * times for line in chunk.splitlines(keepends=True))

    @override
    async def response(self) -> HttpResponse:
        return await self._stream.response()


def connect(stage: Scenery, user_agent: str, life: Life) -> Client:
    """A client of the stage's API server whose writes are steps of a process."""
    client = stage.server.client(user_agent)
    session = client._rest.session
    session._transport = _Line(stage, session._transport, life)
    return client


StageT = TypeVar("StageT", bound=Scenery)

Program = Callable[[StageT, Life], Coroutine[None, None, None]]
"""Runs a process until it is cancelled."""


async def controller(stage: Stage, life: Life) -> None:
    """The controller, as ``driver.programs.controller`` puts it together, but for probes and leader election."""
    client = connect(stage, CONTROLLER, life)
    cache, metrics = Cache(client), Metrics()
    events = EventRecorder(client, EVENT_COMPONENT, metrics=metrics, now=stage.now, rng=random.Random(1))
    manager = Manager(client, cache, events=events, metrics=metrics, grace_period_seconds=0, signals=())
    for each in make_controllers(client, cache, events, namespace=NAMESPACE, workers=4, now=stage.now, metrics=metrics):
        manager.add_controller(each)
    await manager.run()


@asynccontextmanager
async def supervised(
    stage: StageT, program: Program[StageT], steps: Steps, on_stop: Callable[[], None] = lambda: None
) -> AsyncIterator[Callable[[], None]]:
    """Runs the program, and again after each stop. Yields what kills the process that runs now.

    A process that ends by itself, or with an error, fails the test. ``on_stop`` is called when one was stopped.
    """
    life = Life(steps)

    async def run() -> None:
        nonlocal life
        while True:
            await _live(program(stage, life), life)
            on_stop()
            await asyncio.sleep(RESTART_SECONDS)
            life = Life(steps)

    # No TaskGroup: the test's own error is to come out of this as it is.
    task = asyncio.create_task(run(), name="supervisor")
    try:
        yield lambda: life.end()
    finally:
        task.cancel()
        await asyncio.wait((task,))
        if not task.cancelled():
            task.result()


async def _live(program: Coroutine[None, None, None], life: Life) -> None:
    running = asyncio.ensure_future(program)
    ended = asyncio.ensure_future(life.ended.wait())
    try:
        await asyncio.wait((running, ended), return_when=asyncio.FIRST_COMPLETED)
        assert life.is_over, f"the process has ended by itself: {running.exception() if running.done() else None}"
    finally:
        life.end()
        ended.cancel()
        running.cancel()
        # What a process that was cut off raises in its last moment has no effect on anything.
        await asyncio.gather(running, ended, return_exceptions=True)

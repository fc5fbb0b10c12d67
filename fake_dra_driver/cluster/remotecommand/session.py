"""A session from its beginning to its end: streams, work, and a client that may go away at any time."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from loguru import logger
from typing_extensions import override

from fake_dra_driver.cluster.remotecommand.streams import ClientLeftError, RemoteStreams, Wire

__all__ = ["IdleWire", "Work", "run_session"]

log = logger.bind(component="sessions")

Work = Callable[[RemoteStreams], Awaitable[Mapping[str, Any]]]
"""Does what the session is for, and returns the Status that the client gets. Cancelled when the client goes away."""

_LINGER_SECONDS: Final = 5.0
"""How long a client has to leave that is the first to do so."""


async def run_session(streams: RemoteStreams, work: Work) -> None:
    """Runs a session. Returns when it has ended, or the client has gone. Raises what the work raises."""
    receiving = asyncio.create_task(streams.receive(), name="session input")
    working = asyncio.create_task(_work(streams, work), name="session")
    try:
        await asyncio.wait((receiving, working), return_when=asyncio.FIRST_COMPLETED)
        if streams.client_leaves_first and working.done() and not working.exception():
            await asyncio.wait((receiving,), timeout=_LINGER_SECONDS)
    finally:
        receiving.cancel()
        working.cancel()
        await asyncio.wait((receiving, working))
    for task in (working, receiving):
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            try:
                task.result()
            except ClientLeftError as error:
                log.debug("Session has ended early", reason=str(error))


async def _work(streams: RemoteStreams, work: Work) -> None:
    await streams.ready()
    await streams.finish(await work(streams))


class IdleWire(Wire):
    """A connection that ends when nothing is carried for too long.

    Args:
        wire: what carries it.
        timer: is set anew each time.
        seconds: how long may pass.
    """

    def __init__(self, wire: Wire, timer: asyncio.Timeout, seconds: float) -> None:
        self._wire = wire
        self._timer = timer
        self._seconds = seconds

    @override
    async def read(self) -> bytes | None:
        data = await self._wire.read()
        self._touch()
        return data

    @override
    async def write(self, data: bytes) -> None:
        await self._wire.write(data)
        self._touch()

    def _touch(self) -> None:
        if not self._timer.expired():
            self._timer.reschedule(asyncio.get_running_loop().time() + self._seconds)

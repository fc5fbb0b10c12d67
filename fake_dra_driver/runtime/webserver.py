"""aiohttp's server, with the bounds that it lacks: an ``Acceptor`` before it, and no word in the log about bad clients.

What speaks HTTP to strangers goes through here: probes and metrics, webhooks, the embedded API server.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any
from weakref import WeakSet

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from typing_extensions import override

from fake_dra_driver.runtime.acceptor import Acceptor

__all__ = ["WebServer"]


class _NotAboutClients(logging.Filter):
    """Lets through what is wrong with the server itself: aiohttp logs each request that it cannot read as an error."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


_LOGGER = logging.getLogger(__name__)
_LOGGER.addFilter(_NotAboutClients())


class WebServer:
    """Serves an application on sockets that listen, from ``start`` to ``close``.

    Args:
        application: answers the requests. Its handlers say through ``serving`` when they have read a request.
        most: connections at a time; see ``Acceptor``, as for the next three.
        idle_seconds: how long a connection may ask for nothing.
        tls: what to present; None: no TLS.
        handshake_seconds: how long a TLS handshake may take.
        options: of aiohttp's ``AppRunner``.
    """

    def __init__(
        self,
        application: web.Application,
        *,
        most: int,
        idle_seconds: float,
        tls: ssl.SSLContext | None = None,
        handshake_seconds: float | None = None,
        **options: Any,
    ) -> None:
        self._runner = web.AppRunner(
            application,
            access_log=None,
            logger=_LOGGER,
            keepalive_timeout=idle_seconds,
            # A few bytes could become any number. net/http gives a server what was sent, too.
            auto_decompress=False,
            **options,
        )
        self._acceptor = Acceptor(
            lambda: self._server()(), most=most, idle_seconds=idle_seconds, tls=tls, handshake_seconds=handshake_seconds
        )
        self._served: WeakSet[asyncio.Task[None]] = WeakSet()
        """Tasks of the connections on which there were requests; each ends with its connection."""

    async def start(self, listening: Sequence[socket.socket]) -> None:
        """Begins to accept connections, and takes the sockets over."""
        await self._runner.setup()
        self._acceptor.start(listening)

    async def close(self, grace_seconds: float) -> None:
        """Frees the address, lets requests that are being served end within that time, and ends all connections."""
        self._acceptor.stop()
        self._server().pre_shutdown()  # each connection is closed after the request that is being served
        if served := list(self._served):
            await asyncio.wait(served, timeout=grace_seconds)
        # Before aiohttp's own shutdown, which waits.
        await self._acceptor.close()
        await self._runner.cleanup()

    async def read_body(self, request: web.Request) -> bytes:
        """Reads the body of a request, which from now on may end when the server is closed. Raises as aiohttp does."""
        self._served.add(request.task)
        return await request.read()

    def serving(self, request: web.Request) -> AbstractContextManager[None]:
        """While the answer to a request is made that has come completely, with its body."""
        self._served.add(request.task)
        return self._acceptor.serving(request.protocol)

    def trust(self, request: web.Request) -> None:
        """Who has sent this is no stranger: the connection is not dropped for others."""
        self._acceptor.trust(request.protocol)

    def is_trusted(self, request: web.Request) -> bool:
        """Whether it came on a connection that is trusted."""
        return self._acceptor.is_trusted(request.protocol)

    def _server(self) -> web.Server:
        if self._runner.server is None:
            raise RuntimeError("the server was not started")
        return self._runner.server

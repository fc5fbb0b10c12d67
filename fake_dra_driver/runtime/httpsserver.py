"""A small HTTPS server for what the API server calls, such as an admission webhook: JSON is posted, and JSON answered.

With aiohttp, which keeps connections open between requests, as Go's client wants it: a TLS handshake for each review
would cost more than the review. Bounded here are what aiohttp does not bound: the number of connections, and the time
that a client takes to send a body. A handler is a function that does not wait: what it decides on is in the request.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from aiohttp import web
from loguru import logger
from typing_extensions import override

from fake_dra_driver.runtime.listening import ListenAddress, close_server
from fake_dra_driver.runtime.servercertificate import ServerCertificate

__all__ = ["HttpAnswer", "HttpHandler", "HttpsServer"]

log = logger.bind(component="https")

_MAX_CONNECTIONS: Final = 128
"""An API server keeps a few; a cluster has one to five of them."""
_IDLE_SECONDS: Final = 120.0
"""Longer than the 90 s after which Go's client closes a connection: a request must not meet a server that closes it.
The same time bounds how long a client may take to send the head of a request."""
_HANDSHAKE_SECONDS: Final = 5.0
_LINGER_SECONDS: Final = 1.0
"""How long the rest of a body that was refused is read, so that the client gets to read why."""
_STOP_SECONDS: Final = 2.0
"""How long requests that are being answered may go on when the server stops."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What a handler answers."""

    status: int
    body: bytes
    content_type: str = "application/json"


HttpHandler = Callable[[bytes], HttpAnswer]
"""Gets the body of a POST. Must not block, and not raise."""


class HttpsServer:
    """Answers POSTs to a few paths.

    Args:
        address: ``host:port``, ``[IPv6]:port``, or ``:port`` for every address of the machine. Port 0: any.
        certificate: what to present.
        handlers: by path.
        setting: where the address comes from, for the error when it cannot be listened on.
        max_body_bytes: a longer body is refused with 413.
        timeout_seconds: for receiving a body.
        linger_seconds: how long it goes on answering when it is to stop, for clients that do not know yet.

    Raises:
        ListenError: the address has another form.
    """

    def __init__(
        self,
        address: str,
        certificate: ServerCertificate,
        handlers: Mapping[str, HttpHandler],
        *,
        setting: str = "--listen",
        max_body_bytes: int,
        timeout_seconds: float,
        linger_seconds: float = 0,
    ) -> None:
        self._address = ListenAddress.parse(address, setting)
        self._certificate = certificate
        self._handlers = handlers
        self._max_body_bytes = max_body_bytes
        self._timeout_seconds = timeout_seconds
        self._linger_seconds = linger_seconds
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None
        """Set while it listens."""
        self._answering: set[asyncio.Task[Any]] = set()
        """One task for each request whose answer has not been written."""

    @property
    def port(self) -> int:
        """The port that is listened on; 0 while none is."""
        sockets = self._server.sockets if self._server is not None else ()
        return int(sockets[0].getsockname()[1]) if sockets else 0

    def not_ready_reason(self) -> str | None:
        """None while it listens."""
        return None if self._server is not None else "it does not listen"

    async def listen(self) -> None:
        """Reads the certificate and takes the address. What is asked from now on is answered, once ``run`` runs or not.

        Raises:
            ListenError: the address is in use, not of this machine, or not allowed for this user.
            CertificateError: there is no certificate to present.
        """
        context = await self._certificate.load()
        application = web.Application(client_max_size=self._max_body_bytes)
        for path, handler in self._handlers.items():
            application.router.add_post(path, partial(self._answer, handler))
        self._runner = web.AppRunner(
            application, access_log=None, keepalive_timeout=_IDLE_SECONDS, lingering_time=_LINGER_SECONDS
        )
        await self._runner.setup()
        try:
            self._server = await asyncio.get_running_loop().create_server(
                self._accept,
                **self._address.arguments(),
                ssl=context,
                ssl_handshake_timeout=_HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=_STOP_SECONDS,
            )
        except OSError as error:
            await self._runner.cleanup()
            raise self._address.error(error) from error
        log.info("Serving HTTPS", address=self._address.host or "*", port=self.port)

    async def run(self) -> None:
        """Keeps the certificate up to date until cancelled. Then goes on for a while, and ends with the last answer.

        Calls ``listen`` first if that has not been done; raises as it does.
        """
        if self._server is None:
            await self.listen()
        try:
            await self._certificate.follow()
        except asyncio.CancelledError:
            await asyncio.sleep(self._linger_seconds)
            raise
        finally:
            await self.close()

    async def close(self) -> None:
        """Frees the address, and ends all connections. ``run`` does so itself when it ends."""
        server, self._server = self._server, None
        if server is None:
            return
        await close_server(server)
        if self._answering:
            await asyncio.wait(self._answering, timeout=_STOP_SECONDS)
        # Aborted before aiohttp's own shutdown, which closes them, some for the second time: a TLS connection that was
        # closed twice can no longer be aborted (CPython issue 98539).
        for connection in self._connections().connections:
            if connection.transport is not None:
                connection.transport.abort()
        await asyncio.sleep(0)  # the turn of the event loop in which it closes them
        if self._runner is not None:
            await self._runner.cleanup()

    def _accept(self) -> asyncio.Protocol:
        """The protocol of a new connection."""
        connections = self._connections()
        return connections() if len(connections.connections) < _MAX_CONNECTIONS else _Refusal()

    def _connections(self) -> web.Server:
        if self._runner is None or self._runner.server is None:
            raise RuntimeError("the server was not started")
        return self._runner.server

    async def _answer(self, handler: HttpHandler, request: web.Request) -> web.Response:
        if (task := asyncio.current_task()) is not None:
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                body = await request.read()
        except TimeoutError:
            return _refusal(408, "the body did not come within the time limit\n")
        except web.HTTPRequestEntityTooLarge:
            return _refusal(413, f"the body is longer than {self._max_body_bytes} bytes\n")
        answer = handler(body)
        return web.Response(status=answer.status, body=answer.body, content_type=answer.content_type)


def _refusal(status: int, text: str) -> web.Response:
    response = web.Response(status=status, text=text)
    response.force_close()  # what is left of the body is not waited for
    return response


class _Refusal(asyncio.Protocol):
    """Ends a connection at once."""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        log.debug("Too many connections, one more is refused", most=_MAX_CONNECTIONS)
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()

"""A small HTTPS server for what the API server calls, such as an admission webhook: JSON is posted, and JSON answered.

With aiohttp, which keeps connections open between requests, as Go's client wants it: a TLS handshake for each review
would cost more than the review. Any pod may reach the port: ``webserver`` bounds what strangers hold, and drops it when
an API server connects. Bounded here is the time that a client takes to send a body. A handler is a function that does
not wait: what it decides on is in the request.
"""

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from aiohttp import web
from loguru import logger

from fake_dra_driver.runtime.listening import ListenAddress
from fake_dra_driver.runtime.servercertificate import ServerCertificate
from fake_dra_driver.runtime.webserver import WebServer

__all__ = ["HttpAnswer", "HttpHandler", "HttpsServer"]

log = logger.bind(component="https")

_MAX_CONNECTIONS: Final = 128
"""An API server keeps a few; a cluster has one to five of them."""
_IDLE_SECONDS: Final = 120.0
"""Longer than the 90 s after which Go's client closes a connection: a request must not meet a server that closes it.
The same time bounds how long a client may take to send the head of a request; it is among the first to be dropped."""
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
        self._listening: Sequence[socket.socket] = ()
        self._server: WebServer | None = None
        """Set while it listens."""

    @property
    def port(self) -> int:
        """The port that is listened on; 0 while none is."""
        return int(self._listening[0].getsockname()[1]) if self._listening else 0

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
        self._listening = await self._address.bind()
        application = web.Application(client_max_size=self._max_body_bytes)
        self._server = WebServer(
            application,
            most=_MAX_CONNECTIONS,
            idle_seconds=_IDLE_SECONDS,
            tls=context,
            handshake_seconds=_HANDSHAKE_SECONDS,
            lingering_time=_LINGER_SECONDS,
        )
        for path, handler in self._handlers.items():
            application.router.add_post(path, partial(self._answer, handler, self._server))
        await self._server.start(self._listening)
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
        self._listening = ()
        server, self._server = self._server, None
        if server is not None:
            await server.close(_STOP_SECONDS)

    async def _answer(self, handler: HttpHandler, server: WebServer, request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                body = await server.read_body(request)
        except TimeoutError:
            return _refusal(408, "the body did not come within the time limit\n")
        except web.HTTPRequestEntityTooLarge:
            return _refusal(413, f"the body is longer than {self._max_body_bytes} bytes\n")
        with server.serving(request):
            answer = handler(body)
        return web.Response(status=answer.status, body=answer.body, content_type=answer.content_type)


def _refusal(status: int, text: str) -> web.Response:
    response = web.Response(status=status, text=text)
    response.force_close()  # what is left of the body is not waited for
    return response

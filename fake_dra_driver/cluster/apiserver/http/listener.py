"""HTTPS on a port, with aiohttp: it carries requests to a function and its answers back.

Whoever reaches the port may connect, so what they can hold before they show a token is bounded (``webserver``), and no
byte of a body is read before. A client with a token may do everything, and its connections are not counted.
"""

import contextlib
import socket
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from aiohttp import web

from fake_dra_driver.cluster.apiserver.errors import too_large
from fake_dra_driver.cluster.apiserver.http.answers import error_answer
from fake_dra_driver.cluster.apiserver.http.handler import MAX_BODY_BYTES
from fake_dra_driver.cluster.apiserver.http.tls import Identity
from fake_dra_driver.cluster.apiserver.http.upgrading import hand_over
from fake_dra_driver.cluster.apiserver.message import Answer, Request, Serve, Stream, Upgrade
from fake_dra_driver.runtime.webserver import WebServer

__all__ = ["Listener"]

_BACKLOG = 512
"""Connections that the system keeps until they are accepted."""
_MAX_STRANGERS = 256
"""Connections on which no token was shown. A handshake takes 300 KiB until it has ended. All nodes of a large cluster,
and all connections of a busy client, may come at once, and are strangers until they have asked for the first time."""
_HANDSHAKE_SECONDS = 10.0
"""net/http's TLSHandshakeTimeout."""
_IDLE_SECONDS = 120.0
"""Longer than the 90 s after which Go's client closes a connection: a request must not meet a server that closes it."""
_LINGER_SECONDS = 1.0
"""How long a body that was refused is read, so that the client gets to read why."""
_LISTS = frozenset({"connection", "sec-websocket-protocol", "x-stream-protocol-version"})
"""Headers of which all values count."""
_SHUTDOWN_SECONDS = 0.5
"""How long requests that are being served may go on when the port is closed."""


class Listener:
    """One port, which may be opened and closed many times, and stays the same.

    Args:
        serve: answers requests.
        knows: whether the client has shown a token in the head of a request. Asked until it has.
        identity: what to present.
        host: the address.
        port: 0: any that is free.
    """

    def __init__(
        self, serve: Serve, knows: Callable[[Request], bool], identity: Identity, host: str, port: int
    ) -> None:
        self._serve = serve
        self._knows = knows
        self._identity = identity
        self._host = host
        self.port = port
        """The port; 0 until it is opened for the first time, if any will do."""
        self._server: WebServer | None = None
        """Set while it is open."""

    async def open(self) -> None:
        """Begins to listen. Raises OSError when the port is taken."""
        listening = socket.create_server((self._host, self.port), backlog=_BACKLOG)
        self.port = int(listening.getsockname()[1])
        application = web.Application(client_max_size=MAX_BODY_BYTES)
        self._server = WebServer(
            application,
            most=_MAX_STRANGERS,
            idle_seconds=_IDLE_SECONDS,
            tls=self._identity.context,
            handshake_seconds=_HANDSHAKE_SECONDS,
            lingering_time=_LINGER_SECONDS,
            # A watch whose client has gone away is to end at once, not with its next event.
            handler_cancellation=True,
        )
        application.router.add_route("*", "/{path:.*}", partial(self._handle, self._server))
        await self._server.start([listening])

    async def close(self) -> None:
        """Stops listening, and ends all connections without waiting for the clients' close_notify (TLS)."""
        server, self._server = self._server, None
        if server is not None:
            await server.close(_SHUTDOWN_SECONDS)

    async def _handle(self, server: WebServer, incoming: web.Request) -> web.StreamResponse:
        try:
            request = await self._read(server, incoming)
            with server.serving(incoming):
                answer = await self._serve(request)
                match answer:
                    case Answer():
                        return _response(answer)
                    case Stream():
                        return await _send(incoming, answer)
                    case Upgrade():
                        return await hand_over(incoming, answer)
        except web.HTTPRequestEntityTooLarge:
            return _response(error_answer(too_large(MAX_BODY_BYTES)))
        except ConnectionResetError:
            if incoming.transport is not None:
                incoming.transport.abort()
            # The client has gone. If raised, the error would be logged as one of the server's own, with a traceback.
            return web.Response()

    async def _read(self, server: WebServer, incoming: web.Request) -> Request:
        query = {name: incoming.query[name] for name in incoming.query}
        repeated = {} if len(query) == len(incoming.query) else {name: incoming.query.getall(name) for name in query}
        head = Request(incoming.method, incoming.path, query, _headers(incoming), repeated=repeated)
        if not server.is_trusted(incoming):
            if not self._knows(head):
                return head
            server.trust(incoming)
        return replace(head, body=await server.read_body(incoming)) if incoming.body_exists else head


def _headers(incoming: web.Request) -> Mapping[str, str]:
    """By name in lower case; the first of several, as Header.Get has it in Go. What is no UTF-8 is replaced."""
    headers = dict(reversed([(name.lower(), value) for name, value in incoming.headers.items()]))
    headers |= {name: ",".join(incoming.headers.getall(name)) for name in _LISTS & headers.keys()}
    if all(map(str.isascii, headers.values())):
        return headers
    return {name: value.encode(errors="surrogateescape").decode(errors="replace") for name, value in headers.items()}


def _response(answer: Answer) -> web.Response:
    response = web.Response(body=answer.body, status=answer.status, headers={"Content-Type": answer.content_type})
    for name, value in answer.headers:
        response.headers.add(name, value)
    return response


async def _send(incoming: web.Request, stream: Stream) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": stream.content_type})
    async with contextlib.aclosing(stream.chunks) as chunks:
        await response.prepare(incoming)
        async for chunk in chunks:
            await response.write(chunk)
    return response

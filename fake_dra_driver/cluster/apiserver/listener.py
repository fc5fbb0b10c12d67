"""HTTPS on a port: the only module that knows aiohttp. It carries requests to a function and its answers back."""

import asyncio
from contextlib import aclosing
from weakref import WeakSet

from aiohttp import web

from fake_dra_driver.cluster.apiserver.answers import error_answer
from fake_dra_driver.cluster.apiserver.errors import too_large
from fake_dra_driver.cluster.apiserver.handler import MAX_BODY_BYTES
from fake_dra_driver.cluster.apiserver.message import Answer, Request, Serve, Stream
from fake_dra_driver.cluster.apiserver.tls import Identity

__all__ = ["Listener"]

_SHUTDOWN_SECONDS = 0.5
"""How long requests that are being served may go on when the port is closed."""


class Listener:
    """One port. It may be opened and closed many times, and stays the same."""

    def __init__(self, serve: Serve, identity: Identity, host: str, port: int) -> None:
        self._serve = serve
        self._identity = identity
        self._host = host
        self.port = port
        """The port; 0 until it is opened for the first time, if any will do."""
        self._runner: web.AppRunner | None = None
        self._servers: WeakSet[web.Server] = WeakSet()
        """Those of all runners that still have connections: one whose handshake ends after the port was closed is made
        known to its server only then."""

    async def open(self) -> None:
        """Listens from now on. Raises OSError when the port is taken."""
        application = web.Application(client_max_size=MAX_BODY_BYTES)
        application.router.add_route("*", "/{path:.*}", self._handle)
        # A watch whose client has gone away is to end at once, not with its next event.
        runner = web.AppRunner(
            application, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS, handler_cancellation=True
        )
        await runner.setup()
        try:
            site = web.TCPSite(runner, self._host, self.port, ssl_context=self._identity.context, reuse_address=True)
            await site.start()
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        if runner.server is not None:
            self._servers.add(runner.server)
        self.port = int(runner.addresses[0][1])

    async def close(self) -> None:
        """Listens no more, and ends all connections, without waiting for the clients' last word (TLS close_notify)."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        connections = [connection.transport for server in self._servers for connection in server.connections]
        await runner.cleanup()
        for transport in connections:
            if transport is not None:
                transport.abort()
        await asyncio.sleep(0)  # the turn of the event loop in which it closes them

    async def _handle(self, incoming: web.Request) -> web.StreamResponse:
        try:
            if self._runner is None or incoming.app is not self._runner.app:
                raise ConnectionResetError("the port was closed before the request came")
            answer = await self._serve(await _read(incoming))
            if isinstance(answer, Answer):
                return _response(answer)
            return await _send(incoming, answer)
        except web.HTTPRequestEntityTooLarge:
            return _response(error_answer(too_large(MAX_BODY_BYTES)))
        except ConnectionResetError:
            if incoming.transport is not None:
                incoming.transport.abort()
            # Nobody gets it. Raised, the error would be logged as one of the server's own, with its traceback.
            return web.Response()


async def _read(incoming: web.Request) -> Request:
    query = {name: incoming.query[name] for name in incoming.query}
    headers = {name.lower(): value for name, value in incoming.headers.items()}
    body = await incoming.read() if incoming.body_exists else b""
    return Request(incoming.method, incoming.path, query, headers, body)


def _response(answer: Answer) -> web.Response:
    response = web.Response(body=answer.body, status=answer.status, headers={"Content-Type": answer.content_type})
    for name, value in answer.headers:
        response.headers.add(name, value)
    return response


async def _send(incoming: web.Request, stream: Stream) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": stream.content_type})
    async with aclosing(stream.chunks) as chunks:
        await response.prepare(incoming)
        async for chunk in chunks:
            await response.write(chunk)
    return response

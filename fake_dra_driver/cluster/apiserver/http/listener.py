"""HTTPS on a port: the only module that uses aiohttp. It carries requests to a function and its answers back."""

import asyncio
import contextlib
import socket
from weakref import WeakSet

from aiohttp import web
from loguru import logger

from fake_dra_driver.cluster.apiserver.errors import too_large
from fake_dra_driver.cluster.apiserver.http.answers import error_answer
from fake_dra_driver.cluster.apiserver.http.handler import MAX_BODY_BYTES
from fake_dra_driver.cluster.apiserver.http.tls import Identity
from fake_dra_driver.cluster.apiserver.message import Answer, Request, Serve, Stream

__all__ = ["Listener"]

log = logger.bind(component="apiserver")

_BACKLOG = 128
"""Connections that the system keeps until they are accepted."""
_AGAIN_SECONDS = 1.0
"""Pause after a failure to accept a connection, as in asyncio's own servers."""
_SHUTDOWN_SECONDS = 0.5
"""How long requests that are being served may go on when the port is closed."""


class Listener:
    """One port, which may be opened and closed many times, and stays the same."""

    def __init__(self, serve: Serve, identity: Identity, host: str, port: int) -> None:
        self._serve = serve
        self._identity = identity
        self._host = host
        self.port = port
        """The port; 0 until it is opened for the first time, if any will do."""
        self._runner: web.AppRunner | None = None
        self._listening: socket.socket | None = None
        self._handshakes: dict[asyncio.Task[None], socket.socket] = {}
        """Connections that aiohttp does not know yet."""
        self._served: WeakSet[asyncio.Task[None]] = WeakSet()
        """Tasks of the connections on which there were requests; each ends with its connection."""

    async def open(self) -> None:
        """Begins to listen. Raises OSError when the port is taken."""
        self._listening = socket.create_server((self._host, self.port), backlog=_BACKLOG)
        self._listening.setblocking(False)
        self.port = int(self._listening.getsockname()[1])
        application = web.Application(client_max_size=MAX_BODY_BYTES)
        application.router.add_route("*", "/{path:.*}", self._handle)
        # A watch whose client has gone away is to end at once, not with its next event.
        self._runner = web.AppRunner(
            application, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS, handler_cancellation=True
        )
        await self._runner.setup()
        self._listen(self._listening, _server(self._runner))

    async def close(self) -> None:
        """Stops listening, and ends all connections without waiting for the clients' close_notify (TLS)."""
        listening, self._listening = self._listening, None
        runner, self._runner = self._runner, None
        if listening is None or runner is None:
            return
        asyncio.get_running_loop().remove_reader(listening)
        listening.close()
        await self._end_handshakes()
        await self._end_connections(_server(runner))
        await runner.cleanup()

    async def _end_connections(self, server: web.Server) -> None:
        server.pre_shutdown()  # each connection is closed after the request that is being served
        if served := list(self._served):
            await asyncio.wait(served, timeout=_SHUTDOWN_SECONDS)
        # Aborted before aiohttp's own shutdown, which closes them, some for the second time. A TLS connection that was
        # closed twice can no longer be aborted: nothing happens, and early releases of Python 3.11 raise AttributeError
        # (CPython issue 98539).
        for connection in server.connections:
            if connection.transport is not None:
                connection.transport.abort()
        await asyncio.sleep(0)  # the turn of the event loop in which it closes them

    # --- connections that aiohttp does not know yet ---

    def _listen(self, listening: socket.socket, server: web.Server) -> None:
        if listening is self._listening:
            asyncio.get_running_loop().add_reader(listening, self._accept, listening, server)

    def _accept(self, listening: socket.socket, server: web.Server) -> None:
        try:
            connection, _ = listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:  # no file descriptor is left, and the event loop would call again at once
            log.warning("Cannot accept a connection, will try again", error=str(error), seconds=_AGAIN_SECONDS)
            loop = asyncio.get_running_loop()
            loop.remove_reader(listening)
            loop.call_later(_AGAIN_SECONDS, self._listen, listening, server)
            return
        task = asyncio.create_task(self._shake_hands(connection, server), name="tls-handshake")
        self._handshakes[task] = connection
        task.add_done_callback(self._handshakes.pop)

    async def _shake_hands(self, connection: socket.socket, server: web.Server) -> None:
        connection.setblocking(False)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(server, connection, ssl=self._identity.context)
        except OSError as error:
            log.debug("A client ended its TLS handshake", error=str(error))

    async def _end_handshakes(self) -> None:
        """Makes connections that are being set up fail as if their clients had gone; asyncio then closes them."""
        for connection in self._handshakes.values():
            with contextlib.suppress(OSError):  # it has ended already
                connection.shutdown(socket.SHUT_RDWR)
        if self._handshakes:
            await asyncio.wait(self._handshakes)

    # --- requests ---

    async def _handle(self, incoming: web.Request) -> web.StreamResponse:
        self._served.add(incoming.task)
        try:
            answer = await self._serve(await _read(incoming))
            if isinstance(answer, Answer):
                return _response(answer)
            return await _send(incoming, answer)
        except web.HTTPRequestEntityTooLarge:
            return _response(error_answer(too_large(MAX_BODY_BYTES)))
        except ConnectionResetError:
            if incoming.transport is not None:
                incoming.transport.abort()
            # The client has gone. If raised, the error would be logged as one of the server's own, with a traceback.
            return web.Response()


def _server(runner: web.AppRunner) -> web.Server:
    if runner.server is None:
        raise RuntimeError("the runner was not set up")
    return runner.server


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
    async with contextlib.aclosing(stream.chunks) as chunks:
        await response.prepare(incoming)
        async for chunk in chunks:
            await response.write(chunk)
    return response

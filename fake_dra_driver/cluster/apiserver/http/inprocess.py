"""A client's way to the server without a connection: for one process, no sockets, no threads, any event loop.

The requests are those that a client would send over HTTP, and go through the same code from the token on; what is left
out is TLS, TCP and the parsing of HTTP. On an event loop with simulated time everything, including watches and time
limits, takes no real time::

    server = ApiServer()
    client = server.client(user_agent="controller")
    cache = Cache(client)
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager

from typing_extensions import override

from fake_dra_driver.cluster.apiserver import message
from fake_dra_driver.cluster.apiserver.http.turnstile import Turnstile
from fake_dra_driver.cluster.apiserver.message import Answer, Serve, Stream, Upgrade
from fake_dra_driver.runtime.session import TokenSource
from fake_dra_driver.runtime.transport import HttpRequest, HttpResponse, HttpStream, Transport

__all__ = ["FixedToken", "InProcessTransport"]


class FixedToken(TokenSource):
    """One token that is always good."""

    def __init__(self, token: str) -> None:
        self._token = token

    @override
    async def token(self) -> str:
        return self._token

    @override
    async def renew(self, rejected: str | None) -> bool:
        return False


class InProcessTransport(Transport):
    """Carries requests to a function that answers them.

    Other tasks run before a request is carried out and before its answer is seen, as over a network.

    Args:
        serve: carries a request out.
        is_up: whether the server is there.
        turnstile: of all clients of the server.
    """

    host = "in-process"

    def __init__(self, serve: Serve, is_up: Callable[[], bool], turnstile: Turnstile) -> None:
        self._serve = serve
        self._is_up = is_up
        self._turnstile = turnstile

    @override
    async def send(self, request: HttpRequest, token: str | None) -> HttpResponse:
        async with self.stream(request, token) as stream:
            return await stream.response()

    @override
    @asynccontextmanager
    async def stream(self, request: HttpRequest, token: str | None) -> AsyncIterator[HttpStream]:
        await self._turnstile.enter()
        if not self._is_up():
            raise ConnectionError("connection refused: the API server is not running")
        answer = await self._serve(_with_token(request, token))
        if isinstance(answer, Upgrade):
            raise ConnectionResetError("a connection in this process cannot be handed over: use the server's port")
        try:
            await asyncio.sleep(0)
            if not self._is_up():
                raise ConnectionResetError("connection reset: the API server was stopped")
            yield _Answered(answer)
        finally:
            if isinstance(answer, Stream):
                await answer.chunks.aclose()

    @override
    async def close(self) -> None:
        pass


class _Answered(HttpStream):
    def __init__(self, answer: Answer | Stream) -> None:
        self._answer = answer
        self.status = answer.status if isinstance(answer, Answer) else 200
        headers = answer.headers if isinstance(answer, Answer) else ()
        self.headers = {**dict(headers), "Content-Type": answer.content_type}

    @override
    async def chunks(self) -> AsyncGenerator[bytes, None]:
        if isinstance(self._answer, Answer):
            yield self._answer.body
            return
        async with aclosing(self._answer.chunks) as chunks:
            async for chunk in chunks:
                yield chunk

    @override
    async def response(self) -> HttpResponse:
        return HttpResponse(self.status, self.headers, b"".join([chunk async for chunk in self.chunks()]))


def _with_token(request: HttpRequest, token: str | None) -> message.Request:
    headers = {name.lower(): value for name, value in request.headers.items()}
    if token:
        headers["authorization"] = f"Bearer {token}"
    return message.Request(request.method, request.path, request.params, headers, request.body or b"")

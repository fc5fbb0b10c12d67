"""What all requests to one API server share, by whichever client they are made: limit, token, User-Agent, metrics.

A program has one session, and with it one set of credentials, one pool of connections and one limit. Follows the round
trippers that k8s.io/client-go/transport puts around one http.Transport, and flowcontrol's token bucket.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from typing_extensions import override

from fake_dra_driver.runtime.clock import loop_time
from fake_dra_driver.runtime.ratelimiter import TokenBucket
from fake_dra_driver.runtime.transport import HttpRequest, HttpResponse, HttpStream, Transport

__all__ = ["Attempt", "RequestLimiter", "RequestMetrics", "Session", "TokenSource"]

RequestMetrics = Callable[[str, str, str, float], None]
"""Called for each HTTP request with method, host, status code (``<error>`` when there was no answer, as client-go says)
and seconds until the answer was there (for a stream: until it began)."""


_RECOGNIZED: Final = 16
"""Characters at the beginning of a token by which it is found in a text: a server may have cut it."""


class RequestLimiter:
    """At most ``burst`` requests at once and ``qps`` a second after that; ``qps`` 0 lets everything pass.

    As flowcontrol.NewTokenBucketRateLimiter: callers are served in the order in which they came.
    """

    def __init__(self, qps: float = 0, burst: int = 0) -> None:
        self._bucket = TokenBucket(qps, max(burst, 1)) if qps > 0 else None

    async def acquire(self) -> None:
        """Waits until the caller may go on. A caller that is cancelled while it waits has used up its turn."""
        if self._bucket is not None and (delay := self._bucket.reserve(loop_time())) > 0:
            await asyncio.sleep(delay)


class TokenSource(Protocol):
    """Where the bearer token of a request comes from; ``Credentials`` is one."""

    async def token(self) -> str | None:
        """The token to send; None: none."""
        ...

    async def renew(self, rejected: str | None) -> bool:
        """To be called after a 401 to a request with that token; whether there is something new to try with."""
        ...


@dataclass(slots=True)
class Attempt:
    """One request that has got its turn."""

    token: str | None
    """To be sent with it."""
    status: int = 0
    """HTTP status code of the answer, for the metrics; 0 while there is none."""


class _Discreet(HttpStream):
    """A stream whose error does not repeat the token."""

    def __init__(self, stream: HttpStream, token: str | None) -> None:
        self._stream = stream
        self._token = token
        self.status = stream.status
        self.headers = stream.headers

    @override
    def chunks(self) -> AsyncGenerator[bytes, None]:
        return self._stream.chunks()

    @override
    async def response(self) -> HttpResponse:
        return _without_token(await self._stream.response(), self._token)


class Session:
    """Sends requests through a transport. Safe for concurrent use within one event loop.

    Args:
        transport: to the API server.
        credentials: whose token goes with each request; asked for another one after a 401.
        user_agent: value of the User-Agent header of each request.
        limiter: of all requests, streams included; none when left out.
        metrics: told of each request.
    """

    def __init__(
        self,
        transport: Transport,
        credentials: TokenSource,
        *,
        user_agent: str,
        limiter: RequestLimiter | None = None,
        metrics: RequestMetrics | None = None,
    ) -> None:
        self._transport = transport
        self._credentials = credentials
        self._user_agent = user_agent
        self._limiter = limiter or RequestLimiter()
        self._metrics = metrics

    @property
    def host(self) -> str:
        """Host and port of the server."""
        return self._transport.host

    @property
    def server(self) -> str:
        """URL of the server, and where it is from, for messages; empty where there is no such."""
        return self._transport.server

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Sends a request and reads the whole answer, whatever its status.

        It is sent once more with a new token after a 401, and a read when its connection breaks: often it had been
        idle.

        Raises:
            ConnectionError: a failure below HTTP.
            CredentialsError: the server wants other credentials, and there are none that can be read.
        """
        response, token = await self._send(request)
        if response.status == 401 and await self._credentials.renew(token):
            response, token = await self._send(request)
        return _without_token(response, token)

    @contextlib.asynccontextmanager
    async def stream(self, request: HttpRequest) -> AsyncIterator[HttpStream]:
        """Sends a request and gives the answer as soon as its head is there; leaving the context ends it.

        Sent once more with a new token after a 401. Raises as ``send``, until the answer begins.
        """
        may_renew = True
        while True:
            async with contextlib.AsyncExitStack() as stack:
                async with self.attempt(request.method) as attempt:
                    stream = await stack.enter_async_context(
                        self._transport.stream(self._signed(request), attempt.token)
                    )
                    attempt.status = stream.status
                if stream.status != 401 or not may_renew or not await self._credentials.renew(attempt.token):
                    yield _Discreet(stream, attempt.token)
                    return
            may_renew = False

    @contextlib.asynccontextmanager
    async def attempt(self, method: str) -> AsyncIterator[Attempt]:
        """Waits until a request may be sent; the block sends it, and its end is the answer that the metrics count.

        For what is sent by other means than this session's transport. Raises CredentialsError.
        """
        await self._limiter.acquire()
        attempt = Attempt(await self._credentials.token())
        begun = loop_time()
        try:
            yield attempt
        finally:
            if self._metrics is not None:
                self._metrics(method, self.host, str(attempt.status or "<error>"), loop_time() - begun)

    async def renew(self, rejected: str | None) -> bool:
        """As ``TokenSource.renew``, for an ``attempt`` that was answered with 401."""
        return await self._credentials.renew(rejected)

    async def close(self) -> None:
        """Closes all connections."""
        await self._transport.close()

    async def _send(self, request: HttpRequest) -> tuple[HttpResponse, str | None]:
        """The answer, and the token that the request was sent with."""
        signed, may_reconnect = self._signed(request), request.method == "GET"
        while True:
            try:
                async with self.attempt(request.method) as attempt:
                    response = await self._transport.send(signed, attempt.token)
                    attempt.status = response.status
            except ConnectionResetError:
                if not may_reconnect:
                    raise
                may_reconnect = False
            else:
                return response, attempt.token

    def _signed(self, request: HttpRequest) -> HttpRequest:
        return replace(request, headers={**request.headers, "User-Agent": self._user_agent})


def _without_token(response: HttpResponse, token: str | None) -> HttpResponse:
    """An error whose text repeats the token, as servers do with a header that is too long for them, without that text:
    it would be shown and logged."""
    if response.status < 400 or not token or token[:_RECOGNIZED].encode() not in response.body:
        return response
    return replace(response, body=b"the text of the answer is left out, since it repeats the token")

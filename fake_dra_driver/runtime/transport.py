"""HTTP to one server: the seam below the client, and httpx behind it. The only module that imports httpx.

``Transport`` is all that the client asks for, so that another HTTP library is a change to this file alone.

httpx is used directly, with the credentials that kr8s resolved. ``Api.call_api`` of kr8s 0.20.15 is not, because it

- closes the session, and with it every open watch, when it logs in again;
- creates its session at the first call without a lock: of two first calls, one closes the other's session;
- has a pool of 100 connections that cannot be changed: the 101st watch, and then any request, waits for ever;
- has no close.

Requests and watches have a pool each: however many watches there are, no request waits for one of them.
"""

import contextlib
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote, urlencode

import httpx

from fake_dra_driver.runtime.credentials import Credentials

__all__ = ["HttpxTransport", "Request", "Response", "StreamResponse", "Transport"]

_MAX_REQUEST_CONNECTIONS = 100
"""As many requests in flight as httpx allows by default; more wait for a free connection, within their deadline."""
_KEEPALIVE_SECONDS = 60.0
"""Idle connections are kept this long. An API server closes them after 90 s (Go's http.Server.IdleTimeout there)."""
_REQUEST_LIMITS = httpx.Limits(
    max_connections=_MAX_REQUEST_CONNECTIONS, max_keepalive_connections=20, keepalive_expiry=_KEEPALIVE_SECONDS
)
_STREAM_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=0)
_MAX_RETIRED = 2
"""Pools with an older certificate that live on for their watches: a watch is over in 10 minutes."""
_SOCKET_OPTIONS = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    # A peer that vanished without a word is noticed after 30 + 3 * 10 s, as with client-go's HTTP/2 pings (30 + 15 s).
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, without credentials."""

    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer."""

    status: int
    retry_after: str | None
    body: bytes


class StreamResponse(Protocol):
    """An answer whose body arrives bit by bit."""

    status: int

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body as it arrives. Raises ConnectionError when the connection breaks before the end."""
        ...

    async def response(self) -> Response:
        """The rest of the body at once: for answers that turn out to be errors."""
        ...


class Transport(Protocol):
    """Sends requests to one server. Raises ConnectionError for every failure below HTTP; deadlines are the caller's."""

    host: str
    """Host and port of the server, for metrics."""

    async def send(self, request: Request, token: str | None) -> Response:
        """Sends a request and reads the whole answer, whatever its status."""
        ...

    def stream(self, request: Request, token: str | None) -> AbstractAsyncContextManager[StreamResponse]:
        """Sends a request and gives the answer as soon as its head is there; leaving the context ends it."""
        ...

    async def close(self) -> None:
        """Closes all connections."""
        ...


class _HttpxStream:
    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self.status = response.status_code

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        with _connection_errors():
            async for chunk in self._response.aiter_bytes():
                yield chunk

    async def response(self) -> Response:
        with _connection_errors():
            return Response(self.status, self._response.headers.get("retry-after"), await self._response.aread())


class HttpxTransport:
    """``Transport`` over two httpx connection pools, one for requests and one for streams.

    The pools are httpx transports without ``httpx.AsyncClient`` around them: cookies, redirects and the environment's
    proxies have no place here, and a request costs a third less CPU (0.50 instead of 0.67 ms, 1.1 instead of 1.5 ms
    with 64 at once, for answers of 0.6 KB). A ``proxy-url`` of the kubeconfig is used.
    """

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._base_url = httpx.URL(credentials.server)
        self._base_path = self._base_url.raw_path.rstrip(b"/")
        self.host = self._base_url.netloc.decode("ascii")
        self._extensions = {"sni_hostname": credentials.tls_server_name} if credentials.tls_server_name else {}
        self._retired: list[_Pools] = []
        self._pools = _Pools(credentials)

    async def send(self, request: Request, token: str | None) -> Response:
        """As ``Transport.send``."""
        pools = await self._current_pools()
        with _connection_errors():
            response = await pools.requests.handle_async_request(self._wire(request, token))
            try:
                return Response(response.status_code, response.headers.get("retry-after"), await response.aread())
            finally:
                await response.aclose()

    @contextlib.asynccontextmanager
    async def stream(self, request: Request, token: str | None) -> AsyncIterator[StreamResponse]:
        """As ``Transport.stream``."""
        pools = await self._current_pools()
        with _connection_errors():
            response = await pools.streams.handle_async_request(self._wire(request, token))
        try:
            yield _HttpxStream(response)
        finally:
            with _connection_errors():
                await response.aclose()

    async def close(self) -> None:
        """As ``Transport.close``."""
        for pools in (*self._retired, self._pools):
            await pools.close()
        self._retired.clear()

    def _wire(self, request: Request, token: str | None) -> httpx.Request:
        query = b"?" + urlencode(request.params).encode("ascii") if request.params else b""
        target = self._base_path + quote(request.path, safe="/:").encode("ascii") + query
        headers = dict(request.headers)
        if token:
            headers["Authorization"] = f"Bearer {token}"
        url = self._base_url.copy_with(raw_path=target)
        return httpx.Request(request.method, url, headers=headers, content=request.body, extensions=self._extensions)

    async def _current_pools(self) -> "_Pools":
        """The pools for new requests: new ones when there is another certificate."""
        if self._pools.tls is not self._credentials.ssl_context:
            self._retired.append(self._pools)
            self._pools = _Pools(self._credentials)
            if len(self._retired) > _MAX_RETIRED:
                await self._retired.pop(0).close()
        return self._pools


class _Pools:
    """Connections that were made with one certificate."""

    def __init__(self, credentials: Credentials) -> None:
        self.tls = credentials.ssl_context
        self.requests = self._pool(credentials, _REQUEST_LIMITS)
        self.streams = self._pool(credentials, _STREAM_LIMITS)

    def _pool(self, credentials: Credentials, limits: httpx.Limits) -> httpx.AsyncHTTPTransport:
        return httpx.AsyncHTTPTransport(
            verify=self.tls, limits=limits, proxy=credentials.proxy, trust_env=False, socket_options=_SOCKET_OPTIONS
        )

    async def close(self) -> None:
        await self.requests.aclose()
        await self.streams.aclose()


@contextlib.contextmanager
def _connection_errors() -> Iterator[None]:
    """Turns what httpx raises into ConnectionError; ConnectionResetError where the connection had been there."""
    try:
        yield
    except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
        lost = not isinstance(error, httpx.ConnectError)
        raise (ConnectionResetError if lost else ConnectionError)(_describe(error)) from error
    except (httpx.HTTPError, httpx.StreamError, ssl.SSLError) as error:
        raise ConnectionError(_describe(error)) from error


def _describe(error: Exception) -> str:
    """Some of httpx's exceptions have no text of their own, and some only the text of their cause."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__

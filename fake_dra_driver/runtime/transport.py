"""HTTP to one server: the seam below the client, and aiohttp behind it. The only module that uses aiohttp as a client.

``Transport`` is all that the client asks for, so that another HTTP library is a change to this file alone.

httpx, which kr8s itself uses, asks two to ten times as much CPU of this process for a request, and the more the more
are under way. CPU of a request and requests a second, against
a real API server over TLS (two cores, answers of 0.6 KB, httpx 0.28 with its pools alone, aiohttp 3.14):

=======  ========  =======================  =======================
request  at once   httpx                    aiohttp
=======  ========  =======================  =======================
GET      1         0.89 ms,   489 a second  0.39 ms,   599 a second
GET      16        1.42 ms,   635 a second  0.23 ms, 2,271 a second
GET      64        1.57 ms,   571 a second  0.19 ms, 2,802 a second
PATCH    1         1.68 ms,   282 a second  0.38 ms,   649 a second
PATCH    16        1.85 ms,   446 a second  0.22 ms, 1,857 a second
PATCH    64        1.90 ms,   437 a second  0.18 ms, 2,642 a second
=======  ========  =======================  =======================

``Api.call_api`` of kr8s 0.20.15 is not used, because it

- closes the session, and with it every open watch, when it logs in again;
- creates its session at the first call without a lock: of two first calls, one closes the other's session;
- has a pool of 100 connections that cannot be changed: the 101st watch, and then any request, waits for ever;
- has no close.

Requests and watches have a pool each: however many watches there are, no request waits for one of them.

When a watch or a request is abandoned, asyncio waits for the server's last word (TLS close_notify), up to 30 s,
and aiohttp forgets the connection meanwhile. So each connection is remembered here, and ``close`` leaves none behind.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote, urlencode, urlsplit
from weakref import WeakSet

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from typing_extensions import override
from yarl import URL

from fake_dra_driver.hosting.process import release_at_end
from fake_dra_driver.runtime.connectionfailure import reason_of, without_password
from fake_dra_driver.runtime.credentials import Credentials
from fake_dra_driver.untrustedtext import MAX_NAME, one_line

__all__ = [
    "MAX_BODY_BYTES",
    "MAX_CONNECTIONS",
    "HttpRequest",
    "HttpResponse",
    "HttpStream",
    "HttpTransport",
    "TooLargeBodyError",
    "Transport",
]

MAX_CONNECTIONS = 100
"""Most requests in flight; more wait for a free connection, within their deadline."""
MAX_BODY_BYTES = 16 * 1024 * 1024
"""Of an answer for which the caller names no bound."""
_MAX_ERROR_BYTES = 1024 * 1024
"""Of an error's body; the rest is not read. A Status names each wrong field, and is seldom longer than a page."""
_KEEPALIVE_SECONDS = 60.0
"""Idle connections are kept this long. An API server closes them after 90 s (Go's http.Server.IdleTimeout there)."""
_MAX_RETIRED = 2
"""Pools with an older certificate that live on for their watches: a watch is over in 10 minutes."""
_CLOSED = -1
"""``fileno`` of a socket that is closed."""
_TURNS_TO_CLOSE = 10
"""Turns of the event loop in which asyncio has seen the end of a connection, and closed it, several times over."""
_NO_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=None, sock_read=None, sock_connect=None)
"""Deadlines are the caller's."""
_SOCKET_OPTIONS = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    # A peer that vanished without a word is noticed after 30 + 3 * 10 s, as with client-go's HTTP/2 pings (30 + 15 s).
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One HTTP request, without credentials."""

    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes | None = None
    raw_path: str | None = None
    """The path as it goes over the wire, where ``path`` cannot say it: a slash in one of its parts is ``%2F``."""
    max_body_bytes: int = MAX_BODY_BYTES
    """Of the answer, if it is no error and no stream."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    """Without regard to case where they come over a network."""
    body: bytes

    @property
    def retry_after(self) -> str | None:
        """The Retry-After header."""
        return self.headers.get("Retry-After")


class TooLargeBodyError(ConnectionError):
    """The body of an answer is longer than it may be; the rest of it was not read."""


class HttpStream(Protocol):
    """An answer whose body arrives bit by bit."""

    status: int
    headers: Mapping[str, str]

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body as it arrives. Raises ConnectionError when the connection breaks before the end."""
        ...

    async def response(self) -> HttpResponse:
        """The rest of the body at once, or as much of it as is of use: for answers that turn out to be errors."""
        ...


class Transport(Protocol):
    """Sends requests to one server. Raises ConnectionError for every failure below HTTP; deadlines are the caller's."""

    host: str
    """Host and port of the server, for metrics."""
    server: str = ""
    """URL of the server, and where it is from, for messages."""

    async def send(self, request: HttpRequest, token: str | None) -> HttpResponse:
        """Sends a request and reads the whole answer, whatever its status; of an error only what is of use.

        Raises:
            TooLargeBodyError: the answer is longer than the request allows.
        """
        ...

    def stream(self, request: HttpRequest, token: str | None) -> AbstractAsyncContextManager[HttpStream]:
        """Sends a request and gives the answer as soon as its head is there; leaving the context ends it."""
        ...

    async def close(self) -> None:
        """Closes all connections."""
        ...


class _Stream(HttpStream):
    def __init__(self, response: aiohttp.ClientResponse, server: str) -> None:
        self._response = response
        self._server = server
        self.status = response.status
        self.headers = response.headers

    @override
    async def chunks(self) -> AsyncGenerator[bytes, None]:
        with _connection_errors(self._server):
            async for chunk in self._response.content.iter_any():
                yield chunk

    @override
    async def response(self) -> HttpResponse:
        with _connection_errors(self._server):
            return HttpResponse(self.status, self.headers, await _error_body(self._response))


class HttpTransport(Transport):
    """``Transport`` over two pools of connections, one for requests and one for streams.

    Cookies, redirects and compression have no place here, nor has the environment: the credentials name the proxy.
    Create it in a running event loop.

    Args:
        credentials: for the server.
        max_connections: for requests; streams have as many as they need. A connection costs a TLS handshake and, in
            asyncio and OpenSSL, 320 KiB.
    """

    def __init__(self, credentials: Credentials, *, max_connections: int = MAX_CONNECTIONS) -> None:
        self._credentials = credentials
        self._max_connections = max_connections
        url = urlsplit(credentials.server)
        self.host = url.netloc
        self._origin, self._base_path = f"{url.scheme}://{url.netloc}", url.path
        self.server = f"{credentials.server} ({credentials.origin})" if credentials.origin else credentials.server
        self._retired: list[_Pools] = []
        self._pools = _Pools(credentials, max_connections)
        self._forget = release_at_end(self.close)

    @override
    async def send(self, request: HttpRequest, token: str | None) -> HttpResponse:
        pools = await self._current_pools()
        with _connection_errors(self.server):
            async with await self._begin(pools, pools.requests, request, token) as response:
                is_error = response.status >= 400
                body = await (_error_body(response) if is_error else _body(response, request.max_body_bytes))
                return HttpResponse(response.status, response.headers, body)

    @override
    @contextlib.asynccontextmanager
    async def stream(self, request: HttpRequest, token: str | None) -> AsyncIterator[HttpStream]:
        pools = await self._current_pools()
        with _connection_errors(self.server):
            response = await self._begin(pools, pools.streams, request, token)
        try:
            yield _Stream(response, self.server)
        finally:
            # Not released: the connection of a stream that is left before its end cannot be used again.
            response.close()

    @override
    async def close(self) -> None:
        for pools in (*self._retired, self._pools):
            await pools.close()
        self._retired.clear()
        self._forget()

    async def _begin(
        self, pools: "_Pools", session: aiohttp.ClientSession, request: HttpRequest, token: str | None
    ) -> aiohttp.ClientResponse:
        query = "?" + urlencode(request.params) if request.params else ""
        path = request.raw_path or quote(request.path, safe="/:")
        return await session.request(
            request.method,
            URL(f"{self._origin}{self._base_path}{path}{query}", encoded=True),
            headers=[*request.headers.items(), *self._credentials.headers(token)],
            data=request.body,
            allow_redirects=False,
            proxy=pools.http_proxy,
            server_hostname=self._credentials.tls_server_name,
        )

    async def _current_pools(self) -> "_Pools":
        """The pools for new requests: new ones when there is another certificate."""
        if self._pools.tls is not self._credentials.ssl_context:
            self._retired.append(self._pools)
            self._pools = _Pools(self._credentials, self._max_connections)
            if len(self._retired) > _MAX_RETIRED:
                await self._retired.pop(0).close()
        return self._pools


class _Connector(aiohttp.TCPConnector):
    """Closes all of its connections in the end: those of abandoned requests, and those that were just being made."""

    def __init__(self, **options: Any) -> None:
        super().__init__(socket_factory=self._make_socket, **options)
        self._connected: WeakSet[asyncio.Transport] = WeakSet()
        self._sockets: WeakSet[socket.socket] = WeakSet()

    async def connect(self, *args: Any, **options: Any) -> Connection:
        connection = await super().connect(*args, **options)
        if connection.transport is not None:
            self._connected.add(connection.transport)
        return connection

    async def close(self, *, abort_ssl: bool = True) -> None:
        await super().close(abort_ssl=abort_ssl)
        for transport in self._connected:
            transport.abort()
        await asyncio.sleep(0)  # the turn of the event loop in which it closes them
        # A request that is cancelled during the TLS handshake leaves its connection to asyncio, which waits for the
        # server, and nothing else refers to it. Its end is what asyncio has to see.
        left = [made for made in self._sockets if made.fileno() != _CLOSED]
        for made in left:
            with contextlib.suppress(OSError):  # not connected yet, or no longer
                made.shutdown(socket.SHUT_RDWR)
        for _ in range(_TURNS_TO_CLOSE):
            if all(made.fileno() == _CLOSED for made in left):
                break
            await asyncio.sleep(0)

    def _make_socket(self, address: "aiohttp.AddrInfoType") -> socket.socket:
        family, kind, protocol, _, _ = address
        made = socket.socket(family, kind, protocol)
        self._sockets.add(made)
        for option in _SOCKET_OPTIONS:
            made.setsockopt(*option)
        return made


class _SocksConnector(_Connector):
    """Has a SOCKS5 proxy make its connections; the proxy looks up the server's name.

    python-socks opens the tunnel alone, so that TLS begins as in any other connection.
    """

    def __init__(self, proxy: str, **options: Any) -> None:
        from python_socks.async_.asyncio import Proxy  # only here: hardly anyone has such a proxy

        super().__init__(resolver=_NoResolver(), **options)
        self._url = proxy
        self._proxy = Proxy.from_url(proxy, rdns=True)

    @override
    async def _wrap_create_connection(
        self, *args: Any, req: aiohttp.ClientRequest, **options: Any
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        from python_socks import ProxyError

        try:
            tunnel = await self._proxy.connect(req.url.raw_host or "", req.url.port or 0)
        except (ProxyError, OSError) as error:
            raise _ProxyError(f"the proxy {without_password(self._url)} opens no tunnel: {reason_of(error)}") from error
        self._sockets.add(tunnel)
        ours = {name: options[name] for name in ("ssl", "server_hostname") if name in options}
        return await self._loop.create_connection(*args, **ours, sock=tunnel)


class _NoResolver(AbstractResolver):
    """Leaves each name as it is."""

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host=host, port=port, family=family, proto=0, flags=0)]

    @override
    async def close(self) -> None:
        pass


class _ProxyError(aiohttp.ClientConnectionError):
    """The proxy did not do what it is there for."""


class _Pools:
    """Connections that were made with one certificate."""

    def __init__(self, credentials: Credentials, max_connections: int) -> None:
        self.tls = credentials.ssl_context
        proxy = credentials.proxy
        self.http_proxy = None if proxy is None or proxy.startswith("socks") else proxy
        socks_proxy = None if proxy is self.http_proxy else proxy
        self.requests = self._session(
            _connector(socks_proxy, ssl=self.tls, limit=max_connections, keepalive_timeout=_KEEPALIVE_SECONDS)
        )
        self.streams = self._session(_connector(socks_proxy, ssl=self.tls, limit=0, force_close=True))

    @staticmethod
    def _session(connector: "_Connector") -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=_NO_TIMEOUT,
            # The API server would compress what is longer than 128 KB, which costs both sides more than it saves.
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            auto_decompress=False,
            middlewares=(_send_once,),
        )

    async def close(self) -> None:
        await self.requests.close()
        await self.streams.close()


def _connector(socks_proxy: str | None, **options: Any) -> _Connector:
    return _Connector(**options) if socks_proxy is None else _SocksConnector(socks_proxy, **options)


async def _body(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > max_bytes:
            raise TooLargeBodyError(f"the answer is larger than {max_bytes} bytes")
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def _error_body(response: aiohttp.ClientResponse) -> bytes:
    """The beginning of the body, where it is long. The connection is closed then: it cannot be used again."""
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > _MAX_ERROR_BYTES:
            response.close()
            break
    return b"".join(parts)[:_MAX_ERROR_BYTES]


async def _send_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keeps aiohttp from sending a PUT or a DELETE again when its connection breaks: it may have been carried out."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except aiohttp.ServerDisconnectedError:
        # Its text is what of an answer had come.
        raise aiohttp.ClientConnectionError("the server closed it without an answer") from None
    except aiohttp.ClientOSError as error:
        raise aiohttp.ClientConnectionError from error


@contextlib.contextmanager
def _connection_errors(server: str) -> Iterator[None]:
    """Turns what aiohttp raises into ConnectionError; ConnectionResetError where the connection had been there."""
    try:
        yield
    except aiohttp.ClientHttpProxyError as error:
        refusal = f"the proxy answers {error.status} {one_line(error.message, MAX_NAME)}"
        raise ConnectionError(f"cannot connect to {server}: {refusal}") from error
    except aiohttp.ClientProxyConnectionError as error:
        proxy = f"the proxy {error.host}:{error.port} cannot be reached: {reason_of(error)}"
        raise ConnectionError(f"cannot connect to {server}: {proxy}") from error
    except _ProxyError as error:
        raise ConnectionError(f"cannot connect to {server}: {error}") from error
    except TooLargeBodyError:
        raise
    except (aiohttp.ClientConnectorError, UnicodeError) as error:
        raise ConnectionError(f"cannot connect to {server}: {reason_of(error)}") from error
    except aiohttp.ClientResponseError as error:
        # Its text has several lines, with what was sent.
        raise ConnectionResetError(f"the connection to {server} broke: what it sends is not HTTP") from error
    except aiohttp.ClientPayloadError as error:
        raise ConnectionResetError(f"the connection to {server} broke in the middle of an answer") from error
    except (aiohttp.ClientError, OSError) as error:
        raise ConnectionResetError(f"the connection to {server} broke: {reason_of(error)}") from error

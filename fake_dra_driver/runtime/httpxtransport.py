"""A session as a transport of httpx: for kr8s, whose objects are made for httpx (``kubeapi`` says why).

Requests whose answer may have no end (watches, logs) get a connection of their own, as in the typed client; which ones
these are is decided as in k8s.io/apiserver/pkg/server/filters.BasicLongRunningRequestCheck, by verb and subresource.
Failures below HTTP become the exceptions that httpx's own transport raises. What cannot be had here: redirects, HTTP/2,
compressed answers, a parameter that is given twice.

Websockets go past the session's transport, over one of httpx's own with a single connection: httpx-ws talks to the
network stream below it, which aiohttp does not hand out.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, aclosing
from typing import Final

import httpx
from typing_extensions import override

from fake_dra_driver.runtime.connectionfailure import reason_of
from fake_dra_driver.runtime.credentials import Credentials
from fake_dra_driver.runtime.session import Session
from fake_dra_driver.runtime.transport import HttpRequest, HttpStream

__all__ = ["SessionTransport"]

_LONG_RUNNING_SUBRESOURCES: Final = ("/log", "/proxy")
_NOT_FORWARDED: Final = frozenset({"host", "connection", "content-length", "transfer-encoding", "accept-encoding"})
"""Headers that are the business of the transport below: the connection is its own, and it asks for no compression."""


class SessionTransport(httpx.AsyncBaseTransport):
    """Sends the requests of an ``httpx.AsyncClient`` through a session. Closing it leaves the session open.

    Args:
        session: what to send through.
        base_path: path of the server's address, which the client puts before each request's, and the session too.
        credentials: of the session, for websockets; None where there is no network to open one on.
    """

    def __init__(self, session: Session, base_path: str, credentials: Credentials | None) -> None:
        self._session = session
        self._base_path = base_path.rstrip("/")
        self._credentials = credentials

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if "upgrade" in request.headers:
            with _httpx_errors(request):
                async with asyncio.timeout(_timeout_seconds(request)):
                    return await self._upgrade(request)
        forwarded = await self._forwarded(request)
        if _is_long_running(request):
            return await self._begin(request, forwarded)
        with _httpx_errors(request):
            async with asyncio.timeout(_timeout_seconds(request)):
                response = await self._session.send(forwarded)
        return httpx.Response(response.status, headers=[*response.headers.items()], content=response.body)

    async def _forwarded(self, request: httpx.Request) -> HttpRequest:
        params = dict(request.url.params.multi_items())
        if len(params) != len(request.url.params.multi_items()):
            raise httpx.UnsupportedProtocol(
                f"a parameter is given twice: {request.url.query.decode()}", request=request
            )
        headers = {name: value for name, value in request.headers.items() if name not in _NOT_FORWARDED}
        path = request.url.path.removeprefix(self._base_path)
        raw_path = request.url.raw_path.partition(b"?")[0].decode("ascii").removeprefix(self._base_path)
        return HttpRequest(
            request.method,
            path,
            params,
            headers,
            await request.aread() or None,
            raw_path=raw_path if "%2f" in raw_path.lower() else None,
        )

    async def _begin(self, request: httpx.Request, forwarded: HttpRequest) -> httpx.Response:
        timeout_seconds = _timeout_seconds(request)
        async with AsyncExitStack() as stack:
            with _httpx_errors(request):
                async with asyncio.timeout(timeout_seconds):
                    stream = await stack.enter_async_context(self._session.stream(forwarded))
            body = _Body(request, stream, stack.pop_all(), timeout_seconds)
        return httpx.Response(stream.status, headers=[*stream.headers.items()], stream=body)

    async def _upgrade(self, request: httpx.Request) -> httpx.Response:
        if self._credentials is None:
            raise httpx.UnsupportedProtocol("an API server in this process has no websockets", request=request)
        if (self._credentials.proxy or "").startswith("socks"):
            raise httpx.UnsupportedProtocol("websockets do not go through a SOCKS proxy", request=request)
        if self._credentials.tls_server_name is not None:
            request.extensions = {**request.extensions, "sni_hostname": self._credentials.tls_server_name}
        may_renew, headers = True, request.headers.multi_items()
        while True:
            async with AsyncExitStack() as stack:
                transport = await asyncio.to_thread(_single_connection, self._credentials)
                await stack.enter_async_context(transport)
                async with self._session.attempt(request.method) as attempt:
                    request.headers = httpx.Headers([*headers, *self._credentials.headers(attempt.token)])
                    with self._described(request):
                        response = await transport.handle_async_request(request)
                    attempt.status = response.status_code
                if response.status_code != 401 or not may_renew or not await self._session.renew(attempt.token):
                    stack.push_async_callback(response.aclose)
                    stream = _Upgraded(response, stack.pop_all())
                    return httpx.Response(
                        response.status_code, headers=response.headers, stream=stream, extensions=response.extensions
                    )
            may_renew = False

    @contextlib.contextmanager
    def _described(self, request: httpx.Request) -> Iterator[None]:
        """Says why a connection failed, as the session's transport does: httpx says that all attempts failed."""
        try:
            yield
        except httpx.ConnectError as error:
            problem = f"cannot connect to {self._session.server}: {reason_of(error)}"
            raise httpx.ConnectError(problem, request=request) from error


class _Body(httpx.AsyncByteStream):
    """The body of an answer that may have no end."""

    def __init__(
        self, request: httpx.Request, stream: HttpStream, stack: AsyncExitStack, timeout_seconds: float | None
    ) -> None:
        self._request = request
        self._stream = stream
        self._stack = stack
        self._timeout_seconds = timeout_seconds
        """Longest silence."""

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        async with aclosing(self._stream.chunks()) as chunks:
            while True:
                with _httpx_errors(self._request):
                    async with asyncio.timeout(self._timeout_seconds):
                        chunk = await anext(chunks, None)
                if chunk is None:
                    return
                yield chunk

    @override
    async def aclose(self) -> None:
        await self._stack.aclose()


class _Upgraded(httpx.AsyncByteStream):
    """The answer to the handshake of a websocket, which has a body only where it was refused."""

    def __init__(self, response: httpx.Response, stack: AsyncExitStack) -> None:
        self._response = response
        self._stack = stack

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._response.aiter_raw():
            yield chunk

    @override
    async def aclose(self) -> None:
        await self._stack.aclose()


def _single_connection(credentials: Credentials) -> httpx.AsyncHTTPTransport:
    """Blocks where it reads the system's certificate authorities."""
    tls = credentials.ssl_context
    proxy: httpx.Proxy | str | None = credentials.proxy
    if isinstance(proxy, str) and proxy.startswith("https:") and isinstance(tls, ssl.SSLContext):
        # As with aiohttp and in Go, a proxy with TLS is known by the same authorities as the server.
        proxy = httpx.Proxy(proxy, ssl_context=tls)
    return httpx.AsyncHTTPTransport(
        verify=tls,
        trust_env=False,
        limits=httpx.Limits(max_connections=1, max_keepalive_connections=0),
        proxy=proxy,
    )


def _is_long_running(request: httpx.Request) -> bool:
    path, watch = request.url.path, request.url.params.get("watch", "")
    return watch in ("true", "1") or path.endswith(_LONG_RUNNING_SUBRESOURCES) or "/proxy/" in path


def _timeout_seconds(request: httpx.Request) -> float | None:
    """Until the head of the answer is there, with the waits for a turn, a token and a connection.

    In a stream also the longest silence.
    """
    timeouts: dict[str, float | None] = request.extensions.get("timeout", {})
    return timeouts.get("read")


@contextlib.contextmanager
def _httpx_errors(request: httpx.Request) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise httpx.ReadTimeout("no answer in time", request=request) from error
    except ConnectionResetError as error:
        raise httpx.ReadError(str(error), request=request) from error
    except ConnectionError as error:
        raise httpx.ConnectError(str(error), request=request) from error

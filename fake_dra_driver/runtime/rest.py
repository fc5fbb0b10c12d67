"""One call to the API server: deadline, client-side limit, waits that the server asks for, new credentials after a 401.

Follows k8s.io/client-go/rest (Request, its backoff by Retry-After, flowcontrol's token bucket). What is
in a body is not looked at.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from fake_dra_driver.api.kube.meta import NamespacedName, ResourceKind
from fake_dra_driver.runtime.errors import (
    ApiError,
    DeadlineError,
    Status,
    TransportError,
    api_error,
)
from fake_dra_driver.runtime.patch import JSON_PATCH
from fake_dra_driver.runtime.ratelimiter import TokenBucket
from fake_dra_driver.runtime.transport import HttpRequest, HttpStream, Transport

__all__ = ["Call", "RequestLimiter", "RequestMetrics", "RestClient", "TokenSource"]

RequestMetrics = Callable[[str, str, str, float], None]
"""Called for each HTTP request with method, host, status code (``<error>`` when there was no answer, as client-go says)
and seconds until the answer was there (for a watch: until it began)."""


@dataclass(frozen=True, slots=True)
class Call:
    """What to do with which object, for the request and for the text of its error."""

    verb: str
    """The verb as RBAC names it: get, list, watch, create, update, patch, delete."""
    method: str
    kind: ResourceKind
    key: NamespacedName
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    content_type: str = "application/json"
    accept: str = "application/json"

    def error(self, status: Status) -> ApiError:
        """The error for a Status that the server answered this call with."""
        is_json_patch = self.content_type == JSON_PATCH
        return api_error(status, self.verb, self.kind, self.key, is_json_patch=is_json_patch)


class RequestLimiter:
    """At most ``burst`` calls at once and ``qps`` a second after that; ``qps`` 0 lets everything pass.

    As flowcontrol.NewTokenBucketRateLimiter: callers are served in the order in which they came.
    """

    def __init__(self, qps: float = 0, burst: int = 0) -> None:
        self._bucket = TokenBucket(qps, max(burst, 1)) if qps > 0 else None

    async def acquire(self) -> None:
        """Waits until the caller may go on. A caller that is cancelled while it waits has used up its turn."""
        if self._bucket is not None and (delay := self._bucket.reserve(asyncio.get_running_loop().time())) > 0:
            await asyncio.sleep(delay)


class TokenSource(Protocol):
    """Where the bearer token of a request comes from; ``Credentials`` is one."""

    async def token(self) -> str | None:
        """The token to send; None: none."""
        ...

    async def renew(self, rejected: str | None) -> bool:
        """To be called after a 401 to a request with that token; whether there is something new to try with."""
        ...


class RestClient:
    """Sends calls through a transport. Safe for concurrent use within one event loop."""

    def __init__(
        self,
        transport: Transport,
        credentials: TokenSource,
        *,
        user_agent: str,
        limiter: RequestLimiter,
        metrics: RequestMetrics | None = None,
    ) -> None:
        self._transport = transport
        self._credentials = credentials
        self._user_agent = user_agent
        self._limiter = limiter
        self._metrics = metrics

    async def call(self, call: Call, timeout_seconds: float) -> dict[str, Any]:
        """Sends a call and returns the JSON object of its answer.

        Waits and tries again when the server asks for it with Retry-After (429 and 503; for reads every 5xx) and the
        wait ends before the deadline. A read is sent once more when its connection breaks: often it had been idle.

        Raises:
            ApiError: the server's answer, in the class for its code.
            DeadlineError: no answer within ``timeout_seconds``, waits included.
            TransportError: the connection failed, or the answer is not a JSON object.
            CredentialsError: the server wants other credentials, and there are none that can be read.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        may_reconnect, may_renew = call.method == "GET", True
        async with self._failures(call, timeout_seconds):
            while True:
                await self._limiter.acquire()
                token = await self._credentials.token()
                try:
                    with self._measured(call) as outcome:
                        response = await self._transport.send(self._request(call), token)
                        outcome.code = response.status
                except ConnectionResetError:
                    if not may_reconnect:
                        raise
                    may_reconnect = False
                    continue
                if response.status < 400:
                    return _json_object(call, response.body)
                status = Status.from_body(response.status, response.body, response.retry_after)
                if status.code == 401 and may_renew:
                    may_renew = False
                    if await self._credentials.renew(token):
                        continue
                delay = _wait_seconds(call, status)
                if delay is None or loop.time() + delay >= deadline:
                    raise call.error(status)
                await asyncio.sleep(delay)

    @contextlib.asynccontextmanager
    async def stream(self, call: Call, timeout_seconds: float) -> AsyncIterator[HttpStream]:
        """Sends a call whose answer has no end; leaving the context closes its connection.

        Nothing is tried again here but once after a 401: who reads a stream has a way to begin anew.

        Args:
            call: what to send.
            timeout_seconds: until the answer begins. From then on the deadline is the reader's.

        Raises:
            ApiError, DeadlineError, TransportError, CredentialsError: as ``call``, until the answer begins.
        """
        may_renew = True
        while True:
            async with contextlib.AsyncExitStack() as stack:
                async with self._failures(call, timeout_seconds):
                    await self._limiter.acquire()
                    token = await self._credentials.token()
                    with self._measured(call) as outcome:
                        stream = await stack.enter_async_context(self._transport.stream(self._request(call), token))
                        outcome.code = stream.status
                    failed = await stream.response() if stream.status >= 400 else None
                if failed is None:
                    yield stream
                    return
            if failed.status == 401 and may_renew:
                may_renew = False
                if await self._credentials.renew(token):
                    continue
            raise call.error(Status.from_body(failed.status, failed.body, failed.retry_after))

    async def close(self) -> None:
        """Closes all connections."""
        await self._transport.close()

    def _request(self, call: Call) -> HttpRequest:
        headers = {"Accept": call.accept, "User-Agent": self._user_agent}
        if call.body is not None:
            headers["Content-Type"] = call.content_type
        return HttpRequest(call.method, call.path, call.params, headers, call.body)

    @contextlib.contextmanager
    def _measured(self, call: Call) -> Iterator["_Outcome"]:
        if self._metrics is None:
            yield _Outcome()
            return
        loop = asyncio.get_running_loop()
        outcome, begun = _Outcome(), loop.time()
        try:
            yield outcome
        finally:
            code = str(outcome.code) if outcome.code else "<error>"
            self._metrics(call.method, self._transport.host, code, loop.time() - begun)

    @contextlib.asynccontextmanager
    async def _failures(self, call: Call, timeout_seconds: float) -> AsyncIterator[None]:
        """Ends the block at the deadline; what happens below HTTP leaves it as an error of this layer."""
        try:
            async with asyncio.timeout(timeout_seconds):
                yield
        except TimeoutError as error:
            raise DeadlineError(call.verb, call.kind, call.key, timeout_seconds) from error
        except ConnectionError as error:
            raise TransportError(call.verb, call.kind, call.key, str(error)) from error


@dataclass(slots=True)
class _Outcome:
    code: int = 0
    """HTTP status code; 0 while there is no answer."""


def _json_object(call: Call, body: bytes) -> dict[str, Any]:
    try:
        raw = json.loads(body)
    except ValueError:
        raw = None
    if not isinstance(raw, dict):
        found = f"the answer is not a JSON object: {body[:100].decode(errors='replace')!r}"
        raise TransportError(call.verb, call.kind, call.key, found)
    return raw


def _wait_seconds(call: Call, status: Status) -> float | None:
    """How long to wait before the same call is sent again; None when it must not be.

    client-go sends every call again after any 5xx with Retry-After. A write is sent again here only where the server
    says that it did nothing: 500 and 504 may come after the write has happened.
    """
    did_nothing = status.code in (429, 503)
    return status.retry_after_seconds if did_nothing or (call.method == "GET" and status.code >= 500) else None

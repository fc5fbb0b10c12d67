"""One call to the API server: its deadline, the waits that the server asks for, its errors.

Follows k8s.io/client-go/rest (Request, its backoff by Retry-After). What is in a body is not looked at. What all
requests share, such as the limit and the token, is in ``session``.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from fake_dra_driver.api.kube.meta import NamespacedName, ResourceKind
from fake_dra_driver.runtime.decoding import TooManyValuesError, parse
from fake_dra_driver.runtime.errors import (
    ApiError,
    DeadlineError,
    Status,
    TooLargeAnswerError,
    TransportError,
    UnusableAnswerError,
    api_error,
)
from fake_dra_driver.runtime.patch import JSON_PATCH
from fake_dra_driver.runtime.session import Session
from fake_dra_driver.runtime.transport import HttpRequest, HttpStream, TooLargeBodyError

__all__ = ["MAX_OBJECT_BYTES", "Answer", "Call", "RestClient"]

MAX_OBJECT_BYTES: Final = 16 * 1024 * 1024
"""Of an answer that is one object. An API server takes bodies of 3 MiB, and etcd records of 1.5 MiB, which are a few
times as long once they are JSON; client-go reads so much of one watch event (k8s.io/apimachinery streaming)."""
_SUCCESS: Final = frozenset({200, 201, 202})


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


class Answer(NamedTuple):
    """The answer to a call that the server has carried out."""

    raw: dict[str, Any]
    """The JSON object."""
    size_bytes: int
    """Of its text."""


class RestClient:
    """Makes calls over a session. Safe for concurrent use within one event loop."""

    def __init__(self, session: Session) -> None:
        self.session = session

    async def call(self, call: Call, timeout_seconds: float) -> dict[str, Any]:
        """Sends a call and returns the JSON object of its answer. Raises as ``answer``."""
        return (await self.answer(call, timeout_seconds)).raw

    async def answer(self, call: Call, timeout_seconds: float, max_bytes: int = MAX_OBJECT_BYTES) -> Answer:
        """Sends a call and returns its answer, which may have so many bytes.

        Waits and tries again when the server asks for it with Retry-After (429 and 503; for reads every 5xx) and the
        wait ends before the deadline.

        Raises:
            ApiError: the server's answer, in the class for its code.
            DeadlineError: no answer within ``timeout_seconds``, waits included.
            TransportError: the connection failed, or the answer is not a JSON object.
            TooLargeAnswerError: the answer has more bytes.
            CredentialsError: the server wants other credentials, and there are none that can be read.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        async with self._failures(call, timeout_seconds):
            while True:
                response = await self.session.send(_request(call, max_bytes))
                if response.status in _SUCCESS:
                    raw = _json_object(call, response.body)
                    if raw.get("kind") == "Status" and raw.get("status") == "Failure":
                        raise call.error(Status.of_failure(raw))
                    return Answer(raw, len(response.body))
                if response.status < 400:
                    raise _no_answer(call, response.status)
                status = Status.from_body(response.status, response.body, response.retry_after)
                delay = _wait_seconds(call, status)
                if delay is None or loop.time() + delay >= deadline:
                    raise call.error(status)
                await asyncio.sleep(delay)

    @contextlib.asynccontextmanager
    async def stream(self, call: Call, timeout_seconds: float) -> AsyncIterator[HttpStream]:
        """Sends a call whose answer has no end; leaving the context closes its connection.

        Nothing is tried again here but once after a 401: a reader of a stream has a way to start over.

        Args:
            call: what to send.
            timeout_seconds: until the answer begins. From then on the deadline is the reader's.

        Raises:
            ApiError, DeadlineError, TransportError, CredentialsError: as ``call``, until the answer begins.
        """
        async with contextlib.AsyncExitStack() as stack:
            async with self._failures(call, timeout_seconds):
                stream = await stack.enter_async_context(self.session.stream(_request(call)))
                failed = await stream.response() if stream.status >= 400 else None
            if failed is None and stream.status not in _SUCCESS:
                raise _no_answer(call, stream.status)
            if failed is not None:
                raise call.error(Status.from_body(failed.status, failed.body, failed.retry_after))
            yield stream

    async def close(self) -> None:
        """Closes all connections."""
        await self.session.close()

    @contextlib.asynccontextmanager
    async def _failures(self, call: Call, timeout_seconds: float) -> AsyncIterator[None]:
        """Ends the block at the deadline; what happens below HTTP leaves it as an error of this layer."""
        try:
            async with asyncio.timeout(timeout_seconds):
                yield
        except TimeoutError as error:
            raise DeadlineError(call.verb, call.kind, call.key, timeout_seconds, server=self.session.server) from error
        except TooLargeBodyError as error:
            raise TooLargeAnswerError(call.verb, call.kind, call.key, str(error)) from error
        except ConnectionError as error:
            raise TransportError(call.verb, call.kind, call.key, str(error)) from error


def _request(call: Call, max_bytes: int = MAX_OBJECT_BYTES) -> HttpRequest:
    headers = {"Accept": call.accept}
    if call.body is not None:
        headers["Content-Type"] = call.content_type
    return HttpRequest(call.method, call.path, call.params, headers, call.body, max_body_bytes=max_bytes)


def _no_answer(call: Call, status: int) -> UnusableAnswerError:
    """For a redirect, which an API server does not send and which is not followed, and for a part of an answer."""
    return UnusableAnswerError(call.verb, call.kind, call.key, f"{status} is no answer of an API server")


def _json_object(call: Call, body: bytes) -> dict[str, Any]:
    try:
        raw = parse(body)
    except TooManyValuesError as error:
        raise TooLargeAnswerError(call.verb, call.kind, call.key, f"the answer is too large: {error}") from error
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

"""A transport that answers as a test has written down, and credentials that are renewed as it says, or never."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from typing_extensions import override

from fake_dra_driver.runtime.credentials import CredentialsSource, Resolved
from fake_dra_driver.runtime.session import TokenSource
from fake_dra_driver.runtime.transport import HttpRequest, HttpResponse, HttpStream, Transport

__all__ = ["Answer", "FoundOnce", "ScriptedTransport", "Tokens", "api_group", "ok", "status"]

Answer = HttpResponse | Exception | None
"""None: no answer ever comes."""


def ok(**body: Any) -> HttpResponse:
    return HttpResponse(200, {}, json.dumps(body).encode())


def api_group(name: str, *versions: str) -> HttpResponse:
    """An API group that is served in these versions."""
    served = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return ok(kind="APIGroup", apiVersion="v1", name=name, versions=served)


def status(code: int, reason: str = "", retry_after: str | None = None, **details: Any) -> HttpResponse:
    body = {"kind": "Status", "code": code, "reason": reason, "message": "as told", "details": details}
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return HttpResponse(code, headers, json.dumps(body).encode())


class _Stream(HttpStream):
    def __init__(self, answer: HttpResponse, *, ends: bool) -> None:
        self._ends = ends
        self.status = answer.status
        self.headers = answer.headers
        self._answer = answer

    @override
    async def chunks(self) -> AsyncGenerator[bytes, None]:
        yield self._answer.body
        if not self._ends:
            await asyncio.Event().wait()

    @override
    async def response(self) -> HttpResponse:
        return self._answer


class ScriptedTransport(Transport):
    """Gives one answer after the other, and keeps when each request came and with which token."""

    host = "server:443"

    def __init__(self, *answers: Answer, streams_end: bool = True) -> None:
        self._streams_end = streams_end
        self._answers = list(answers)
        self.requests: list[tuple[float, HttpRequest, str | None]] = []
        self.streams = 0
        """How many of them asked for a stream."""
        self.open_streams = 0

    @override
    async def send(self, request: HttpRequest, token: str | None) -> HttpResponse:
        self.requests.append((asyncio.get_running_loop().time(), request, token))
        answer = self._answers.pop(0)
        if answer is None:
            await asyncio.Event().wait()
        if isinstance(answer, Exception):
            raise answer
        assert answer is not None
        return answer

    @override
    @asynccontextmanager
    async def stream(self, request: HttpRequest, token: str | None) -> AsyncIterator[HttpStream]:
        self.streams += 1
        self.open_streams += 1
        try:
            yield _Stream(await self.send(request, token), ends=self._streams_end)
        finally:
            self.open_streams -= 1

    @override
    async def close(self) -> None:
        pass

    @property
    def times(self) -> list[float]:
        return [round(time - self.requests[0][0], 3) for time, _, _ in self.requests]

    @property
    def tokens(self) -> list[str | None]:
        return [token for _, _, token in self.requests]


class Tokens(TokenSource):
    def __init__(self, *tokens: str) -> None:
        self._tokens = list(tokens)

    @override
    async def token(self) -> str | None:
        return self._tokens[0]

    @override
    async def renew(self, rejected: str | None) -> bool:
        if rejected == self._tokens[0] and len(self._tokens) > 1:
            self._tokens.pop(0)
            return True
        return False


class FoundOnce(CredentialsSource):
    """Gives credentials the first time; the second time never ends."""

    def __init__(self, found: Resolved) -> None:
        self._found: Resolved | None = found

    @override
    async def resolve(self) -> Resolved:
        found, self._found = self._found, None
        if found is None:
            await asyncio.Event().wait()
        assert found is not None
        return found

"""The benchmark's own client: raw JSON over aiohttp, so that the driver's code has no part in the yardstick."""

import asyncio
import json
import ssl
from base64 import b64decode
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import yaml

__all__ = ["METADATA", "TABLE", "Api", "Json", "RefusedError", "all_of"]

T = TypeVar("T")
Json = dict[str, Any]

METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
"""Type of content: of each object only its metadata."""
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"
"""Type of content: what ``kubectl get`` shows."""

_JSON = "application/json"
_MAX_LINE_BYTES = 4 * 1024 * 1024
_CONCURRENCY = 16
"""Requests at once: enough to keep the server busy, not so many that the client's own work is what is measured."""


class RefusedError(Exception):
    """The API server answered with an error."""

    def __init__(self, method: str, path: str, code: int, text: str) -> None:
        super().__init__(f"{method} {path}: {code} {text[:300]}")
        self.code = code


class Api:
    """Talks to one API server, as the administrator. Make it with ``connect``."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    @classmethod
    @asynccontextmanager
    async def connect(cls, kubeconfig: Path, user_agent: str = "fake-dra-bench") -> AsyncIterator["Api"]:
        """Connects with the token and the certificate authority of a kubeconfig."""
        config = yaml.safe_load(await asyncio.to_thread(kubeconfig.read_text))
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        authority = b64decode(cluster["certificate-authority-data"]).decode()
        context = await asyncio.to_thread(ssl.create_default_context, cadata=authority)
        headers = {"Authorization": f"Bearer {user['token']}", "User-Agent": user_agent}
        async with aiohttp.ClientSession(
            cluster["server"],
            connector=aiohttp.TCPConnector(ssl=context, limit=0),
            headers=headers,
            read_bufsize=_MAX_LINE_BYTES,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
        ) as session:
            yield cls(session)

    async def get(self, path: str, accept: str = _JSON) -> Json:
        """Reads an object or a list, as a type of content that may be less than all of it. Raises RefusedError."""
        return await self._send("GET", path, accept=accept)

    async def create(self, path: str, body: Mapping[str, Any]) -> Json:
        """Creates an object. Raises RefusedError."""
        return await self._send("POST", path, body)

    async def apply(self, path: str, body: Mapping[str, Any]) -> None:
        """Creates an object, unless there is one of that name. Raises RefusedError."""
        try:
            await self.create(path, body)
        except RefusedError as error:
            if error.code != HTTPStatus.CONFLICT:
                raise

    async def update(self, path: str, body: Mapping[str, Any]) -> Json:
        """Writes an object, or the part of it that the path names. Raises RefusedError."""
        return await self._send("PUT", path, body)

    async def patch(self, path: str, body: Mapping[str, Any]) -> Json:
        """Applies a merge patch. Raises RefusedError."""
        return await self._send("PATCH", path, body, "application/merge-patch+json")

    async def json_patch(self, path: str, *operations: Mapping[str, Any]) -> Json:
        """Applies a JSON patch. Raises RefusedError."""
        return await self._send("PATCH", path, operations, "application/json-patch+json")

    async def delete(self, path: str, *, at_once: bool = False) -> None:
        """Deletes an object or a collection; one that is gone is fine. Raises RefusedError."""
        try:
            await self._send("DELETE", path, {"gracePeriodSeconds": 0} if at_once else {})
        except RefusedError as error:
            if error.code != HTTPStatus.NOT_FOUND:
                raise

    async def watch(self, path: str, version: str = "", accept: str = _JSON) -> AsyncGenerator[tuple[str, Json], None]:
        """Gives type and object of each change. Without a version it begins with what is there.

        It also does so after the API server has ended the watch: it ends all when etcd was too slow for it, and one
        whose client did not read fast enough.
        """
        while True:
            params = {"watch": "true", **({"resourceVersion": version} if version else {})}
            async with self._session.get(path, params=params, headers={"Accept": accept}) as response:
                await _check(response, "WATCH", path)
                async for line in response.content:
                    event = json.loads(line)
                    yield event["type"], event["object"]
            version = ""

    async def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        content_type: str = _JSON,
        accept: str = _JSON,
    ) -> Json:
        # Without blanks: opaque parameters are kept as they are sent, and whoever patches the object later sends none.
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        headers = {"Content-Type": content_type, "Accept": accept}
        async with self._session.request(method, path, data=data, headers=headers) as response:
            await _check(response, method, path)
            answer: Json = json.loads(await response.read())
            return answer


async def _check(response: aiohttp.ClientResponse, method: str, path: str) -> None:
    if response.status >= HTTPStatus.BAD_REQUEST:
        raise RefusedError(method, path, response.status, await response.text())


async def all_of(calls: Iterable[Awaitable[T]]) -> list[T]:
    """The results of all calls, a few of which run at once. The first error ends all of them."""
    slots = asyncio.Semaphore(_CONCURRENCY)

    async def one(call: Awaitable[T]) -> T:
        async with slots:
            return await call

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(call)) for call in calls]
    return [task.result() for task in tasks]

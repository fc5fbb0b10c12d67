"""A client that hides nothing: each call says which status code it expects, and fails with the whole answer if not."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import httpx

__all__ = [
    "APPLY",
    "JSON_PATCH",
    "MERGE_PATCH",
    "PATIENCE_SECONDS",
    "STRATEGIC_PATCH",
    "Api",
    "Json",
    "Watch",
    "causes",
    "eventually",
]

Json = dict[str, Any]

MERGE_PATCH: Final = "application/merge-patch+json"
JSON_PATCH: Final = "application/json-patch+json"
STRATEGIC_PATCH: Final = "application/strategic-merge-patch+json"
APPLY: Final = "application/apply-patch+yaml"

PATIENCE_SECONDS: Final = 60.0
"""Longest wait for anything that has to happen; only a failing test takes it."""


class Watch:
    """The events of one watch, in the order in which they come."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.iter_lines()

    def __iter__(self) -> Iterator[Json]:
        """Events until the server ends the watch."""
        for line in self._lines:
            if line:
                yield json.loads(line)

    def next(self) -> Json:
        """The next event; raises AssertionError when the watch has ended, httpx.ReadTimeout when none comes."""
        for event in self:
            return event
        raise AssertionError("the watch ended")

    def until(self, wanted: Callable[[Json], bool]) -> Json:
        """The first event that is wanted, others before it passed over."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        passed = []
        for event in self:
            if wanted(event):
                return event
            passed.append(event)
            if time.monotonic() > deadline:
                break
        raise AssertionError(f"not seen on the watch: {json.dumps(passed)}")

    def until_type(self, type_: str, name: str) -> Json:
        """The object of the first event of that type about the object of that name."""
        event = self.until(lambda event: event["type"] == type_ and event["object"]["metadata"]["name"] == name)
        found: Json = event["object"]
        return found


class Api:
    """Requests to one API server. Paths are those of the URL; bodies are JSON unless a content type says otherwise."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def call(
        self,
        method: str,
        path: str,
        body: Json | list[Json] | str | bytes | None = None,
        *,
        content_type: str = "application/json",
        accept: str = "application/json",
        **params: Any,
    ) -> httpx.Response:
        """Whatever the server answers. ``params`` are the query."""
        headers = {"Accept": accept}
        content: str | bytes | None = None
        if body is not None:
            headers["Content-Type"] = content_type
            content = body if isinstance(body, str | bytes) else json.dumps(body)
        return self.http.request(method, path, content=content, headers=headers, params=params)

    def _expect(self, code: int, response: httpx.Response) -> Json:
        request = response.request
        assert response.status_code == code, f"{request.method} {request.url}: {response.status_code} {response.text}"
        answer = response.json()
        assert isinstance(answer, dict)
        return answer

    def get(self, path: str, code: int = 200, **params: Any) -> Json:
        """GET: an object, a list or what else is there."""
        return self._expect(code, self.call("GET", path, **params))

    def post(self, path: str, body: Json, code: int = 201, **params: Any) -> Json:
        """POST: create an object."""
        return self._expect(code, self.call("POST", path, body, **params))

    def put(self, path: str, body: Json, code: int = 200, **params: Any) -> Json:
        """PUT: replace an object."""
        return self._expect(code, self.call("PUT", path, body, **params))

    def patch(
        self, path: str, body: Json | list[Json], kind: str = MERGE_PATCH, code: int = 200, **params: Any
    ) -> Json:
        """PATCH, a merge patch unless ``kind`` says otherwise."""
        return self._expect(code, self.call("PATCH", path, body, content_type=kind, **params))

    def apply(self, path: str, body: Json, manager: str, code: int = 200, **params: Any) -> Json:
        """PATCH: server-side apply."""
        return self.patch(path, body, APPLY, code, fieldManager=manager, **params)

    def delete(self, path: str, body: Json | None = None, code: int = 200, **params: Any) -> Json:
        """DELETE, with DeleteOptions as the body if there are any."""
        return self._expect(code, self.call("DELETE", path, body, **params))

    def refused(
        self,
        code: int,
        reason: str,
        method: str,
        path: str,
        body: Json | list[Json] | str | None = None,
        *,
        says: str = "",
        content_type: str = "application/json",
        **params: Any,
    ) -> Json:
        """The Status of a call that has to fail with that code, that reason and that part of a message."""
        status = self._expect(code, self.call(method, path, body, content_type=content_type, **params))
        assert status["kind"] == "Status"
        assert status["apiVersion"] == "v1"
        assert status["status"] == "Failure"
        assert status["code"] == code
        assert status.get("reason", "") == reason, status
        assert says in status["message"], status
        return status

    def gone(self, path: str) -> None:
        """Asserts that nothing is there."""
        self.refused(404, "NotFound", "GET", path)

    @contextmanager
    def watch(self, path: str, accept: str = "application/json", **params: Any) -> Iterator[Watch]:
        """A watch, which the server has accepted. It is ended with the block."""
        query = {"watch": "true", **params}
        # From 1.37 on, a watch that begins with all objects is compressed piece by piece, which httpx does not follow.
        headers = {"Accept": accept, "Accept-Encoding": "identity"}
        with self.http.stream("GET", path, params=query, headers=headers) as response:
            assert response.status_code == 200, response.read().decode()
            yield Watch(response)

    def version_of_list(self, path: str) -> str:
        """The resourceVersion of a list made now."""
        version = self.get(path)["metadata"]["resourceVersion"]
        assert isinstance(version, str)
        return version

    def add_finalizer(self, path: str) -> None:
        """Gives the object the finalizer ``example.com/hold``."""
        self.patch(path, {"metadata": {"finalizers": ["example.com/hold"]}})

    def drop_finalizers(self, path: str) -> None:
        """Takes all finalizers off the object."""
        self.patch(path, {"metadata": {"finalizers": None}})


def causes(status: Mapping[str, Any]) -> dict[str, str]:
    """The causes of a refusal: reason by field."""
    return {cause["field"]: cause["reason"] for cause in status["details"]["causes"]}


def eventually(holds: Callable[[], bool], what: str) -> None:
    """Asks until it holds, for what no watch tells of: each question is a request of its own."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"not seen in {PATIENCE_SECONDS} s: {what}"

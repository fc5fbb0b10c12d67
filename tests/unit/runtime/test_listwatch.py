"""Pages and events from servers that send more, or something else, than any API server does."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from typing_extensions import override

from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.runtime import decoding
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.errors import (
    ApiError,
    DeadlineError,
    RuntimeLayerError,
    TooLargeAnswerError,
    TransportError,
    UnusableAnswerError,
)
from fake_dra_driver.runtime.listwatch import AnswerBounds, ListWatch, Page, Selection, WatchEvent
from fake_dra_driver.runtime.rest import RestClient
from fake_dra_driver.runtime.session import Session
from fake_dra_driver.runtime.transport import HttpRequest, HttpResponse, HttpStream, TooLargeBodyError
from tests.support.scripted import ScriptedTransport, Tokens

pytestmark = pytest.mark.looptime

NODES = Selection(Node.resource)


def node(number: int) -> dict[str, Any]:
    return {"metadata": {"name": f"node-{number}", "uid": f"uid-{number}", "resourceVersion": "7"}}


def page(*numbers: int, token: Any = "", **changed: Any) -> dict[str, Any]:
    metadata = {"resourceVersion": "9", "continue": token}
    items = [node(number) for number in numbers]
    return {"kind": "NodeList", "apiVersion": "v1", "metadata": metadata, "items": items, **changed}


class Pager(ScriptedTransport):
    """Answers each list with a page that an endless list could have."""

    @override
    async def send(self, request: HttpRequest, token: str | None) -> HttpResponse:
        number = len(self.requests)
        self.requests.append((asyncio.get_running_loop().time(), request, token))
        body = json.dumps(self.page(number, int(request.params.get("limit", "0")))).encode()
        if len(body) > request.max_body_bytes:
            raise TooLargeBodyError("too large")
        return HttpResponse(200, {}, body)

    def page(self, number: int, limit: int) -> dict[str, Any]:
        return page(*range(number * limit, (number + 1) * limit), token=str(number))


class PointsToItself(Pager):
    @override
    def page(self, number: int, limit: int) -> dict[str, Any]:
        return page(*range(limit), token="again")


class Alternates(Pager):
    @override
    def page(self, number: int, limit: int) -> dict[str, Any]:
        return page(0, token=("one", "other")[number % 2])


class Empty(Pager):
    @override
    def page(self, number: int, limit: int) -> dict[str, Any]:
        return page(token=str(number))


def listing(transport: ScriptedTransport, bounds: AnswerBounds | None = None) -> ListWatch:
    return ListWatch(RestClient(Session(transport, Tokens("token"), user_agent="test")), bounds)


async def all_pages(listed: ListWatch, page_size: int = 10) -> list[Page]:
    return [found async for found in listed.pages(NODES, page_size=page_size, timeout_seconds=10)]


async def test_a_page_that_points_to_itself_is_asked_for_once_more_and_no_more() -> None:
    transport = PointsToItself()
    with pytest.raises(UnusableAnswerError, match="after itself"):
        await all_pages(listing(transport))
    assert len(transport.requests) == 2


@pytest.mark.parametrize("transport", [Alternates(), Empty()], ids=lambda transport: type(transport).__name__)
async def test_pages_that_bring_less_than_was_asked_for_are_soon_enough(transport: Pager) -> None:
    with pytest.raises(UnusableAnswerError, match="pages are shorter"):
        await all_pages(listing(transport))
    assert len(transport.requests) == AnswerBounds().short_pages + 1


@pytest.mark.parametrize("bounds", [AnswerBounds(list_objects=1000), AnswerBounds(list_bytes=80_000)], ids=str)
async def test_a_list_has_an_end_though_each_page_has_another_one_after_it(bounds: AnswerBounds) -> None:
    transport = Pager()
    with pytest.raises(TooLargeAnswerError, match="the list is larger than"):
        await all_pages(listing(transport, bounds))
    assert 90 < len(transport.requests) < 110


class Large(Pager):
    """Has 40 nodes of 1 KB each."""

    @override
    def page(self, number: int, limit: int) -> dict[str, Any]:
        begun = int(self.requests[-1][1].params.get("continue", "0"))
        ended = min(begun + (limit or 40), 40)
        found = page(*range(begun, ended), token=str(ended) if ended < 40 else "")
        for item in found["items"]:
            item["metadata"]["annotations"] = {"large": "x" * 1000}
        return found


@pytest.mark.parametrize("page_size", [0, 500, 40])
async def test_a_page_that_is_too_large_is_asked_for_with_fewer_objects(page_size: int) -> None:
    transport = Large()
    found = await all_pages(listing(transport, AnswerBounds(page_bytes=6_000)), page_size)
    names = [item["metadata"]["name"] for page in found for item in page.items]
    assert names == [f"node-{number}" for number in range(40)]


async def test_an_object_that_is_too_large_by_itself_is_an_error() -> None:
    transport = Large()
    with pytest.raises(TooLargeAnswerError):
        await all_pages(listing(transport, AnswerBounds(page_bytes=1_000)), 500)
    assert [request.params["limit"] for _, request, _ in transport.requests] == ["500", "50", "5", "1"]


async def test_a_page_of_too_many_values_is_asked_for_with_fewer_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "MAX_COLLECTIONS", 100)
    found = await all_pages(listing(Large()), 500)
    assert [len(page.items) for page in found] == [5] * 8


NO_LISTS: dict[str, Any] = {
    "nothing": {},
    "a Status": {"kind": "Status", "apiVersion": "v1", "status": "Success"},
    "another kind": page(kind="PodList"),
    "another version": page(apiVersion="v2"),
    "an object": {"kind": "Node", "apiVersion": "v1", **node(1)},
    "no metadata": page(metadata=None),
    "metadata that is a text": page(metadata="text"),
    "a resourceVersion that is a number": page(metadata={"resourceVersion": 9}),
    "a token that is a number": page(1, token=9),
    "items that are a map": page(items={"a": node(1)}),
    "items that are a text": page(items="text"),
    "an item that is a list": page(items=[[]]),
    "an item that is null": page(items=[node(1), None]),
    "an item of another kind": page(items=[{"kind": "Pod", **node(1)}]),
    "an item of another version": page(items=[{"apiVersion": "v2", **node(1)}]),
}


@pytest.mark.parametrize("answer", NO_LISTS.values(), ids=NO_LISTS)
async def test_what_is_no_list_is_not_taken_for_an_empty_one(answer: Any) -> None:
    transport = ScriptedTransport(HttpResponse(200, {}, json.dumps(answer).encode()))
    client = Client(Session(transport, Tokens("token"), user_agent="test"))
    with pytest.raises(UnusableAnswerError):
        await client.list(Node)


@pytest.mark.parametrize("status", [204, 206, 301, 302, 304])
async def test_what_is_neither_success_nor_an_error_is_no_list(status: int) -> None:
    transport = ScriptedTransport(*[HttpResponse(status, {}, json.dumps(page()).encode())] * 2)
    with pytest.raises(UnusableAnswerError, match=str(status)):
        await all_pages(listing(transport))
    with pytest.raises(UnusableAnswerError, match=str(status)):
        await events(listing(transport))


# --- watch -----------------------------------------------------------------------------------------------------------


class Endless(ScriptedTransport, HttpStream):
    """Answers a watch with the same bytes again and again, and counts what is read of them."""

    status = 200
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed

    def __init__(self, piece: bytes) -> None:
        super().__init__()
        self._piece = piece
        self.read_bytes = 0

    @override
    @asynccontextmanager
    async def stream(self, request: HttpRequest, token: str | None) -> AsyncIterator[HttpStream]:
        yield self

    @override
    async def chunks(self) -> AsyncGenerator[bytes, None]:
        while True:
            self.read_bytes += len(self._piece)
            yield self._piece
            await asyncio.sleep(0.1)

    @override
    async def response(self) -> HttpResponse:
        raise AssertionError("it is no error")


async def events(listed: ListWatch) -> list[WatchEvent]:
    found = listed.watch(NODES, "7", timeout_seconds=60, inactivity_seconds=30)
    async with aclosing(found):
        return [event async for event in found]


async def test_a_line_without_end_is_not_read_for_ever() -> None:
    transport = Endless(b"x" * 1000)
    with pytest.raises(TooLargeAnswerError, match="larger than 100000 bytes"):
        await events(listing(transport, AnswerBounds(event_bytes=100_000)))
    assert transport.read_bytes == 101_000


async def test_lines_without_anything_in_them_are_silence() -> None:
    with pytest.raises(DeadlineError):
        await events(listing(Endless(b"\n\n \r\n")))


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"null", TransportError),
        (b"[]", TransportError),
        (b"7", TransportError),
        (b"<html>", TransportError),
        (b"\xff\xfe\x00", TransportError),
        (b'{"type": "ADDED"}', TransportError),
        (b'{"object": {}}', TransportError),
        (b'{"type": 7, "object": {}}', TransportError),
        (b'{"type": "ADDED", "object": []}', TransportError),
        (b'{"type": "ADDED", "object": {"a": NaN}}', TransportError),
        (b'{"type": "ADDED", "object": {"a": ' + b"9" * 5000 + b"}}", TransportError),
        (b'{"type": "STRANGE", "object": {}}', UnusableAnswerError),
        (b'{"type": "' + b"x" * 100_000 + b'", "object": {}}', UnusableAnswerError),
        (b'{"type": "ADDED", "object": {"kind": "Status"}}', UnusableAnswerError),
        (b'{"type": "ADDED", "object": {"kind": ["Node"]}}', UnusableAnswerError),
        (b'{"type": "ADDED", "object": {"apiVersion": "v2"}}', UnusableAnswerError),
        (b'{"type": "ERROR", "object": {}}', ApiError),
        (b'{"type": "ERROR", "object": {"code": 1e999}}', ApiError),
        (b'{"type": "ERROR", "object": {"code": true, "reason": [], "message": {}, "details": 7}}', ApiError),
        (b'{"type": "ERROR", "object": {"code": ' + b"9" * 400 + b', "details": {"causes": 7}}}', ApiError),
        (
            b'{"type": "ERROR", "object": {"code": 429, "details": {"retryAfterSeconds": ' + b"9" * 400 + b"}}}",
            ApiError,
        ),
    ],
)
async def test_lines_that_are_no_events_are_errors_with_a_short_text(
    line: bytes, error: type[RuntimeLayerError]
) -> None:
    with pytest.raises(error) as raised:
        await events(listing(ScriptedTransport(HttpResponse(200, {}, line + b"\n"))))
    assert type(raised.value) is error or error is ApiError
    assert len(str(raised.value)) < 1000

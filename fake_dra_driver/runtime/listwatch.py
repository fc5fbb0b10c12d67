"""List and watch of raw objects: what a cache is filled from.

Follows k8s.io/client-go/tools/cache (ListWatch, StreamWatcher). This module turns the stream into events and everything
that can go wrong with it into one error of this layer; what to do then is decided in ``reflector.py``.

What an answer may hold is bounded, so that no server, and no proxy before one, takes all memory or has a client ask
without end: each page and each event in bytes, a whole list in bytes and objects, and the pages of a list that bring
less than was asked for. A page that is larger than it may be is asked for again with fewer objects.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

from typing_extensions import override

from fake_dra_driver.api.kube.meta import NamespacedName, ResourceKind
from fake_dra_driver.runtime.decoding import TooManyValuesError, parse
from fake_dra_driver.runtime.errors import (
    DeadlineError,
    Status,
    TooLargeAnswerError,
    TransportError,
    UnusableAnswerError,
)
from fake_dra_driver.runtime.objectidentity import METADATA_ALONE, check_type, type_of, version_number
from fake_dra_driver.runtime.rest import MAX_OBJECT_BYTES, Answer, Call, RestClient
from fake_dra_driver.untrustedtext import MAX_NAME, one_line

__all__ = ["PAGE_SIZE", "AnswerBounds", "ListWatch", "ListWatcher", "Page", "Selection", "WatchEvent"]

PAGE_SIZE = 500
"""Objects in one page of a list, as in client-go's pager."""
_PAGE_SIZE_DIVISOR = 10
"""By so much fewer objects are asked for when a page is too large: of 5 objects none is."""
_EVENT_TYPES: Final = frozenset({"ADDED", "MODIFIED", "DELETED", "BOOKMARK"})


@dataclass(frozen=True, slots=True)
class AnswerBounds:
    """How much a server may answer. client-go bounds events alone; its lists take what memory there is."""

    page_bytes: int = MAX_OBJECT_BYTES
    """Of one page: 500 objects of 32 KiB. What is larger is asked for again with fewer objects."""
    event_bytes: int = MAX_OBJECT_BYTES
    """Of one line of a watch."""
    list_bytes: int = 2 * 1024 * 1024 * 1024
    """Of all pages of a list: the 150,000 pods of the largest cluster that Kubernetes is made for have 1 GiB or so."""
    list_objects: int = 1_000_000
    """Of all pages of a list."""
    short_pages: int = 20
    """Pages of a list with fewer objects than were asked for, and yet with more to come. The API allows them, even
    empty ones; kube-apiserver fills each page but the last, and asking for them without end is what they are for."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects of a kind a list or a watch is about."""

    kind: ResourceKind
    namespace: str | None = None
    """None: all namespaces."""
    label_selector: str = ""
    field_selector: str = ""
    metadata_only: bool = False
    """Objects come with nothing but their metadata (PartialObjectMetadata)."""


class Page(NamedTuple):
    """One page of a list. All pages of a list have the same resourceVersion."""

    items: Sequence[Mapping[str, Any]]
    resource_version: str


class WatchEvent(NamedTuple):
    """ADDED, MODIFIED, DELETED or BOOKMARK, with the object as sent. ERROR events are raised, as what they carry."""

    type: str
    object: Mapping[str, Any]


class ListWatcher(Protocol):
    """Where a reflector gets its objects from."""

    def pages(self, selection: Selection, *, page_size: int, timeout_seconds: float) -> AsyncGenerator[Page, None]:
        """Reads all objects at one resourceVersion.

        Args:
            selection: which objects.
            page_size: most objects in a page; 0: all in one.
            timeout_seconds: deadline of each page.

        Raises:
            GoneError: the list's version was compacted away between two pages; what came so far is worthless.
            UnusableAnswerError: what came is no page of such a list, or the list is larger than it may be.
            RuntimeLayerError: as ``RestClient.call``.
        """
        ...

    def watch(
        self, selection: Selection, resource_version: str, *, timeout_seconds: float, inactivity_seconds: float
    ) -> AsyncGenerator[WatchEvent, None]:
        """Gives each change after ``resource_version``. Ends when the server ends the watch.

        Args:
            selection: which objects.
            resource_version: of a list, of an object that was seen, or of a bookmark.
            timeout_seconds: when the server is to end the watch.
            inactivity_seconds: longest silence before the connection counts as dead. Must be longer than the 75 s at
                most that lie between two bookmarks (cacher.go: one minute and a jitter of a quarter).

        Raises:
            GoneError: ``resource_version`` is too old, as HTTP status or as ERROR event.
            ApiError: any other error, in either form.
            TransportError: the connection broke, or what came is not a watch event.
            UnusableAnswerError: an event is about something else than what was asked for, or larger than it may be.
            DeadlineError: silence.
        """
        ...


class ListWatch(ListWatcher):
    """Lists and watches on an API server."""

    def __init__(self, rest: RestClient, bounds: AnswerBounds | None = None) -> None:
        self._rest = rest
        self._bounds = bounds or AnswerBounds()

    @override
    async def pages(
        self, selection: Selection, *, page_size: int, timeout_seconds: float
    ) -> AsyncGenerator[Page, None]:
        token, left = "", _Left(self._bounds)
        while True:
            params = {"limit": str(page_size)} if page_size else {}
            call = _call("list", selection, {**params, "continue": token} if token else params)
            try:
                answer = await self._rest.answer(call, timeout_seconds, self._bounds.page_bytes)
            except TooLargeAnswerError:
                if page_size == 1:
                    raise
                page_size = max((page_size or PAGE_SIZE * _PAGE_SIZE_DIVISOR) // _PAGE_SIZE_DIVISOR, 1)
                continue
            page, next_token = _page(call, selection, answer)
            if next_token and next_token == token:
                raise _unusable(call, "the page says that it comes after itself")
            left.take(call, page, answer, page_size if next_token else 0)
            yield page
            if not next_token:
                return
            token = next_token

    @override
    async def watch(
        self, selection: Selection, resource_version: str, *, timeout_seconds: float, inactivity_seconds: float
    ) -> AsyncGenerator[WatchEvent, None]:
        params = {
            "watch": "true",
            "resourceVersion": resource_version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(int(timeout_seconds)),
        }
        call, (api_version, kind) = _call("watch", selection, params), _type_of(selection)
        async with (
            self._rest.stream(call, inactivity_seconds) as stream,
            aclosing(_lines(call, stream.chunks(), self._bounds.event_bytes)) as lines,
        ):
            while True:
                try:
                    async with asyncio.timeout(inactivity_seconds):
                        line = await anext(lines, None)
                except TimeoutError as error:
                    raise DeadlineError(call.verb, call.kind, call.key, inactivity_seconds) from error
                except ConnectionError as error:
                    raise TransportError(call.verb, call.kind, call.key, str(error)) from error
                if line is None:
                    return
                yield _event(call, line, api_version, kind)


def _call(verb: str, selection: Selection, params: Mapping[str, str]) -> Call:
    selectors = {"labelSelector": selection.label_selector, "fieldSelector": selection.field_selector}
    accept = "application/json"
    if selection.metadata_only:
        accept += f";as=PartialObjectMetadata{'List' if verb == 'list' else ''};g=meta.k8s.io;v=v1"
    return Call(
        verb=verb,
        method="GET",
        kind=selection.kind,
        key=NamespacedName(selection.namespace or "", ""),
        path=selection.kind.path(selection.namespace),
        params={**params, **{name: value for name, value in selectors.items() if value}},
        accept=accept,
    )


async def _lines(call: Call, chunks: AsyncGenerator[bytes, None], max_bytes: int) -> AsyncGenerator[bytes, None]:
    """Splits at newlines alone. ``str.splitlines``, which httpx uses, also splits at U+0085, which JSON may contain."""
    parts: list[bytes] = []
    size = 0
    async for chunk in chunks:
        *complete, rest = chunk.split(b"\n")
        for line in complete:
            parts.append(line)
            joined = b"".join(parts)
            parts.clear()
            size = 0
            if joined.strip():
                yield joined
        if rest:
            parts.append(rest)
            size += len(rest)
            if size > max_bytes:
                found = f"an event is larger than {max_bytes} bytes"
                raise TooLargeAnswerError(call.verb, call.kind, call.key, found)
    if parts:
        # A line without its end: the server went away in the middle of it.
        yield b"".join(parts)


@dataclass(slots=True)
class _Left:
    """What a list may still bring."""

    bounds: AnswerBounds
    size_bytes: int = 0
    objects: int = 0
    short_pages: int = 0

    def take(self, call: Call, page: Page, answer: Answer, asked_for: int) -> None:
        """Counts a page.

        Args:
            call: that was answered with it.
            page: the page.
            answer: that it came in.
            asked_for: how many objects, 0 for the last page.

        Raises:
            UnusableAnswerError: that is more than a list may bring.
        """
        self.size_bytes += answer.size_bytes
        self.objects += len(page.items)
        self.short_pages += len(page.items) < asked_for
        bounds = self.bounds
        if self.size_bytes > bounds.list_bytes or self.objects > bounds.list_objects:
            size = f"{bounds.list_objects} objects and {bounds.list_bytes} bytes"
            raise TooLargeAnswerError(call.verb, call.kind, call.key, f"the list is larger than {size}")
        if self.short_pages > bounds.short_pages:
            raise _unusable(call, f"more than {bounds.short_pages} pages are shorter than asked for, with more to come")


def _page(call: Call, selection: Selection, answer: Answer) -> tuple[Page, str]:
    """The page of a list, and the token to get the next one with; empty where it is the last.

    An answer that is no list must not be taken for an empty one: all objects would count as deleted.
    """
    raw, (api_version, kind) = answer.raw, _type_of(selection)
    if raw.get("kind") != f"{kind}List" or raw.get("apiVersion") != api_version:
        raise _unusable(call, f"not a {kind}List of {api_version}: {type_of(raw)}")
    metadata, items = raw.get("metadata"), raw.get("items") or []
    if not isinstance(metadata, dict) or not isinstance(items, list):
        raise _unusable(call, f"the {kind}List has no metadata, or no items")
    token = metadata.get("continue") or ""
    try:
        version = str(version_number(metadata.get("resourceVersion")))
    except ValueError as error:
        raise _unusable(call, f"a {kind}List, and {error}") from error
    if not isinstance(token, str):
        raise _unusable(call, f"the continue token of the {kind}List is a {type(token).__name__}")
    for item in items:
        _check_type(call, item, api_version, kind)
    return Page(items, version), token


def _check_type(call: Call, obj: Any, api_version: str, kind: str) -> None:
    try:
        check_type(obj, api_version, kind)
    except ValueError as error:
        raise _unusable(call, str(error)) from error


def _type_of(selection: Selection) -> tuple[str, str]:
    """apiVersion and kind of each object."""
    if selection.metadata_only:
        return METADATA_ALONE
    return selection.kind.api_version, selection.kind.kind


def _unusable(call: Call, found: str) -> UnusableAnswerError:
    return UnusableAnswerError(call.verb, call.kind, call.key, found)


def _event(call: Call, line: bytes, api_version: str, kind: str) -> WatchEvent:
    try:
        raw = parse(line)
        type_, obj = raw["type"], raw["object"]
        if not isinstance(type_, str) or not isinstance(obj, dict):
            raise TypeError("type or object is missing")
    except TooManyValuesError as error:
        raise TooLargeAnswerError(call.verb, call.kind, call.key, f"an event is too large: {error}") from error
    except (ValueError, KeyError, TypeError) as error:
        found = f"not a watch event: {line[:100].decode(errors='replace')!r} ({error})"
        raise TransportError(call.verb, call.kind, call.key, found) from error
    if type_ == "ERROR":
        raise call.error(Status.of_failure(obj))
    if type_ not in _EVENT_TYPES:
        raise _unusable(call, f"an event of an unknown type: {one_line(type_, MAX_NAME)}")
    _check_type(call, obj, api_version, kind)
    return WatchEvent(type_, obj)

"""List and watch of raw objects: what a cache is filled from.

Follows k8s.io/client-go/tools/cache (ListWatch, StreamWatcher). This module turns the stream into events and everything
that can go wrong with it into one error of this layer; what to do then is decided in ``reflector.py``.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from typing_extensions import override

from fake_dra_driver.api.kube.meta import NamespacedName, ResourceKind
from fake_dra_driver.runtime.decoding import parse
from fake_dra_driver.runtime.errors import DeadlineError, Status, TransportError
from fake_dra_driver.runtime.rest import Call, RestClient

__all__ = ["PAGE_SIZE", "ListWatch", "ListWatcher", "Page", "Selection", "WatchEvent"]

PAGE_SIZE = 500
"""Objects in one page of a list, as in client-go's pager."""


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
            DeadlineError: silence.
        """
        ...


class ListWatch(ListWatcher):
    """Lists and watches on an API server."""

    def __init__(self, rest: RestClient) -> None:
        self._rest = rest

    @override
    async def pages(
        self, selection: Selection, *, page_size: int, timeout_seconds: float
    ) -> AsyncGenerator[Page, None]:
        params = {"limit": str(page_size)} if page_size else {}
        while True:
            call = _call("list", selection, params)
            raw = await self._rest.call(call, timeout_seconds)
            metadata = raw.get("metadata") or {}
            yield Page(raw.get("items") or (), metadata.get("resourceVersion") or "")
            if not metadata.get("continue"):
                return
            params = {**params, "continue": metadata["continue"]}

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
        call = _call("watch", selection, params)
        async with self._rest.stream(call, inactivity_seconds) as stream, aclosing(_lines(stream.chunks())) as lines:
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
                yield _event(call, line)


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


async def _lines(chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Splits at newlines alone. ``str.splitlines``, which httpx uses, also splits at U+0085, which JSON may contain."""
    parts: list[bytes] = []
    async for chunk in chunks:
        *complete, rest = chunk.split(b"\n")
        for line in complete:
            parts.append(line)
            joined = b"".join(parts)
            parts.clear()
            if joined.strip():
                yield joined
        if rest:
            parts.append(rest)
    if parts:
        # A line without its end: the server went away in the middle of it.
        yield b"".join(parts)


def _event(call: Call, line: bytes) -> WatchEvent:
    try:
        raw = parse(line)
        type_, obj = raw["type"], raw["object"]
        if not isinstance(type_, str) or not isinstance(obj, dict):
            raise TypeError("type or object is missing")
    except (ValueError, KeyError, TypeError) as error:
        found = f"not a watch event: {line[:100].decode(errors='replace')!r} ({error})"
        raise TransportError(call.verb, call.kind, call.key, found) from error
    if type_ == "ERROR":
        code = obj.get("code")
        raise call.error(Status.from_wire(code if isinstance(code, int) else 500, obj))
    return WatchEvent(type_, obj)

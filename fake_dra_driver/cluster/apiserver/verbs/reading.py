"""Reading: get, list with pages and selectors, and watch.

Follows k8s.io/apiserver/pkg/storage (continue tokens, cacher, watch cache) and endpoints/handlers/{get,watch}.go. The
bytes of an object are those that the store keeps: they are joined, not encoded again.
"""

import asyncio
import base64
import binascii
import json
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from fake_dra_driver.cluster.apiserver.errors import StatusError, bad_request, expired, not_found
from fake_dra_driver.cluster.apiserver.heavywork import on_loop
from fake_dra_driver.cluster.apiserver.store.store import Collection, Event, Key, Record, Store, encode
from fake_dra_driver.cluster.apiserver.store.waiters import EVERYTHING, Interest
from fake_dra_driver.cluster.apiserver.types.resource import Resource
from fake_dra_driver.cluster.apiserver.types.selectors import FieldSelector, LabelSelector
from fake_dra_driver.cluster.apiserver.verbs.options import ListOptions, parse_version

__all__ = ["Page", "Reading", "Selection", "WatchLine", "bare", "whole"]

BOOKMARK_SECONDS = 60.0
"""Between two bookmarks of a watch that asks for them (bookmarkFrequency of the watch cache)."""
_BOOKMARK_BEFORE_END_SECONDS = 2.0
"""How long before the end of a watch its last bookmark comes (nextBookmarkTime of the watch cache)."""
_DEFAULT_WATCH_SECONDS = 1800.0
"""When a watch without a timeout ends (MinRequestTimeout); on a real server after up to twice as long."""
_BATCH = 100
"""Events that are sent at once."""
_DRA_GROUP = "resource.k8s.io"
"""Its kinds are named when they cannot be selected by a field."""
_INITIAL_EVENTS_END = {"k8s.io/initial-events-end": "true"}
"""Annotation of the bookmark behind the objects that were there when a watch began."""
_GENERIC_FIELDS = ("metadata.name", "metadata.namespace")
_PLACES = {"source": "source.component"}
"""Where fields are that have other names in selectors."""
_EXPIRED_LIST = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)

T = TypeVar("T")

WatchLine = tuple[str, Record]
"""Type of an event, and the object that it carries."""


def whole(resource: Resource, record: Record) -> bytes:
    """An object as sent: its bytes, with kind and apiVersion of the version that was asked for."""
    head = f'{{"kind":"{resource.kind}","apiVersion":"{resource.api_version}",'.encode()
    return head + bare(resource, record)[1:]


def bare(resource: Resource, record: Record) -> bytes:
    """An object without kind and apiVersion, as built-in kinds come in lists."""
    return record.body if resource.conversion is None else encode(resource.from_stored(record.value))


@dataclass(frozen=True, slots=True)
class Selection:
    """The objects of a resource that a list, a watch or a deletion of a collection is about."""

    namespace: str
    labels: LabelSelector
    fields: FieldSelector

    @classmethod
    def parse(cls, resource: Resource, namespace: str, options: ListOptions) -> "Selection":
        """Reads the selectors. Raises StatusError (400) for fields that this resource cannot be selected by."""
        stored_names = resource.conversion.stored_names if resource.conversion is not None else None
        fields = FieldSelector.parse(options.field_selector, stored_names)
        # Slices, the only selectable kind of their group, are cluster-scoped and strict about it.
        is_slice = resource.group == _DRA_GROUP and resource.rules.selectable
        known = (*(_GENERIC_FIELDS[:1] if is_slice else _GENERIC_FIELDS), *resource.rules.selectable)
        for path in fields.paths:
            if path not in known and resource.custom is False and not resource.rules.selectable:
                raise bad_request(f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"')
            if path not in known:
                kind = f" for {resource.api_version}, Kind={resource.kind}" if resource.group == _DRA_GROUP else ""
                raise bad_request(f"field label not supported{kind}: {path}")
        return cls(namespace, LabelSelector.parse(options.label_selector), fields)

    def matches(self, record: Record) -> bool:
        """Whether an object belongs to it."""
        if self.namespace and record.key.namespace != self.namespace:
            return False
        if self.labels.tests and not self.labels.matches(record.value["metadata"].get("labels") or {}):
            return False
        return not self.fields.terms or self.fields.matches(lambda path: record.field(_PLACES.get(path, path)))

    @property
    def interest(self) -> Interest:
        """What all of its objects have in common, so that a watch can sleep while others change."""
        for path, value, is_wanted in self.fields.terms:
            if is_wanted:
                return Interest(_PLACES.get(path, path), value)
        return Interest("metadata.namespace", self.namespace) if self.namespace else EVERYTHING


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list."""

    records: list[Record]
    metadata: dict[str, Any]


class Reading:
    """Reads of all resources on one store."""

    def __init__(self, store: Store, is_served: Callable[[Resource], bool], empty_metadata: Mapping[str, Any]) -> None:
        """On one store.

        Args:
            store: where the objects are.
            is_served: whether a resource is still served.
            empty_metadata: what the release writes of metadata in which nothing is set.
        """
        self._store = store
        self._is_served = is_served
        self._empty_metadata = empty_metadata
        self._epoch = _Epoch()

    def get(self, resource: Resource, key: Key) -> Record:
        """One object. Raises StatusError (404)."""
        record = self._store.collection(resource.storage_key).get(key)
        if record is None:
            raise not_found(resource.group, resource.plural, key.name)
        return record

    def size(self, resource: Resource) -> int:
        """How many objects there are."""
        return len(self._store.collection(resource.storage_key))

    def page(self, resource: Resource, selection: Selection, options: ListOptions) -> Page:
        """A page of objects, at one revision. Raises StatusError."""
        collection = self._store.collection(resource.storage_key)
        current = self._store.revisions.current
        after: Key | None = None
        if options.continue_token:
            revision, after = _read_token(options.continue_token, selection.namespace)
            if revision <= 0:
                revision = current
        else:
            asked = parse_version(options.resource_version)
            if asked > current:
                raise _too_large(asked, current)
            is_exact = options.match == "Exact" or (options.limit and asked and not options.match)
            revision = asked if is_exact else current
        records = on_loop(lambda: collection.records_at(revision, selection.namespace, after), writes=False)
        if records is None:
            raise self._gone(options, after, current, revision)
        return self._page(records, selection, options, revision)

    def _page(self, records: list[Record], selection: Selection, options: ListOptions, revision: int) -> Page:
        chosen: list[Record] = []
        metadata: dict[str, Any] = {"resourceVersion": str(revision)}
        for at, record in enumerate(records):
            if not selection.matches(record):
                continue
            if options.limit > 0 and len(chosen) == options.limit:
                metadata["continue"] = _write_token(revision, chosen[-1].key)
                if not selection.labels.tests and not selection.fields.terms:
                    metadata["remainingItemCount"] = len(records) - at
                break
            chosen.append(record)
        return Page(chosen, metadata)

    def _gone(self, options: ListOptions, after: Key | None, current: int, revision: int) -> StatusError:
        if not options.continue_token:
            return _too_old(revision, current)
        error = expired(_EXPIRED_LIST)
        error.list_metadata = {"continue": _write_token(-1, after or Key("", ""))}
        return error

    def watch(
        self, resource: Resource, selection: Selection, options: ListOptions
    ) -> AsyncGenerator[list[WatchLine], None]:
        """Changes after a resourceVersion; without one, or from 0: first the present objects. In batches as they come.

        A watch can ask for the present objects whatever its version is, and for a bookmark behind them (KEP-3157).
        Ends at the time limit, when the resource is no longer served, and with ``end_watches``.

        Raises:
            StatusError: from the call itself.

        The generator raises:
            StatusError: 410: the version is too old, or the log has gone on without this watch. A real server, too,
                accepts such a watch, and tells it as an event.
            ConnectionResetError: ``drop_watches`` was called.
        """
        collection = self._store.collection(resource.storage_key)
        current = self._store.revisions.current
        position = parse_version(options.resource_version)
        if position > current:
            raise _too_large(position, current)
        initial: list[WatchLine] = []
        begins_with_all = not position if options.initial_events is None else options.initial_events
        if begins_with_all or not position:
            position = current
        if begins_with_all:
            found = on_loop(lambda: list(collection.records(selection.namespace)), writes=False)
            initial = [("ADDED", record) for record in found if selection.matches(record)]
        if options.initial_events and options.bookmarks:
            initial.append(("BOOKMARK", self._bookmark(position, annotations=_INITIAL_EVENTS_END)))
        seconds = options.timeout_seconds or _DEFAULT_WATCH_SECONDS
        return self._follow(_Watch(resource, collection, selection, seconds, options.bookmarks), position, initial)

    async def _follow(
        self, watch: "_Watch", position: int, initial: list[WatchLine]
    ) -> AsyncGenerator[list[WatchLine], None]:
        loop, epoch, collection = asyncio.get_running_loop(), self._epoch, watch.collection
        ends_at = loop.time() + watch.seconds
        bookmark_at = _bookmark_time(loop.time(), ends_at)
        for batch in _batches(initial):
            yield batch
            await asyncio.sleep(0)
        while not epoch.is_over and self._is_served(watch.resource):
            if not collection.can_watch_from(position):
                raise _too_old(position, self._store.revisions.current)
            events = collection.events_after(position)
            position = events[-1].revision if events else position
            for some in _batches(events):
                if batch := [line for event in some if (line := _line(event, watch.selection)) is not None]:
                    yield batch
                if some[-1] is not events[-1]:
                    await asyncio.sleep(0)
            due = min(bookmark_at, ends_at) if watch.bookmarks else ends_at
            try:
                async with asyncio.timeout_at(due):
                    position = await collection.wait(position, watch.selection.interest)
            except TimeoutError:
                # A loop may call a timer a little early, by its clock's resolution: the timer counts as due.
                if due >= ends_at:
                    return
                bookmark_at = _bookmark_time(max(loop.time(), due), ends_at)
                # Events that came at the very moment when the time was over are still sent: on a busy loop that moment
                # may be seconds long. Those that are held back are passed over by no bookmark, as in a watch cache that
                # lags behind.
                if not collection.is_held and not any(
                    _line(event, watch.selection) for event in collection.events_after(position)
                ):
                    position = max(position, self._store.revisions.current)
                yield [("BOOKMARK", self._bookmark(position))]
        if epoch.is_cut:
            raise ConnectionResetError("the watch was dropped")

    def _bookmark(self, revision: int, **more: Mapping[str, str]) -> Record:
        metadata = {"resourceVersion": str(revision), **self._empty_metadata, **more}
        return Record(Key("", ""), revision, encode({"metadata": metadata}))

    def end_watches(self, *, cut: bool) -> None:
        """Ends all current watches; ``cut``: in the middle, as when the connection breaks."""
        ending, self._epoch = self._epoch, _Epoch()
        ending.is_over, ending.is_cut = True, cut
        self._store.wake()


@dataclass(slots=True)
class _Epoch:
    """The watches that began between two calls of ``end_watches``."""

    is_over: bool = False
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class _Watch:
    resource: Resource
    collection: Collection
    selection: Selection
    seconds: float
    bookmarks: bool


def _batches(lines: list[T]) -> Iterator[list[T]]:
    """Batches small enough for other tasks to run in between."""
    for start in range(0, len(lines), _BATCH):
        yield lines[start : start + _BATCH]


def _bookmark_time(now: float, ends_at: float) -> float:
    """When to send the next bookmark: in a minute, or just before the end of the watch, to be continued from there."""
    before_end = ends_at - _BOOKMARK_BEFORE_END_SECONDS
    return min(now + BOOKMARK_SECONDS, before_end) if before_end > now else now + BOOKMARK_SECONDS


def _line(event: Event, selection: Selection) -> WatchLine | None:
    """What a change is in the view of a selection: objects enter and leave it."""
    now = event.type != "DELETED" and selection.matches(event.record)
    before = event.previous is not None and selection.matches(event.previous)
    if now:
        return ("MODIFIED" if before else "ADDED"), event.record
    if not before:
        return None
    if event.type == "DELETED":
        return "DELETED", event.record
    # It has left the selection: the event has its last state inside, with the revision of the change.
    value = (event.previous or event.record).copy()
    value["metadata"]["resourceVersion"] = str(event.revision)
    return "DELETED", Record(event.record.key, event.revision, encode(value))


def _too_old(asked: int, current: int) -> StatusError:
    return expired(f"too old resource version: {asked} ({current})")


def _too_large(asked: int, current: int) -> StatusError:
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    message = f"Timeout: Too large resource version: {asked}, current: {current}"
    return StatusError(504, "Timeout", message, {"causes": [cause], "retryAfterSeconds": 1})


def _write_token(revision: int, key: Key) -> str:
    start = f"{key.namespace}/{key.name}\u0000" if key.namespace else f"{key.name}\u0000"
    token = json.dumps({"v": "meta.k8s.io/v1", "rv": revision, "start": start}, separators=(",", ":"))
    return base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


def _read_token(token: str, namespace: str) -> tuple[int, Key]:
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        fields = json.loads(text)
        revision, start = int(fields["rv"]), str(fields["start"]).rstrip("\u0000")
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise bad_request(f"invalid continue token: continue key is not valid: {error}") from error
    first, slash, rest = start.partition("/")
    key = Key(first, rest) if slash else Key("", first)
    if namespace and key.namespace and key.namespace != namespace:
        raise bad_request("invalid continue token: continue key is not valid: it is of another namespace")
    return revision, key

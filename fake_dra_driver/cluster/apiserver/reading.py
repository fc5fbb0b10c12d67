"""Reading: get, list with pages and selectors, and watch.

Follows k8s.io/apiserver/pkg/storage (continue tokens, cacher, watch cache) and endpoints/handlers/{get,watch}.go. The
bytes of an object are the ones that the store keeps: they are joined, not encoded again.
"""

import asyncio
import base64
import binascii
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fake_dra_driver.cluster.apiserver.errors import StatusError, bad_request, expired, not_found
from fake_dra_driver.cluster.apiserver.options import ListOptions, parse_version
from fake_dra_driver.cluster.apiserver.resource import Resource
from fake_dra_driver.cluster.apiserver.selectors import FieldSelector, LabelSelector
from fake_dra_driver.cluster.apiserver.store import Event, Key, Record, Store, encode

__all__ = ["Page", "Reading", "Selection", "WatchLine", "whole"]

BOOKMARK_SECONDS = 60.0
"""Between two bookmarks of a watch that asks for them (bookmarkFrequency of the watch cache)."""
_GENERIC_FIELDS = ("metadata.name", "metadata.namespace")
_TOO_OLD = "too old resource version: {asked} ({oldest})"
_EXPIRED_LIST = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)

WatchLine = tuple[str, Record]
"""Type of an event, and the object that it carries."""


def whole(resource: Resource, record: Record) -> bytes:
    """An object as sent: its bytes, with kind and apiVersion of the version that was asked for."""
    head = f'{{"kind":"{resource.kind}","apiVersion":"{resource.api_version}",'.encode()
    return head + record.body[1:]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects of a resource a list, a watch or a deletion of a collection is about."""

    namespace: str
    labels: LabelSelector
    fields: FieldSelector

    @classmethod
    def parse(cls, resource: Resource, namespace: str, options: ListOptions) -> "Selection":
        """Reads the selectors. Raises StatusError (400) for fields that this resource cannot be selected by."""
        fields = FieldSelector.parse(options.field_selector)
        known = (*_GENERIC_FIELDS, *resource.rules.selectable)
        for path in fields.paths:
            if path not in known and resource.custom is False and not resource.rules.selectable:
                raise bad_request(f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"')
            if path not in known:
                raise bad_request(f"field label not supported: {path}")
        return cls(namespace, LabelSelector.parse(options.label_selector), fields)

    def matches(self, record: Record) -> bool:
        """Whether an object belongs to it."""
        if self.namespace and record.key.namespace != self.namespace:
            return False
        if self.labels.tests and not self.labels.matches(record.value["metadata"].get("labels") or {}):
            return False
        return not self.fields.terms or self.fields.matches(lambda path: _field_value(record.value, path))


def _field_value(obj: Mapping[str, Any], path: str) -> str:
    if path == "source":
        path = "source.component"
    value: Any = obj
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    if value is None:
        return "false" if path in ("spec.unschedulable", "spec.hostNetwork") else ""
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list."""

    records: list[Record]
    metadata: dict[str, Any]


class Reading:
    """Reads of all resources on one store."""

    def __init__(self, store: Store, is_served: Callable[[Resource], bool]) -> None:
        self._store = store
        self._is_served = is_served

    def get(self, resource: Resource, key: Key) -> Record:
        """One object. Raises StatusError (404)."""
        record = self._store.collection(resource.storage_key).get(key)
        if record is None:
            raise not_found(resource.group, resource.plural, key.name)
        return record

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
        records = collection.records_at(revision, selection.namespace, after)
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
            return expired(_TOO_OLD.format(asked=revision, oldest=current))
        error = expired(_EXPIRED_LIST)
        error.list_metadata = {"continue": _write_token(-1, after or Key("", ""))}
        return error

    async def watch(
        self, resource: Resource, selection: Selection, options: ListOptions
    ) -> AsyncGenerator[WatchLine, None]:
        """Changes after a resourceVersion, or (none, or 0) what is there and then the changes.

        Ends when the resource is served no more. Raises StatusError (410), at once or, as the last thing that it does,
        when the log has gone on without this watch.
        """
        collection = self._store.collection(resource.storage_key)
        position = parse_version(options.resource_version)
        if position > self._store.revisions.current:
            raise _too_large(position, self._store.revisions.current)
        if position and collection.is_compacted(position):
            raise expired(_TOO_OLD.format(asked=position, oldest=self._store.revisions.current))
        if not position:
            position = self._store.revisions.current
            for record in list(collection.records(selection.namespace)):
                if selection.matches(record):
                    yield "ADDED", record
        loop = asyncio.get_running_loop()
        next_bookmark = loop.time() + BOOKMARK_SECONDS
        while self._is_served(resource):
            if collection.is_compacted(position):
                raise expired(_TOO_OLD.format(asked=position, oldest=self._store.revisions.current))
            for event in collection.events_after(position):
                position = event.revision
                line = _line(event, selection)
                if line is not None:
                    yield line
            try:
                async with asyncio.timeout_at(next_bookmark if options.bookmarks else None):
                    await collection.wait(position)
            except TimeoutError:
                next_bookmark = loop.time() + BOOKMARK_SECONDS
                position = max(position, self._store.revisions.current)
                yield "BOOKMARK", _bookmark(position)


def _line(event: Event, selection: Selection) -> WatchLine | None:
    """What a change is to those who see only a selection: objects come into it and leave it."""
    now = event.type != "DELETED" and selection.matches(event.record)
    before = event.previous is not None and selection.matches(event.previous)
    if now:
        return ("MODIFIED" if before else "ADDED"), event.record
    if not before:
        return None
    if event.type == "DELETED":
        return "DELETED", event.record
    # It left the selection: its last state inside, with the revision of the change.
    value = (event.previous or event.record).copy()
    value["metadata"]["resourceVersion"] = str(event.revision)
    return "DELETED", Record(event.record.key, event.revision, encode(value))


def _bookmark(revision: int) -> Record:
    metadata = {"resourceVersion": str(revision), "creationTimestamp": None}
    return Record(Key("", ""), revision, encode({"metadata": metadata}))


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

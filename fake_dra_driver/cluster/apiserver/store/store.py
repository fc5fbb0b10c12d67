"""The one store: revisioned objects, and for each resource a bounded log of what happened to it.

What etcd and the watch cache are to a real API server (k8s.io/apiserver/pkg/storage). Each write raises the store's
only revision by one, and is an event of its resource. Lists at an older revision are made by undoing later events; once
those are dropped from the log (by its bound or by ``compact``), older revisions are gone, for which clients get 410.

Objects are stored as encoded and never changed: to change one, decode a copy of it.
"""

import bisect
import json
import secrets
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal, NamedTuple

from fake_dra_driver.cluster.apiserver.store.waiters import EVERYTHING, Interest, Waiters

__all__ = ["Collection", "Event", "Key", "Object", "Record", "Revisions", "Store", "draft", "encode"]

Object = dict[str, Any]
"""An object as decoded from JSON."""
EventType = Literal["ADDED", "MODIFIED", "DELETED"]

LOG_LENGTH = 20_000
"""Most events kept for a resource. A watch that falls further behind has to list again."""
_WAKE_ALL_SHARE: Final = 4
"""After one part of so many of these events all watches are woken, so that none falls behind that sees none of them."""
_KEPT_DECODED: Final = 64
"""Of so many events the objects stay decoded: by then all watches have seen them, unless their clients are slow."""
_FALSE_IF_UNSET: Final = frozenset({"spec.unschedulable", "spec.hostNetwork"})

_NO_VERSION = f"version-{secrets.token_hex(16)}"
"""Where an encoded object has its resourceVersion until that is known; clients cannot guess it."""


class Key(NamedTuple):
    """Namespace (empty for cluster-scoped objects) and name; sorts as etcd's keys do."""

    namespace: str
    name: str


def encode(value: Any) -> bytes:
    """Compact JSON. Half a surrogate pair, which may come from a path or a header, becomes U+FFFD."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def draft(value: Object) -> bytes:
    """An object as ``Collection.put`` takes it: encoded, but for its resourceVersion."""
    value["metadata"]["resourceVersion"] = _NO_VERSION
    return encode({name: each for name, each in value.items() if name not in ("kind", "apiVersion")})


@dataclass(frozen=True)
class Record:
    """One state of one object. ``kind`` and ``apiVersion`` are not part of it: they belong to the version asked for."""

    key: Key
    revision: int
    body: bytes

    @cached_property
    def value(self) -> Object:
        """The object, decoded once and shared: read-only."""
        decoded: Object = json.loads(self.body)
        return decoded

    @cached_property
    def _fields(self) -> dict[str, str]:
        return {}

    def field(self, path: str) -> str:
        """What is at a path, as field selectors have it. Remembered, since hundreds of watches may ask for the same."""
        found = self._fields.get(path)
        if found is None:
            found = self._fields[path] = self._read_field(path)
        return found

    def _read_field(self, path: str) -> str:
        if path == "metadata.name":
            return self.key.name
        if path == "metadata.namespace":
            return self.key.namespace
        value: Any = self.value
        for name in path.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        if value is None:
            return "false" if path in _FALSE_IF_UNSET else ""
        return str(value).lower() if isinstance(value, bool) else str(value)

    def forget_value(self) -> None:
        """Gives the memory of ``value`` back; who asks for it again has it decoded again."""
        self.__dict__.pop("value", None)

    def shallow_copy(self) -> Object:
        """The object, for a caller who changes no more than members of it and of its metadata."""
        return {**self.value, "metadata": dict(self.value["metadata"])}

    def copy(self) -> Object:
        """The object, decoded for the caller alone."""
        decoded: Object = json.loads(self.body)
        return decoded


@dataclass(frozen=True, slots=True)
class Event:
    """A change. For DELETED ``record`` is the last state, with the revision of the deletion."""

    type: EventType
    record: Record
    previous: Record | None

    @property
    def revision(self) -> int:
        """The store's revision after this change."""
        return self.record.revision

    def forget_values(self) -> None:
        """Keeps the objects encoded alone."""
        self.record.forget_value()
        if self.previous is not None:
            self.previous.forget_value()

    def fields(self, path: str) -> tuple[str, ...]:
        """What is at a path, before and after it."""
        after = self.record.field(path)
        return (after,) if self.previous is None else (after, self.previous.field(path))


@dataclass(slots=True)
class Revisions:
    """The revision that all collections of a store share."""

    current: int = 1

    def next(self) -> int:
        """Raises the revision and returns it."""
        self.current += 1
        return self.current


@dataclass(eq=False)
class Collection:
    """All objects of one resource. Every method except ``wait`` is synchronous, hence atomic."""

    revisions: Revisions
    log_length: int = LOG_LENGTH
    _records: dict[Key, Record] = field(default_factory=dict)
    _keys: list[Key] = field(default_factory=list)
    # Sorted; the same keys as _records.
    _log: deque[Event] = field(default_factory=deque)
    _compacted: int = 0
    # Events up to this revision are gone.
    _watchable: int = 0
    # Watches cannot begin before this revision, though lists can be made there.
    is_held: bool = False
    """Whether events are held back from watches."""
    _waiters: Waiters = field(default_factory=Waiters)
    _unseen: int = 0
    # Events since all who wait were woken.

    def get(self, key: Key) -> Record | None:
        """The object as it is now."""
        return self._records.get(key)

    def __len__(self) -> int:
        return len(self._keys)

    def records(self, namespace: str = "", after: Key | None = None) -> Iterator[Record]:
        """All objects, or those of a namespace, sorted by key, beginning behind ``after``."""
        start = bisect.bisect_right(self._keys, after) if after else bisect.bisect_left(self._keys, Key(namespace, ""))
        for key in self._keys[start:]:
            if namespace and key.namespace != namespace:
                return
            yield self._records[key]

    def records_at(self, revision: int, namespace: str = "", after: Key | None = None) -> list[Record] | None:
        """The objects as they were at an older revision, sorted by key; None when that is compacted away."""
        if revision >= self.revisions.current or not self._log or self._log[-1].revision <= revision:
            return list(self.records(namespace, after)) if revision >= self._compacted else None
        if revision < self._compacted:
            return None
        state = dict(self._records)
        for event in reversed(self._log):
            if event.revision <= revision:
                break
            if event.previous is None:
                del state[event.record.key]
            else:
                state[event.record.key] = event.previous
        keys = sorted(key for key in state if not namespace or key.namespace == namespace)
        return [state[key] for key in keys if after is None or key > after]

    def put(self, key: Key, value: Object | bytes) -> Record:
        """Writes an object, or a draft of one, at a new revision. Does not compare it with the present one."""
        drafted = value if isinstance(value, bytes) else draft(value)
        previous = self._records.get(key)
        revision = self.revisions.next()
        body = drafted.replace(_NO_VERSION.encode(), str(revision).encode(), 1)
        record = Record(key, revision, body)
        if previous is None:
            bisect.insort(self._keys, key)
        self._records[key] = record
        self._append(Event("MODIFIED" if previous else "ADDED", record, previous))
        return record

    def remove(self, key: Key, last: Object | None = None) -> Record:
        """Removes an object; ``last`` is its last state if that differs from what is stored."""
        previous = self._records.pop(key)
        del self._keys[bisect.bisect_left(self._keys, key)]
        value = previous.shallow_copy() if last is None else last
        revision = self.revisions.next()
        value["metadata"]["resourceVersion"] = str(revision)
        body = encode({name: each for name, each in value.items() if name not in ("kind", "apiVersion")})
        record = Record(key, revision, body)
        self._append(Event("DELETED", record, previous))
        return record

    def compact(self) -> None:
        """Drops the log: all earlier revisions are gone."""
        self._log.clear()
        self._compacted = self.revisions.current

    def restart(self) -> None:
        """Simulates a new process: watches cannot start before it, but lists at earlier revisions still can be made."""
        self._watchable = self.revisions.current

    def can_watch_from(self, revision: int) -> bool:
        """Whether all events after ``revision`` are there."""
        return revision >= max(self._compacted, self._watchable)

    def events_after(self, revision: int) -> list[Event]:
        """The events for a watch from ``revision`` on, where it must be able to begin."""
        events: list[Event] = []
        if self.is_held:
            return events
        for event in reversed(self._log):
            if event.revision <= revision:
                break
            events.append(event)
        events.reverse()
        return events

    async def wait(self, revision: int, interest: Interest = EVERYTHING) -> int:
        """Returns once there are events after ``revision``, or the collection was compacted or woken.

        Args:
            revision: the last that is known.
            interest: other events may be passed over.

        Returns:
            After which revision to look for events: ``revision``, or a later one, with nothing of interest before it.
        """
        if not self.is_held and self._log and self._log[-1].revision > revision:
            return revision
        with self._waiters.waiting(interest) as waiter:
            return max(revision, await waiter)

    def wake(self) -> None:
        """Wakes all who wait."""
        self._waiters.wake_all(0)

    def _append(self, event: Event) -> None:
        self._log.append(event)
        if len(self._log) > self.log_length:
            self._compacted = self._log.popleft().revision
        if len(self._log) > _KEPT_DECODED:
            self._log[-_KEPT_DECODED].forget_values()
        self._waiters.wake(event.fields, 0 if self.is_held else event.revision - 1)
        self._unseen += 1
        if self._unseen * _WAKE_ALL_SHARE >= self.log_length:
            self._unseen = 0
            self._waiters.wake_all(0 if self.is_held else event.revision)


class Store:
    """All collections, by group and plural, on one revision."""

    def __init__(self, log_length: int = LOG_LENGTH) -> None:
        self.revisions = Revisions()
        self._log_length = log_length
        self._compacted = 0
        self._collections: dict[tuple[str, str], Collection] = {}

    def collection(self, key: tuple[str, str]) -> Collection:
        """The collection of a resource; an empty one if nothing was written yet."""
        found = self._collections.get(key)
        if found is None:
            made = Collection(self.revisions, self._log_length, _compacted=self._compacted)
            # Two threads may be here at once, and are to get the same one.
            found = self._collections.setdefault(key, made)
        return found

    def compact(self) -> None:
        """Drops all history: lists and watches from any older version get 410 from now on."""
        self._compacted = self.revisions.current
        for collection in self._collections.values():
            collection.compact()
            collection.wake()

    def restart(self) -> None:
        """Simulates a restart: watches from before it cannot continue."""
        for collection in self._collections.values():
            collection.restart()

    def wake(self) -> None:
        """Wakes all who wait for any collection."""
        for collection in self._collections.values():
            collection.wake()

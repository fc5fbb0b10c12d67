"""The objects of one informer, in memory: never older than what was already seen, whichever way it came.

Three sources feed a store: lists, watch events, and the answers to our own writes. An answer is often here before its
watch event, sometimes long after it, even after the event that says that the object is gone. The rules that make every
order come out right (client-go's ThreadSafeStore and DeltaFIFO, and what MutationCache of the DRA library was for):

- ``version``: lists and events have told everything up to it. An answer at or below it brings nothing new: if the
  object is not there as the answer shows it, that is because it has changed or gone since.
- Otherwise, of two states of an object (of one UID) the one with the higher resourceVersion counts; of two objects with
  one name as well, for a kind's resourceVersions come from one counter.
- A list removes what it does not name, unless our own write put it there after the list was made.
- A UID that our own delete has removed is never seen again, in whatever list or event that was on its way.

Pure: no I/O, no clock, no locks. Each change of state is returned as ``Change``s, in order.
"""

import bisect
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from loguru import logger

from fake_dra_driver.api.kube.meta import UID, KubeObject, NamespacedName

__all__ = ["Change", "Entry", "IndexFunction", "Store"]

log = logger.bind(component="cache")

K = TypeVar("K", bound=KubeObject)
IndexFunction = Callable[[K], Iterable[str]]

_MAX_TOMBSTONES = 10_000
"""Deleted UIDs that are remembered, the latest ones: about 2 MB. An older one can be mistaken for never seen."""


@dataclass(frozen=True, slots=True)
class Change(Generic[K]):
    """An object was added (``old`` is None), changed, or removed (``new`` is None).

    An object that the model refuses counts as None on its side, so both can be None. A successor of the same name is
    two changes: the old one removed, the new one added.
    """

    key: NamespacedName
    old: K | None
    new: K | None


@dataclass(frozen=True, slots=True)
class Entry(Generic[K]):
    """One state of one object."""

    key: NamespacedName
    uid: UID
    version: int
    """resourceVersion as a number."""
    object: K | None
    """None: the model refuses it."""
    metadata: Mapping[str, Any] | None = None
    """As sent; kept for refused objects alone."""
    problems: tuple[str, ...] = ()


@dataclass(slots=True)
class _Index(Generic[K]):
    function: IndexFunction[K]
    keys: dict[str, set[NamespacedName]] = field(default_factory=dict)
    """Keys by value; no set is ever empty."""
    values: dict[NamespacedName, tuple[str, ...]] = field(default_factory=dict)


class Store(Generic[K]):
    """Objects by key, by UID and by index. Use from one thread, never in the middle of an iteration."""

    def __init__(self) -> None:
        self.version = 0
        """resourceVersion up to which lists and events have told everything."""
        self.index_errors = 0
        """Calls of index functions that raised."""
        self._entries: dict[NamespacedName, Entry[K]] = {}
        self._order: list[tuple[str, str]] = []
        # Namespace and name of each entry, sorted. Tuples, because they compare in C.
        self._keys_by_uid: dict[UID, NamespacedName] = {}
        self._indexes: dict[str, _Index[K]] = {}
        self._tombstones: OrderedDict[UID, bool] = OrderedDict()
        # UIDs that were here and are deleted, the latest last. True: by our own delete, so for good. False: seen as
        # deleted, which for an informer with a selector may also mean that the object does not match any more.

    # --- reads ---

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: NamespacedName) -> Entry[K] | None:
        """The entry of that key."""
        return self._entries.get(key)

    def by_uid(self, uid: UID) -> Entry[K] | None:
        """The entry of that UID."""
        key = self._keys_by_uid.get(uid)
        return None if key is None else self._entries[key]

    def was_deleted(self, uid: UID) -> bool:
        """Whether the object of that UID was here and is deleted. False for one never seen, and for very old ones."""
        return uid in self._tombstones

    def entries(self, namespace: str | None = None) -> Iterator[Entry[K]]:
        """All entries (of a namespace), sorted by key."""
        first, last = 0, len(self._order)
        if namespace is not None:
            first = bisect.bisect_left(self._order, (namespace, ""))
            last = bisect.bisect_left(self._order, (namespace + "\0", ""), lo=first)
        return (self._entries[NamespacedName(*name)] for name in self._order[first:last])

    def by_index(self, name: str, value: str) -> Sequence[Entry[K]]:
        """The entries for which the index function gives ``value``, sorted by key. Raises KeyError: no such index."""
        keys = self._indexes[name].keys.get(value, ())
        return [self._entries[key] for key in sorted(keys)]

    def add_index(self, name: str, function: IndexFunction[K]) -> None:
        """Adds an index, over the objects that are here as well. The same name and function again change nothing.

        Raises:
            ValueError: there is an index of that name with another function.
        """
        if name in self._indexes:
            if self._indexes[name].function != function:
                raise ValueError(f"there is already an index {name} with another function")
            return
        index = self._indexes[name] = _Index(function)
        for entry in self._entries.values():
            self._index(name, index, entry)

    # --- changes ---

    def replace(self, listed: Sequence[Entry[K]], version: int) -> list[Change[K]]:
        """Takes over a list: what it names, and that everything else up to ``version`` is gone."""
        changes: list[Change[K]] = []
        named = {entry.uid for entry in listed}
        for entry in list(self._entries.values()):
            if entry.uid not in named and entry.version <= version:
                changes += self._remove(entry.uid, for_good=False)
        for entry in listed:
            changes += self._merge(entry)
        self.version = version
        return changes

    def reset(self) -> None:
        """Forgets which state is newer than which, for a server whose history has gone back; the objects stay.

        To be followed by ``replace``: whatever the list says then replaces the entries.
        """
        self.version = 0
        self._tombstones.clear()
        for key, entry in self._entries.items():
            self._entries[key] = Entry(key, entry.uid, 0, entry.object, entry.metadata, entry.problems)

    def apply(self, entry: Entry[K]) -> list[Change[K]]:
        """Takes over an ADDED or MODIFIED event."""
        self.version = max(self.version, entry.version)
        return self._merge(entry)

    def apply_delete(self, entry: Entry[K]) -> list[Change[K]]:
        """Takes over a DELETED event."""
        self.version = max(self.version, entry.version)
        return self._remove(entry.uid, for_good=False)

    def advance(self, version: int) -> None:
        """Takes over a bookmark: nothing happened up to ``version`` that was not told."""
        self.version = max(self.version, version)

    def observe(self, entry: Entry[K]) -> list[Change[K]]:
        """Takes over the answer to a write of ours, unless lists and events are past it."""
        return self._merge(entry) if entry.version > self.version else []

    def observe_delete(self, uid: UID) -> list[Change[K]]:
        """Takes over that a delete of ours has removed an object."""
        return self._remove(uid, for_good=True)

    def _merge(self, entry: Entry[K]) -> list[Change[K]]:
        """Puts an entry in its place, unless what is there is newer or the object is gone for good."""
        if self._tombstones.get(entry.uid):
            return []
        current = self._entries.get(entry.key)
        if current is not None and current.version >= entry.version:
            return []
        changes: list[Change[K]] = []
        if self._keys_by_uid.get(entry.uid, entry.key) != entry.key:
            # No object changes its name. What a server says that does is one object, and not two, of which one stays.
            changes += self._remove(entry.uid, for_good=False)
        if current is not None and current.uid != entry.uid:
            changes += self._remove(current.uid, for_good=False)
            current = None
        self._tombstones.pop(entry.uid, None)
        self._entries[entry.key] = entry
        self._keys_by_uid[entry.uid] = entry.key
        if current is None:
            bisect.insort(self._order, (entry.key.namespace, entry.key.name))
        for name, index in self._indexes.items():
            self._index(name, index, entry)
        return [*changes, Change(entry.key, current.object if current else None, entry.object)]

    def _remove(self, uid: UID, *, for_good: bool) -> list[Change[K]]:
        """Takes an object out, if it is here, and remembers that it was deleted."""
        self._tombstones[uid] = for_good or self._tombstones.get(uid, False)
        self._tombstones.move_to_end(uid)
        while len(self._tombstones) > _MAX_TOMBSTONES:
            self._tombstones.popitem(last=False)
        key = self._keys_by_uid.pop(uid, None)
        if key is None:
            return []
        entry = self._entries.pop(key)
        del self._order[bisect.bisect_left(self._order, (key.namespace, key.name))]
        for index in self._indexes.values():
            _forget(index, key)
        return [Change(key, entry.object, None)]

    def _index(self, name: str, index: _Index[K], entry: Entry[K]) -> None:
        """Files an entry under its values. A function that raises leaves the object out of its index."""
        values = self._values(name, index, entry)
        if index.values.get(entry.key, ()) == values:
            return  # most changes of an object are of something else
        _forget(index, entry.key)
        if values:
            index.values[entry.key] = values
        for value in values:
            index.keys.setdefault(value, set()).add(entry.key)

    def _values(self, name: str, index: _Index[K], entry: Entry[K]) -> tuple[str, ...]:
        if entry.object is None:
            return ()
        try:
            return tuple(index.function(entry.object))
        except Exception:  # a caller's function must not end the watch that called it
            self.index_errors += 1
            log.exception("Index function failed, the object is not in that index", index=name, object=str(entry.key))
            return ()


def _forget(index: _Index[K], key: NamespacedName) -> None:
    for value in index.values.pop(key, ()):
        keys = index.keys.get(value)
        if keys is not None:
            keys.discard(key)
            if not keys:
                del index.keys[value]

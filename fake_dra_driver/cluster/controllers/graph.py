"""Which object owns which, over all kinds: what the garbage collector decides on.

Follows k8s.io/kubernetes/pkg/controller/garbagecollector (graph_builder.go). Fed by the informers' handlers; pure.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fake_dra_driver.api.kube.meta import UID, KubeObject, NamespacedName, OwnerReference
from fake_dra_driver.runtime.store import Change

__all__ = ["FOREGROUND", "ORPHAN", "Graph", "Item"]

FOREGROUND: Final = "foregroundDeletion"
"""Finalizer of an object that goes once its blocking dependents are gone."""
ORPHAN: Final = "orphan"
"""Finalizer of an object that goes once its dependents no longer name it as their owner."""


@dataclass(frozen=True, slots=True)
class Item:
    """One object."""

    kind: type[KubeObject]
    key: NamespacedName
    uid: UID
    version: str
    owners: tuple[OwnerReference, ...]
    finalizers: tuple[str, ...]
    is_deleting: bool

    @classmethod
    def of(cls, kind: type[KubeObject], obj: KubeObject) -> "Item":
        """Picks what matters here of an object."""
        metadata = obj.metadata
        return cls(
            kind,
            obj.key,
            obj.uid,
            metadata.resource_version,
            metadata.owner_references,
            metadata.finalizers,
            obj.is_deleting,
        )

    @property
    def waits_for_dependents(self) -> bool:
        """Whether it is being deleted, after its dependents."""
        return self.is_deleting and FOREGROUND in self.finalizers

    @property
    def lets_dependents_go(self) -> bool:
        """Whether it is being deleted, without its dependents."""
        return self.is_deleting and ORPHAN in self.finalizers

    def may_own(self, other: "Item") -> bool:
        """Whether the other object may have it as an owner: not across namespaces."""
        return self.key.namespace in ("", other.key.namespace)

    def blocks(self, owner: UID) -> bool:
        """Whether a foreground deletion of the owner waits for this object."""
        return any(each.uid == owner and each.block_owner_deletion for each in self.owners)


class Graph:
    """All objects that own or are owned."""

    def __init__(self) -> None:
        self._items: dict[UID, Item] = {}
        self._dependents: dict[UID, dict[UID, None]] = {}
        """UIDs of the objects that name an owner, by its UID, in order of arrival. No dict is empty."""

    def get(self, uid: UID) -> Item | None:
        """The object of that UID."""
        return self._items.get(uid)

    def dependents(self, uid: UID) -> Sequence[Item]:
        """The objects that name that one as their owner."""
        return [self._items[each] for each in self._dependents.get(uid, ())]

    def change(self, kind: type[KubeObject], change: Change[Any]) -> Iterator[UID]:
        """Takes in a change. Returns the UIDs of the objects to look at because of it."""
        old = self._items.get(change.old.uid) if change.old is not None else None
        if change.new is None:
            if old is not None:
                self._remove(old)
                yield from self._after_removal(old)
            return
        new = Item.of(kind, change.new)
        if old is not None:
            self._remove(old)
        self._add(new)
        if new.waits_for_dependents or new.lets_dependents_go or self._may_be_garbage(new):
            yield new.uid
        if new.waits_for_dependents and (old is None or not old.waits_for_dependents):
            yield from self._dependents.get(new.uid, ())
        if old is not None:
            yield from self._waiting_owners(old)

    def _after_removal(self, old: Item) -> Iterator[UID]:
        yield from self._dependents.get(old.uid, ())
        yield from self._waiting_owners(old)

    def _waiting_owners(self, item: Item) -> Iterator[UID]:
        for owner in item.owners:
            found = self._items.get(owner.uid)
            if found is not None and found.waits_for_dependents:
                yield found.uid

    def _may_be_garbage(self, item: Item) -> bool:
        """Whether one of its owners is missing, being deleted, or not allowed to own it."""
        owners = [self._items.get(each.uid) for each in item.owners]
        return any(owner is None or owner.waits_for_dependents or not owner.may_own(item) for owner in owners)

    def _add(self, item: Item) -> None:
        self._items[item.uid] = item
        for owner in item.owners:
            self._dependents.setdefault(owner.uid, {})[item.uid] = None

    def _remove(self, item: Item) -> None:
        del self._items[item.uid]
        for owner in item.owners:
            dependents = self._dependents.get(owner.uid, {})
            dependents.pop(item.uid, None)
            if not dependents:
                self._dependents.pop(owner.uid, None)

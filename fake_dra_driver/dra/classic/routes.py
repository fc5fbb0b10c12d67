"""From a change of a ledger, a claim or a node to the claims, pods and ledgers that have to be looked at again.

The scheduler comes back to a pod that was refused only after its back-off, so it is told early which nodes have room,
and which have none any more.
"""

from collections.abc import Iterable, Mapping, Set
from typing import Any, Generic, TypeVar

from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import UID, KubeObject, NamespacedName
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.dra.classic.allocation import Allocator
from fake_dra_driver.dra.classic.caches import ClassicCaches, refused_nodes
from fake_dra_driver.dra.classic.ledger import Ledger
from fake_dra_driver.dra.classic.repair import LedgerReconciler
from fake_dra_driver.dra.nodestate.sharing import Room
from fake_dra_driver.dra.nodeusable import unusable_reason
from fake_dra_driver.runtime.cache import Change

__all__ = ["Routes"]

StateT = TypeVar("StateT", bound=KubeObject)


class Routes(Generic[StateT]):
    """Which keys a change leads to."""

    def __init__(
        self,
        allocator: Allocator[Any, StateT, Any, Any],
        ledger: Ledger[StateT, Any],
        caches: ClassicCaches,
        repair: LedgerReconciler[StateT, Any],
    ) -> None:
        self._allocator = allocator
        self._ledger = ledger
        self._caches = caches
        self._repair = repair
        self._last_rooms: tuple[Change[StateT], Room, Room] | None = None
        """The answer of ``_rooms`` for the latest change."""

    def claims_of_ledger(self, change: Change[StateT]) -> Iterable[NamespacedName]:
        """Claims whose entry came or went, and those that waited for room."""
        before, after = self._entries(change.old), self._entries(change.new)
        claims = [self._caches.claim_of(UID(uid)) for uid in before.keys() ^ after.keys()]
        keys = [claim.key for claim in claims if claim is not None]
        had, has = self._rooms(change)
        if has.has_gained(had):
            keys += self._caches.waiting_immediate_claims()
        return keys

    def contexts_of_ledger(self, change: Change[StateT]) -> Iterable[NamespacedName]:
        """Pods that wait for room on the node when it has some now, and pods that may pick it when it has none."""
        node = change.key.name
        had, has = self._rooms(change)
        if has.has_gained(had):
            return [context.key for context in self._caches.contexts_on_node(node)]
        if has.is_empty and not had.is_empty:
            contexts = self._caches.contexts_on_node(node)
            return [context.key for context in contexts if node not in refused_nodes(context)]
        return []

    def claims_of_node(self, change: Change[Node]) -> Iterable[NamespacedName]:
        """The claims that are allocated on a node that is gone, and those that wait when one can run pods now."""
        keys = []
        if change.new is None:
            keys += [claim.key for claim in self._caches.claims_on_node(change.key.name)]
        elif unusable_reason(change.new) is None and unusable_reason(change.old) is not None:
            # What could not be read counts as gone here, which costs a pass too many at most.
            keys += self._caches.waiting_immediate_claims()
        return keys

    def claims_after_unrecorded(self, change: Change[ResourceClaim]) -> Iterable[NamespacedName]:
        """Claims that waited for devices of a claim that was not on record, so that no record changes with its end."""
        return self._caches.waiting_immediate_claims() if self._left_unrecorded(change) else []

    def contexts_after_unrecorded(self, change: Change[ResourceClaim]) -> Iterable[NamespacedName]:
        """Pods that waited for such devices."""
        node = self._left_unrecorded(change)
        return [] if node is None else [context.key for context in self._caches.contexts_on_node(node)]

    def ledgers_of_claim(self, change: Change[ResourceClaim]) -> Iterable[NamespacedName]:
        """The ledgers that have to agree with the claim: where it is allocated now, or was before it went."""
        before = None if change.old is None else self._caches.node_of(change.old)
        after = None if change.new is None else self._caches.node_of(change.new)
        nodes = set[str]() if after is None or after == before else {after}
        if change.new is None and change.old is not None:
            nodes.update(self._ledger.nodes_of(change.old.uid))
        return [NamespacedName(self._ledger.namespace, node) for node in sorted(nodes)]

    def may_need_repair(self, change: Change[StateT]) -> bool:
        """Whether the ledger has changed; or the node has ended a claim that is gone, so that its entry can go; or a
        claim of the node could not be restored, and the object may say by now what it holds."""
        if change.new is None:
            return False
        entries_changed = change.old is None or self._entries(change.old) != self._entries(change.new)
        return (
            entries_changed
            or self._repair.may_have_disputes(change.key.name)
            or any(not self._repair.is_known(UID(uid)) for uid in self._ended(change))
        )

    def _ended(self, change: Change[StateT]) -> Set[str]:
        """The claims on record that were prepared before the change, and are not after it."""
        if change.old is None or change.new is None:
            return frozenset()
        before, after = (self._ledger.layout.prepared_of(state).keys() for state in (change.old, change.new))
        return (before - after) & self._entries(change.new).keys()

    def _left_unrecorded(self, change: Change[ResourceClaim]) -> str | None:
        """The node that a claim has let go of without being on record there, or with other devices."""
        before = None if change.old is None else self._allocator.claimed_devices(change.old)
        if change.old is None or before is None:
            return None
        node, had = before
        after = None if change.new is None else self._allocator.claimed_devices(change.new)
        has = after[1] if after is not None and after[0] == node else {}
        left = {key: share for key, share in had.items() if key not in has or has[key] != share}
        if not left:
            return None
        entry = self._ledger.entries_of(change.old.uid).get(node)
        recorded = {} if entry is None else self._ledger.layout.holding_of(entry)
        return node if any(key not in recorded or recorded[key] != left[key] for key in left) else None

    def _entries(self, state: StateT | None) -> Mapping[str, object]:
        return {} if state is None else self._ledger.layout.entries_of(state)

    def _rooms(self, change: Change[StateT]) -> tuple[Room, Room]:
        """What was free before the change, and what is after it."""
        if self._last_rooms is None or self._last_rooms[0] is not change:  # each change is asked about more than once
            had, has = (
                Room() if state is None else self._allocator.room_on(state) for state in (change.old, change.new)
            )
            self._last_rooms = change, had, has
        return self._last_rooms[1:]

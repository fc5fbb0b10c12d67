"""The ledger: which claim holds which devices, in one object for each node.

What may be written when is for ``ledgerchange`` to say, which keeps the rules about it of ``protocol``; here it is
carried out. A compare-and-swap is a JSON patch with ``test`` operations, on a revision (an annotation) and on the value
of all entries, so that other writers of the same object do not make it fail.

Writes are group commits: all claims that wait for a node while a write to it is in flight share the next one.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Final, Generic, Literal, Protocol, TypeVar

from loguru import logger

from fake_dra_driver.api.kube.meta import UID, ApiModel, KubeObject, NamespacedName
from fake_dra_driver.dra.classic.ledgerchange import (
    LedgerChange,
    LedgerChangedError,
    LedgerMemory,
    LedgerState,
    plan,
)
from fake_dra_driver.dra.classic.protocol import Marks
from fake_dra_driver.dra.nodestate.ledgerlayout import LedgerLayout
from fake_dra_driver.groupcommit import GroupCommit, Pending
from fake_dra_driver.runtime import patch
from fake_dra_driver.runtime.cache import Change, Informer
from fake_dra_driver.runtime.errors import NotFoundError, PatchTestFailedError
from fake_dra_driver.runtime.patch import Operation

__all__ = ["Ledger", "LedgerChangedError", "LedgerClient", "LedgerObserver", "WriteResult"]

ENTRIES_BY_CLAIM: Final = "claim"
"""Index of the cache of the ledgers' objects: the claims that have an entry."""
MAX_WRITES_PER_BATCH: Final = 4
"""How often a batch is tried when others keep changing the ledger in between; after that its callers start again."""

log = logger.bind(component="ledger")

K = TypeVar("K", bound=KubeObject)
StateT = TypeVar("StateT", bound=KubeObject)
EntryT = TypeVar("EntryT")
Batch = Sequence[Pending[LedgerChange[EntryT]]]

WriteResult = Literal["written", "conflict", "failed"]
LedgerObserver = Callable[[WriteResult, int], None]
"""Is told of each request that writes a ledger: what became of it, and how many changes it carried."""


class LedgerClient(Protocol):
    """What the ledger needs of ``runtime.client.Client``."""

    async def get(self, kind: type[K], key: NamespacedName) -> K:
        """Reads the object from the API server."""
        ...

    async def json_patch(self, kind: type[K], key: NamespacedName, operations: Sequence[Operation]) -> K:
        """Applies a JSON patch (RFC 6902) as a whole or not at all."""
        ...


class _Node(Generic[EntryT]):
    """The ledger of one node."""

    def __init__(self, write: Callable[[Batch[EntryT]], Awaitable[None]], newest_mark: int) -> None:
        self.writes = GroupCommit(write)
        self.memory: LedgerMemory[EntryT] = LedgerMemory(newest_mark + 1)


class Ledger(Generic[StateT, EntryT]):
    """Reads and writes the ledgers of all nodes. Safe to use concurrently; one instance in a process.

    Args:
        layout: how the objects carry it.
        client: for the writes.
        states: the cache of the objects; it must see this client's own writes at once (``runtime.cache``).
        namespace: the driver's namespace, in which the objects are.
        observer: for metrics.
    """

    def __init__(
        self,
        layout: LedgerLayout[StateT, EntryT],
        client: LedgerClient,
        states: Informer[StateT],
        namespace: str,
        observer: LedgerObserver = lambda _result, _changes: None,
    ) -> None:
        self.layout = layout
        self.informer = states
        self._client = client
        self.namespace = namespace
        self._observer = observer
        self._nodes: dict[str, _Node[EntryT]] = {}
        self._newest_mark = 0
        """Greatest mark of the nodes that were forgotten: a node that comes back must not have one of those again."""
        states.add_index(ENTRIES_BY_CLAIM, layout.entries_of)
        states.subscribe(self._forget_gone)

    def state(self, node: str) -> StateT | None:
        """The node's object as the cache has it. Raises InvalidObjectError when it cannot be read."""
        return self.informer.get(NamespacedName(self.namespace, node))

    def states(self) -> Sequence[StateT]:
        """The objects of all nodes, by name."""
        return self.informer.list(self.namespace)

    def nodes_of(self, uid: UID) -> Sequence[str]:
        """The nodes whose ledger has an entry for the claim: more than one only after a stop at a bad moment."""
        return [state.metadata.name for state in self.informer.by_index(ENTRIES_BY_CLAIM, uid)]

    def entries_of(self, uid: UID) -> Mapping[str, EntryT]:
        """What is on record for the claim, by node."""
        states = self.informer.by_index(ENTRIES_BY_CLAIM, uid)
        return {state.metadata.name: self.layout.entries_of(state)[uid] for state in states}

    def mark(self, node: str) -> int:
        """What a removal has to name: make it before the claim is fenced."""
        ledger = self._node(node)
        # While a write is in flight the cache may already show its result, which must not be taken for a foreign
        # change. The mark is then older than it could be, which can only make a removal start again.
        if ledger.writes.is_idle and (state := self.state(node)) is not None:
            ledger.memory.see(self._seen(state))
        return ledger.memory.foreign_changes

    def marks(self, nodes: Sequence[str]) -> Marks:
        """The mark of each of the nodes."""
        return {node: self.mark(node) for node in nodes}

    async def put(self, node: str, entries: Mapping[UID, EntryT]) -> None:
        """Writes down that these claims hold these devices. Returns when that is durable; all entries or none.

        An entry that is there with the same devices is written again, which raises the revision. Replacing it by other
        devices is refused: the old ones would become free without a fence.

        Raises:
            LedgerChangedError: one of the devices is no longer free, or others kept changing the ledger.
            ApiError, DeadlineError, TransportError: the write failed, or its outcome is unknown.
        """
        await self._node(node).writes.commit(LedgerChange(entries))

    async def correct(self, node: str, uid: UID, entry: EntryT, mark: int) -> None:
        """Writes down what an allocated claim has, whatever is there for it.

        Raises:
            LedgerChangedError: the mark is void and there is an entry, or another claim is on record for a device.
            ApiError, DeadlineError, TransportError: the write failed, or its outcome is unknown.
        """
        await self._node(node).writes.commit(LedgerChange({uid: entry}, mark))

    async def remove(self, node: str, uid: UID, mark: int | None) -> None:
        """Takes the claim's entry out, where there is one. ``mark`` is None only for a claim that no longer exists.

        Raises:
            LedgerChangedError: the mark is void.
            ApiError, DeadlineError, TransportError: the write failed, or its outcome is unknown.
        """
        await self._node(node).writes.commit(LedgerChange({uid: None}, mark))

    async def forget(self, uid: UID, nodes: Sequence[str], marks: Marks | None) -> None:
        """Takes the claim's entries on ``nodes`` out, one after the other. Without marks: the claim no longer exists.

        Raises as ``remove``.
        """
        for node in nodes:
            await self.remove(node, uid, None if marks is None else marks[node])

    def _node(self, node: str) -> _Node[EntryT]:
        if node not in self._nodes:
            self._nodes[node] = _Node(partial(self._write, node), self._newest_mark)
        return self._nodes[node]

    def _forget_gone(self, change: Change[StateT]) -> None:
        """Nodes come and go under ever new names; what is remembered of one goes with its object."""
        ledger = self._nodes.get(change.key.name)
        if change.new is None and ledger is not None and ledger.writes.is_idle:
            self._newest_mark = max(self._newest_mark, ledger.memory.foreign_changes)
            del self._nodes[change.key.name]

    def _seen(self, state: StateT) -> LedgerState[EntryT]:
        revision = state.metadata.annotations.get(self.layout.revision_annotation)
        return LedgerState(state.uid, revision, self.layout.entries_of(state))

    async def _write(self, node: str, batch: Batch[EntryT]) -> None:
        """Makes the changes of a batch, or raises why none could be made; some are settled with errors of their own."""
        key = NamespacedName(self.namespace, node)
        try:
            for _ in range(MAX_WRITES_PER_BATCH):
                if await self._try(key, self._node(node).memory, batch):
                    return
        except NotFoundError:
            await self._learn_what_is_there(key)
            self._settle_without_ledger(key, batch)
            return
        raise LedgerChangedError(f"the ledger of node {node} changed {MAX_WRITES_PER_BATCH} times during one write")

    async def _try(self, key: NamespacedName, memory: LedgerMemory[EntryT], batch: Batch[EntryT]) -> bool:
        """Whether what was left to do of the batch is done. If not, the cache shows what another writer has written.

        Raises:
            NotFoundError: the node's object is gone.
            ApiError, DeadlineError, TransportError: as the API calls.
        """
        state = self.state(key.name)
        if state is None:
            self._settle_without_ledger(key, batch)
            return True
        seen = self._seen(state)
        memory.see(seen)
        wanted = plan(
            key.name,
            seen.entries,
            _unsettled(batch),
            memory.foreign_changes,
            self.layout.holding_of,
            self.layout.capacities_of(state),
        )
        if wanted is None:
            return True
        changes = _unsettled(batch)
        uids = [uid for pending in changes for uid in pending.change.entries]
        try:
            written = await self._swap(key, self._operations(state, seen, wanted), len(changes))
        except PatchTestFailedError:
            log.debug("Ledger changed under a write", node=key.name, claim_uids=uids)
            memory.known = None
            self.informer.observe((await self._client.get(self.layout.kind, key)).to_wire())
            return False
        memory.known = self._seen(written)
        log.debug("Ledger written", node=key.name, claim_uids=uids)
        return True

    async def _swap(self, key: NamespacedName, operations: Sequence[Operation], changes: int) -> StateT:
        """One compare-and-swap, which carries so many changes. Raises as the client does."""
        result: WriteResult = "failed"
        try:
            written = await self._client.json_patch(self.layout.kind, key, operations)
            result = "written"
        except PatchTestFailedError:
            result = "conflict"
            raise
        finally:
            self._observer(result, changes)
        return written

    async def _learn_what_is_there(self, key: NamespacedName) -> None:
        """Has the cache know that a node's object is gone, which the watch may tell much later.

        Until then its entries would still be seen, and a claim that cannot use its entry there be released from it in
        an endless loop. A second request decides it: what is removed here does not come back under that UID.
        """
        known = self.state(key.name)
        try:
            found = await self._client.get(self.layout.kind, key)
        except NotFoundError:
            if known is not None:
                self.informer.observe_delete(known.uid)
        else:
            self.informer.observe(found.to_wire())

    def _settle_without_ledger(self, key: NamespacedName, batch: Batch[EntryT]) -> None:
        """The node's object is gone, and every entry with it: removals are done, entries cannot be made."""
        for pending in _unsettled(batch):
            is_removal = all(entry is None for entry in pending.change.entries.values())
            message = f"there is no {self.layout.kind.resource.kind} {key}: is the node's kubelet plugin running?"
            pending.settle(None if is_removal else LedgerChangedError(message))

    def _operations(
        self, state: StateT, seen: LedgerState[EntryT], wanted: Mapping[str, EntryT]
    ) -> Sequence[Operation]:
        """The compare-and-swap as a JSON patch."""
        layout = self.layout
        annotations = {
            layout.revision_annotation: str(_number(seen.revision) + 1),
            **layout.annotations_of(state, wanted),
        }
        *parents, path = (patch.pointer(*layout.path[: depth + 1]) for depth in range(len(layout.path)))
        present = _present(state, layout.path)
        operations = [
            patch.test("/metadata/uid", seen.uid),
            *patch.annotate(state.metadata.annotations, annotations, tested=[layout.revision_annotation]),
        ]
        if present == len(layout.path):
            operations.append(patch.test(path, self._wire(seen.entries)))
        else:
            # What is missing must be missing still: it would be replaced otherwise, with whatever is in it by now.
            operations.append(patch.test([*parents, path][present], None))
            operations += [patch.add(parent, {}) for parent in parents[present:]]
        if wanted:
            operations.append(patch.add(path, self._wire(wanted)))
        elif present == len(layout.path):
            operations.append(patch.remove(path))
        return operations

    def _wire(self, entries: Mapping[str, EntryT]) -> Mapping[str, object]:
        return {uid: self.layout.to_wire(entry) for uid, entry in entries.items()}


def _unsettled(batch: Batch[EntryT]) -> Batch[EntryT]:
    return [pending for pending in batch if not pending.is_settled]


def _present(state: KubeObject, path: Sequence[str]) -> int:
    """How many of the fields on the way to the entries are in the object as it was read."""
    found: object = state
    for depth, name in enumerate(path):
        if not isinstance(found, ApiModel):
            raise TypeError(f"{'.'.join(path)} leads through a field that is no model: {path[depth - 1]}")
        fields = type(found).model_fields
        attribute = next(field for field in fields if (fields[field].alias or field) == name)
        if attribute not in found.model_fields_set:
            return depth
        found = getattr(found, attribute)
    return len(path)


def _number(revision: str | None) -> int:
    """A revision that was edited into nonsense counts as 0: what matters is that the write changes it."""
    return int(revision) if revision is not None and re.fullmatch("[0-9]{1,18}", revision) else 0

"""The ledger: which claim holds which devices, in ``spec.allocatedClaims`` of each node's NodeAllocationState.

What may be written when is for ``swap`` to say, which keeps the rules about it of ``dra.classic.protocol``; here it is
carried out. A compare-and-swap is a JSON patch with ``test`` operations, on a revision (an annotation) and on the value
of ``allocatedClaims``, so that the plugin's writes to the same object do not make it fail.

Writes are group commits: all claims that wait for a node while a write to it is in flight share the next one.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, Literal, Protocol

from loguru import logger

from fake_dra_driver.api.fake import (
    ALLOCATED_ANNOTATION,
    LEDGER_REVISION_ANNOTATION,
    AllocatedDevices,
    NodeAllocationState,
)
from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.driver.allocatedcount import allocated_of
from fake_dra_driver.driver.classic.ledgerplan import LedgerChange, LedgerChangedError, Memory, State, plan
from fake_dra_driver.groupcommit import GroupCommit, Pending
from fake_dra_driver.runtime import patch
from fake_dra_driver.runtime.cache import Change, Informer
from fake_dra_driver.runtime.errors import NotFoundError, PatchTestFailedError
from fake_dra_driver.runtime.patch import Operation

__all__ = ["Ledger", "LedgerChangedError", "LedgerClient", "LedgerObserver", "WriteResult"]

MAX_WRITES_PER_BATCH: Final = 4
"""How often a batch is tried when others keep changing the ledger in between; after that its callers start again."""

log = logger.bind(component="ledger")

WriteResult = Literal["written", "conflict", "failed"]
LedgerObserver = Callable[[WriteResult, int], None]
"""Is told of each request that writes a ledger: what became of it, and how many changes it carried."""


class LedgerClient(Protocol):
    """What the ledger needs of ``runtime.client.Client``."""

    async def get(self, kind: type[NodeAllocationState], key: NamespacedName) -> NodeAllocationState:
        """Reads the object from the API server."""
        ...

    async def json_patch(
        self, kind: type[NodeAllocationState], key: NamespacedName, operations: Sequence[Mapping[str, Any]]
    ) -> NodeAllocationState:
        """Applies a JSON patch (RFC 6902) as a whole or not at all."""
        ...


class _Node:
    """The ledger of one node."""

    def __init__(self, write: Callable[[Sequence[Pending[LedgerChange]]], Awaitable[None]], newest_mark: int) -> None:
        self.writes = GroupCommit(write)
        self.memory = Memory(newest_mark + 1)


class Ledger:
    """Reads and writes the ledgers of all nodes. Safe to use concurrently; one instance in a process.

    Args:
        client: for the writes.
        states: the NodeAllocationState cache; it must see this client's own writes at once (``runtime.cache``).
        namespace: the driver's namespace, in which the NodeAllocationState objects are.
        observer: for metrics.
    """

    def __init__(
        self,
        client: LedgerClient,
        states: Informer[NodeAllocationState],
        namespace: str,
        observer: LedgerObserver = lambda _result, _changes: None,
    ) -> None:
        self._client = client
        self._states = states
        self._namespace = namespace
        self._observer = observer
        self._nodes: dict[str, _Node] = {}
        self._newest_mark = 0
        """Greatest mark of the nodes that were forgotten: a node that comes back must not have one of those again."""
        states.add_index("claim", lambda nas: nas.spec.allocated_claims)
        states.subscribe(self._forget_gone)

    def state(self, node: str) -> NodeAllocationState | None:
        """The node's object as the cache has it. Raises InvalidObjectError when it cannot be read."""
        return self._states.get(NamespacedName(self._namespace, node))

    def states(self) -> Sequence[NodeAllocationState]:
        """The objects of all nodes, by name."""
        return self._states.list(self._namespace)

    def nodes_of(self, uid: UID) -> Sequence[str]:
        """The nodes whose ledger has an entry for the claim: more than one only after a stop at a bad moment."""
        return [nas.metadata.name for nas in self._states.by_index("claim", uid)]

    def entries_of(self, uid: UID) -> Mapping[str, AllocatedDevices]:
        """What is on record for the claim, by node."""
        return {nas.metadata.name: nas.spec.allocated_claims[uid] for nas in self._states.by_index("claim", uid)}

    def mark(self, node: str) -> int:
        """What a removal has to name: make it before the claim is fenced.

        While a write is in flight the cache may already show its result, which must not be taken for a foreign change;
        the mark is then older than it could be, which can only make a removal start again.
        """
        ledger = self._node(node)
        if ledger.writes.is_idle and (nas := self.state(node)) is not None:
            ledger.memory.see(State.of(nas))
        return ledger.memory.foreign_changes

    async def put(self, node: str, entries: Mapping[UID, AllocatedDevices]) -> None:
        """Writes down that these claims hold these devices. Returns when that is durable; all entries or none.

        An entry that is there with the same devices is written again, which raises the revision. Replacing it by other
        devices is refused: the old ones would become free without a fence.

        Raises:
            LedgerChangedError: one of the devices is no longer free, or others kept changing the ledger.
            ApiError, DeadlineError, TransportError: the write failed, or nobody knows whether it did.
        """
        await self._node(node).writes.commit(LedgerChange(entries))

    async def correct(self, node: str, uid: UID, entry: AllocatedDevices, mark: int) -> None:
        """Writes down what an allocated claim has, whatever is there for it.

        Raises:
            LedgerChangedError: the mark is void and there is an entry, or another claim is on record for a device.
            ApiError, DeadlineError, TransportError: the write failed, or nobody knows whether it did.
        """
        await self._node(node).writes.commit(LedgerChange({uid: entry}, mark))

    async def remove(self, node: str, uid: UID, mark: int | None) -> None:
        """Takes the claim's entry out, where there is one. ``mark`` is None only for a claim that no longer exists.

        Raises:
            LedgerChangedError: the mark is void.
            ApiError, DeadlineError, TransportError: the write failed, or nobody knows whether it did.
        """
        await self._node(node).writes.commit(LedgerChange({uid: None}, mark))

    def _node(self, node: str) -> _Node:
        if node not in self._nodes:
            self._nodes[node] = _Node(partial(self._write, node), self._newest_mark)
        return self._nodes[node]

    def _forget_gone(self, change: Change[NodeAllocationState]) -> None:
        """Nodes come and go under ever new names; what is remembered of one goes with its object."""
        ledger = self._nodes.get(change.key.name)
        if change.new is None and ledger is not None and ledger.writes.is_idle:
            self._newest_mark = max(self._newest_mark, ledger.memory.foreign_changes)
            del self._nodes[change.key.name]

    async def _write(self, node: str, batch: Sequence[Pending[LedgerChange]]) -> None:
        """Makes the changes of a batch, or raises why none could be made; some are settled with errors of their own."""
        key = NamespacedName(self._namespace, node)
        try:
            for _ in range(MAX_WRITES_PER_BATCH):
                if await self._try(key, self._node(node).memory, batch):
                    return
        except NotFoundError:
            _settle_without_ledger(key, batch)
            return
        raise LedgerChangedError(f"the ledger of node {node} changed {MAX_WRITES_PER_BATCH} times during one write")

    async def _try(self, key: NamespacedName, memory: Memory, batch: Sequence[Pending[LedgerChange]]) -> bool:
        """Whether what was left to do of the batch is done. If not, the cache shows what another writer has written.

        Raises:
            NotFoundError: the node's object is gone.
            ApiError, DeadlineError, TransportError: as the API calls.
        """
        nas = self.state(key.name)
        if nas is None:
            _settle_without_ledger(key, batch)
            return True
        state = State.of(nas)
        memory.see(state)
        wanted = plan(key.name, state.claims, _unsettled(batch), memory.foreign_changes)
        if wanted is None:
            return True
        changes = _unsettled(batch)
        uids = [uid for pending in changes for uid in pending.change.entries]
        try:
            written = await self._swap(key, _operations(nas, state, wanted), len(changes))
        except PatchTestFailedError:
            log.debug("Ledger changed under a write", node=key.name, claim_uids=uids)
            memory.known = None
            self._states.observe((await self._client.get(NodeAllocationState, key)).to_wire())
            return False
        memory.known = State.of(written)
        log.debug("Ledger written", node=key.name, claim_uids=uids)
        return True

    async def _swap(self, key: NamespacedName, operations: Sequence[Operation], changes: int) -> NodeAllocationState:
        """One compare-and-swap, which carries so many changes. Raises as the client does."""
        result: WriteResult = "failed"
        try:
            written = await self._client.json_patch(NodeAllocationState, key, operations)
            result = "written"
        except PatchTestFailedError:
            result = "conflict"
            raise
        finally:
            self._observer(result, changes)
        return written


def _unsettled(batch: Sequence[Pending[LedgerChange]]) -> Sequence[Pending[LedgerChange]]:
    return [pending for pending in batch if not pending.is_settled]


def _settle_without_ledger(key: NamespacedName, batch: Sequence[Pending[LedgerChange]]) -> None:
    """The node's object is gone, and every entry with it: removals are done, entries cannot be made."""
    for pending in _unsettled(batch):
        error = LedgerChangedError(f"there is no NodeAllocationState {key}: is the node's kubelet plugin running?")
        pending.settle(error if any(pending.change.entries.values()) else None)


def _operations(nas: NodeAllocationState, state: State, wanted: Mapping[str, Any]) -> Sequence[Operation]:
    """The compare-and-swap as a JSON patch."""
    annotations = {
        LEDGER_REVISION_ANNOTATION: str(_number(state.revision) + 1),
        ALLOCATED_ANNOTATION: allocated_of(wanted, len(nas.spec.allocatable_device)),
    }
    operations = [
        patch.test("/metadata/uid", state.uid),
        *patch.annotate(nas.metadata.annotations, annotations, tested=[LEDGER_REVISION_ANNOTATION]),
    ]
    path = "/spec/allocatedClaims"
    if "spec" not in nas.model_fields_set:
        operations += [patch.test("/spec", None), patch.add("/spec", {})]
    elif "allocated_claims" not in nas.spec.model_fields_set:
        operations.append(patch.test(path, None))
    else:
        operations.append(patch.test(path, dict(state.claims)))
    if wanted:
        operations.append(patch.add(path, dict(wanted)))
    elif "allocated_claims" in nas.spec.model_fields_set:
        operations.append(patch.remove(path))
    return operations


def _number(revision: str | None) -> int:
    """A revision that was edited into nonsense counts as 0: what matters is that the write changes it."""
    return int(revision) if revision is not None and re.fullmatch("[0-9]{1,18}", revision) else 0

"""The ledger: which claim holds which devices, in ``spec.allocatedClaims`` of each node's NodeAllocationState.

What may be written when is for ``swap`` to say, which keeps the rules about it of ``dra.classic.protocol``; here it is
carried out. A compare-and-swap is a JSON patch with ``test`` operations, on a revision (an annotation) and on the value
of ``allocatedClaims``, so that the plugin's writes to the same object do not make it fail.

Writes are group commits: all claims that wait for a node while a write to it is in flight share the next one. There is
no background task: whoever gets the node's lock first writes for everybody.
"""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from loguru import logger

from fake_dra_driver.api.fake import (
    ALLOCATED_ANNOTATION,
    LEDGER_REVISION_ANNOTATION,
    AllocatedDevices,
    NodeAllocationState,
)
from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.driver.allocatedcount import allocated_of, annotation_path
from fake_dra_driver.driver.classic.ledgerplan import Change, LedgerChangedError, Memory, State, plan
from fake_dra_driver.runtime.cache import Change as StateChange
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.runtime.errors import NotFoundError, PatchTestFailedError

__all__ = ["Ledger", "LedgerChangedError", "LedgerClient", "WriteObserver", "WriteResult"]

MAX_WRITES_PER_BATCH: Final = 4
"""How often a batch is tried when others keep changing the ledger in between; after that its callers start again."""

log = logger.bind(component="ledger")

WriteResult = Literal["written", "conflict", "failed"]
WriteObserver = Callable[[WriteResult, int], None]
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


@dataclass(slots=True)
class _Node:
    """The ledger of one node."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: list[Change] = field(default_factory=list)
    memory: Memory = field(default_factory=Memory)


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
        observer: WriteObserver = lambda _result, _changes: None,
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
        if not ledger.lock.locked() and (nas := self.state(node)) is not None:
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
        await self._commit(node, Change(entries))

    async def correct(self, node: str, uid: UID, entry: AllocatedDevices, mark: int) -> None:
        """Writes down what an allocated claim has, whatever is there for it.

        Raises:
            LedgerChangedError: the mark is void and there is an entry, or another claim is on record for a device.
            ApiError, DeadlineError, TransportError: the write failed, or nobody knows whether it did.
        """
        await self._commit(node, Change({uid: entry}, mark))

    async def remove(self, node: str, uid: UID, mark: int | None) -> None:
        """Takes the claim's entry out, where there is one. ``mark`` is None only for a claim that no longer exists.

        Raises:
            LedgerChangedError: the mark is void.
            ApiError, DeadlineError, TransportError: the write failed, or nobody knows whether it did.
        """
        await self._commit(node, Change({uid: None}, mark))

    def _node(self, node: str) -> _Node:
        if node not in self._nodes:
            self._nodes[node] = _Node(memory=Memory(self._newest_mark + 1))
        return self._nodes[node]

    def _forget_gone(self, change: StateChange[NodeAllocationState]) -> None:
        """Nodes come and go under ever new names; what is remembered of one goes with its object."""
        ledger = self._nodes.get(change.key.name)
        if change.new is None and ledger is not None and not ledger.lock.locked() and not ledger.waiting:
            self._newest_mark = max(self._newest_mark, ledger.memory.foreign_changes)
            del self._nodes[change.key.name]

    async def _commit(self, node: str, change: Change) -> None:
        ledger = self._node(node)
        ledger.waiting.append(change)
        try:
            async with ledger.lock:
                if not change.done:
                    await asyncio.sleep(0)  # lets those join who are ready at this very moment
                    batch, ledger.waiting = ledger.waiting, []
                    await self._write(node, ledger, batch)
        finally:
            if change in ledger.waiting:  # cancelled before its turn
                ledger.waiting.remove(change)
        if change.outcome is not None:
            raise change.outcome

    async def _write(self, node: str, ledger: _Node, batch: Sequence[Change]) -> None:
        """Writes a batch; every change in it is finished when this returns or raises."""
        key = NamespacedName(self._namespace, node)
        try:
            for _ in range(MAX_WRITES_PER_BATCH):
                nas = self.state(node)
                if nas is None:
                    return _finish_without_ledger(key, batch)
                state = State.of(nas)
                ledger.memory.see(state)
                wanted = plan(node, state.claims, [c for c in batch if not c.done], ledger.memory.foreign_changes)
                if wanted is None:
                    return None
                try:
                    written = await self._swap(key, _operations(nas, state, wanted), sum(not c.done for c in batch))
                except PatchTestFailedError:
                    log.debug("Ledger changed under a write", node=node, claim_uids=_uids(batch))
                    ledger.memory.known = None
                    self._states.observe((await self._client.get(NodeAllocationState, key)).to_wire())
                    continue
                ledger.memory.known = State.of(written)
                log.debug("Ledger written", node=node, claim_uids=_uids(batch))
                for change in batch:
                    if not change.done:
                        change.finish()
                return None
            raise LedgerChangedError(f"the ledger of node {node} changed {MAX_WRITES_PER_BATCH} times during one write")
        except NotFoundError:
            _finish_without_ledger(key, batch)
        except Exception as error:  # noqa: BLE001 - handed to every caller of the batch, each of which raises it
            _fail(batch, error)
        except BaseException:
            # The caller that writes for the others is being cancelled; whether the write took place is unknown.
            _fail(batch, LedgerChangedError(f"a write to the ledger of node {node} was cut short"))
            raise

    async def _swap(
        self, key: NamespacedName, operations: Sequence[Mapping[str, Any]], changes: int
    ) -> NodeAllocationState:
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


def _fail(batch: Sequence[Change], error: Exception) -> None:
    for change in batch:
        if not change.done:
            change.finish(error)


def _uids(batch: Sequence[Change]) -> Sequence[UID]:
    """The claims that a batch is about and that it has not refused, for the log."""
    return [uid for change in batch if not change.done for uid in change.entries]


def _finish_without_ledger(key: NamespacedName, batch: Sequence[Change]) -> None:
    """The node's object is gone, and every entry with it: removals are done, entries cannot be made."""
    for change in batch:
        if not change.done and not any(change.entries.values()):
            change.finish()
    _fail(batch, LedgerChangedError(f"there is no NodeAllocationState {key}: is the node's kubelet plugin running?"))


def _operations(nas: NodeAllocationState, state: State, wanted: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The compare-and-swap as a JSON patch. A ``test`` for null holds on a field that is absent."""
    revision = str(_number(state.revision) + 1)
    allocated = allocated_of(wanted, len(nas.spec.allocatable_device))
    operations: list[Mapping[str, Any]] = [{"op": "test", "path": "/metadata/uid", "value": state.uid}]
    if nas.metadata.annotations:
        operations += [
            {"op": "test", "path": annotation_path(LEDGER_REVISION_ANNOTATION), "value": state.revision},
            {"op": "add", "path": annotation_path(LEDGER_REVISION_ANNOTATION), "value": revision},
            {"op": "add", "path": annotation_path(ALLOCATED_ANNOTATION), "value": allocated},
        ]
    else:
        annotations = {LEDGER_REVISION_ANNOTATION: revision, ALLOCATED_ANNOTATION: allocated}
        operations += [
            {"op": "test", "path": "/metadata/annotations", "value": None},
            {"op": "add", "path": "/metadata/annotations", "value": annotations},
        ]
    path = "/spec/allocatedClaims"
    if "spec" not in nas.model_fields_set:
        operations += [{"op": "test", "path": "/spec", "value": None}, {"op": "add", "path": "/spec", "value": {}}]
    elif "allocated_claims" not in nas.spec.model_fields_set:
        operations.append({"op": "test", "path": path, "value": None})
    else:
        operations.append({"op": "test", "path": path, "value": dict(state.claims)})
    if wanted:
        operations.append({"op": "add", "path": path, "value": dict(wanted)})
    elif "allocated_claims" in nas.spec.model_fields_set:
        operations.append({"op": "remove", "path": path})
    return operations


def _number(revision: str | None) -> int:
    """A revision that somebody has edited into nonsense counts as 0: what matters is that the write changes it."""
    return int(revision) if revision is not None and re.fullmatch("[0-9]{1,18}", revision) else 0

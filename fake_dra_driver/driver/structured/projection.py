"""Keeps ``nas.spec.allocatedClaims`` of each node in line with what its claims hold.

In structured DRA the scheduler decides which claim holds which devices, and writes that into the claim. What stands
here is a copy for people, and for tools that know the NodeAllocationState of classic DRA: no part of this driver
decides anything by it. Only the leading controller writes it, and nothing else of the object: a JSON patch leaves the
plugin's fields alone, and is refused where another controller was faster. Changes that come close together share a
write.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, TypeVar

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.fake import (
    LEDGER_REVISION_ANNOTATION,
    AllocatedDevices,
    NodeAllocationState,
)
from fake_dra_driver.api.kube.meta import UID, KubeObject, NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.structured.caches import StructuredCaches
from fake_dra_driver.dra.structured.reason import (
    ALLOCATED_CLAIMS_INCOMPLETE,
    ALLOCATED_CLAIMS_RESTORED,
    LEFTOVER_ENTRIES_REMOVED,
)
from fake_dra_driver.driver.statelayout import FakeStateLayout
from fake_dra_driver.driver.structured.holdings import holdings
from fake_dra_driver.runtime import patch
from fake_dra_driver.runtime.cache import Change, Informer
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import InvalidObjectError, NotFoundError, PatchTestFailedError
from fake_dra_driver.runtime.events import EventSink
from fake_dra_driver.runtime.patch import Operation, pointer
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result

__all__ = ["AllocatedClaimsReconciler", "ProjectionObserver", "StatePatcher", "WriteResult"]

PROJECTION_DELAY_SECONDS: Final = 0.5
"""How long changes of a node are collected: pods of a Deployment come a dozen a second, and each is a claim here."""
MAX_NAMED: Final = 3
"""How many claims an Event names; the rest are counted."""
_ENTRIES: Final = pointer("spec", "allocatedClaims")

log = logger.bind(component="projection")

K = TypeVar("K", bound=KubeObject)
WriteResult = Literal["written", "conflict", "failed"]
ProjectionObserver = Callable[[WriteResult, int], None]
"""Is told of each request that writes an object: what became of it, and how many claims it was about."""


class StatePatcher(Protocol):
    """What is needed of ``runtime.client.Client``."""

    async def json_patch(self, kind: type[K], key: NamespacedName, operations: Sequence[Mapping[str, Any]]) -> K:
        """Applies a JSON patch (RFC 6902)."""
        ...


@dataclass(frozen=True, slots=True)
class _Written:
    """What this process has written into an object, or found right: other entries are the work of another writer."""

    uid: UID
    """Of the object: its plugin recreates one that is deleted, without entries."""
    fingerprints: tuple[int, ...]
    """Of the entries; two after a write whose outcome is not known."""


class AllocatedClaimsReconciler(Reconciler):
    """Reconciles the ``allocatedClaims`` of one NodeAllocationState.

    Args:
        client: writes it; the cache must see its writes at once (``runtime.cache``).
        states: the cache of the objects.
        caches: that of the claims, among others.
        namespace: in which the objects are.
        events: tells people about repairs.
        observer: for metrics.
    """

    def __init__(
        self,
        client: StatePatcher,
        states: Informer[NodeAllocationState],
        caches: StructuredCaches,
        namespace: str,
        events: EventSink,
        observer: ProjectionObserver = lambda _result, _claims: None,
    ) -> None:
        self._client = client
        self._states = states
        self._caches = caches
        self._namespace = namespace
        self._events = events
        self._observer = observer
        self._written: dict[NamespacedName, _Written] = {}
        self._incomplete: set[NamespacedName] = set()
        """Objects of which it was said that they have too little room."""

    def watch(self, controller: Controller) -> None:
        """Asks ``controller`` for a pass, a moment later, whenever something changes that the entries depend on."""
        self._states.subscribe(
            lambda change: controller.enqueue(change.key, PROJECTION_DELAY_SECONDS) if _matters(change) else None
        )

        def claim_changed(change: Change[v1.ResourceClaim]) -> None:
            for node in self._nodes_of(change):
                controller.enqueue(NamespacedName(self._namespace, node), PROJECTION_DELAY_SECONDS)

        self._caches.claims.subscribe(claim_changed)

    @override
    async def reconcile(self, request: Request) -> Result:
        state = self._states.get(request)
        if state is None or state.is_deleting:
            self._written.pop(request, None)
            self._incomplete.discard(request)
            return Result()
        layout = FakeStateLayout()
        inventory = layout.inventory_of(state)
        held = holdings(self._caches.claims_on_node(request.name), request.name, inventory)
        wanted, there = held.entries, state.spec.allocated_claims
        annotations = layout.annotations_of(state, wanted)
        if wanted != there or annotations.items() - state.metadata.annotations.items():
            is_foreign = self._is_foreign(state)
            self._begin_write(state, wanted)
            if not await self._write(state, wanted, annotations):
                return Result()
            self._tell(state, wanted, is_foreign=is_foreign)
        self._written[request] = _Written(state.uid, (_fingerprint(wanted),))
        self._tell_if_incomplete(state, held.left_out)
        return Result()

    async def _write(
        self, state: NodeAllocationState, wanted: Mapping[str, AllocatedDevices], annotations: Mapping[str, str]
    ) -> bool:
        """False: the object is gone. Raises PatchTestFailedError when another controller has written it."""
        there = state.spec.allocated_claims
        changed = [uid for uid in there.keys() | wanted.keys() if there.get(uid) != wanted.get(uid)]
        result: WriteResult = "failed"
        try:
            await self._client.json_patch(NodeAllocationState, state.key, _operations(state, wanted, annotations))
            result = "written"
        except PatchTestFailedError:
            result = "conflict"
            raise
        except NotFoundError:
            return False
        finally:
            self._observer(result, len(changed))
        log.debug("Allocated claims written", node=state.metadata.name, claim_uids=changed)
        return True

    def _is_foreign(self, state: NodeAllocationState) -> bool:
        """Whether another writer was there since this process last wrote the entries, or found them right."""
        known = self._written.get(state.key)
        if known is None or known.uid != state.uid:
            return False
        return _fingerprint(state.spec.allocated_claims) not in known.fingerprints

    def _begin_write(self, state: NodeAllocationState, wanted: Mapping[str, AllocatedDevices]) -> None:
        known = self._written.get(state.key)
        if known is not None:
            self._written[state.key] = _Written(known.uid, (known.fingerprints[0], _fingerprint(wanted)))

    def _tell(self, state: NodeAllocationState, wanted: Mapping[str, AllocatedDevices], *, is_foreign: bool) -> None:
        """Says what was put right, if that was the work of another writer, or was left from before this process."""
        leftover = sorted(uid for uid in state.spec.allocated_claims.keys() - wanted if not self._is_known(UID(uid)))
        if is_foreign:
            message = "allocatedClaims was changed by another writer; it was written again as the claims have it"
            ALLOCATED_CLAIMS_RESTORED.tell(self._events, state, f"{message} ({len(wanted)} of them hold devices)")
        elif leftover:
            message = f"removed from allocatedClaims what was there of claims that no longer exist: {_listed(leftover)}"
            LEFTOVER_ENTRIES_REMOVED.tell(self._events, state, message)

    def _is_known(self, uid: UID) -> bool:
        """Whether there is such a claim, or this process has seen it go: that is how entries usually end."""
        try:
            return self._caches.claims.by_uid(uid) is not None or self._caches.claims.was_deleted(uid)
        except InvalidObjectError:
            return True

    def _tell_if_incomplete(self, state: NodeAllocationState, left_out: int) -> None:
        if not left_out:
            self._incomplete.discard(state.key)
        elif state.key not in self._incomplete:
            self._incomplete.add(state.key)
            message = f"{left_out} of the claims that hold devices here are not in allocatedClaims, which is full"
            ALLOCATED_CLAIMS_INCOMPLETE.tell(self._events, state, message)

    def _nodes_of(self, change: Change[v1.ResourceClaim]) -> Iterable[str]:
        """The nodes of which a claim held devices before, or holds some now; none where that is the same."""
        old, new = change.old, change.new
        if old is not None and new is not None and old.status.allocation == new.status.allocation:
            return ()
        return {node for claim in (old, new) if claim is not None for node in self._caches.pools_of(claim)}


def _matters(change: Change[NodeAllocationState]) -> bool:
    """Whether the entries changed, or what they are made of or counted against."""
    old, new = change.old, change.new
    if old is None or new is None:
        return True
    return (
        old.spec.allocated_claims != new.spec.allocated_claims
        or old.spec.allocatable_device != new.spec.allocatable_device
        or old.metadata.annotations != new.metadata.annotations
    )


def _operations(
    state: NodeAllocationState, wanted: Mapping[str, AllocatedDevices], annotations: Mapping[str, str]
) -> Sequence[Operation]:
    """What a JSON patch has to do. The revision, as in classic DRA, says that no other controller has been there."""
    before = state.metadata.annotations
    revision = before.get(LEDGER_REVISION_ANNOTATION, "")
    raised = str(int(revision) + 1) if re.fullmatch("[0-9]{1,18}", revision) else "1"
    operations = [
        patch.test(pointer("metadata", "uid"), state.uid),
        *patch.annotate(
            before, {LEDGER_REVISION_ANNOTATION: raised, **annotations}, tested=[LEDGER_REVISION_ANNOTATION]
        ),
    ]
    if "spec" not in state.model_fields_set:
        # The test keeps what the plugin has written in the meantime from being replaced.
        operations += [patch.test(pointer("spec"), None), patch.add(pointer("spec"), {})]
    if wanted:
        operations.append(patch.add(_ENTRIES, {uid: entry.to_wire() for uid, entry in wanted.items()}))
    elif "allocated_claims" in state.spec.model_fields_set:
        operations.append(patch.remove(_ENTRIES))
    return operations


def _fingerprint(entries: Mapping[str, AllocatedDevices]) -> int:
    return hash(
        frozenset(
            (uid, tuple((device.uuid, device.split) for device in entry.fake.devices) if entry.fake is not None else ())
            for uid, entry in entries.items()
        )
    )


def _listed(uids: Sequence[str]) -> str:
    more = len(uids) - MAX_NAMED
    return ", ".join(uids[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")

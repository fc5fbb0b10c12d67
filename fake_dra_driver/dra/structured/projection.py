"""Keeps ``spec.allocatedClaims`` of each node's NodeAllocationState in line with what its claims hold.

In structured DRA the scheduler decides which claim holds which devices, and writes that into the claim. What stands
here is a copy for people, and for tools that know the NodeAllocationState of classic DRA: nothing is decided by
it. Only the leading controller writes it, and nothing else of the object: a JSON patch leaves the
plugin's fields alone, and is refused where another controller was faster. Changes that come close together share a
write.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Literal, Protocol, TypeVar

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID, KubeObject, NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.nodestate.state import StatePatcher
from fake_dra_driver.dra.structured.caches import StructuredCaches
from fake_dra_driver.dra.structured.controllerdriver import StructuredDriver
from fake_dra_driver.dra.structured.holdings import Holdings, holdings
from fake_dra_driver.dra.structured.reason import (
    ALLOCATED_CLAIMS_INCOMPLETE,
    ALLOCATED_CLAIMS_RESTORED,
    LEFTOVER_ENTRIES_REMOVED,
)
from fake_dra_driver.runtime import patch
from fake_dra_driver.runtime.cache import Change, Informer
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import InvalidObjectError, NotFoundError, PatchTestFailedError
from fake_dra_driver.runtime.events import EventSink
from fake_dra_driver.runtime.patch import Operation, pointer
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result

__all__ = ["AllocatedClaimsReconciler", "PluginParts", "ProjectionObserver", "WriteResult"]

PROJECTION_DELAY_SECONDS: Final = 0.5
"""How long changes of a node are collected: pods of a Deployment come a dozen a second, and each is a claim here."""
MAX_NAMED: Final = 3
"""How many claims an Event names; the rest are counted."""

log = logger.bind(component="projection")

StateT = TypeVar("StateT", bound=KubeObject)
AnyStateT = TypeVar("AnyStateT", bound=KubeObject, contravariant=True)
DeviceT = TypeVar("DeviceT")
EntryT = TypeVar("EntryT")
WriteResult = Literal["written", "conflict", "failed"]
ProjectionObserver = Callable[[WriteResult, int], None]
"""Is told of each request that writes an object: what became of it, and how many claims it was about."""


class PluginParts(Protocol[AnyStateT]):
    """Knows what is to stand in the objects of nodes without a kubelet plugin beside what claims hold."""

    async def missing(self, state: AnyStateT) -> Sequence[Operation]:
        """What a JSON patch has to do so that an object says it; nothing for those that a plugin writes."""
        ...

    def subscribe(self, changed: Callable[[str], None]) -> None:
        """``changed`` is called with the name of a node whenever the answer about it may have changed."""
        ...


@dataclass(frozen=True, slots=True)
class _Written(Generic[EntryT]):
    """What this process has written into an object, or found right: other entries are the work of another writer."""

    uid: UID
    """Of the object: its plugin recreates one that is deleted, without entries."""
    entries: tuple[Mapping[str, EntryT], ...]
    """Two of them after a write whose outcome is not known."""


class AllocatedClaimsReconciler(Reconciler, Generic[StateT, DeviceT, EntryT]):
    """Reconciles the ``allocatedClaims`` of one NodeAllocationState.

    Args:
        driver: knows the objects, and what claims hold.
        client: writes it; the cache must see its writes at once (``runtime.cache``).
        states: the cache of the objects.
        caches: that of the claims, among others.
        namespace: in which the objects are.
        events: tells people about repairs.
        observer: for metrics.
        plugin_parts: what else it is to write, in the same requests; None: each node has a plugin.
    """

    def __init__(
        self,
        driver: StructuredDriver[StateT, DeviceT, EntryT],
        client: StatePatcher,
        states: Informer[StateT],
        caches: StructuredCaches,
        namespace: str,
        events: EventSink,
        observer: ProjectionObserver = lambda _result, _claims: None,
        plugin_parts: PluginParts[StateT] | None = None,
    ) -> None:
        self._driver = driver
        self._layout = driver.layout
        self._client = client
        self._states = states
        self._caches = caches
        self._namespace = namespace
        self._events = events
        self._observer = observer
        self._plugin_parts = plugin_parts
        self._written: dict[NamespacedName, _Written[EntryT]] = {}
        self._incomplete: set[NamespacedName] = set()
        """Objects of which it was said that they have too little room."""

    def watch(self, controller: Controller) -> None:
        """Asks ``controller`` for a pass, a moment later, whenever something changes that the entries depend on."""
        self._states.subscribe(
            lambda change: controller.enqueue(change.key, PROJECTION_DELAY_SECONDS) if self._matters(change) else None
        )

        def claim_changed(change: Change[v1.ResourceClaim]) -> None:
            for node in self._caches.nodes_of_change(change):
                controller.enqueue(NamespacedName(self._namespace, node), PROJECTION_DELAY_SECONDS)

        self._caches.claims.subscribe(claim_changed)
        if self._plugin_parts is not None:
            self._plugin_parts.subscribe(
                lambda node: controller.enqueue(NamespacedName(self._namespace, node), PROJECTION_DELAY_SECONDS)
            )

    @override
    async def reconcile(self, request: Request) -> Result:
        state = self._states.get(request)
        if state is None or state.is_deleting:
            self._written.pop(request, None)
            self._incomplete.discard(request)
            return Result()
        parts = () if self._plugin_parts is None else await self._plugin_parts.missing(state)
        if parts and not (state.metadata.annotations and "spec" in state.model_fields_set):
            # Both make what is missing before they write into it. The change leads to a pass for the rest.
            await self._write(state, self._layout.entries_of(state), _of_this(state, parts))
            return Result()
        held = self._held(state)
        wanted, there = held.entries, self._layout.entries_of(state)
        annotations = self._layout.annotations_of(state, wanted)
        if wanted != there or annotations.items() - state.metadata.annotations.items():
            is_foreign = self._is_foreign(state)
            self._begin_write(state, wanted)
            # The parts first: they count devices for people as well, against what was there before.
            if not await self._write(state, wanted, [*parts, *self._operations(state, wanted, annotations)]):
                return Result()
            self._tell(state, wanted, is_foreign=is_foreign)
        elif parts and not await self._write(state, wanted, _of_this(state, parts)):
            return Result()
        # Those of the cache, where they are the same: they take no memory then.
        self._written[request] = _Written(state.uid, (there if there == wanted else wanted,))
        self._tell_if_incomplete(state, held.left_out)
        return Result()

    def _held(self, state: StateT) -> Holdings[EntryT]:
        node = state.metadata.name
        entry_of = self._driver.entry_maker(self._layout.inventory_of(state))
        return holdings(self._caches.claims_on_node(node), self._caches.driver, node, entry_of, self._layout.to_wire)

    async def _write(self, state: StateT, wanted: Mapping[str, EntryT], operations: Sequence[Operation]) -> bool:
        """False: the object is gone. Raises PatchTestFailedError when another controller has written it."""
        there = self._layout.entries_of(state)
        changed = [uid for uid in there.keys() | wanted.keys() if there.get(uid) != wanted.get(uid)]
        result: WriteResult = "failed"
        try:
            await self._client.json_patch(self._layout.kind, state.key, operations)
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

    def _is_foreign(self, state: StateT) -> bool:
        """Whether another writer was there since this process last wrote the entries, or found them right."""
        known = self._written.get(state.key)
        if known is None or known.uid != state.uid:
            return False
        return self._layout.entries_of(state) not in known.entries

    def _begin_write(self, state: StateT, wanted: Mapping[str, EntryT]) -> None:
        known = self._written.get(state.key)
        if known is not None:
            self._written[state.key] = _Written(known.uid, (known.entries[0], wanted))

    def _tell(self, state: StateT, wanted: Mapping[str, EntryT], *, is_foreign: bool) -> None:
        """Says what was put right, if that was the work of another writer, or was left from before this process."""
        leftover = sorted(uid for uid in self._layout.entries_of(state).keys() - wanted if not self._is_known(UID(uid)))
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

    def _tell_if_incomplete(self, state: StateT, left_out: int) -> None:
        if not left_out:
            self._incomplete.discard(state.key)
        elif state.key not in self._incomplete:
            self._incomplete.add(state.key)
            message = f"{left_out} of the claims that hold devices here are not in allocatedClaims, which is full"
            ALLOCATED_CLAIMS_INCOMPLETE.tell(self._events, state, message)

    def _matters(self, change: Change[StateT]) -> bool:
        """Whether the entries changed, or what they are made of or counted against."""
        old, new, layout = change.old, change.new, self._layout
        if old is None or new is None:
            return True
        return (
            layout.entries_of(old) != layout.entries_of(new)
            or old.metadata.annotations != new.metadata.annotations
            or layout.inventory_of(old) != layout.inventory_of(new)
        )

    def _operations(
        self, state: StateT, wanted: Mapping[str, EntryT], annotations: Mapping[str, str]
    ) -> Sequence[Operation]:
        """What a JSON patch has to do. The revision says, as in classic DRA, that no other controller was there."""
        before, revision = state.metadata.annotations, self._layout.revision_annotation
        number = before.get(revision, "")
        raised = str(int(number) + 1) if re.fullmatch("[0-9]{1,18}", number) else "1"
        operations = [
            patch.test(pointer("metadata", "uid"), state.uid),
            *patch.annotate(before, {revision: raised, **annotations}, tested=[revision]),
        ]
        if "spec" not in state.model_fields_set:
            # The test keeps what the plugin has written in the meantime from being replaced.
            operations += [patch.test(pointer("spec"), None), patch.add(pointer("spec"), {})]
        entries = pointer(*self._layout.path)
        if wanted:
            operations.append(patch.add(entries, {uid: self._layout.to_wire(entry) for uid, entry in wanted.items()}))
        elif self._layout.path[-1] in self._layout.spec_of(state).to_wire():
            operations.append(patch.remove(entries))
        return operations


def _of_this(state: KubeObject, operations: Sequence[Operation]) -> Sequence[Operation]:
    """The operations, for this object and no successor of its name."""
    return [patch.test(pointer("metadata", "uid"), state.uid), *operations]


def _listed(uids: Sequence[str]) -> str:
    more = len(uids) - MAX_NAMED
    return ", ".join(uids[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")

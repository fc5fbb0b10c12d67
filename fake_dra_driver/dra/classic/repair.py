"""The reconciler of the ledgers: what a stop left behind in one, and what people got wrong.

What becomes of each half-state (the rest of the table is in ``claims``, which looks at the claim):

- an entry whose claim is gone: taken out, once the node has ended the claim: containers may use the devices until then;
- a claim that is allocated on the node and has no entry (a deallocation of another implementation cut short, or an
  object that was recreated), or one that does not say what the claim has (it was edited): restored when its devices are
  free. When another claim holds them: an event on both, and nothing is changed under a running pod.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID, KubeObject
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.dra.classic.allocationresult import handle_of
from fake_dra_driver.dra.classic.caches import ClassicCaches, is_to_be_released
from fake_dra_driver.dra.classic.driver import ControllerDriver
from fake_dra_driver.dra.classic.ledger import Ledger
from fake_dra_driver.dra.classic.protocol import GoneEffects, Marks, forget_gone
from fake_dra_driver.dra.classic.reason import (
    DEVICES_HELD,
    DEVICES_UNKNOWN,
    INVALID_STATE,
    LEDGER_ENTRY_REMOVED,
    LEDGER_ENTRY_RESTORED,
)
from fake_dra_driver.dra.classic.refusal import reference_of
from fake_dra_driver.dra.classic.writer import ClaimWriter
from fake_dra_driver.dra.nodestate.sharing import Share, contested_devices
from fake_dra_driver.dra.reason import Reason
from fake_dra_driver.runtime.client import ListResult
from fake_dra_driver.runtime.errors import InvalidObjectError
from fake_dra_driver.runtime.events import EventSink
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result

__all__ = ["ClaimLister", "LedgerReconciler"]

EntryT = TypeVar("EntryT")
StateT = TypeVar("StateT", bound=KubeObject)

log = logger.bind(component="ledger")


class ClaimLister(Protocol):
    """What is needed of ``runtime.client.Client``."""

    async def list(self, kind: type[ResourceClaim]) -> ListResult[ResourceClaim]:
        """Reads all claims from the API server."""
        ...


class LedgerReconciler(Reconciler, Generic[StateT, EntryT]):
    """Repairs the ledger of one node. In normal operation a pass finds nothing to do, and reads caches only."""

    def __init__(
        self,
        driver: ControllerDriver[Any, StateT, Any, EntryT],
        ledger: Ledger[StateT, EntryT],
        caches: ClassicCaches,
        writer: ClaimWriter,
        client: ClaimLister,
        events: EventSink,
    ) -> None:
        self._driver = driver
        self._ledger = ledger
        self._layout = ledger.layout
        self._caches = caches
        self._writer = writer
        self._client = client
        self._events = events
        self._disputes: dict[str, set[UID]] = {}
        """By node: claims in conflict with its ledger that were reported, so that each process reports them once.

        Also there, if only with no claims, while a pass over the node is under way.
        """

    @property
    def disputed_claims(self) -> int:
        """How many allocated claims are not on record, and cannot be restored. As of the last pass over each node."""
        return sum(
            claim.uid in disputed
            for node, disputed in self._disputes.items()
            for claim in self._caches.claims_on_node(node)
        )

    def may_have_disputes(self, node: str) -> bool:
        """Whether a claim that is allocated on the node could not be restored in the last pass, or in the present one.

        The present one has read the node's object already, so that it may report what a change would settle.
        """
        return node in self._disputes

    @override
    async def reconcile(self, request: Request) -> Result:
        try:
            state = self._ledger.state(request.name)
        except InvalidObjectError as error:
            problems = "; ".join(error.problems)
            message = f"cannot be read, so nothing is allocated on the node until this is corrected: {problems}"
            INVALID_STATE.tell(self._events, reference_of(error), message)
            raise
        if state is None:
            self._disputes.pop(request.name, None)
        else:
            self._disputes.setdefault(request.name, set())
            await self._take_out_gone(state)
            await self._restore_lost(state)
        return Result()

    async def _take_out_gone(self, state: StateT) -> None:
        unused = sorted(self._layout.entries_of(state).keys() - self._layout.prepared_of(state).keys())
        missing = [UID(uid) for uid in unused if not self.is_known(UID(uid))]
        if missing:
            effects = _GoneEffects(state, self._driver, self._ledger, self._writer, self._client, self._events)
            await forget_gone(effects, state.metadata.name, missing, self._caches.claims.was_deleted)

    def is_known(self, uid: UID) -> bool:
        """Whether there is a claim of that UID, as far as is known here."""
        try:
            return self._caches.claims.by_uid(uid) is not None
        except InvalidObjectError:
            return True  # it is there, whatever it looks like

    async def _restore_lost(self, state: StateT) -> None:
        node = state.metadata.name
        records, capacities = dict(self._layout.entries_of(state)), self._layout.capacities_of(state)
        disputed: set[UID] = set()
        for claim in self._caches.claims_on_node(node):
            if is_to_be_released(claim):
                continue
            recorded = records.get(claim.uid)
            entry = self._entry_of(claim, state)
            if recorded is not None and (entry is None or self._driver.says_the_same(entry, recorded)):
                continue
            if entry is None:
                disputed.add(claim.uid)
                self._report(
                    claim,
                    node,
                    DEVICES_UNKNOWN,
                    f"is allocated on node {node}, and nothing says which devices it has there: delete its pods, so "
                    "that it is allocated again",
                )
            elif others := self._others_with(claim.uid, entry, records, capacities):
                disputed.add(claim.uid)
                self._report_double(claim, others[0], node)
            else:
                await self._restore(claim, state)
                records[claim.uid] = entry
        self._disputes[node] = disputed
        if not disputed:
            del self._disputes[node]

    async def _restore(self, claim: ResourceClaim, state: StateT) -> None:
        node, written = state.metadata.name, list[EntryT]()

        async def record(live: ResourceClaim, marks: Marks) -> None:
            entry = self._entry_of(live, state)
            if entry is not None:
                await self._ledger.correct(node, claim.uid, entry, marks[node])
                written.append(entry)

        async with self._writer.lock([claim.uid]):
            await self._writer.restore(claim, node, record)
        for entry in written:
            log.warning("Entry of an allocated claim restored", node=node, claim=str(claim.key), claim_uid=claim.uid)
            recorded = self._layout.entries_of(state).get(claim.uid)
            was = "was missing from" if recorded is None else f"had {self._driver.describe_entry(recorded)} on"
            message = (
                f"claim {claim.key} is allocated on node {node} and {was} the node's record; its devices are reserved "
                f"again: {self._driver.describe_entry(entry)}"
            )
            LEDGER_ENTRY_RESTORED.tell(self._events, claim, message)

    def _entry_of(self, claim: ResourceClaim, state: StateT) -> EntryT | None:
        """What a claim holds: as its allocation says; where that has no handle, as its record or the node says.

        None: nothing says.
        """
        allocation = claim.status.allocation
        if allocation is not None and (handle := handle_of(allocation, self._driver.name)):
            try:
                return self._driver.entry_of(handle)
            except ValueError:
                return None
        recorded = self._layout.entries_of(state).get(claim.uid)
        return self._driver.entry_without_handle(claim.uid, state) if recorded is None else recorded

    def _others_with(
        self, uid: UID, entry: EntryT, records: Mapping[str, EntryT], capacities: Mapping[Hashable, Share]
    ) -> Sequence[UID]:
        """The other claims that are on record for devices of an entry, of which they leave too little for it."""
        others = {other: self._layout.holding_of(held) for other, held in records.items() if other != uid}
        contested = contested_devices(self._layout.holding_of(entry), others.values(), capacities)
        return [UID(other) for other, holding in others.items() if contested & holding.keys()]

    def _report_double(self, claim: ResourceClaim, other: UID, node: str) -> None:
        holder = self._caches.claim_of(other)
        name = f"claim {holder.key}" if holder is not None else f"the claim with UID {other}"
        advice = "delete the pods of one of the two, so that it gets other devices"
        text = f"is allocated on node {node}, but {name} is on record for its devices: {advice}"
        if self._report(claim, node, DEVICES_HELD, text) and holder is not None:
            message = f"claim {claim.key} is allocated the same devices on node {node}: {advice}"
            DEVICES_HELD.tell(self._events, holder, message)

    def _report(self, claim: ResourceClaim, node: str, reason: Reason, text: str) -> bool:
        """Whether it is news: each conflict is reported once by each process, for as long as it lasts."""
        reported = self._disputes.setdefault(node, set())
        if claim.uid in reported:
            return False
        reported.add(claim.uid)
        reason.tell(self._events, claim, f"claim {claim.key} {text}")
        return True


class _GoneEffects(GoneEffects, Generic[StateT, EntryT]):
    """For the ledger of one node."""

    def __init__(
        self,
        state: StateT,
        driver: ControllerDriver[Any, StateT, Any, EntryT],
        ledger: Ledger[StateT, EntryT],
        writer: ClaimWriter,
        client: ClaimLister,
        events: EventSink,
    ) -> None:
        self._state = state
        self._driver = driver
        self._ledger = ledger
        self._writer = writer
        self._client = client
        self._events = events

    @override
    def mark(self, nodes: Sequence[str]) -> Marks:
        return self._ledger.marks(nodes)

    @override
    async def alive(self) -> Collection[UID]:
        listed = await self._client.list(ResourceClaim)
        refused = (UID(str(error.metadata.get("uid"))) for error in listed.invalid)
        return {*(claim.uid for claim in listed.items), *refused}

    @override
    async def forget(self, uid: UID, nodes: Sequence[str], marks: Marks | None) -> None:
        for node in nodes:
            async with self._writer.lock([uid]):  # a release that is at work removes it itself
                if node not in self._ledger.nodes_of(uid):
                    continue
                await self._ledger.remove(node, uid, None if marks is None else marks[node])
            log.info("Entry of a claim that is gone removed", node=node, claim_uid=uid)
            devices = self._driver.describe_entry(self._ledger.layout.entries_of(self._state)[uid])
            message = f"the claim with UID {uid} no longer exists; what was on record for it is free again: {devices}"
            LEDGER_ENTRY_REMOVED.tell(self._events, self._state, message)

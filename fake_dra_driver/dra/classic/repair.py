"""The NodeAllocationState and parameters reconcilers: what a stop left behind in the ledger, and what people got wrong.

What becomes of each half-state (the rest of the table is in ``dra.classic.claims``, which looks at the claim):

- an entry whose claim is gone: taken out;
- a claim that is allocated on the node and has no entry (a deallocation of the Go driver cut short, or an object made
  anew), or one that does not say what the claim has (somebody has edited it): put back when its devices are free. When
  another claim holds them: an event on both, and nothing is changed under a running pod.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from loguru import logger

from fake_dra_driver.api.fake import (
    DRIVER_NAME,
    AllocatedDevice,
    AllocatedDevices,
    AllocatedFakes,
    NodeAllocationState,
)
from fake_dra_driver.api.kube.core import ObjectReference
from fake_dra_driver.api.kube.meta import UID, KubeObject, NamespacedName
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.dra.classic.caches import ClassicCaches
from fake_dra_driver.dra.classic.driver import Marks
from fake_dra_driver.dra.classic.protocol import forget_gone
from fake_dra_driver.dra.classic.writer import ClaimWriter
from fake_dra_driver.dra.reason import INVALID_PARAMETERS, EventSink, Reason
from fake_dra_driver.driver.classic.entry import FakeLedger
from fake_dra_driver.driver.classic.handle import ClaimHandle
from fake_dra_driver.driver.classic.holdings import wanted_by_entry
from fake_dra_driver.driver.reasons import (
    DEVICES_HELD,
    DEVICES_UNKNOWN,
    INVALID_STATE,
    LEDGER_ENTRY_REMOVED,
    LEDGER_ENTRY_RESTORED,
)
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.runtime.client import ListResult
from fake_dra_driver.runtime.errors import InvalidObjectError
from fake_dra_driver.runtime.reconcile import Request, Result

__all__ = ["NodeAllocationStateReconciler", "ParametersReconciler"]

ObjectT = TypeVar("ObjectT", bound=KubeObject)

log = logger.bind(component="ledger")


class ClaimReader(Protocol):
    """What is needed of ``runtime.client.Client``."""

    async def get(self, kind: type[ResourceClaim], key: NamespacedName) -> ResourceClaim:
        """Reads the claim from the API server."""
        ...

    async def list(self, kind: type[ResourceClaim]) -> ListResult[ResourceClaim]:
        """Reads all claims from the API server."""
        ...


class NodeAllocationStateReconciler:
    """Repairs the ledger of one node. In normal operation a pass finds nothing to do, and reads caches only."""

    def __init__(
        self, ledger: FakeLedger, caches: ClassicCaches, writer: ClaimWriter, client: ClaimReader, events: EventSink
    ) -> None:
        self._ledger = ledger
        self._caches = caches
        self._writer = writer
        self._client = client
        self._events = events
        self._disputes: dict[str, set[UID]] = {}
        """By node: claims in conflict with its ledger that were reported, so that each process reports them once."""

    @property
    def disputed_claims(self) -> int:
        """How many allocated claims are not on record, and cannot be put back. As of the last pass over each node."""
        return sum(
            claim.uid in disputed
            for node, disputed in self._disputes.items()
            for claim in self._caches.claims_on_node(node)
        )

    async def reconcile(self, request: Request) -> Result:
        """One pass. Raises what the API calls raise; a RetryError only means that the next pass knows more.

        Raises:
            InvalidObjectError: the object cannot be read; its owner is told.
        """
        try:
            nas = self._ledger.state(request.name)
        except InvalidObjectError as error:
            problems = "; ".join(error.problems)
            message = f"cannot be read, so nothing is allocated on the node until this is corrected: {problems}"
            INVALID_STATE.tell(self._events, _reference(error), message)
            raise
        if nas is None:
            self._disputes.pop(request.name, None)
        else:
            await self._take_out_gone(nas)
            await self._put_back_lost(nas)
        return Result()

    async def _take_out_gone(self, nas: NodeAllocationState) -> None:
        missing = [UID(uid) for uid in sorted(nas.spec.allocated_claims) if not self._is_known(UID(uid))]
        if missing:
            effects = _GoneEffects(nas, self._ledger, self._writer, self._client, self._events)
            await forget_gone(effects, nas.metadata.name, missing, self._caches.claims.was_deleted)

    def _is_known(self, uid: UID) -> bool:
        try:
            return self._caches.claims.by_uid(uid) is not None
        except InvalidObjectError:
            return True  # it is there, whatever it looks like

    async def _put_back_lost(self, nas: NodeAllocationState) -> None:
        node = nas.metadata.name
        records = dict(nas.spec.allocated_claims)
        disputed: set[UID] = set()
        for claim in self._caches.claims_on_node(node):
            finishing = claim.is_deleting or claim.status.deallocation_requested
            if finishing and not claim.status.reserved_for:
                continue
            recorded = records.get(claim.uid)
            entry = _entry_of(claim, nas)
            if recorded is not None and (entry is None or wanted_by_entry(entry) == wanted_by_entry(recorded)):
                continue
            if entry is None:
                disputed.add(claim.uid)
                self._report(
                    claim,
                    node,
                    DEVICES_UNKNOWN,
                    f"is allocated on node {node}, and nothing says which devices it has there: delete its pods to "
                    "have it allocated anew",
                )
            elif others := _others_with(claim.uid, entry, records):
                disputed.add(claim.uid)
                self._report_double(claim, others[0], node)
            else:
                await self._put_back(claim, nas)
                records[claim.uid] = entry
        self._disputes[node] = disputed
        if not disputed:
            del self._disputes[node]

    async def _put_back(self, claim: ResourceClaim, nas: NodeAllocationState) -> None:
        node, written = nas.metadata.name, list[AllocatedDevices]()

        async def record(live: ResourceClaim, marks: Marks) -> None:
            entry = _entry_of(live, nas)
            if entry is not None:
                await self._ledger.correct(node, claim.uid, entry, marks[node])
                written.append(entry)

        async with self._writer.lock([claim.uid]):
            await self._writer.put_back(claim, node, record)
        for entry in written:
            log.warning("Entry of an allocated claim put back", node=node, claim=str(claim.key), claim_uid=claim.uid)
            recorded = nas.spec.allocated_claims.get(claim.uid)
            was = "was missing on" if recorded is None else f"had {_listed(recorded)} on"
            message = (
                f"claim {claim.key} is allocated on node {node} and {was} the node's record; its devices are reserved "
                f"again: {_listed(entry)}"
            )
            LEDGER_ENTRY_RESTORED.tell(self._events, claim, message)

    def _report_double(self, claim: ResourceClaim, other: UID, node: str) -> None:
        holder = self._caches.claim_of(other)
        name = f"claim {holder.key}" if holder is not None else f"the claim with UID {other}"
        advice = "delete the pods of one of the two to have its devices chosen anew"
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


class _GoneEffects:
    """Implements ``dra.classic.protocol.GoneEffects`` for one node."""

    def __init__(
        self, nas: NodeAllocationState, ledger: FakeLedger, writer: ClaimWriter, client: ClaimReader, events: EventSink
    ) -> None:
        self._nas = nas
        self._ledger = ledger
        self._writer = writer
        self._client = client
        self._events = events

    def mark(self, nodes: Sequence[str]) -> Marks:
        """As ``GoneEffects.mark``."""
        return {node: self._ledger.mark(node) for node in nodes}

    async def alive(self) -> Collection[UID]:
        """As ``GoneEffects.alive``."""
        listed = await self._client.list(ResourceClaim)
        refused = (UID(str(error.metadata.get("uid"))) for error in listed.invalid)
        return {*(claim.uid for claim in listed.items), *refused}

    async def forget(self, uid: UID, nodes: Sequence[str], marks: Marks | None) -> None:
        """As ``GoneEffects.forget``."""
        for node in nodes:
            async with self._writer.lock([uid]):  # a release that is at work takes it out itself
                if node not in self._ledger.nodes_of(uid):
                    continue
                await self._ledger.remove(node, uid, None if marks is None else marks[node])
            log.info("Entry of a claim that is gone taken out", node=node, claim_uid=uid)
            devices = _listed(self._nas.spec.allocated_claims[uid])
            message = f"the claim with UID {uid} no longer exists; what was on record for it is free again: {devices}"
            LEDGER_ENTRY_REMOVED.tell(self._events, self._nas, message)


class ParametersReconciler(Generic[ObjectT]):
    """Tells people about parameters that the API server let through and this driver cannot use.

    Args:
        objects: the cache of one kind of parameters.
        check: what is wrong with an object that the model takes; None when nothing is.
    """

    def __init__(self, objects: Informer[ObjectT], events: EventSink, check: Callable[[ObjectT], str | None]) -> None:
        self._objects = objects
        self._events = events
        self._check = check

    async def reconcile(self, request: Request) -> Result:
        """One pass; answers from the cache alone."""
        try:
            parameters = self._objects.get(request)
        except InvalidObjectError as error:
            INVALID_PARAMETERS.tell(self._events, _reference(error), "; ".join(error.problems))
            return Result()
        if parameters is not None and (problem := self._check(parameters)):
            INVALID_PARAMETERS.tell(self._events, parameters, problem)
        return Result()


def _reference(error: InvalidObjectError) -> ObjectReference:
    metadata: Mapping[str, Any] = error.metadata
    return ObjectReference(
        api_version=error.kind.api_version,
        kind=error.kind.kind,
        namespace=error.key.namespace,
        name=error.key.name,
        uid=UID(str(metadata.get("uid", ""))),
        resource_version=str(metadata.get("resourceVersion", "")),
    )


def _uuids(entry: AllocatedDevices) -> Sequence[str]:
    return [device.uuid for device in entry.fake.devices] if entry.fake is not None else []


def _others_with(uid: UID, entry: AllocatedDevices, records: Mapping[str, AllocatedDevices]) -> Sequence[UID]:
    """The other claims that are on record for devices of an entry."""
    uuids = set(_uuids(entry))
    return [UID(other) for other, held in records.items() if other != uid and uuids.intersection(_uuids(held))]


def _listed(entry: AllocatedDevices) -> str:
    """The devices of an entry, for a message."""
    devices = wanted_by_entry(entry)
    texts = [f"{device.uuid} split into {device.split}" if device.split else device.uuid for device in devices]
    return ", ".join(texts) or "no devices"


def _entry_of(claim: ResourceClaim, nas: NodeAllocationState) -> AllocatedDevices | None:
    """What a claim holds: as its allocation says, which the Go driver's do not; then as its entry or the plugin says.

    None: nobody says.
    """
    devices: list[AllocatedDevice] = []
    for handle in claim.status.allocation.resource_handles if claim.status.allocation is not None else ():
        if handle.driver_name in ("", DRIVER_NAME) and handle.data:
            try:
                held = ClaimHandle.from_data(handle.data)
            except ValueError:
                return None
            devices += [_device(device.uuid, device.split) for device in held.devices]
    recorded = nas.spec.allocated_claims.get(claim.uid)
    if not devices and recorded is not None:
        return recorded
    prepared = nas.spec.prepared_devices.get(claim.uid)
    if not devices and prepared is not None and prepared.fake is not None:
        split: dict[str, int] = {}
        for part in prepared.fake.devices:
            parent = part.parent_uuid or part.uuid
            split[parent] = split.get(parent, 0) + (1 if part.parent_uuid else 0)
        devices = [_device(uuid, children) for uuid, children in split.items()]
    return AllocatedDevices(fake=AllocatedFakes(devices=tuple(devices))) if devices else None


def _device(uuid: str, split: int) -> AllocatedDevice:
    return AllocatedDevice(uuid=uuid, split=split) if split else AllocatedDevice(uuid=uuid)

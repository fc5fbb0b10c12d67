"""The Fake device behind the controller's protocol: which devices a claim gets, on record in the ledger.

Devices are set aside on the selected node only, never on all potential nodes, and in memory only for the few
milliseconds between the choice and the record. Nothing that is needed after a restart lives here.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from fake_dra_driver.api.fake import (
    CLAIM_FINALIZER,
    DRIVER_NAME,
    NodeAllocationState,
)
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.api.resource.v1alpha2 import (
    AllocationResult,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    ResourceClaim,
    ResourceClass,
    ResourceHandle,
)
from fake_dra_driver.device.allocator import DeviceRequest, allocate
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.dra.classic.driver import Hold, Marks, PendingClaim, Unsuitable
from fake_dra_driver.driver.classic.entry import FakeLedger, entry_of
from fake_dra_driver.driver.classic.handle import ClaimHandle, HandleDevice
from fake_dra_driver.driver.classic.holdings import node_of, place_of, places_of
from fake_dra_driver.driver.classic.parameters import ParametersResolver
from fake_dra_driver.driver.nodestate import closed_reason, devices_of
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.runtime.errors import InvalidObjectError, NotFoundError

__all__ = ["FakeControllerDriver", "NodeReader"]

CLAIMS_BY_PLACE: Final = "place"
"""Index of the claim cache: the devices that a claim has, by ``holdings.place_of``."""
NODES_IN_A_MESSAGE: Final = 4
"""How many nodes an event lists by name; the rest are counted."""

Pending = PendingClaim[DeviceRequest]


class NodeReader(Protocol):
    """What is needed of ``runtime.client.Client`` beside the ledger."""

    async def get(self, kind: type[Node], key: NamespacedName) -> Node:
        """Reads the object from the API server."""
        ...


@dataclass(frozen=True, slots=True)
class _Capacity:
    """What a node has to offer at this moment."""

    devices: tuple[Device, ...]
    free: tuple[Device, ...]
    """In the order of ``devices``: nobody's, by the record, by the claims, and by what is set aside."""
    closed: str | None = None
    """Why the node takes no claims at all; None when it does."""


class FakeControllerDriver:
    """Implements ``dra.classic.driver.ControllerDriver``.

    Args:
        ledger: the record.
        parameters: turns claims into requests.
        claims: the ResourceClaim cache.
        nodes: the Node cache; metadata is enough.
        client: confirms that a node is gone.
    """

    name = DRIVER_NAME
    finalizer = CLAIM_FINALIZER

    def __init__(
        self,
        ledger: FakeLedger,
        parameters: ParametersResolver,
        claims: Informer[ResourceClaim],
        nodes: Informer[Node],
        client: NodeReader,
    ) -> None:
        self._ledger = ledger
        self._parameters = parameters
        self._claims = claims
        self._nodes = nodes
        self._client = client
        self._held: dict[str, dict[UID, tuple[Device, ...]]] = {}
        """By node: devices set aside for claims that are being written down at this moment."""
        claims.add_index(CLAIMS_BY_PLACE, places_of)

    def check_class(self, resource_class: ResourceClass) -> None:
        """As ``ControllerDriver.check_class``."""
        self._parameters.selectors_of(resource_class)

    def request_of(self, claim: ResourceClaim, resource_class: ResourceClass) -> DeviceRequest:
        """As ``ControllerDriver.request_of``."""
        return self._parameters.request_of(claim, resource_class)

    def unsuitable_nodes(self, pending: Sequence[Pending], nodes: Sequence[str]) -> Mapping[str, Unsuitable]:
        """As ``ControllerDriver.unsuitable_nodes``: all claims of a pod are judged together."""
        found = {}
        for node in nodes:
            choice = self._choose(pending, node)
            if isinstance(choice, Unsuitable):
                found[node] = choice
        return found

    def describe_shortage(self, pending: Sequence[Pending], unsuitable: Mapping[str, Unsuitable]) -> str:
        """As ``ControllerDriver.describe_shortage``."""
        asked = " and ".join(_describe(claim.request) for claim in pending)
        listed = [f"{node}: {unsuitable[node].reason}" for node in sorted(unsuitable)[:NODES_IN_A_MESSAGE]]
        if len(unsuitable) > NODES_IN_A_MESSAGE:
            listed.append(f"and {len(unsuitable) - NODES_IN_A_MESSAGE} more")
        if not listed:
            return f"asked for {asked} on one node, and no node runs the kubelet plugin of this driver"
        requests = [claim.request for claim in pending]
        states = (nas for nas in self._ledger.states() if nas.metadata.name in unsuitable)
        advice = "ask for fewer, or add nodes that have as many"
        if any(allocate(devices_of(nas), requests) is not None for nas in states):
            advice = "wait until devices become free, ask for fewer, or add nodes"
        return f"asked for {asked} on one node, which no node has now ({'; '.join(listed)}): {advice}"

    def nodes(self) -> Sequence[str]:
        """As ``ControllerDriver.nodes``."""
        return [nas.metadata.name for nas in self._ledger.states()]

    def choose_node(self, pending: Pending) -> str | None:
        """As ``ControllerDriver.choose_node``: where the claim is on record, else where most is free."""
        recorded = self.recorded_nodes(pending.claim.uid)
        if recorded:
            return recorded[0]
        candidates = [
            (-len(self._capacity(nas).free), nas.metadata.name)
            for nas in self._ledger.states()
            if not isinstance(self._choose([pending], nas.metadata.name), Unsuitable)
        ]
        return min(candidates)[1] if candidates else None

    def hold(self, pending: Sequence[Pending], node: str) -> AbstractContextManager[Hold] | Unsuitable:
        """As ``ControllerDriver.hold``."""
        choice = self._choose(pending, node)
        if isinstance(choice, Unsuitable):
            return choice
        return self._holding(
            node, {claim.claim.uid: (claim, devices) for claim, devices in zip(pending, choice, strict=True)}
        )

    @contextmanager
    def _holding(self, node: str, chosen: Mapping[UID, tuple[Pending, tuple[Device, ...]]]) -> Iterator[Hold]:
        held = self._held.setdefault(node, {})
        held.update({uid: devices for uid, (_, devices) in chosen.items()})
        try:
            yield _FakeHold(self._ledger, node, chosen)
        finally:
            for uid in chosen:
                held.pop(uid, None)
            if not held:
                self._held.pop(node, None)

    def recorded_nodes(self, uid: UID) -> Sequence[str]:
        """As ``ControllerDriver.recorded_nodes``."""
        return self._ledger.nodes_of(uid)

    def fits_record(self, pending: Pending, node: str) -> bool:
        """As ``ControllerDriver.fits_record``."""
        nas = self._ledger.state(node)
        if nas is None or pending.claim.uid not in nas.spec.allocated_claims:
            return True
        return self._recorded(pending, nas) is not None

    def mark(self, nodes: Sequence[str]) -> Marks:
        """As ``ControllerDriver.mark``."""
        return {node: self._ledger.mark(node) for node in nodes}

    async def forget(self, uid: UID, nodes: Sequence[str], marks: Marks | None) -> None:
        """As ``ControllerDriver.forget``."""
        for node in nodes:
            await self._ledger.remove(node, uid, None if marks is None else marks[node])

    def node_of(self, allocation: AllocationResult) -> str | None:
        """As ``ControllerDriver.node_of``."""
        return node_of(allocation)

    async def is_gone(self, node: str) -> bool:
        """As ``ControllerDriver.is_gone``: the cache may lag, so what it misses is asked for once more."""
        key = NamespacedName("", node)
        if self._nodes.get(key) is not None:
            return False
        try:
            await self._client.get(Node, key)
        except NotFoundError:
            return True
        return False

    def _capacity(self, nas: NodeAllocationState, outdated: Collection[str] = ()) -> _Capacity:
        """What is free on a node. Records of ``outdated`` claims do not count: they go before anything else is done."""
        devices = devices_of(nas)
        taken = {
            device.uuid
            for uid, entry in nas.spec.allocated_claims.items()
            if entry.fake is not None and uid not in outdated
            for device in entry.fake.devices
        }
        taken.update(device.uuid for held in self._held.get(nas.metadata.name, {}).values() for device in held)
        free = [device for device in devices if device.uuid not in taken and not self._is_claimed(nas, device)]
        return _Capacity(devices, tuple(free), closed_reason(nas))

    def _is_claimed(self, nas: NodeAllocationState, device: Device) -> bool:
        """Whether a claim has the device although the record says otherwise, until it is corrected."""
        return bool(self._claims.by_index(CLAIMS_BY_PLACE, place_of(nas.metadata.name, device.uuid)))

    def _choose(self, pending: Sequence[Pending], node: str) -> Sequence[tuple[Device, ...]] | Unsuitable:
        """Devices for each of the claims, in their order. Claims on record there keep what they have."""
        try:
            nas = self._ledger.state(node)
        except InvalidObjectError as error:
            return Unsuitable(f"its NodeAllocationState cannot be read: {error}")
        if nas is None:
            return Unsuitable("no NodeAllocationState, so no kubelet plugin of this driver runs there")
        recorded = {claim.claim.uid: self._recorded(claim, nas) for claim in pending}
        fresh = [claim for claim in pending if recorded[claim.claim.uid] is None]
        capacity = self._capacity(nas, {claim.claim.uid for claim in fresh})
        if capacity.closed is not None:
            return Unsuitable(capacity.closed)
        chosen = allocate(capacity.free, [claim.request for claim in fresh])
        if chosen is None:
            return Unsuitable(_missing(capacity, [claim.request for claim in fresh]))
        new = {claim.claim.uid: devices for claim, devices in zip(fresh, chosen, strict=True)}
        return [recorded[claim.claim.uid] or new[claim.claim.uid] for claim in pending]

    @staticmethod
    def _recorded(pending: Pending, nas: NodeAllocationState) -> tuple[Device, ...] | None:
        """The devices on record for the claim, when they are what it asks for now."""
        entry = nas.spec.allocated_claims.get(pending.claim.uid)
        if entry is None or entry.fake is None:
            return None
        known = {device.uuid: device for device in devices_of(nas)}
        request = pending.request
        fits = len(entry.fake.devices) == request.count and all(
            device.uuid in known and (device.split or 0) == request.split and request.matches(known[device.uuid])
            for device in entry.fake.devices
        )
        return tuple(known[device.uuid] for device in entry.fake.devices) if fits else None


class _FakeHold:
    """Implements ``dra.classic.driver.Hold``."""

    def __init__(self, ledger: FakeLedger, node: str, chosen: Mapping[UID, tuple[Pending, tuple[Device, ...]]]) -> None:
        self._ledger = ledger
        self._node = node
        self._chosen = chosen

    async def record(self) -> Mapping[UID, AllocationResult]:
        """As ``Hold.record``."""
        await self._ledger.put(
            self._node,
            {
                uid: entry_of([device.uuid for device in devices], claim.request.split)
                for uid, (claim, devices) in self._chosen.items()
            },
        )
        return {
            uid: _allocation(self._node, devices, claim.request.split) for uid, (claim, devices) in self._chosen.items()
        }


def _allocation(node: str, devices: Sequence[Device], split: int) -> AllocationResult:
    handle = ClaimHandle(devices=tuple(HandleDevice(uuid=device.uuid, split=split) for device in devices))
    requirement = NodeSelectorRequirement(key="metadata.name", operator="In", values=(node,))
    return AllocationResult(
        available_on_nodes=NodeSelector(node_selector_terms=(NodeSelectorTerm(match_fields=(requirement,)),)),
        resource_handles=(ResourceHandle(driver_name=DRIVER_NAME, data=handle.to_data()),),
        shareable=True,
    )


def _describe(request: DeviceRequest) -> str:
    text = f"{request.count} device{'s' if request.count != 1 else ''}"
    if request.model is not None:
        text += f" of model {request.model}"
    if request.selectors:
        text += " that match " + " or ".join(f"{entry.type}/{entry.name}" for entry in request.selectors)
    return text


def _missing(capacity: _Capacity, requests: Sequence[DeviceRequest]) -> str:
    """What a node has of what is asked for."""
    if not capacity.devices:
        return "has no devices"
    parts = []
    for request in requests:
        matching = sum(request.matches(device) for device in capacity.devices)
        free = sum(request.matches(device) for device in capacity.free)
        if free < request.count:
            parts.append(f"{free} free of {matching} that match")
    if parts:
        return ", ".join(dict.fromkeys(parts))
    return f"{len(capacity.free)} free of {len(capacity.devices)}, too few for all claims of the pod together"

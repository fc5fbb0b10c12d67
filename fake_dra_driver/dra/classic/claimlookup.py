"""What claims hold on a node in classic DRA: by their resource handles, by the ledger, by what the API server has.

An allocation says in its resource handle which devices it means, so that preparing needs no request. One of another
implementation, whose place a driver may have taken, may have no handle; the ledger says it instead.
"""

from collections.abc import Callable, Collection, Sequence
from collections.abc import Set as AbstractSet
from typing import Generic, Protocol, TypeVar

from typing_extensions import override

from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName
from fake_dra_driver.api.resource.v1alpha2 import AllocationResult, ResourceClaim
from fake_dra_driver.dra.classic.allocationresult import handle_of, node_of
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.claimlookup import ClaimInUse, ClaimLookup
from fake_dra_driver.dra.node.classic import ClassicClaim
from fake_dra_driver.dra.node.deviceerror import DeviceMissingError
from fake_dra_driver.dra.node.driver import PrepareError
from fake_dra_driver.dra.node.prepared import PreparedClaim, PreparedDevice, PreparedT
from fake_dra_driver.dra.node.retry import READ_TIMEOUT_SECONDS
from fake_dra_driver.dra.nodestate.ledgerlayout import LedgerLayout
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.runtime.client import ListResult
from fake_dra_driver.runtime.errors import NotFoundError

__all__ = ["ClassicClaimLookup", "HeldDevices", "LookupClient", "still_held"]

K = TypeVar("K", bound=KubeObject)
EntryT = TypeVar("EntryT")
EntryT_contra = TypeVar("EntryT_contra", contravariant=True)
PreparedT_co = TypeVar("PreparedT_co", bound=PreparedDevice, covariant=True)
StateT = TypeVar("StateT", bound=KubeObject)


class LookupClient(Protocol):
    """What is needed of ``runtime.client.Client``."""

    async def get(self, kind: type[K], key: NamespacedName, *, timeout_seconds: float | None = None) -> K:
        """Reads an object from the API server."""
        ...

    async def list(self, kind: type[K]) -> ListResult[K]:
        """Reads all objects of a kind from the API server."""
        ...


class HeldDevices(Protocol[EntryT_contra, PreparedT_co]):
    """The seam: what a driver's node makes of what handles and ledger say."""

    def by_handle(self, claim: NodeClaim, handle: str) -> Sequence[PreparedT_co]:
        """What a claim is to get by its resource handle; at least one device.

        Raises:
            ValueError: the handle cannot be read, with what is wrong in one line.
            DeviceMissingError: the node does not have one of the devices.
        """
        ...

    def by_entry(self, claim: NodeClaim, entry: EntryT_contra) -> Sequence[PreparedT_co]:
        """What a claim is to get by the ledger; nothing where that names no devices.

        Raises:
            DeviceMissingError: the node does not have one of the devices.
        """
        ...

    def keys_of(self, handle: str) -> Collection[str]:
        """The keys of the devices that a handle names. Raises ValueError as ``by_handle``."""
        ...


class ClassicClaimLookup(ClaimLookup[PreparedT], Generic[StateT, EntryT, PreparedT]):
    """Tells what claims hold on one node.

    Args:
        driver: name of the driver.
        layout: where the ledger is.
        state_key: of the node's object with the ledger; its name is the node's.
        states: a cache that has that object.
        client: for what is not asked of a cache.
        held: makes of it what containers get.
    """

    claim_kind = ResourceClaim.resource

    def __init__(
        self,
        driver: str,
        layout: LedgerLayout[StateT, EntryT],
        state_key: NamespacedName,
        states: Informer[StateT],
        client: LookupClient,
        held: HeldDevices[EntryT, PreparedT],
    ) -> None:
        self._driver = driver
        self._layout = layout
        self._state_key = state_key
        self._states = states
        self._client = client
        self._held = held

    async def devices(self, claim: NodeClaim) -> Sequence[PreparedT]:
        """The devices that a claim of the kubelet's is to get: by its handle, or else by the ledger.

        Raises:
            PrepareError: it holds none here, its handle cannot be read, or the node does not have one of them.
            RuntimeLayerError: the API server cannot be asked.
        """
        if isinstance(claim, ClassicClaim) and claim.resource_handle:
            try:
                return self._held.by_handle(claim, claim.resource_handle)
            except ValueError as error:
                message = f"claim {claim} has a resource handle that this driver cannot read: {error}"
                raise PrepareError(message) from error
        # Asked for live: a cache that lags might still have what the claim held before it was allocated again.
        state = await self._get(self._layout.kind, self._state_key)
        devices = self._by_ledger(claim, state)
        if not devices:
            raise PrepareError(
                f"claim {claim} ({claim.uid}) holds no devices on this node: its allocation has no resource handle, "
                f"and {self._layout.kind.resource.kind} {self._state_key} does not list it"
            )
        return devices

    @override
    def known_holders(self, prepared: AbstractSet[str]) -> AbstractSet[str]:
        state = self._states.get(self._state_key)
        return frozenset() if state is None else prepared & self._layout.entries_of(state).keys()

    @override
    async def still_held(self, prepared: PreparedClaim[PreparedT]) -> Collection[str]:
        live = await self._get(ResourceClaim, NamespacedName(prepared.namespace, prepared.name))
        return still_held(prepared, live, self._state_key.name, self._driver, self._held.keys_of)

    @override
    async def in_use(self) -> Sequence[ClaimInUse[PreparedT]]:
        # Claims that are allocated here and reserved; and claims whose pod is being ended, which the kubelet has not
        # unprepared yet: the node's object still lists those as prepared.
        state = self._states.get(self._state_key)
        listed: Collection[str] = () if state is None else self._layout.prepared_of(state)
        found = []
        for claim in (await self._client.list(ResourceClaim)).items:
            allocation = claim.status.allocation
            if allocation is None or claim.status.driver_name != self._driver:
                continue
            if node_of(allocation) == self._state_key.name and (claim.status.reserved_for or claim.uid in listed):
                found.append(self._in_use(claim, allocation, state))
        # Of some allocations without a handle nothing says what they hold any more: there is nothing to prepare.
        return [entry for entry in found if entry.devices or entry.problem]

    async def _get(self, kind: type[K], key: NamespacedName) -> K | None:
        """The object as the API server has it now, or None when it is certain that there is none."""
        try:
            return await self._client.get(kind, key, timeout_seconds=READ_TIMEOUT_SECONDS)
        except NotFoundError as error:
            if error.is_kind_missing:  # an API server that does not serve the kind says nothing about its objects
                raise
            return None

    def _by_ledger(self, claim: NodeClaim, state: StateT | None) -> Sequence[PreparedT]:
        entry = None if state is None else self._layout.entries_of(state).get(claim.uid)
        return () if entry is None else self._held.by_entry(claim, entry)

    def _in_use(
        self, claim: ResourceClaim, allocation: AllocationResult, state: StateT | None
    ) -> ClaimInUse[PreparedT]:
        identity = NodeClaim(claim.metadata.namespace, claim.metadata.name, claim.uid)
        handle = handle_of(allocation, self._driver)
        try:
            devices = self._held.by_handle(identity, handle) if handle else self._by_ledger(identity, state)
        except (ValueError, DeviceMissingError) as error:
            return ClaimInUse(identity, (), str(error))
        return ClaimInUse(identity, devices)


def still_held(
    prepared: PreparedClaim[PreparedT],
    live: ResourceClaim | None,
    node: str,
    driver: str,
    keys_of: Callable[[str], Collection[str]],
) -> frozenset[str]:
    """Those of the devices prepared for a claim that it still holds; none: it is stale, and can be unprepared.

    A UID survives a deallocation: the claim may be allocated once more, on another node or with other devices, without
    ever having been unprepared here. An allocation that does not say which devices it means counts for all of them.

    Args:
        prepared: what the node has on record.
        live: what the API server has under the claim's name at this moment; None when there is no such object.
        node: whose record it is.
        driver: name of the driver.
        keys_of: the keys of the devices that a handle names. Raises ValueError.
    """
    if live is None or live.uid != prepared.uid or live.status.driver_name != driver:
        return frozenset()
    allocation = live.status.allocation
    if allocation is None or (node_of(allocation) or node) != node:
        return frozenset()
    try:
        return prepared.keys.intersection(keys_of(handle_of(allocation, driver)))
    except ValueError:
        return prepared.keys

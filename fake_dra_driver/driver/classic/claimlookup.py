"""What claims hold on a node in classic DRA: by their resource handles, by the ledger, by what the API server has.

An allocation of this driver says in its resource handle which devices it means, so that preparing needs no request. One
of the Go driver, whose place this driver may have taken, has no handle; the ledger says it instead.
"""

from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol, TypeVar

from typing_extensions import override

from fake_dra_driver.api.fake import DRIVER_NAME, NodeAllocationState
from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName
from fake_dra_driver.api.resource.v1alpha2 import AllocationResult, ResourceClaim
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.claimlookup import ClaimInUse, ClaimLookup
from fake_dra_driver.dra.node.classic import ClassicClaim
from fake_dra_driver.dra.node.deviceerror import DeviceMissingError
from fake_dra_driver.dra.node.driver import PrepareError
from fake_dra_driver.dra.node.retry import READ_TIMEOUT_SECONDS
from fake_dra_driver.driver.classic.holdings import handle_of, node_of, still_held, wanted_by_entry, wanted_by_handle
from fake_dra_driver.driver.node.planning import FakePlanner
from fake_dra_driver.driver.node.prepared import FakePreparedClaim, FakePreparedDevice, WantedDevice
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.runtime.client import ListResult
from fake_dra_driver.runtime.errors import NotFoundError

__all__ = ["ClassicClaimLookup", "LookupClient"]

K = TypeVar("K", bound=KubeObject)


class LookupClient(Protocol):
    """What is needed of ``runtime.client.Client``."""

    async def get(self, kind: type[K], key: NamespacedName, *, timeout_seconds: float | None = None) -> K:
        """Reads an object from the API server."""
        ...

    async def list(self, kind: type[K]) -> ListResult[K]:
        """Reads all objects of a kind from the API server."""
        ...


class ClassicClaimLookup(ClaimLookup[FakePreparedDevice]):
    """Tells what claims hold on one node.

    Args:
        state_key: of the node's NodeAllocationState; its name is the node's.
        states: a cache that has that object.
        client: for what is not asked of a cache.
        planner: makes of it what containers get.
    """

    claim_kind = ResourceClaim.resource

    def __init__(
        self,
        state_key: NamespacedName,
        states: Informer[NodeAllocationState],
        client: LookupClient,
        planner: FakePlanner,
    ) -> None:
        self._state_key = state_key
        self._states = states
        self._client = client
        self._planner = planner

    async def devices(self, claim: NodeClaim) -> Sequence[FakePreparedDevice]:
        """The devices that a claim of the kubelet's is to get: by its handle, or else by the ledger.

        Raises:
            PrepareError: it holds none here, its handle cannot be read, or the node does not have one of them.
            RuntimeLayerError: the API server cannot be asked.
        """
        return self._planner.devices(claim, await self._wanted(claim))

    async def _wanted(self, claim: NodeClaim) -> Sequence[WantedDevice]:
        if isinstance(claim, ClassicClaim) and claim.resource_handle:
            try:
                return wanted_by_handle(claim.resource_handle)
            except ValueError as error:
                message = f"claim {claim} has a resource handle that this driver cannot read: {error}"
                raise PrepareError(message) from error
        # Asked for live: a cache that lags might still have what the claim held before it was allocated again.
        state = await self._get(NodeAllocationState, self._state_key)
        wanted = wanted_by_entry(None if state is None else state.spec.allocated_claims.get(claim.uid))
        if not wanted:
            raise PrepareError(
                f"claim {claim} ({claim.uid}) holds no devices on this node: its allocation has no resource handle, "
                f"and NodeAllocationState {self._state_key} does not list it"
            )
        return wanted

    @override
    def known_holders(self, prepared: AbstractSet[str]) -> AbstractSet[str]:
        state = self._states.get(self._state_key)
        return frozenset() if state is None else prepared & state.spec.allocated_claims.keys()

    @override
    async def still_held(self, prepared: FakePreparedClaim) -> Collection[str]:
        live = await self._get(ResourceClaim, NamespacedName(prepared.namespace, prepared.name))
        return still_held(prepared, live, self._state_key.name)

    @override
    async def in_use(self) -> Sequence[ClaimInUse[FakePreparedDevice]]:
        # Claims that are allocated here and reserved; and claims whose pod is being ended, which the kubelet has not
        # unprepared yet: the node's object still lists those as prepared.
        state = self._states.get(self._state_key)
        listed: Collection[str] = () if state is None else state.spec.prepared_devices
        found = []
        for claim in (await self._client.list(ResourceClaim)).items:
            allocation = claim.status.allocation
            if allocation is None or claim.status.driver_name != DRIVER_NAME:
                continue
            if node_of(allocation) == self._state_key.name and (claim.status.reserved_for or claim.uid in listed):
                found.append(self._in_use(claim, allocation, state))
        # Of some allocations of the Go driver nothing says what they hold any more: there is nothing to prepare.
        return [entry for entry in found if entry.devices or entry.problem]

    async def _get(self, kind: type[K], key: NamespacedName) -> K | None:
        """The object as the API server has it now, or None when it is certain that there is none."""
        try:
            return await self._client.get(kind, key, timeout_seconds=READ_TIMEOUT_SECONDS)
        except NotFoundError as error:
            if error.is_kind_missing:  # an API server that does not serve the kind says nothing about its objects
                raise
            return None

    def _in_use(
        self, claim: ResourceClaim, allocation: AllocationResult, state: NodeAllocationState | None
    ) -> ClaimInUse[FakePreparedDevice]:
        identity = NodeClaim(claim.metadata.namespace, claim.metadata.name, claim.uid)
        handle = handle_of(allocation)
        entry = None if state is None else state.spec.allocated_claims.get(claim.uid)
        try:
            wanted = wanted_by_handle(handle) if handle else wanted_by_entry(entry)
            return ClaimInUse(identity, self._planner.devices(identity, wanted))
        except (ValueError, DeviceMissingError) as error:
            return ClaimInUse(identity, (), str(error))

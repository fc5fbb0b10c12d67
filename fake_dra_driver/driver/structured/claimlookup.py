"""What claims hold on a node in structured DRA: by their allocation, which the scheduler has written.

Each answer is of the API server at that moment, not of a cache, which might lag behind the kubelet. What it has said of
a claim since this program was started is remembered: the kubelet unprepares what it knows itself, also what it has
missed (from Kubernetes 1.31 on, within a minute), so a claim is asked about once, at the start, and later only if it is
in the way of another one.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol, TypeVar

from typing_extensions import override

from fake_dra_driver.api.fake import DRIVER_NAME
from fake_dra_driver.api.kube.meta import UID, KubeObject, NamespacedName, ResourceKind
from fake_dra_driver.api.resource.structured import ResourceApi
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.claimlookup import ClaimInUse, ClaimLookup
from fake_dra_driver.dra.node.driver import PrepareError
from fake_dra_driver.dra.structured.claims import AllocatedClaim, ClaimReader, HoldsNothingError
from fake_dra_driver.driver.node.planning import FakePlanner
from fake_dra_driver.driver.node.prepared import FakePreparedClaim, FakePreparedDevice
from fake_dra_driver.driver.structured.devicestatus import DeviceReports, statuses_of
from fake_dra_driver.driver.structured.inventory import devices_by_name, slice_devices
from fake_dra_driver.driver.structured.wanted import wanted_devices
from fake_dra_driver.runtime.client import ListResult

__all__ = ["LookupClient", "StructuredClaimLookup"]

K = TypeVar("K", bound=KubeObject)


class LookupClient(Protocol):
    """What is needed of ``runtime.client.Client``."""

    async def get(self, kind: type[K], key: NamespacedName, *, timeout_seconds: float | None = None) -> K:
        """Reads an object from the API server."""
        ...

    async def list(self, kind: type[K]) -> ListResult[K]:
        """Reads all objects of a kind from the API server."""
        ...


class StructuredClaimLookup(ClaimLookup[FakePreparedDevice]):
    """Tells what claims hold on one node.

    Args:
        node: the name of the node, which is that of its pool.
        inventory: the devices of the node.
        planner: of the node.
        prepared: what is prepared there at this moment, by UID.
        client: reads claims.
        api: in the version that the cluster serves.
        reports: tells people about devices on their claims, whenever one that is prepared here was read.
    """

    def __init__(
        self,
        node: str,
        inventory: Sequence[Device],
        planner: FakePlanner,
        prepared: Callable[[], Mapping[str, FakePreparedClaim]],
        client: LookupClient,
        api: ResourceApi,
        reports: DeviceReports,
    ) -> None:
        self._node = node
        self._devices = devices_by_name(inventory)
        self.attributes = {device.name: device.attributes for device in slice_devices(inventory)}
        """By the name of a device, as in its ResourceSlice."""
        self._planner = planner
        self._prepared = prepared
        self._client = client
        self._api = api
        self._reports = reports
        self._reader = ClaimReader(client, api, DRIVER_NAME, node)
        self._held: set[str] = set()
        """The claims of which the API server has said that they hold devices here."""

    @property
    @override
    def claim_kind(self) -> ResourceKind:
        return self._api.claims.resource

    async def read(self, claim: NodeClaim) -> AllocatedClaim:
        """What a claim of the kubelet's holds here.

        Raises:
            HoldsNothingError: nothing.
            RuntimeLayerError: the API server cannot be asked.
        """
        allocated = await self._reader.read(claim)
        self._held.add(claim.uid)
        return allocated

    def forget(self, uid: str) -> None:
        """The claim is not prepared here any more."""
        self._held.discard(uid)

    def report(self, allocated: AllocatedClaim) -> None:
        """Has people told about the devices of a claim that is prepared here. Returns at once."""
        prepared = self._prepared().get(allocated.claim.uid)
        if prepared is not None:
            self._reports.report(allocated.claim, statuses_of(prepared))

    def devices_for(self, uid: str) -> Mapping[str, Device]:
        """The devices that a claim may hold here, by name.

        What it is prepared with stays its own, also when the node was given fewer devices since.
        """
        prepared = self._prepared().get(uid)
        own = {} if prepared is None else _devices_of(prepared)
        return {**own, **self._devices}

    def planned(self, claim: NodeClaim, allocated: AllocatedClaim) -> Sequence[FakePreparedDevice]:
        """What containers get for what a claim was allocated. Raises PrepareError: it cannot have that here."""
        return self._planner.devices(claim, wanted_devices(allocated, self.devices_for(claim.uid)))

    @override
    def known_holders(self, prepared: AbstractSet[str]) -> AbstractSet[str]:
        # Those that are not prepared are kept as well: they may be on their way into the checkpoint.
        return self._held & prepared

    @override
    async def still_held(self, prepared: FakePreparedClaim) -> Collection[str]:
        # What classic DRA has prepared before an upgrade of the cluster is not allocated by what structured DRA knows.
        try:
            allocated = await self.read(NodeClaim(prepared.namespace, prepared.name, UID(prepared.uid)))
        except HoldsNothingError:
            self.forget(prepared.uid)
            return frozenset()
        names = {result.device for result in allocated.results}
        devices = {**self._devices, **_devices_of(prepared)}
        held = prepared.keys & {device.uuid for name, device in devices.items() if name in names}
        if held == prepared.keys:
            # A report that was to be written when the plugin was stopped is made up for.
            self.report(allocated)
        return held

    @override
    async def in_use(self) -> Sequence[ClaimInUse[FakePreparedDevice]]:
        # Allocated is enough: reservedFor loses a pod that is removed by force, whose containers may still run.
        found = []
        for claim in (await self._client.list(self._api.claims)).items:
            try:
                found.append(self._in_use(AllocatedClaim.of(claim, DRIVER_NAME, self._node)))
            except HoldsNothingError:
                continue
        return found

    def _in_use(self, allocated: AllocatedClaim) -> ClaimInUse[FakePreparedDevice]:
        claim = allocated.claim
        identity = NodeClaim(claim.metadata.namespace, claim.metadata.name, claim.uid)
        try:
            return ClaimInUse(identity, self.planned(identity, allocated))
        except PrepareError as error:
            return ClaimInUse(identity, (), str(error))


def _devices_of(prepared: FakePreparedClaim) -> Mapping[str, Device]:
    """The whole devices of a prepared claim, by the names that its allocation has for them."""
    return {
        device.result.device: Device(device.key, device.model)
        for device in prepared.devices
        if device.result is not None
    }

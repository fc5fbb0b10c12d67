"""What claims hold on a node in structured DRA: by their allocation, which the scheduler has written.

Each answer is of the API server at that moment, not of a cache, which might lag behind the kubelet. What it has said of
a claim since this program was started is remembered: the kubelet unprepares what it knows itself, also what it has
missed (from Kubernetes 1.31 on, within a minute), so a claim is asked about once, at the start, and later only if it is
in the way of another one.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Generic, Protocol, TypeVar

from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID, KubeObject, NamespacedName, ResourceKind
from fake_dra_driver.api.resource.structured import ResourceApi
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.claimlookup import ClaimInUse, ClaimLookup
from fake_dra_driver.dra.node.driver import PrepareError
from fake_dra_driver.dra.node.prepared import PreparedClaim, PreparedT
from fake_dra_driver.dra.structured.claims import AllocatedClaim, ClaimReader, HoldsNothingError
from fake_dra_driver.dra.structured.devicestatus import DeviceReports, statuses_of
from fake_dra_driver.dra.structured.pooldevices import PoolDevices
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


class StructuredClaimLookup(ClaimLookup[PreparedT], Generic[PreparedT]):
    """Tells what claims hold on one node.

    Args:
        driver: whose devices count.
        node: the name of the node, which is that of its pool.
        devices: those of the node.
        prepared: what is prepared there at this moment, by UID.
        client: reads claims.
        api: in the version that the cluster serves.
        reports: tells people about devices on their claims, whenever one that is prepared here was read.
    """

    def __init__(
        self,
        driver: str,
        node: str,
        devices: PoolDevices[PreparedT],
        prepared: Callable[[], Mapping[str, PreparedClaim[PreparedT]]],
        client: LookupClient,
        api: ResourceApi,
        reports: DeviceReports,
    ) -> None:
        self._driver = driver
        self._node = node
        self._devices = devices
        self._prepared = prepared
        self._client = client
        self._api = api
        self._reports = reports
        self._reader = ClaimReader(client, api, driver, node)
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
            self._reports.report(allocated.claim, statuses_of(self._driver, prepared, self._devices))

    def report_changes(self) -> None:
        """Has people told, on the claims that are prepared here, what has become of their devices. Returns at once."""
        for uid, prepared in self._prepared().items():
            key = NamespacedName(prepared.namespace, prepared.name)
            self._reports.update(key, UID(uid), statuses_of(self._driver, prepared, self._devices))

    def devices(self, allocated: AllocatedClaim) -> Sequence[PreparedT]:
        """What a claim gets here. Raises as ``PoolDevices.prepared``."""
        return self._devices.prepared(allocated, self._prepared().get(allocated.claim.uid))

    @override
    def known_holders(self, prepared: AbstractSet[str]) -> AbstractSet[str]:
        # Those that are not prepared are kept as well: they may be on their way into the checkpoint.
        return self._held & prepared

    @override
    async def still_held(self, prepared: PreparedClaim[PreparedT]) -> Collection[str]:
        # What classic DRA has prepared before an upgrade of the cluster is not allocated by what structured DRA knows.
        try:
            allocated = await self.read(NodeClaim(prepared.namespace, prepared.name, UID(prepared.uid)))
        except HoldsNothingError:
            self.forget(prepared.uid)
            return frozenset()
        own = {device.result.device: device.key for device in prepared.devices if device.result is not None}
        names = {result.device for result in allocated.results}
        held = prepared.keys & {own.get(name) or self._devices.key_of(name) for name in names}
        if held == prepared.keys:
            # A report that was to be written when the plugin was stopped is made up for.
            self.report(allocated)
        return held

    @override
    async def in_use(self) -> Sequence[ClaimInUse[PreparedT]]:
        # Allocated is enough: reservedFor loses a pod that is removed by force, whose containers may still run.
        found = []
        for claim in (await self._client.list(self._api.claims)).items:
            try:
                found.append(self._in_use(AllocatedClaim.of(claim, self._driver, self._node)))
            except HoldsNothingError:
                continue
        return found

    def _in_use(self, allocated: AllocatedClaim) -> ClaimInUse[PreparedT]:
        try:
            return ClaimInUse(allocated.identity, self.devices(allocated))
        except PrepareError as error:
            return ClaimInUse(allocated.identity, (), str(error))

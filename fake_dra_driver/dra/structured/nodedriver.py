"""A driver's devices behind the kubelet's calls in structured DRA: one read of the claim, then local work alone."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Generic, Protocol

from typing_extensions import override

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.driver import NodeDriver, PrepareError, ReadyDevice
from fake_dra_driver.dra.node.prepared import PreparedT
from fake_dra_driver.dra.node.preparer import Preparer
from fake_dra_driver.dra.node.retry import RetryBudget, UnansweredError
from fake_dra_driver.dra.structured.claimlookup import StructuredClaimLookup
from fake_dra_driver.dra.structured.claims import AllocatedClaim
from fake_dra_driver.dra.structured.devicestatus import DeviceReports
from fake_dra_driver.dra.structured.metadata import MetadataDevice
from fake_dra_driver.dra.structured.pooldevices import PoolDevices

__all__ = ["MetadataMaker", "StructuredNodeDriver"]


class MetadataMaker(Protocol):
    """What is needed of ``dra.structured.metadata.DeviceMetadata``."""

    async def prepare(self, claim: v1.ResourceClaim, devices: Sequence[MetadataDevice]) -> Mapping[str, str]:
        """Writes the files of a claim; returns their CDI names by request. Raises OSError and ValueError."""
        ...


class StructuredNodeDriver(NodeDriver[NodeClaim], Generic[PreparedT]):
    """Reads what a claim was allocated, and has it prepared.

    Args:
        preparer: does the work.
        lookup: reads claims.
        devices: those of the node.
        reports: tells people that devices are not prepared any more.
        metadata: makes files about devices for their containers; None: there are to be none.
    """

    def __init__(
        self,
        preparer: Preparer[PreparedT],
        lookup: StructuredClaimLookup[PreparedT],
        devices: PoolDevices[PreparedT],
        reports: DeviceReports,
        metadata: MetadataMaker | None = None,
    ) -> None:
        self._preparer = preparer
        self._lookup = lookup
        self._devices = devices
        self._reports = reports
        self._metadata = metadata

    @override
    async def prepare(self, claim: NodeClaim) -> Sequence[ReadyDevice]:
        budget = RetryBudget()
        try:
            allocated = await budget.run(
                lambda: self._lookup.read(claim), f"find out which devices claim {claim} holds"
            )
        except UnansweredError:
            # The kubelet has just read the claim itself and repeats its call after each of its restarts. What is on
            # record is what the claim held when it was prepared, and no other claim has it here: a claim with a device
            # of this one gets it only after the API server has said that this one does not hold it any more.
            if (ready_before := await self._preparer.prepare_as_before(claim, budget)) is not None:
                return ready_before
            raise
        devices = self._lookup.devices(allocated)
        make_metadata = None if self._metadata is None else partial(self._make_metadata, self._metadata, allocated)
        answer = await self._preparer.prepare(claim, devices, budget, make_metadata)
        self._lookup.report(allocated)
        return answer

    @override
    async def unprepare(self, claim: NodeClaim) -> None:
        # From local data alone: the claim object may be gone, and the API server away.
        await self._preparer.unprepare(claim)
        self._lookup.forget(claim.uid)
        self._reports.withdraw(NamespacedName(claim.namespace, claim.name), claim.uid)

    async def _make_metadata(self, metadata: MetadataMaker, allocated: AllocatedClaim) -> Mapping[str, str]:
        devices = [
            MetadataDevice(result.request, result.pool, result.device, self._devices.attributes(result.device))
            for result in allocated.results
        ]
        try:
            return await metadata.prepare(allocated.claim, devices)
        except ValueError as error:
            raise PrepareError(str(error)) from error

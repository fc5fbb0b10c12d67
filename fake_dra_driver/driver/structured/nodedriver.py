"""The Fake device behind the kubelet's calls in structured DRA: one read of the claim, then local work alone."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.device.prepared import WantedDevice
from fake_dra_driver.device.split import children
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.driver import NodeDriver, PrepareError, ReadyDevice
from fake_dra_driver.dra.structured.claims import AllocatedClaim
from fake_dra_driver.dra.structured.metadata import MetadataDevice
from fake_dra_driver.dra.structured.status import ready, status_of
from fake_dra_driver.driver.node.preparer import Preparer
from fake_dra_driver.driver.node.retry import RetryBudget, UnansweredError
from fake_dra_driver.driver.structured.claimlookup import StructuredClaimLookup
from fake_dra_driver.driver.structured.wanted import wanted_devices

__all__ = ["DeviceReports", "MetadataMaker", "StructuredNodeDriver"]


class DeviceReports(Protocol):
    """What is needed of ``dra.structured.status.DeviceStatusWriter``; both return at once."""

    def report(self, claim: v1.ResourceClaim, devices: Sequence[v1.AllocatedDeviceStatus]) -> None:
        """Has the claim say this about its devices."""
        ...

    def withdraw(self, key: NamespacedName, uid: UID) -> None:
        """The claim is not prepared here any more."""
        ...


class MetadataMaker(Protocol):
    """What is needed of ``dra.structured.metadata.DeviceMetadata``."""

    async def prepare(self, claim: v1.ResourceClaim, devices: Sequence[MetadataDevice]) -> Mapping[str, str]:
        """Writes the files of a claim; returns their CDI names by request. Raises OSError and ValueError."""
        ...


class StructuredNodeDriver(NodeDriver[NodeClaim]):
    """Reads what a claim was allocated, and has it prepared.

    Args:
        preparer: does the work.
        lookup: reads claims.
        reports: tells people about devices on their claims.
        metadata: makes files about devices for their containers; None: there are to be none.
    """

    def __init__(
        self,
        preparer: Preparer,
        lookup: StructuredClaimLookup,
        reports: DeviceReports,
        metadata: MetadataMaker | None = None,
    ) -> None:
        self._preparer = preparer
        self._lookup = lookup
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
        devices = self._lookup.devices_for(claim.uid)
        wanted = wanted_devices(allocated, devices)
        make_metadata = None if self._metadata is None else partial(self._make_metadata, self._metadata, allocated)
        answer = await self._preparer.prepare(claim, wanted, budget, make_metadata)
        self._reports.report(allocated.claim, _statuses(allocated, wanted, devices))
        return answer

    @override
    async def unprepare(self, claim: NodeClaim) -> None:
        # From local data alone: the claim object may be gone, and the API server away.
        await self._preparer.unprepare(claim)
        self._reports.withdraw(NamespacedName(claim.namespace, claim.name), claim.uid)

    async def _make_metadata(self, metadata: MetadataMaker, allocated: AllocatedClaim) -> Mapping[str, str]:
        attributes = self._lookup.attributes
        devices = [
            MetadataDevice(result.request, result.pool, result.device, attributes.get(result.device, {}))
            for result in allocated.results
        ]
        try:
            return await metadata.prepare(allocated.claim, devices)
        except ValueError as error:
            raise PrepareError(str(error)) from error


def _statuses(
    allocated: AllocatedClaim, wanted: Sequence[WantedDevice], devices: Mapping[str, Device]
) -> Sequence[v1.AllocatedDeviceStatus]:
    return [
        status_of(result, ready("Prepared"), data=_data(devices[result.device], entry.split))
        for result, entry in zip(allocated.results, wanted, strict=True)
    ]


def _data(device: Device, split: int) -> Mapping[str, Any]:
    """What a person wants to know about a device, in the words of the node's NodeAllocationState and of the CRDs."""
    data: dict[str, Any] = {"uuid": device.uuid, "model": device.model}
    if split:
        data["children"] = list(children(device.uuid, split))
    return data

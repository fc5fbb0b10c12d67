"""What people are told about a claim's devices in its status: that they are ready, and what they are."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from fake_dra_driver.api.fake import DRIVER_NAME
from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.node.prepared import RequestResult
from fake_dra_driver.dra.structured.status import ready, status_of
from fake_dra_driver.driver.node.prepared import FakePreparedClaim, FakePreparedDevice

__all__ = ["DeviceReports", "statuses_of"]


class DeviceReports(Protocol):
    """What is needed of ``dra.structured.status.DeviceStatusWriter``. Both return at once."""

    def report(self, claim: v1.ResourceClaim, devices: Sequence[v1.AllocatedDeviceStatus]) -> None:
        """Has the claim say this about its devices; costs nothing where it says so already."""
        ...

    def withdraw(self, key: NamespacedName, uid: UID) -> None:
        """The claim is not prepared here any more."""
        ...


def statuses_of(prepared: FakePreparedClaim) -> Sequence[v1.AllocatedDeviceStatus]:
    """An entry for each device that the claim was allocated."""
    parts: dict[RequestResult, list[FakePreparedDevice]] = {}
    for device in prepared.devices:
        if device.result is not None:
            parts.setdefault(device.result, []).append(device)
    return [
        status_of(
            v1.DeviceRequestAllocationResult(
                request=result.request,
                driver=DRIVER_NAME,
                pool=result.pool,
                device=result.device,
                share_id=None if result.share_id is None else UID(result.share_id),
            ),
            ready("Prepared"),
            data=_data(devices),
        )
        for result, devices in parts.items()
    ]


def _data(devices: Sequence[FakePreparedDevice]) -> Mapping[str, Any]:
    """What a person wants to know about a device, in the words of the node's NodeAllocationState and of the CRDs."""
    first = devices[0]
    data = {"uuid": first.key, "model": first.model}
    return data if first.parent_uuid is None else {**data, "children": [device.uuid for device in devices]}

"""What people are told about a claim's devices in its status: that they are ready, and what they are."""

from collections.abc import Sequence
from typing import Protocol

from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.node.prepared import PreparedClaim, PreparedT, RequestResult
from fake_dra_driver.dra.structured.pooldevices import PoolDevices
from fake_dra_driver.dra.structured.status import ready, status_of

__all__ = ["DeviceReports", "statuses_of"]


class DeviceReports(Protocol):
    """What is needed of ``dra.structured.status.DeviceStatusWriter``. All return at once."""

    def report(self, claim: v1.ResourceClaim, devices: Sequence[v1.AllocatedDeviceStatus]) -> None:
        """Has the claim say this about its devices; costs nothing where it says so already."""
        ...

    def update(self, key: NamespacedName, uid: UID, devices: Sequence[v1.AllocatedDeviceStatus]) -> None:
        """Has a claim that was reported on say this about its devices now."""
        ...

    def withdraw(self, key: NamespacedName, uid: UID) -> None:
        """The claim is not prepared here any more."""
        ...


def statuses_of(
    driver: str, prepared: PreparedClaim[PreparedT], known: PoolDevices[PreparedT]
) -> Sequence[v1.AllocatedDeviceStatus]:
    """An entry for each device that the claim was allocated.

    Args:
        driver: whose devices they are.
        prepared: the claim.
        known: the devices of the node.
    """
    parts: dict[RequestResult, list[PreparedT]] = {}
    for device in prepared.devices:
        if device.result is not None:
            parts.setdefault(device.result, []).append(device)
    return [
        status_of(
            v1.DeviceRequestAllocationResult(
                request=result.request,
                driver=driver,
                pool=result.pool,
                device=result.device,
                share_id=None if result.share_id is None else UID(result.share_id),
            ),
            known.trouble(devices) or ready("Prepared"),
            data=known.status_data(devices) or None,
        )
        for result, devices in parts.items()
    ]

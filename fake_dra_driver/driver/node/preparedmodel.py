"""What a Fake device is to the containers of a claim, and in the checkpoint.

File names, kinds and the compatible variables are the Go driver's. The file of a claim of structured DRA defines each
device by a name that is unique to claim, device and share: several claims may have a device at a time, and runtimes use
none of two definitions of one name. That of a classic claim defines each device twice, with the same variables:

- By its UUID, as the Go driver and the first releases do. These are the names that the kubelet is given. It remembers
  them, and starts the containers of a running pod again without asking for them: an earlier release, which writes the
  file its own way as soon as it starts after a rollback, must define the names too. No two files define one UUID, for
  a device is prepared for one classic claim at a time.
- By its unique name. A later release may give it to the kubelet for every device, and be rolled back to this one.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Self

from typing_extensions import override

from fake_dra_driver.dra import (
    ADMIN_ACCESS,
    COMMON_DEVICE,
    CdiNames,
    ContainerEdits,
    DriverNames,
    PreparedModel,
    ReadyDevice,
    RequestResult,
    StoredDevice,
    StoredResult,
    unique_name,
)
from fake_dra_driver.driver.names import NAMES
from fake_dra_driver.driver.node.callfaults import NO_CALL_FAULTS, CallFaults
from fake_dra_driver.driver.node.prepared import FakePreparedClaim, FakePreparedDevice

__all__ = ["FakePreparedModel", "StoredFakeDevice"]


class StoredFakeDevice(StoredDevice[FakePreparedDevice]):
    """A device in the checkpoint."""

    uuid: str
    model: str
    parent_uuid: str | None = None
    result: StoredResult | None = None
    """Only of structured DRA, so that the file of a node with classic claims is what it always was."""

    @override
    def prepared(self) -> FakePreparedDevice:
        result = self.result.prepared() if self.result is not None else None
        return FakePreparedDevice(self.uuid, self.model, self.parent_uuid, result)

    @classmethod
    @override
    def of(cls, device: FakePreparedDevice) -> Self:
        return cls(
            uuid=device.uuid,
            model=device.model,
            parent_uuid=device.parent_uuid,
            result=StoredResult.of(device.result),
        )


class FakePreparedModel(PreparedModel[FakePreparedDevice]):
    """The Fake devices of one node.

    Args:
        node: its name, which containers are told.
        names: of the driver.
        calls: what happens to calls of the kubelet.
    """

    stored = StoredFakeDevice

    def __init__(self, node: str, names: DriverNames = NAMES, *, calls: CallFaults = NO_CALL_FAULTS) -> None:
        self._calls = calls
        self.cdi = CdiNames(names.cdi_vendor, names.cdi_class)
        self.common = ContainerEdits(env={"FAKE_NODE_NAME": node, "DRA_RESOURCE_DRIVER_NAME": names.driver})

    @override
    def cdi_devices(self, claim: FakePreparedClaim) -> Mapping[str, ContainerEdits]:
        return {
            name: edits
            for device, edits in zip(claim.devices, _edits_of(claim), strict=True)
            for name in _names_of(device, claim.uid)
        }

    @override
    def earlier(self, claim: FakePreparedClaim) -> Mapping[str, ContainerEdits]:
        # What the first releases have in the file: each device by its UUID alone.
        return {device.uuid: edits for device, edits in zip(claim.devices, _edits_of(claim), strict=True)}

    @override
    def ready_devices(self, node: str, claim: FakePreparedClaim) -> Sequence[ReadyDevice]:
        # One for each device that was allocated, with the CDI names of its children if it is split. The variables about
        # node and driver come with each device: a container may use one of them alone.
        common, *own = self.device_names(claim)
        names: dict[tuple[str, RequestResult | None], list[str]] = {}
        for device, name in zip(claim.devices, own, strict=True):
            names.setdefault((device.key, device.result), []).append(name)
        return [_ready_device(node, uuid, result, common, found) for (uuid, result), found in names.items()]

    @override
    async def before_prepare(self, claim: FakePreparedClaim) -> None:
        await self._calls.before_prepare(claim)

    @override
    async def before_unprepare(self, claim: FakePreparedClaim) -> None:
        await self._calls.before_unprepare(claim)

    def device_names(self, claim: FakePreparedClaim) -> Sequence[str]:
        """The fully qualified CDI names of the claim's devices: the common one first."""
        own = (_names_of(device, claim.uid)[0] for device in claim.devices)
        return [self.cdi.qualified(name) for name in (COMMON_DEVICE, *own)]

    @override
    def label_of(self, device: FakePreparedDevice) -> str:
        return device.model


def _names_of(device: FakePreparedDevice, claim_uid: str) -> Sequence[str]:
    """The names that the file of a claim defines for a device; the first is the one that the kubelet is given."""
    if device.result is not None:
        return [unique_name(device.uuid, claim_uid, device.result.share_id)]
    return [device.uuid, unique_name(device.uuid, claim_uid)]


def _edits_of(claim: FakePreparedClaim) -> Sequence[ContainerEdits]:
    """The variables of each of the claim's devices, in their order."""
    variable = f"FAKE_CLAIM_{re.sub('[^A-Za-z0-9]', '_', claim.uid).upper()}"
    return [
        ContainerEdits(
            env={
                f"FAKE_DEVICE_{index}": device.uuid,
                f"{variable}_DEVICE_{index}": device.uuid,
                f"{variable}_MODEL_{index}": device.model,
                **(ADMIN_ACCESS if device.result is not None and device.result.admin_access else {}),
            }
        )
        for index, device in enumerate(claim.devices)
    ]


def _ready_device(node: str, uuid: str, result: RequestResult | None, common: str, own: Sequence[str]) -> ReadyDevice:
    if result is None:
        return ReadyDevice(node, uuid, (common, *own))
    # In the status of a pod the kubelet calls a device by its first name, and takes devices that share it for one.
    return ReadyDevice(result.pool, result.device, (*own, common), (result.request,), result.share_id)

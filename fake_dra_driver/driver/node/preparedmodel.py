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

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from typing_extensions import override

from fake_dra_driver.dra import (
    ADMIN_ACCESS,
    COMMON_DEVICE,
    CdiNames,
    ClaimFile,
    ContainerEdits,
    DriverNames,
    Mount,
    PreparedModel,
    ReadyDevice,
    RequestResult,
    StoredDevice,
    StoredPart,
    StoredResult,
    claim_file_path,
    unique_name,
)
from fake_dra_driver.driver.names import NAMES
from fake_dra_driver.driver.node.callfaults import NO_CALL_FAULTS, CallFaults
from fake_dra_driver.driver.node.prepared import (
    FakePreparedClaim,
    FakePreparedDevice,
    PreparedFile,
    quickstart_variables,
)

__all__ = ["FakePreparedModel", "StoredFakeDevice"]


class StoredFile(StoredPart):
    """A file in the checkpoint."""

    path: str
    content: str
    mode: int


class StoredFakeDevice(StoredDevice[FakePreparedDevice]):
    """A device in the checkpoint."""

    uuid: str
    model: str
    parent_uuid: str | None = None
    result: StoredResult | None = None
    """Only of structured DRA, so that the file of a node with classic claims is what it always was."""
    environment: dict[str, str] | None = None
    """This and the next only where a profile says what containers get."""
    files: tuple[StoredFile, ...] = ()

    @override
    def prepared(self) -> FakePreparedDevice:
        return FakePreparedDevice(
            self.uuid,
            self.model,
            self.parent_uuid,
            None if self.result is None else self.result.prepared(),
            None if self.environment is None else tuple(self.environment.items()),
            tuple(PreparedFile(file.path, file.content, file.mode) for file in self.files),
        )

    @classmethod
    @override
    def of(cls, device: FakePreparedDevice) -> Self:
        return cls(
            uuid=device.uuid,
            model=device.model,
            parent_uuid=device.parent_uuid,
            result=StoredResult.of(device.result),
            environment=None if device.environment is None else dict(device.environment),
            files=tuple(StoredFile(path=file.path, content=file.content, mode=file.mode) for file in device.files),
        )


class FakePreparedModel(PreparedModel[FakePreparedDevice]):
    """The Fake devices of one node.

    Args:
        node: its name, which containers are told.
        names: of the driver.
        files_folder: of the node, for the files of claims; None where no profile can have some.
        calls: what happens to calls of the kubelet.
    """

    stored = StoredFakeDevice

    def __init__(
        self,
        node: str,
        names: DriverNames = NAMES,
        *,
        files_folder: Path | None = None,
        calls: CallFaults = NO_CALL_FAULTS,
    ) -> None:
        self._calls = calls
        self.cdi = CdiNames(names.cdi_vendor, names.cdi_class)
        self.files_folder = files_folder
        self.common = ContainerEdits(env={"FAKE_NODE_NAME": node, "DRA_RESOURCE_DRIVER_NAME": names.driver})

    @override
    def cdi_devices(self, claim: FakePreparedClaim) -> Mapping[str, ContainerEdits] | None:
        if claim.devices and not any(map(_brings_something, claim.devices)):
            return None
        return {
            name: edits
            for device, edits in zip(claim.devices, self._edits_of(claim), strict=True)
            if _brings_something(device) or edits.mounts
            for name in _names_of(device, claim.uid)
        }

    @override
    def files(self, claim: FakePreparedClaim) -> Sequence[ClaimFile]:
        return [ClaimFile(file.content.encode(), file.mode) for file in _files_of(claim)]

    @override
    def earlier(self, claim: FakePreparedClaim) -> Mapping[str, ContainerEdits]:
        # What the first releases have in the file: each device by its UUID alone.
        return {device.uuid: edits for device, edits in zip(claim.devices, self._edits_of(claim), strict=True)}

    @override
    def ready_devices(self, node: str, claim: FakePreparedClaim) -> Sequence[ReadyDevice]:
        # One for each device that was allocated, with the CDI names of its children if it is split. The variables about
        # node and driver come with each device: a container may use one of them alone.
        common = self.cdi.qualified(COMMON_DEVICE)
        names: dict[tuple[str, RequestResult | None], list[str]] = {}
        has_files = bool(_files_of(claim))
        for device in claim.devices:
            own = names.setdefault((device.key, device.result), [])
            if has_files or _brings_something(device):
                own.append(self.cdi.qualified(_names_of(device, claim.uid)[0]))
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

    def _edits_of(self, claim: FakePreparedClaim) -> Sequence[ContainerEdits]:
        """What each of the claim's devices brings, in their order."""
        mounts = self._mounts_of(claim)
        return [
            ContainerEdits(env=_variables_of(claim.uid, index, device), mounts=mounts)
            for index, device in enumerate(claim.devices)
        ]

    def _mounts_of(self, claim: FakePreparedClaim) -> tuple[Mount, ...]:
        if self.files_folder is None:
            return ()
        return tuple(
            Mount(host_path=str(claim_file_path(self.files_folder, claim.uid, number)), container_path=file.path)
            for number, file in enumerate(_files_of(claim))
        )


def _names_of(device: FakePreparedDevice, claim_uid: str) -> Sequence[str]:
    """The names that the file of a claim defines for a device; the first is the one that the kubelet is given."""
    if device.result is not None:
        return [unique_name(device.uuid, claim_uid, device.result.share_id)]
    return [device.uuid, unique_name(device.uuid, claim_uid)]


def _brings_something(device: FakePreparedDevice) -> bool:
    """Whether containers get anything for a device: CDI takes none that brings nothing."""
    return device.environment != () or bool(device.files) or _is_looked_at(device)


def _is_looked_at(device: FakePreparedDevice) -> bool:
    return device.result is not None and device.result.admin_access


def _files_of(claim: FakePreparedClaim) -> Sequence[PreparedFile]:
    return [file for device in claim.devices for file in device.files]


def _variables_of(claim_uid: str, index: int, device: FakePreparedDevice) -> Mapping[str, str]:
    if device.environment is None:
        variables = quickstart_variables(claim_uid, index, device.uuid, device.model)
    else:
        variables = dict(device.environment)
    return {**variables, **ADMIN_ACCESS} if _is_looked_at(device) else variables


def _ready_device(node: str, uuid: str, result: RequestResult | None, common: str, own: Sequence[str]) -> ReadyDevice:
    if result is None:
        return ReadyDevice(node, uuid, (common, *own))
    # In the status of a pod the kubelet calls a device by its first name, and takes devices that share it for one.
    return ReadyDevice(result.pool, result.device, (*own, common), (result.request,), result.share_id)

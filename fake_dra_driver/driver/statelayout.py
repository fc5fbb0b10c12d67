"""How the NodeAllocationState of the Fake devices carries what is known of a node: as the Go driver has it as well.

Each device, entry and prepared device is a member of a union over device types, of which ``fake`` is the only one.
"""

from collections.abc import Mapping, Sequence

from typing_extensions import override

from fake_dra_driver.api.devicecolumns import DeviceColumns, DeviceRow
from fake_dra_driver.api.fake import (
    ABANDONED_ANNOTATION,
    ALLOCATED_ANNOTATION,
    LEDGER_REVISION_ANNOTATION,
    MAX_SPLIT,
    MODELS_ANNOTATION,
    SIMULATED_LABEL,
    AllocatedDevices,
    NodeAllocationState,
    NodeAllocationStateSpec,
    PreparedDevices,
    PreparedFake,
    PreparedFakes,
    allocatable_devices,
)
from fake_dra_driver.api.kube.meta import ObjectMeta
from fake_dra_driver.device.inventory import DEVICE_TYPE, Device
from fake_dra_driver.device.split import children
from fake_dra_driver.dra import PreparedClaim
from fake_dra_driver.dra.nodestate import NodeStateLayout
from fake_dra_driver.driver.node.prepared import FakePreparedDevice

__all__ = ["FakeStateLayout"]


class FakeStateLayout(NodeStateLayout[NodeAllocationState, Device, AllocatedDevices, FakePreparedDevice]):
    """A device's key is its UUID. Its parts are its children."""

    kind = NodeAllocationState
    path = ("spec", "allocatedClaims")
    plugin_fields = ("allocatableDevice", "preparedDevices")
    revision_annotation = LEDGER_REVISION_ANNOTATION
    allocated_annotation = ALLOCATED_ANNOTATION
    models_annotation = MODELS_ANNOTATION
    abandoned_annotation = ABANDONED_ANNOTATION
    simulated_label = SIMULATED_LABEL

    @override
    def make(self, metadata: ObjectMeta, status: str) -> NodeAllocationState:
        return NodeAllocationState(metadata=metadata, spec=NodeAllocationStateSpec(), status=status)

    @override
    def spec_of(self, state: NodeAllocationState) -> NodeAllocationStateSpec:
        return state.spec

    @override
    def status_of(self, state: NodeAllocationState) -> str:
        return state.status

    @override
    def inventory_of(self, state: NodeAllocationState) -> Sequence[Device]:
        listed: object = state.spec.allocatable_device
        if isinstance(listed, DeviceColumns):
            return tuple(Device(row.uuid, row.name, row.type or DEVICE_TYPE, row.device) for row in listed.rows())
        return tuple(
            Device(device.fake.uuid, device.fake.name, device.fake.type or DEVICE_TYPE, device.fake.device)
            for device in state.spec.allocatable_device
            if device.fake is not None
        )

    @override
    def key_of(self, device: Device) -> str:
        return device.uuid

    @override
    def name_of(self, device: Device) -> str:
        return device.name

    @override
    def model_of(self, device: Device) -> str:
        return device.model

    @override
    def entries_of(self, state: NodeAllocationState) -> Mapping[str, AllocatedDevices]:
        return state.spec.allocated_claims

    @override
    def devices_of(self, entry: AllocatedDevices) -> Sequence[str]:
        return [device.uuid for device in entry.fake.devices] if entry.fake is not None else []

    @override
    def parts_of(self, entry: AllocatedDevices) -> Mapping[str, int]:
        found: dict[str, int] = {}
        for device in () if entry.fake is None else entry.fake.devices:
            found.setdefault(device.uuid, device.split or 0)  # after an edit by hand it may be there twice
        return found

    @override
    def prepared_of(self, state: NodeAllocationState) -> Mapping[str, Sequence[str]]:
        return {uid: list(_children(entry)) for uid, entry in state.spec.prepared_devices.items()}

    @override
    def prepared_parts_of(self, state: NodeAllocationState) -> Mapping[str, Mapping[str, Sequence[str]]]:
        return {uid: _children(entry) for uid, entry in state.spec.prepared_devices.items()}

    @override
    def part_keys(self, key: str, parts: int) -> Sequence[str]:
        # The API server does not bound the record, so an edit by hand can say anything.
        return children(key, min(parts, MAX_SPLIT)) if parts else ()

    @override
    def spec_for(
        self, inventory: Sequence[Device], prepared: Mapping[str, PreparedClaim[FakePreparedDevice]]
    ) -> NodeAllocationStateSpec:
        return NodeAllocationStateSpec(
            allocatable_device=allocatable_devices(map(_row, inventory)),
            prepared_devices={
                uid: _listed(devices)
                for uid, claim in sorted(prepared.items())
                if (devices := claim.devices_in_use) or not claim.devices
            },
        )


def _row(device: Device) -> DeviceRow:
    """With what only profiles say of devices left out of others, as every release writes them."""
    return DeviceRow(device.uuid, device.model, device.type if device.type != DEVICE_TYPE else "", device.name)


def _listed(devices: Sequence[FakePreparedDevice]) -> PreparedDevices:
    fakes = [
        PreparedFake(uuid=device.uuid, parent_uuid=device.parent_uuid)
        if device.parent_uuid is not None
        else PreparedFake(uuid=device.uuid)
        for device in devices
    ]
    return PreparedDevices(fake=PreparedFakes(devices=tuple(fakes)))


def _children(entry: PreparedDevices) -> Mapping[str, Sequence[str]]:
    """By the UUID of each device that is prepared: its children that are, none where all of it is."""
    found: dict[str, list[str]] = {}
    for device in () if entry.fake is None else entry.fake.devices:
        if device.parent_uuid is None:
            found.setdefault(device.uuid, [])
        else:
            found.setdefault(device.parent_uuid, []).append(device.uuid)
    return found

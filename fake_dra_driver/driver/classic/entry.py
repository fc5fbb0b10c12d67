"""What the ledger of a node says: the entries in ``spec.allocatedClaims`` of its NodeAllocationState."""

from collections.abc import Mapping, Sequence

from typing_extensions import override

from fake_dra_driver.api.fake import (
    ALLOCATED_ANNOTATION,
    LEDGER_REVISION_ANNOTATION,
    AllocatedDevices,
    NodeAllocationState,
)
from fake_dra_driver.dra.classic.ledger import Ledger
from fake_dra_driver.dra.nodestate.ledgerlayout import LedgerLayout
from fake_dra_driver.driver.nascolumns import allocated_of

__all__ = ["FakeLedger", "FakeLedgerLayout"]

FakeLedger = Ledger[NodeAllocationState, AllocatedDevices]


class FakeLedgerLayout(LedgerLayout[NodeAllocationState, AllocatedDevices]):
    """The ledger as the Go driver has it as well. A device's key is its UUID."""

    kind = NodeAllocationState
    path = ("spec", "allocatedClaims")
    revision_annotation = LEDGER_REVISION_ANNOTATION

    @override
    def entries_of(self, state: NodeAllocationState) -> Mapping[str, AllocatedDevices]:
        return state.spec.allocated_claims

    @override
    def devices_of(self, entry: AllocatedDevices) -> Sequence[str]:
        return [device.uuid for device in entry.fake.devices] if entry.fake is not None else []

    @override
    def prepared_of(self, state: NodeAllocationState) -> Mapping[str, Sequence[str]]:
        return {
            uid: [device.parent_uuid or device.uuid for device in prepared.fake.devices]
            for uid, prepared in state.spec.prepared_devices.items()
            if prepared.fake is not None
        }

    @override
    def annotations_of(self, state: NodeAllocationState, entries: Mapping[str, AllocatedDevices]) -> Mapping[str, str]:
        return {ALLOCATED_ANNOTATION: allocated_of(entries, len(state.spec.allocatable_device))}

"""The ledger of the Fake devices: the entries in ``spec.allocatedClaims`` of NodeAllocationStates."""

from fake_dra_driver.api.fake import AllocatedDevices, NodeAllocationState
from fake_dra_driver.dra.classic import Ledger

__all__ = ["FakeLedger"]

FakeLedger = Ledger[NodeAllocationState, AllocatedDevices]

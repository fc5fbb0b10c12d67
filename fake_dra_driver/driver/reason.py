"""The reasons of Events that only this driver has, whose devices fail and change on demand."""

from fake_dra_driver.dra import Reason

__all__ = [
    "BINDING_FAILED",
    "DEVICES_FAULTED",
    "DEVICES_HEALED",
    "FAULTS_UNREADABLE",
    "FAULT_UNUSABLE",
    "MOCK_REASONS",
]

BINDING_FAILED = Reason(
    "BindingFailed",
    "notice",
    "Warning",
    "ResourceClaim",
    "A device that was allocated does not become ready, so that the scheduler takes the allocation back.",
    "Nothing, if the DeviceProfile or DeviceFault that the message names is to do that; else change or delete it.",
)

DEVICES_FAULTED = Reason(
    "DevicesFaulted",
    "notice",
    "Warning",
    "NodeAllocationState",
    "A DeviceFault has hit the node: some of its devices, or its plugin.",
    "Nothing, if this is what you test; the message names the DeviceFault. When it is deleted, all heals.",
)
DEVICES_HEALED = Reason(
    "DevicesHealed",
    "notice",
    "Normal",
    "NodeAllocationState",
    "A DeviceFault that has hit the node has ended, was deleted, or pauses.",
    "Nothing.",
)
FAULT_UNUSABLE = Reason(
    "FaultUnusable",
    "refusal",
    "Warning",
    "NodeAllocationState",
    "A DeviceFault cannot say which devices it means, so that it leaves some alone.",
    "Correct what the message names in the DeviceFault.",
)
FAULTS_UNREADABLE = Reason(
    "FaultsUnreadable",
    "refusal",
    "Warning",
    "NodeAllocationState",
    "DeviceFaults have no effect on the node, since the plugin cannot read them.",
    "Apply the CRDs of this release, or give the plugin's ServiceAccount the permissions of this release's chart.",
)

MOCK_REASONS: tuple[Reason, ...] = (
    BINDING_FAILED,
    DEVICES_FAULTED,
    DEVICES_HEALED,
    FAULT_UNUSABLE,
    FAULTS_UNREADABLE,
)
"""Beside those of any driver."""

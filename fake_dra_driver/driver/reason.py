"""The reasons of Events that only this driver has, whose devices fail and change on demand."""

from fake_dra_driver.dra import Reason

__all__ = [
    "BINDING_FAILED",
    "DEVICES_FAULTED",
    "DEVICES_HEALED",
    "DEVICE_GONE",
    "FAULTS_UNREADABLE",
    "FAULT_UNUSABLE",
    "MOCK_REASONS",
    "PROFILES_UNREADABLE",
    "PROFILE_IN_FORCE",
    "PROFILE_REFUSED",
    "SIMULATED_NODE_SERVED",
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

PROFILE_IN_FORCE = Reason(
    "ProfileInForce",
    "notice",
    "Normal",
    "NodeAllocationState",
    "Another DeviceProfile describes the node, or the same one in another state. What claims hold stays theirs.",
    "Nothing, if this is the profile that you want; the message says why it is this one.",
)
PROFILE_REFUSED = Reason(
    "ProfileRefused",
    "refusal",
    "Warning",
    "NodeAllocationState",
    "The DeviceProfile that is for the node cannot be used. The node keeps the devices that it had.",
    "Correct the fields that the message names; fake-dra-driver profile check finds the same before it is applied.",
)
PROFILES_UNREADABLE = Reason(
    "ProfilesUnreadable",
    "refusal",
    "Warning",
    "NodeAllocationState",
    "DeviceProfiles have no effect on the node, since the plugin cannot read them.",
    "Apply the CRDs of this release, or give the plugin's ServiceAccount the permissions of this release's chart.",
)
DEVICE_GONE = Reason(
    "DeviceGone",
    "notice",
    "Warning",
    "ResourceClaim",
    "A device that the claim has is not on its node any more: its DeviceProfile has changed, or a DeviceFault has made "
    "it vanish.",
    "Nothing, if that was to be tested. The claim keeps the device until its pods end, and no other claim gets it.",
)

SIMULATED_NODE_SERVED = Reason(
    "SimulatedNodeServed",
    "notice",
    "Warning",
    "NodeAllocationState",
    "The controller's settings say that the node is to be simulated, and a kubelet plugin serves it, or has done so "
    "until it was killed. The controller leaves the node alone.",
    "Where no plugin runs, delete the NodeAllocationState; where one is to run, take away from the Node what the "
    "selector of simulated nodes matches.",
)

MOCK_REASONS: tuple[Reason, ...] = (
    BINDING_FAILED,
    DEVICES_FAULTED,
    DEVICES_HEALED,
    FAULT_UNUSABLE,
    FAULTS_UNREADABLE,
    PROFILE_IN_FORCE,
    PROFILE_REFUSED,
    PROFILES_UNREADABLE,
    DEVICE_GONE,
    SIMULATED_NODE_SERVED,
)
"""Beside those of any driver."""

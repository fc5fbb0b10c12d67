"""The reasons of the kubelet plugin's Events beside those of the protocol."""

from fake_dra_driver.dra.reason import Reason

__all__ = [
    "BAD_DEVICES",
    "CDI_FILES_REMOVED",
    "CDI_FILES_RESTORED",
    "CHECKPOINT_REBUILT",
    "CLAIM_NOT_RESTORED",
    "NODE_NOT_READY",
    "NODE_REASONS",
    "PLUGIN_STOPPED",
    "REGISTRATION_REFUSED",
    "SOCKET_RESTORED",
    "STALE_CLAIM_UNPREPARED",
    "STATE_RECREATED",
]

BAD_DEVICES = Reason(
    "BadDevices",
    "refusal",
    "Warning",
    "NodeAllocationState",
    "The driver's code failed to say which devices the node has, or said what no node can have.",
    "Mend the driver, whose class and method the message names. The node keeps the devices that it had.",
)
"""Of drivers whose devices may change; not one of NODE_REASONS."""
REGISTRATION_REFUSED = Reason(
    "RegistrationRefused",
    "refusal",
    "Warning",
    "NodeAllocationState",
    "The kubelet refused the plugin, so that no pod with claims can start on the node.",
    "Do what the kubelet says; its log has more.",
)
CLAIM_NOT_RESTORED = Reason(
    "ClaimNotRestored",
    "refusal",
    "Warning",
    "ResourceClaim",
    "A lost checkpoint was rebuilt, and this claim, which was in use on the node, could not be restored.",
    "Delete the claim's pods on that node, so that it is prepared or allocated again.",
)
CHECKPOINT_REBUILT = Reason(
    "CheckpointRebuilt",
    "repair",
    "Warning",
    "NodeAllocationState",
    "The plugin's file of prepared claims was lost or damaged, and was rebuilt from what the API server has.",
    "Look at the node's disk; a damaged file is kept under the name in the message.",
)
CDI_FILES_RESTORED = Reason(
    "CDIFilesRestored",
    "repair",
    "Normal",
    "NodeAllocationState",
    "CDI files of prepared claims were missing or changed, and were written again.",
    "Nothing after a reboot, which empties /var/run/cdi; otherwise find out who removes files there.",
)
CDI_FILES_REMOVED = Reason(
    "CDIFilesRemoved",
    "repair",
    "Normal",
    "NodeAllocationState",
    "CDI files of claims that are not prepared were left after a stop, and were removed.",
    "Nothing.",
)
STALE_CLAIM_UNPREPARED = Reason(
    "StaleClaimUnprepared",
    "repair",
    "Normal",
    "NodeAllocationState",
    "The kubelet had never unprepared a claim that holds nothing on the node any more; the plugin has done it.",
    "Nothing: pods that are removed by force, and kubelet 1.27, leave such claims.",
)
STATE_RECREATED = Reason(
    "StateRecreated",
    "repair",
    "Warning",
    "NodeAllocationState",
    "The object was deleted while the plugin ran, and was created again.",
    "Do not delete it; it goes with its Node.",
)
SOCKET_RESTORED = Reason(
    "SocketRestored",
    "repair",
    "Warning",
    "NodeAllocationState",
    "A socket of the plugin was gone, and is served again.",
    "Find out who removes files in the kubelet's plugin folders.",
)
NODE_NOT_READY = Reason(
    "NodeNotReady",
    "notice",
    "Warning",
    "NodeAllocationState",
    "The kubelet can no longer use the plugin; pods with claims cannot start on the node until it can.",
    "Look at the plugin's pod and at the kubelet.",
)
PLUGIN_STOPPED = Reason(
    "PluginStopped",
    "notice",
    "Normal",
    "NodeAllocationState",
    "The plugin was stopped; pods that run keep their devices, others with claims cannot start until it is back.",
    "Nothing during an update.",
)

NODE_REASONS: tuple[Reason, ...] = (
    *(REGISTRATION_REFUSED, CLAIM_NOT_RESTORED, CHECKPOINT_REBUILT, CDI_FILES_RESTORED, CDI_FILES_REMOVED),
    *(STALE_CLAIM_UNPREPARED, STATE_RECREATED, SOCKET_RESTORED, NODE_NOT_READY, PLUGIN_STOPPED),
)

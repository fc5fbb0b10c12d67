"""The reasons of Events about what a node's plugin publishes in structured DRA."""

from fake_dra_driver.dra.reason import Reason

__all__ = [
    "DEVICE_STATUS_NOT_WRITTEN",
    "SLICES_CORRECTED",
    "SLICES_REMOVED",
    "SLICES_RESTORED",
    "SLICE_FIELDS_DROPPED",
    "SLICE_REASONS",
]

SLICES_RESTORED = Reason(
    "ResourceSlicesRestored",
    "repair",
    "Normal",
    "Node",
    "ResourceSlices of the node had been deleted, and were published again.",
    "Nothing: a kubelet deletes them when it starts, and after the plugin was away.",
)
SLICES_CORRECTED = Reason(
    "ResourceSlicesCorrected",
    "repair",
    "Warning",
    "Node",
    "ResourceSlices of the node had been edited, and were written again as the plugin has them.",
    "Find out who edits them.",
)
SLICES_REMOVED = Reason(
    "ResourceSlicesRemoved",
    "repair",
    "Warning",
    "Node",
    "ResourceSlices that another program, or a person, had made in the driver's name for the node were deleted.",
    "Find out who makes them.",
)
SLICE_FIELDS_DROPPED = Reason(
    "ResourceSliceFieldsDropped",
    "notice",
    "Warning",
    "Node",
    "The API server does not keep some fields of the ResourceSlices, since a feature gate is off.",
    "Switch on the feature gate that the message names, if what it is for is needed.",
)
DEVICE_STATUS_NOT_WRITTEN = Reason(
    "DeviceStatusNotWritten",
    "notice",
    "Warning",
    "Node",
    "The plugin cannot say in the status of claims which devices they have.",
    "Do what the message says, if anyone looks there; pods get their devices all the same.",
)

SLICE_REASONS: tuple[Reason, ...] = (
    *(SLICES_RESTORED, SLICES_CORRECTED, SLICES_REMOVED, SLICE_FIELDS_DROPPED, DEVICE_STATUS_NOT_WRITTEN),
)
"""Of the publisher of slices, and of what it writes into claims."""

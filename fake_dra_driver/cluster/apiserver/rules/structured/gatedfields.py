"""Fields that belong to a feature gate: while it is off they are dropped from what is written, without a word.

A gate's fields stay if the stored object has one of them, so that an object which uses a feature can still be updated
after the feature was switched off (dropDisabledFields in pkg/registry/resource/*/strategy.go).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.releases import Release

__all__ = ["drop_disabled"]

_REQUEST = "spec.devices.requests[].exactly"
_SUBREQUEST = "spec.devices.requests[].firstAvailable[]"
_RESULT = "status.allocation.devices.results[]"
_DEVICE = "spec.devices[]"
_CLAIM: Mapping[str, Sequence[str]] = {
    "DRAAdminAccess": (f"{_REQUEST}.adminAccess", f"{_RESULT}.adminAccess"),
    "DRAConsumableCapacity": (
        f"{_REQUEST}.capacity",
        f"{_SUBREQUEST}.capacity",
        "spec.devices.constraints[].distinctAttribute",
        f"{_RESULT}.shareID",
        f"{_RESULT}.consumedCapacity",
        "status.devices[].shareID",
    ),
    "DRADerivedAttributes": (f"{_REQUEST}.derivedAttributes", f"{_SUBREQUEST}.derivedAttributes"),
    "DRADeviceBindingConditions": (f"{_RESULT}.bindingConditions", f"{_RESULT}.bindingFailureConditions"),
    "DRADeviceTaints": (f"{_REQUEST}.tolerations", f"{_SUBREQUEST}.tolerations"),
    "DRAOptionalNodeOperations": (f"{_RESULT}.skipNodeOperations",),
    "DRAPrioritizedList": ("spec.devices.requests[].firstAvailable",),
    "DRAResourceClaimDeviceStatus": ("status.devices",),
}
_FIELDS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "DeviceClass": {"DRAExtendedResource": ("spec.extendedResourceName",)},
    "ResourceClaim": _CLAIM,
    "ResourceClaimTemplate": {
        gate: [f"spec.{path}" for path in paths if path.startswith("spec.")] for gate, paths in _CLAIM.items()
    },
    "ResourceSlice": {
        "DRAConsumableCapacity": (f"{_DEVICE}.allowMultipleAllocations", f"{_DEVICE}.capacity[].requestPolicy"),
        "DRADeviceBindingConditions": (
            f"{_DEVICE}.bindingConditions",
            f"{_DEVICE}.bindingFailureConditions",
            f"{_DEVICE}.bindsToNode",
        ),
        "DRADeviceCompatibilityGroups": (f"{_DEVICE}.consumesCounters[].compatibilityGroups",),
        "DRADeviceTaints": (f"{_DEVICE}.taints",),
        "DRAListTypeAttributes": tuple(
            f"{_DEVICE}.attributes[].{name}" for name in ("bools", "ints", "strings", "versions")
        ),
        "DRANodeAllocatableResources": (f"{_DEVICE}.nodeAllocatableResources",),
        "DRAOptionalNodeOperations": ("spec.skipNodeOperations",),
        "DRAPartitionableDevices": (
            "spec.sharedCounters",
            "spec.perDeviceNodeSelection",
            f"{_DEVICE}.consumesCounters",
            f"{_DEVICE}.nodeName",
            f"{_DEVICE}.nodeSelector",
            f"{_DEVICE}.allNodes",
        ),
        "DRAPartitionableDevicesType": ("spec.partitionTypeAttribute",),
    },
}
"""By kind and gate. ``[]`` stands for each item of a list, or each value of a map."""


def drop_disabled(kind: str, obj: Object, old: Object | None, release: Release) -> None:
    """Removes the fields of all gates that are off from an object that is to be written."""
    for gate, paths in _FIELDS[kind].items():
        if _is_on(gate, kind, release) or (old is not None and any(_is_used(old, path) for path in paths)):
            continue
        for path in paths:
            for owner, name in _owners(obj, path.split(".")):
                owner.pop(name, None)


def _is_on(gate: str, kind: str, release: Release) -> bool:
    # Binding conditions are reported in the status of the claim's devices.
    needs_status = gate == "DRADeviceBindingConditions" and kind == "ResourceSlice"
    return release.is_enabled(gate) and (not needs_status or release.is_enabled("DRAResourceClaimDeviceStatus"))


def _is_used(obj: Object, path: str) -> bool:
    return any(owner.get(name) not in (None, [], {}) for owner, name in _owners(obj, path.split(".")))


def _owners(value: Any, path: Sequence[str]) -> Iterator[tuple[Object, str]]:
    """The objects that may have the last field of a path, with its name."""
    if not isinstance(value, dict):
        return
    if len(path) == 1:
        yield value, path[0]
        return
    name, each = path[0].removesuffix("[]"), path[0].endswith("[]")
    inner = value.get(name)
    if not each:
        yield from _owners(inner, path[1:])
        return
    for item in inner.values() if isinstance(inner, dict) else inner or ():
        yield from _owners(item, path[1:])

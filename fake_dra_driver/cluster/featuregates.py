"""The feature gates that matter here, and what each release of Kubernetes sets them to: a part of ``releases``.

Follows kube_features.go of k8s.io/kubernetes/pkg/features and k8s.io/apiserver/pkg/features. A gate that no part of the
cluster asks for is not here, so that a change of it is refused and not ignored.
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from fake_dra_driver.cluster.errors import ClusterError

__all__ = ["gates_on_by_default", "parse_feature_gates", "switched"]


class _Default(Enum):
    """What a gate is unless a cluster is told otherwise."""

    OFF = auto()
    ON = auto()
    FIXED = auto()
    """On, and cannot be switched off (LockToDefault)."""


_OFF, _ON, _FIXED = _Default.OFF, _Default.ON, _Default.FIXED
_HISTORY: Final[Mapping[str, Mapping[str, _Default]]] = {
    "DRAAdminAccess": {"1.32": _OFF, "1.34": _ON, "1.36": _FIXED},
    "DRAConsumableCapacity": {"1.34": _OFF, "1.36": _ON},
    "DRADerivedAttributes": {"1.37": _OFF},
    "DRADeviceBindingConditions": {"1.34": _OFF, "1.36": _ON},
    "DRADeviceCompatibilityGroups": {"1.37": _OFF},
    "DRADeviceTaintRules": {"1.35": _OFF, "1.37": _ON},
    "DRADeviceTaints": {"1.33": _OFF, "1.36": _ON},
    "DRAExtendedResource": {"1.34": _OFF, "1.36": _ON, "1.37": _FIXED},
    # On where all of a cluster is of 1.37, which no control plane assumes of itself (MinCompatibilityVersion).
    "DRAFractionalCapacityRange": {"1.37": _OFF},
    "DRAListTypeAttributes": {"1.36": _OFF},
    "DRANodeAllocatableResources": {"1.36": _OFF},
    "DRAOptionalNodeOperations": {"1.37": _OFF},
    "DRAPartitionableDevices": {"1.33": _OFF, "1.36": _ON},
    "DRAPartitionableDevicesType": {"1.37": _OFF},
    "DRAPrioritizedList": {"1.33": _OFF, "1.34": _ON, "1.37": _FIXED},
    "DRAResourceClaimDeviceStatus": {"1.32": _OFF, "1.33": _ON, "1.37": _FIXED},
    # Off by default until 1.34; here always on, since DRA is what the cluster is for.
    "DynamicResourceAllocation": {"1.27": _FIXED},
    # Still what kubelets do, although the gate went with 1.32.
    "PodHostIPs": {"1.28": _OFF, "1.29": _ON, "1.30": _FIXED},
    "PodReadyToStartContainersCondition": {"1.28": _OFF, "1.29": _ON, "1.37": _FIXED},
    "ResourceHealthStatus": {"1.31": _OFF, "1.36": _ON},
    "ResourceHealthStatusMessage": {"1.36": _ON},
    "SchedulerPopFromBackoffQ": {"1.33": _ON},
    "WatchList": {"1.27": _OFF, "1.32": _ON, "1.33": _OFF, "1.34": _ON},
}
"""By gate: the releases in which its default changed, the first of which is the one that brought it."""


def gates_on_by_default(release: str) -> frozenset[str]:
    """The gates that are on in a release, such as ``1.37``."""
    return frozenset(gate for gate, default in _defaults(release).items() if default is not _OFF)


def switched(release: str, gates: frozenset[str], changes: Mapping[str, bool]) -> frozenset[str]:
    """The gates that are on once some were switched on or off.

    Raises:
        ClusterError: the release does not have the gate, and the text says which it has; or it cannot be switched off.
    """
    defaults = _defaults(release)
    for gate, is_on in changes.items():
        if gate not in defaults:
            known = ", ".join(name for name, default in defaults.items() if default is not _FIXED)
            raise ClusterError(f"Kubernetes {release} has no feature gate {gate} that matters here; known: {known}")
        if defaults[gate] is _FIXED and not is_on:
            raise ClusterError(f"The feature gate {gate} cannot be switched off in Kubernetes {release}")
    return gates - changes.keys() | {gate for gate, is_on in changes.items() if is_on}


def parse_feature_gates(text: str) -> Mapping[str, bool]:
    """The changes in a text as Kubernetes' own programs take it: ``DRADeviceTaints=true,DRAAdminAccess=false``.

    Raises:
        ClusterError: a part of the text is not a name with ``true`` or ``false``.
    """
    changes = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        gate, _, value = part.partition("=")
        if value.lower() not in ("true", "false"):
            raise ClusterError(
                f"{part} does not say whether a feature gate is on: expected {gate}=true or {gate}=false"
            )
        changes[gate] = value.lower() == "true"
    return changes


def _defaults(release: str) -> Mapping[str, _Default]:
    """The gates that a release has."""
    wanted, found = _order(release), {}
    for gate, history in _HISTORY.items():
        for since, default in history.items():
            if _order(since) <= wanted:
                found[gate] = default
    return found


def _order(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split("."))

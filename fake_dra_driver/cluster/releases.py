"""The releases of Kubernetes that the cluster can behave like, and everything in which they differ here.

A new release is a new row. No other module compares version numbers: it asks for what it wants to know. What all of
these releases do alike is not in the table.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from fake_dra_driver.api.kube.meta import ResourceKind
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim
from fake_dra_driver.cluster.errors import ClusterError
from fake_dra_driver.cluster.kinds import ResourceClaimTemplate, ResourceClass

__all__ = ["DEFAULT", "RELEASES", "PluginVersion", "Release", "SliceLimits", "find_release"]

PluginVersion = Literal["v1alpha2", "v1alpha3", "v1beta1", "v1"]
"""A version of the gRPC service that kubelets prepare claims through."""

_NEGOTIATED: Final = (
    PodSchedulingContext.resource,
    ResourceClaim.resource,
    ResourceClaimTemplate.resource,
    ResourceClass.resource,
)
"""The kinds of classic DRA."""
_PARAMETERS: Final = (
    ResourceKind("resource.k8s.io", "v1alpha2", "ResourceClaimParameters", "resourceclaimparameters"),
    ResourceKind("resource.k8s.io", "v1alpha2", "ResourceClassParameters", "resourceclassparameters"),
    ResourceKind("resource.k8s.io", "v1alpha2", "ResourceSlice", "resourceslices", namespaced=False),
)
"""The kinds of the structured parameters of 1.30, which no part of the cluster acts on."""


def _structured(*versions: str) -> tuple[ResourceKind, ...]:
    """The kinds of structured DRA in these versions, the preferred one first."""
    kinds = (
        ("DeviceClass", "deviceclasses", False),
        ("ResourceClaim", "resourceclaims", True),
        ("ResourceClaimTemplate", "resourceclaimtemplates", True),
        ("ResourceSlice", "resourceslices", False),
    )
    return tuple(
        ResourceKind("resource.k8s.io", version, kind, plural, namespaced=namespaced)
        for version in versions
        for kind, plural, namespaced in kinds
    )


def _taint_rule(version: str) -> ResourceKind:
    return ResourceKind("resource.k8s.io", version, "DeviceTaintRule", "devicetaintrules", namespaced=False)


@dataclass(frozen=True, slots=True)
class SliceLimits:
    """How much a ResourceSlice may hold."""

    devices: int = 128
    advanced_devices: int = 128
    """The same, as soon as one of them has taints, consumes counters, or has a list as an attribute."""
    taints: int = 4
    """Of one device."""
    has_separate_counters: bool = False
    """Whether counters and devices cannot be in one slice."""


@dataclass(frozen=True, slots=True)
class Release:
    """A minor release of Kubernetes."""

    name: str
    """Such as ``1.30``."""
    api_server: str = ""
    """The patch release whose API server the embedded one was compared with; empty: it was not."""
    resource_kinds: tuple[ResourceKind, ...] = _NEGOTIATED
    """What is served in ``resource.k8s.io``."""
    plugin_versions: tuple[PluginVersion, ...] = ("v1alpha3", "v1alpha2")
    """What its kubelet speaks to DRA plugins: the first, and the next where a plugin answers UNIMPLEMENTED."""
    plugin_timeout_seconds: float = 45.0
    """The deadline of such a call (PluginClientTimeout)."""
    slice_grace_seconds: float = 30.0
    """How long the slices of a driver stay on a node that its plugin is gone from."""
    prepares_unused_claims: bool = False
    """Whether a kubelet prepares claims that a pod names and none of its containers uses."""
    claims_block_their_pods: bool = True
    """Whether the claim of a pod delays its foreground deletion (blockOwnerDeletion)."""
    has_random_claim_names: bool = True
    """Whether claims made from templates have a random suffix, which the pod's status tells."""
    feature_gates: frozenset[str] = frozenset()
    """Gates that are on, and matter here: by default those that the release has on by default."""
    slice_limits: SliceLimits = SliceLimits()
    selects_slices_by_pool: bool = False
    """Whether slices can be selected by the name of their pool."""
    taint_rules_have_status: bool = False
    """Whether a DeviceTaintRule says in its status what has become of it, and counts from when its effect changed."""
    structured_version: str = ""
    """Version of resource.k8s.io in which controllers, scheduler and kubelets speak of structured DRA; empty: it has
    classic DRA."""

    def is_enabled(self, gate: str) -> bool:
        """Whether a feature gate is on."""
        return gate in self.feature_gates

    @property
    def taint_rule_version(self) -> str:
        """Version of resource.k8s.io in which scheduler and controllers read DeviceTaintRules; empty: they do not."""
        if not self.is_enabled("DRADeviceTaints") or not self.is_enabled("DRADeviceTaintRules"):
            return ""
        return next((each.version for each in self.resource_kinds if each.kind == "DeviceTaintRule"), "")

    def with_gates(self, changes: Mapping[str, bool]) -> "Release":
        """The release with some feature gates switched on or off."""
        switched = {gate for gate, is_on in changes.items() if is_on}
        return replace(self, feature_gates=self.feature_gates - changes.keys() | switched)


_GATES_OF_1_29: Final = frozenset({"PodHostIPs", "PodReadyToStartContainersCondition"})
_GATES_OF_1_34: Final = _GATES_OF_1_29 | {"DRAAdminAccess", "DRAPrioritizedList", "DRAResourceClaimDeviceStatus"}
_GATES_OF_1_37: Final = _GATES_OF_1_34 | {
    "DRAConsumableCapacity",
    "DRADeviceBindingConditions",
    "DRADeviceTaintRules",
    "DRADeviceTaints",
    "DRAExtendedResource",
    "DRAPartitionableDevices",
}

RELEASES: Final[Mapping[str, Release]] = {
    each.name: each
    for each in (
        Release(
            "1.27",
            plugin_versions=("v1alpha2",),
            plugin_timeout_seconds=10.0,
            prepares_unused_claims=True,
            has_random_claim_names=False,
        ),
        Release("1.28"),
        Release("1.29", feature_gates=_GATES_OF_1_29),
        Release(
            "1.30",
            api_server="v1.30.14",
            resource_kinds=(*_NEGOTIATED, *_PARAMETERS),
            feature_gates=_GATES_OF_1_29,
        ),
        Release(
            "1.32",
            api_server="v1.32.2",
            resource_kinds=_structured("v1beta1"),
            plugin_versions=("v1beta1",),
            slice_grace_seconds=0.0,
            prepares_unused_claims=True,
            feature_gates=_GATES_OF_1_29,
            structured_version="v1beta1",
        ),
        Release(
            "1.34",
            api_server="v1.34.4",
            resource_kinds=_structured("v1", "v1beta2", "v1beta1"),
            plugin_versions=("v1", "v1beta1"),
            prepares_unused_claims=True,
            feature_gates=_GATES_OF_1_34,
            structured_version="v1",
        ),
        Release(
            "1.37",
            api_server="v1.37.2",
            resource_kinds=(*_structured("v1", "v1beta2", "v1beta1"), _taint_rule("v1"), _taint_rule("v1beta2")),
            plugin_versions=("v1", "v1beta1"),
            prepares_unused_claims=True,
            taint_rules_have_status=True,
            feature_gates=_GATES_OF_1_37,
            slice_limits=SliceLimits(advanced_devices=64, taints=16, has_separate_counters=True),
            selects_slices_by_pool=True,
            claims_block_their_pods=False,
            structured_version="v1",
        ),
    )
}
"""By name, the oldest first: four with classic DRA, three with structured DRA."""
DEFAULT: Final = RELEASES["1.30"]
"""The one that a cluster behaves like unless it is told otherwise."""


def find_release(version: str) -> Release:
    """The release of a version, which may have a patch number and a ``v`` in front: ``1.29``, ``v1.29.14``.

    Raises:
        ClusterError: nothing is known of it here.
    """
    release = RELEASES.get(".".join(version.removeprefix("v").split(".")[:2]))
    if release is None:
        raise ClusterError(
            f"The cluster cannot behave like Kubernetes {version}; known releases: {', '.join(RELEASES)}"
        )
    return release

"""The releases of Kubernetes that the cluster can behave like, and everything in which they differ here.

A new release is a new row, and a column in the table of ``featuregates``. No other module compares version numbers: it
asks for what it wants to know. What all of these releases do alike is not in the table.

1.31 is not here: its structured DRA was an alpha of its own (``v1alpha3``), which no other release speaks.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Final, Literal

from fake_dra_driver.allocation.behaviour import Behaviour
from fake_dra_driver.allocation.selectors import SelectorLanguage
from fake_dra_driver.api.kube.meta import ResourceKind
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim
from fake_dra_driver.cel import Features
from fake_dra_driver.cluster.errors import ClusterError
from fake_dra_driver.cluster.featuregates import gates_on_by_default, switched
from fake_dra_driver.cluster.kinds import ResourceClaimTemplate, ResourceClass

__all__ = [
    "DEFAULT",
    "RELEASES",
    "ApiDetails",
    "HealthVersion",
    "PluginVersion",
    "Release",
    "SliceLimits",
    "find_release",
    "nearest_release",
]

PluginVersion = Literal["v1alpha2", "v1alpha3", "v1beta1", "v1"]
"""A version of the gRPC service that kubelets prepare claims through."""
HealthVersion = Literal["v1alpha1", "v1"]
"""A version of the gRPC service that plugins report the health of devices through."""

_GROUP: Final = "resource.k8s.io"

_VERSION: Final = re.compile(r"v?(\d+)\.(\d+)")
_MINORS: Final = 1000
"""More than a major release has minor ones."""

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


def _structured(*versions: str, taint_rules: tuple[str, ...] = ()) -> tuple[ResourceKind, ...]:
    """The kinds of structured DRA, the preferred version first.

    Args:
        versions: those that have classes, claims, templates and slices.
        taint_rules: those that have DeviceTaintRule.
    """
    kinds = (
        ("DeviceClass", "deviceclasses", False),
        ("ResourceClaim", "resourceclaims", True),
        ("ResourceClaimTemplate", "resourceclaimtemplates", True),
        ("ResourceSlice", "resourceslices", False),
    )
    return (
        *(
            ResourceKind(_GROUP, version, kind, plural, namespaced=namespaced)
            for version in versions
            for kind, plural, namespaced in kinds
        ),
        *(
            ResourceKind(_GROUP, version, "DeviceTaintRule", "devicetaintrules", namespaced=False)
            for version in taint_rules
        ),
    )


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
class ApiDetails:
    """Words, paths and columns in which API servers differ, beyond DRA: by default those of 1.30."""

    status_paths_are_whole: bool = False
    """Whether what is wrong with the status of a custom object is found at ``status.x``, not at ``x``."""
    ended_pods_stay_ended: bool = False
    """Whether the table of Pods shows one that has ended, and is deleted, as what it was."""
    values_are_json: bool = False
    """Whether messages repeat values as JSON, not in Go's notation, and leave times out that are not set."""
    rules_repeat_values: bool = False
    """Whether the message of a rule that does not hold says what the value of a custom object is, not its type."""
    shows_account_secrets: bool = True
    """Whether the table of ServiceAccounts has a column for their Secrets."""
    shows_node_architecture: bool = False
    """Whether the table of Nodes has the architecture behind the kernel."""
    owners_are_numbered: bool = False
    """Whether what is wrong with an owner is found at its place in the list."""
    reviews_are_unions: bool = False
    """Whether a review that asks about both or nothing is wrong as a whole."""
    patches_are_read_first: bool = False
    """Whether the bytes of a patch are checked before anything else is."""


_DETAILS_OF_1_32: Final = ApiDetails(status_paths_are_whole=True, ended_pods_stay_ended=True)
_DETAILS_OF_1_34: Final = replace(_DETAILS_OF_1_32, values_are_json=True)
_DETAILS_OF_1_35: Final = replace(_DETAILS_OF_1_34, shows_account_secrets=False, rules_repeat_values=True)
_DETAILS_OF_1_36: Final = replace(_DETAILS_OF_1_35, shows_node_architecture=True)
_DETAILS_OF_1_37: Final = replace(
    _DETAILS_OF_1_36, owners_are_numbered=True, reviews_are_unions=True, patches_are_read_first=True
)


@dataclass(frozen=True, slots=True)
class Release:
    """A minor release of Kubernetes."""

    name: str
    """Such as ``1.30``."""
    api_server: str = ""
    """The patch release whose API server the embedded one follows; empty: there is none, and that of ``DEFAULT`` serves
    the cluster."""
    is_compared: bool = False
    """Whether the embedded API server was compared with a running one of this release, by the conformance tests or by
    hand. The others follow from its sources, and from what was seen on their neighbours."""
    details: ApiDetails = ApiDetails()
    """Of its API server."""
    known_kinds: tuple[ResourceKind, ...] = _NEGOTIATED
    """What can be served in ``resource.k8s.io``."""
    served_versions: frozenset[str] = frozenset({"v1alpha2"})
    """The versions of it that are served: by default those that a real API server serves by default, and in 1.32 and
    1.33, which serve none, all that are not alpha, since DRA is what the cluster is for."""
    plugin_versions: tuple[PluginVersion, ...] = ("v1alpha3", "v1alpha2")
    """What its kubelet speaks to DRA plugins: the first, and the next where a plugin answers UNIMPLEMENTED."""
    health_versions: tuple[HealthVersion, ...] = ()
    """How its kubelet asks plugins for the health of their devices: through the first that the plugin offers."""
    plugin_timeout_seconds: float = 45.0
    """The deadline of such a call (PluginClientTimeout)."""
    slice_grace_seconds: float = 30.0
    """How long the slices of a driver stay on a node that its plugin is gone from."""
    prepares_unused_claims: bool = False
    """Whether a kubelet prepares claims that a pod names and none of its containers uses."""
    checks_claims_first: bool = False
    """Whether a kubelet notes a pod's claims only once all of them and their drivers are there, so that the pod can be
    deleted until then; and says what is wrong in the words that came with that."""
    refuses_claims_being_unprepared: bool = False
    """Whether a kubelet lets no other pod have a claim whose unpreparing has begun, and failed."""
    claims_block_their_pods: bool = True
    """Whether the claim of a pod delays its foreground deletion (blockOwnerDeletion)."""
    releases_extended_claims: bool = False
    """Whether the claim for a pod's extended resources is released as soon as the pod has ended."""
    jobs_end_in_two_steps: bool = False
    """Whether a Job says first that it is going to end (SuccessCriteriaMet, FailureTarget), and then, when all of its
    pods have ended, that it has."""
    suspended_jobs_forget_start: bool = False
    """Whether a Job that is suspended has no start time (MutableSchedulingDirectivesForSuspendedJobs)."""
    has_random_claim_names: bool = True
    """Whether claims made from templates have a random suffix, which the pod's status tells."""
    feature_gates: frozenset[str] = frozenset()
    """Gates that are on, and matter here."""
    slice_limits: SliceLimits = SliceLimits()
    selects_slices_by_pool: bool = False
    """Whether slices can be selected by the name of their pool."""
    taint_rules_have_status: bool = False
    """Whether a DeviceTaintRule says in its status what has become of it, and counts from when its effect changed."""
    scaling_events_begin_with_old_size: bool = False
    """Whether the Events of Deployments say ``from 1 to 2``, and not ``to 2 from 1``, or only ``to 2`` of a new set."""
    structured_version: str = ""
    """Version of resource.k8s.io in which controllers, scheduler and kubelets speak of structured DRA; empty: it has
    classic DRA."""
    taint_rules_in: str = ""
    """Version of resource.k8s.io in which its programs would read DeviceTaintRules; see ``taint_rule_version``."""
    taint_rule_gates: frozenset[str] = frozenset({"DRADeviceTaints", "DRADeviceTaintRules"})
    """Gates without which nothing reads them."""
    taint_rules_select_classes: bool = False
    """Whether a DeviceTaintRule can choose devices by class and by CEL."""
    allocation_rules: Behaviour = field(default_factory=Behaviour)
    """How its scheduler allocates devices, apart from what feature gates decide; see ``behaviour``."""
    says_nothing_to_deallocate: bool = True
    """Whether its scheduler tells a pod that no claim was deallocated for it."""
    names_untolerated_taints: bool = True
    """Whether its scheduler tells a pod which taint of a node it does not tolerate."""
    long_searches_are_errors: bool = False
    """Whether a search for devices that takes too long ends the attempt, and not only rules out the node."""
    tells_binding_errors_apart: bool = False
    """Whether an error about a device that does not become ready begins with what sort of error it is."""

    @property
    def resource_kinds(self) -> tuple[ResourceKind, ...]:
        """What is served in ``resource.k8s.io``."""
        return tuple(each for each in self.known_kinds if each.version in self.served_versions)

    def is_enabled(self, gate: str) -> bool:
        """Whether a feature gate is on."""
        return gate in self.feature_gates

    @property
    def expression_features(self) -> Features:
        """What its API server lets new expressions use: what the minor release before knew, too."""
        return _EXPRESSIONS[self.name]

    @property
    def selector_language(self) -> SelectorLanguage:
        """What its API server lets the selectors of new objects use."""
        has_shares, has_lists = self.is_enabled("DRAConsumableCapacity"), self.is_enabled("DRAListTypeAttributes")
        return _selector_language(
            self.expression_features, has_shares=has_shares, has_lists=has_lists, knows_sizes=self.name != "1.32"
        )

    @property
    def taint_rule_version(self) -> str:
        """Version of resource.k8s.io in which scheduler and controllers read DeviceTaintRules; empty: they do not."""
        can_read = self.taint_rules_in in self.served_versions and self.feature_gates.issuperset(self.taint_rule_gates)
        return self.taint_rules_in if can_read else ""

    @property
    def behaviour(self) -> Behaviour:
        """How its scheduler allocates devices."""
        has_device_status = self.is_enabled("DRAResourceClaimDeviceStatus")
        return replace(
            self.allocation_rules,
            admin_access=self.is_enabled("DRAAdminAccess"),
            prioritized_list=self.is_enabled("DRAPrioritizedList"),
            partitionable_devices=self.is_enabled("DRAPartitionableDevices"),
            consumable_capacity=self.is_enabled("DRAConsumableCapacity"),
            fractional_capacity=self.is_enabled("DRAFractionalCapacityRange"),
            device_taints=self.is_enabled("DRADeviceTaints"),
            taint_rules=bool(self.taint_rule_version),
            binding_conditions=has_device_status and self.is_enabled("DRADeviceBindingConditions"),
            list_attributes=self.is_enabled("DRAListTypeAttributes"),
            extended_resources=self.is_enabled("DRAExtendedResource"),
        )

    def with_gates(self, changes: Mapping[str, bool]) -> "Release":
        """The release with some feature gates switched on or off (``--feature-gates``).

        Raises:
            ClusterError: it does not have the gate, or it cannot be switched off.
        """
        return replace(self, feature_gates=switched(self.name, self.feature_gates, changes))

    def with_versions(self, changes: Mapping[str, bool]) -> "Release":
        """The release with API versions, such as ``resource.k8s.io/v1beta1``, served or not (``--runtime-config``).

        Raises:
            ClusterError: it does not have that version, or cannot be told to serve it or not.
        """
        served, known = self.served_versions, [f"{_GROUP}/{each}" for each in self._known_versions()]
        for name, is_on in changes.items():
            if name not in known:
                raise ClusterError(f"Kubernetes {self.name} cannot be told to serve {name}; known: {', '.join(known)}")
            version = {name.removeprefix(f"{_GROUP}/")}
            served = served | version if is_on else served - version
        return replace(self, served_versions=served)

    def _known_versions(self) -> Sequence[str]:
        return list(dict.fromkeys(each.version for each in self.known_kinds))


_ALLOCATION_IN_1_32: Final = Behaviour(
    pools_over_cluster=False,
    incomplete_pools_usable=True,
    invalid_pools_abort=True,
    admin_devices_distinct=False,
    all_needs_one=False,
    all_skips_used_up=True,
    limit_names_request=False,
    errors_name_device=False,
    binary_amounts=True,
    claim_config="once",
    class_config_shared=False,
    copies_tolerations=False,
)
_ALLOCATION_IN_1_33: Final = replace(
    _ALLOCATION_IN_1_32,
    all_needs_one=True,
    claim_config="per-request",
    class_config_shared=True,
    counters_in_slices=True,
    distinct_from_last=True,
)
_ALLOCATION_IN_1_34: Final = replace(_ALLOCATION_IN_1_33, admin_devices_distinct=True, conditional_slices_last=True)
_ALLOCATION_IN_1_35: Final = replace(
    _ALLOCATION_IN_1_34,
    pools_over_cluster=True,
    incomplete_pools_usable=False,
    invalid_pools_abort=False,
    counter_slices_everywhere=True,
    counters_in_slices=False,
    copies_tolerations=True,
)
_ALLOCATION_IN_1_36: Final = replace(_ALLOCATION_IN_1_35, conditional_slices_last=False)
_BY_KUBELET_OF_1_34: Final[tuple[PluginVersion, ...]] = ("v1", "v1beta1")
_LIMITS_OF_1_35: Final = SliceLimits(advanced_devices=64, taints=16, has_separate_counters=True)
_ALL_VERSIONS: Final = ("v1", "v1beta2", "v1beta1")
_ROWS: Final = (
    Release(
        "1.27",
        plugin_versions=("v1alpha2",),
        plugin_timeout_seconds=10.0,
        prepares_unused_claims=True,
        has_random_claim_names=False,
    ),
    Release("1.28"),
    Release("1.29"),
    Release("1.30", api_server="v1.30.14", is_compared=True, known_kinds=(*_NEGOTIATED, *_PARAMETERS)),
    Release(
        "1.32",
        api_server="v1.32.2",
        scaling_events_begin_with_old_size=True,
        details=_DETAILS_OF_1_32,
        is_compared=True,
        known_kinds=_structured("v1beta1"),
        served_versions=frozenset({"v1beta1"}),
        plugin_versions=("v1beta1",),
        slice_grace_seconds=0.0,
        prepares_unused_claims=True,
        jobs_end_in_two_steps=True,
        structured_version="v1beta1",
        allocation_rules=_ALLOCATION_IN_1_32,
    ),
    Release(
        "1.33",
        api_server="v1.33.13",
        scaling_events_begin_with_old_size=True,
        details=_DETAILS_OF_1_32,
        known_kinds=_structured("v1beta2", "v1beta1", taint_rules=("v1alpha3",)),
        served_versions=frozenset({"v1beta1", "v1beta2"}),
        plugin_versions=("v1beta1",),
        prepares_unused_claims=True,
        jobs_end_in_two_steps=True,
        structured_version="v1beta1",
        taint_rules_in="v1alpha3",
        taint_rule_gates=frozenset({"DRADeviceTaints"}),
        taint_rules_select_classes=True,
        allocation_rules=_ALLOCATION_IN_1_33,
    ),
    Release(
        "1.34",
        api_server="v1.34.4",
        scaling_events_begin_with_old_size=True,
        details=_DETAILS_OF_1_34,
        is_compared=True,
        known_kinds=_structured(*_ALL_VERSIONS, taint_rules=("v1alpha3",)),
        served_versions=frozenset({"v1"}),
        plugin_versions=_BY_KUBELET_OF_1_34,
        health_versions=("v1alpha1",),
        prepares_unused_claims=True,
        jobs_end_in_two_steps=True,
        checks_claims_first=True,
        structured_version="v1",
        taint_rules_in="v1alpha3",
        taint_rule_gates=frozenset({"DRADeviceTaints"}),
        taint_rules_select_classes=True,
        names_untolerated_taints=False,
        allocation_rules=_ALLOCATION_IN_1_34,
    ),
    Release(
        "1.35",
        api_server="v1.35.4",
        scaling_events_begin_with_old_size=True,
        details=_DETAILS_OF_1_35,
        known_kinds=_structured(*_ALL_VERSIONS, taint_rules=("v1alpha3",)),
        served_versions=frozenset({"v1"}),
        plugin_versions=_BY_KUBELET_OF_1_34,
        health_versions=("v1alpha1",),
        prepares_unused_claims=True,
        checks_claims_first=True,
        slice_limits=_LIMITS_OF_1_35,
        claims_block_their_pods=False,
        releases_extended_claims=True,
        jobs_end_in_two_steps=True,
        structured_version="v1",
        taint_rules_in="v1alpha3",
        taint_rules_have_status=True,
        names_untolerated_taints=False,
        allocation_rules=_ALLOCATION_IN_1_35,
    ),
    Release(
        "1.36",
        api_server="v1.36.3",
        scaling_events_begin_with_old_size=True,
        details=_DETAILS_OF_1_36,
        known_kinds=_structured(*_ALL_VERSIONS, taint_rules=("v1beta2", "v1alpha3")),
        served_versions=frozenset({"v1"}),
        plugin_versions=_BY_KUBELET_OF_1_34,
        health_versions=("v1alpha1",),
        prepares_unused_claims=True,
        checks_claims_first=True,
        slice_limits=_LIMITS_OF_1_35,
        claims_block_their_pods=False,
        releases_extended_claims=True,
        jobs_end_in_two_steps=True,
        suspended_jobs_forget_start=True,
        structured_version="v1",
        taint_rules_in="v1beta2",
        taint_rules_have_status=True,
        names_untolerated_taints=False,
        allocation_rules=_ALLOCATION_IN_1_36,
        long_searches_are_errors=True,
        tells_binding_errors_apart=True,
    ),
    Release(
        "1.37",
        api_server="v1.37.2",
        scaling_events_begin_with_old_size=True,
        details=_DETAILS_OF_1_37,
        is_compared=True,
        known_kinds=_structured(*_ALL_VERSIONS, taint_rules=("v1", "v1beta2", "v1alpha3")),
        served_versions=frozenset({"v1"}),
        plugin_versions=_BY_KUBELET_OF_1_34,
        health_versions=("v1", "v1alpha1"),
        prepares_unused_claims=True,
        checks_claims_first=True,
        refuses_claims_being_unprepared=True,
        slice_limits=_LIMITS_OF_1_35,
        selects_slices_by_pool=True,
        claims_block_their_pods=False,
        releases_extended_claims=True,
        jobs_end_in_two_steps=True,
        suspended_jobs_forget_start=True,
        structured_version="v1",
        names_untolerated_taints=False,
        taint_rules_in="v1",
        taint_rules_have_status=True,
        says_nothing_to_deallocate=False,
        long_searches_are_errors=True,
        tells_binding_errors_apart=True,
    ),
)
_EXPRESSIONS_OF_1_32: Final = Features(two_variables=False, semvers=False, more_lists=False, includes=False)
_EXPRESSIONS_OF_1_30: Final = replace(_EXPRESSIONS_OF_1_32, network=False, named_formats=False)
_EXPRESSIONS_OF_1_29: Final = replace(_EXPRESSIONS_OF_1_30, texts_and_sets=False)
_EXPRESSIONS_OF_1_27: Final = replace(_EXPRESSIONS_OF_1_29, optionals=False)
_EXPRESSIONS_OF_1_33: Final = replace(_EXPRESSIONS_OF_1_32, two_variables=True)
_EXPRESSIONS_OF_1_34: Final = replace(_EXPRESSIONS_OF_1_33, semvers=True)
_EXPRESSIONS_OF_1_35: Final = replace(_EXPRESSIONS_OF_1_34, more_lists=True)
_EXPRESSIONS: Final[Mapping[str, Features]] = {
    "1.27": _EXPRESSIONS_OF_1_27,
    "1.28": _EXPRESSIONS_OF_1_27,
    "1.29": _EXPRESSIONS_OF_1_29,
    "1.30": _EXPRESSIONS_OF_1_30,
    "1.32": _EXPRESSIONS_OF_1_32,
    "1.33": _EXPRESSIONS_OF_1_33,
    "1.34": _EXPRESSIONS_OF_1_34,
    "1.35": _EXPRESSIONS_OF_1_35,
    "1.36": _EXPRESSIONS_OF_1_35,
    "1.37": _EXPRESSIONS_OF_1_35,
}


@cache
def _selector_language(features: Features, *, has_shares: bool, has_lists: bool, knows_sizes: bool) -> SelectorLanguage:
    return SelectorLanguage(
        features, multiple_allocations=has_shares, list_attributes=has_lists, sizes_are_known=knows_sizes
    )


RELEASES: Final[Mapping[str, Release]] = {
    each.name: replace(each, feature_gates=gates_on_by_default(each.name)) for each in _ROWS
}
"""By name, the oldest first: four with classic DRA, then those with structured DRA."""
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


def nearest_release(version: str) -> tuple[Release, bool]:
    """The release that is closest to a version, and whether it is the one of that version.

    For parts that look at real clusters: of two that are equally close it is the newer, which the version then has
    most of; a version that cannot be read counts as newer than all.
    """
    try:
        return find_release(version), True
    except ClusterError:
        return min(reversed([*RELEASES.values()]), key=lambda each: abs(_rank(each.name) - _rank(version))), False


def _rank(version: str) -> float:
    """A number that grows with the version; that of a text without a version is the highest."""
    found = _VERSION.match(version)
    return int(found[1]) * _MINORS + int(found[2]) if found else math.inf

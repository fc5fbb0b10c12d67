"""The kinds of workloads that the cluster's controllers read and write, for client and cache.

As in ``kinds``, with the fields that the controllers need; all others are kept and written back.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from fake_dra_driver.api.kube.meta import ApiModel, KubeObject, ResourceKind
from fake_dra_driver.cluster.kinds import Condition, PodSpec, TemplateMetadata

__all__ = [
    "ControllerRevision",
    "DaemonSet",
    "DaemonSetSpec",
    "DaemonSetStatus",
    "DaemonSetUpdateStrategy",
    "Deployment",
    "DeploymentSpec",
    "DeploymentStatus",
    "DeploymentStrategy",
    "LabelSelector",
    "LabelSelectorRequirement",
    "PodTemplateSpec",
    "ReplicaSet",
    "ReplicaSetSpec",
    "ReplicaSetStatus",
    "RollingUpdate",
    "StatefulSet",
    "StatefulSetOrdinals",
    "StatefulSetRollingUpdate",
    "StatefulSetSpec",
    "StatefulSetStatus",
    "StatefulSetUpdateStrategy",
]


class PodTemplateSpec(ApiModel):
    """v1.PodTemplateSpec."""

    metadata: TemplateMetadata = Field(default_factory=TemplateMetadata)
    spec: PodSpec = Field(default_factory=PodSpec)


class LabelSelectorRequirement(ApiModel):
    """metav1.LabelSelectorRequirement."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


class LabelSelector(ApiModel):
    """metav1.LabelSelector: all of it must hold."""

    match_labels: Mapping[str, str] = Field(default_factory=dict)
    match_expressions: tuple[LabelSelectorRequirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels are selected. An empty selector selects everything."""
        return all(labels.get(key) == value for key, value in self.match_labels.items()) and all(
            _holds(each, labels) for each in self.match_expressions
        )


def _holds(requirement: LabelSelectorRequirement, labels: Mapping[str, str]) -> bool:
    match requirement.operator:
        case "In":
            return labels.get(requirement.key) in requirement.values
        case "NotIn":
            return labels.get(requirement.key) not in requirement.values
        case "Exists":
            return requirement.key in labels
        case "DoesNotExist":
            return requirement.key not in labels
    raise ValueError(f"{requirement.operator} is not an operator of label selectors")


class RollingUpdate(ApiModel):
    """How many pods more or fewer there may be while new pods replace old ones."""

    max_unavailable: int | str | None = None
    max_surge: int | str | None = None


class DeploymentStrategy(ApiModel):
    """apps/v1 DeploymentStrategy."""

    type: str = "RollingUpdate"
    rolling_update: RollingUpdate | None = None


class DeploymentSpec(ApiModel):
    """apps/v1 DeploymentSpec."""

    replicas: int = 1
    selector: LabelSelector = Field(default_factory=LabelSelector)
    template: PodTemplateSpec = Field(default_factory=PodTemplateSpec)
    strategy: DeploymentStrategy = Field(default_factory=DeploymentStrategy)
    min_ready_seconds: int = 0
    revision_history_limit: int = 10
    paused: bool = False
    progress_deadline_seconds: int = 600


class DeploymentStatus(ApiModel):
    """apps/v1 DeploymentStatus."""

    observed_generation: int = 0
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    unavailable_replicas: int = 0
    conditions: tuple[Condition, ...] = ()
    collision_count: int | None = None


class Deployment(KubeObject):
    """apps/v1 Deployment."""

    resource = ResourceKind("apps", "v1", "Deployment", "deployments")

    spec: DeploymentSpec = Field(default_factory=DeploymentSpec)
    status: DeploymentStatus = Field(default_factory=DeploymentStatus)


class ReplicaSetSpec(ApiModel):
    """apps/v1 ReplicaSetSpec."""

    replicas: int = 1
    min_ready_seconds: int = 0
    selector: LabelSelector = Field(default_factory=LabelSelector)
    template: PodTemplateSpec = Field(default_factory=PodTemplateSpec)


class ReplicaSetStatus(ApiModel):
    """apps/v1 ReplicaSetStatus."""

    replicas: int = 0
    fully_labeled_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    observed_generation: int = 0


class ReplicaSet(KubeObject):
    """apps/v1 ReplicaSet."""

    resource = ResourceKind("apps", "v1", "ReplicaSet", "replicasets")

    spec: ReplicaSetSpec = Field(default_factory=ReplicaSetSpec)
    status: ReplicaSetStatus = Field(default_factory=ReplicaSetStatus)


class DaemonSetUpdateStrategy(ApiModel):
    """apps/v1 DaemonSetUpdateStrategy."""

    type: str = "RollingUpdate"
    rolling_update: RollingUpdate | None = None


class DaemonSetSpec(ApiModel):
    """apps/v1 DaemonSetSpec."""

    selector: LabelSelector = Field(default_factory=LabelSelector)
    template: PodTemplateSpec = Field(default_factory=PodTemplateSpec)
    update_strategy: DaemonSetUpdateStrategy = Field(default_factory=DaemonSetUpdateStrategy)
    min_ready_seconds: int = 0
    revision_history_limit: int = 10


class DaemonSetStatus(ApiModel):
    """apps/v1 DaemonSetStatus."""

    current_number_scheduled: int = 0
    number_misscheduled: int = 0
    desired_number_scheduled: int = 0
    number_ready: int = 0
    observed_generation: int = 0
    updated_number_scheduled: int = 0
    number_available: int = 0
    number_unavailable: int = 0


class DaemonSet(KubeObject):
    """apps/v1 DaemonSet."""

    resource = ResourceKind("apps", "v1", "DaemonSet", "daemonsets")

    spec: DaemonSetSpec = Field(default_factory=DaemonSetSpec)
    status: DaemonSetStatus = Field(default_factory=DaemonSetStatus)


class StatefulSetRollingUpdate(ApiModel):
    """apps/v1 RollingUpdateStatefulSetStrategy."""

    partition: int = 0
    """Pods with a lower ordinal stay as they are."""
    max_unavailable: int | str | None = None
    """None: one."""


class StatefulSetUpdateStrategy(ApiModel):
    """apps/v1 StatefulSetUpdateStrategy."""

    type: str = "RollingUpdate"
    rolling_update: StatefulSetRollingUpdate | None = None


class StatefulSetOrdinals(ApiModel):
    """apps/v1 StatefulSetOrdinals."""

    start: int = 0


class StatefulSetSpec(ApiModel):
    """apps/v1 StatefulSetSpec."""

    replicas: int = 1
    selector: LabelSelector = Field(default_factory=LabelSelector)
    template: PodTemplateSpec = Field(default_factory=PodTemplateSpec)
    service_name: str = ""
    pod_management_policy: str = "OrderedReady"
    update_strategy: StatefulSetUpdateStrategy = Field(default_factory=StatefulSetUpdateStrategy)
    revision_history_limit: int = 10
    min_ready_seconds: int = 0
    ordinals: StatefulSetOrdinals = Field(default_factory=StatefulSetOrdinals)


class StatefulSetStatus(ApiModel):
    """apps/v1 StatefulSetStatus."""

    observed_generation: int = 0
    replicas: int = 0
    ready_replicas: int = 0
    current_replicas: int = 0
    """Those of ``current_revision``."""
    updated_replicas: int = 0
    """Those of ``update_revision``."""
    current_revision: str = ""
    update_revision: str = ""
    collision_count: int | None = None
    available_replicas: int = 0


class StatefulSet(KubeObject):
    """apps/v1 StatefulSet."""

    resource = ResourceKind("apps", "v1", "StatefulSet", "statefulsets")

    spec: StatefulSetSpec = Field(default_factory=StatefulSetSpec)
    status: StatefulSetStatus = Field(default_factory=StatefulSetStatus)


class ControllerRevision(KubeObject):
    """apps/v1 ControllerRevision: one state that the template of a DaemonSet or a StatefulSet had."""

    resource = ResourceKind("apps", "v1", "ControllerRevision", "controllerrevisions")

    data: Mapping[str, Any] = Field(default_factory=dict)
    revision: int = 0

"""The kinds that the cluster's controllers, scheduler and kubelets read and write, for client and cache.

Built on those of ``api``, with the fields that a cluster needs beyond what a driver reads. A field that is not named
here is kept, in ``model_extra``, and written back (``api.kube.meta.ApiModel``), so that reading, changing and writing
an object loses nothing. What the API leaves out has Go's zero value. ResourceClaim, ResourceClass and
PodSchedulingContext are those of ``api.resource.v1alpha2``. Workloads are in ``workloadkinds``.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import Field

from fake_dra_driver.api.kube import core
from fake_dra_driver.api.kube.core import Condition, Node, NodeSelector, NodeSpec, NodeStatus, Taint
from fake_dra_driver.api.kube.meta import ApiModel, KubeObject, ResourceKind
from fake_dra_driver.api.resource import v1alpha2
from fake_dra_driver.api.resource.v1alpha2 import GROUP as DRA_GROUP
from fake_dra_driver.api.resource.v1alpha2 import VERSION as DRA_VERSION
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaimSpec

__all__ = [
    "Affinity",
    "Condition",
    "ConfigMap",
    "Container",
    "ContainerState",
    "ContainerStateRunning",
    "ContainerStateTerminated",
    "ContainerStateWaiting",
    "ContainerStatus",
    "CustomResourceDefinition",
    "CustomResourceDefinitionSpec",
    "CustomResourceDefinitionStatus",
    "EnvVar",
    "Namespace",
    "NamespaceSpec",
    "NamespaceStatus",
    "Node",
    "NodeAffinity",
    "NodeSpec",
    "NodeStatus",
    "Pod",
    "PodSpec",
    "PodStatus",
    "ResourceClaimTemplate",
    "ResourceClaimTemplateSpec",
    "ResourceClass",
    "ResourceRequirements",
    "ServiceAccount",
    "Taint",
    "TemplateMetadata",
    "Toleration",
]


# --- Pods --------------------------------------------------------------------------------------------------------


class Toleration(ApiModel):
    """v1.Toleration: which taints a pod tolerates."""

    key: str = ""
    """Empty, with operator ``Exists``: any."""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""
    """Empty: any."""
    toleration_seconds: int | None = None
    """For how long a NoExecute taint is tolerated; None: for ever."""


class NodeAffinity(ApiModel):
    """v1.NodeAffinity; preferences are not looked at."""

    required_during_scheduling_ignored_during_execution: NodeSelector | None = None


class Affinity(ApiModel):
    """v1.Affinity."""

    node_affinity: NodeAffinity | None = None


class EnvVar(ApiModel):
    """v1.EnvVar; ``valueFrom`` is kept as sent."""

    name: str
    value: str = ""
    value_from: Mapping[str, Any] | None = None


class ResourceClaimName(ApiModel):
    """v1.ResourceClaim in a container's resources: an entry of ``pod.spec.resourceClaims`` by its name."""

    name: str
    request: str = ""
    """The request of the claim whose devices the container gets; empty: all of them."""


class ResourceRequirements(ApiModel):
    """v1.ResourceRequirements."""

    claims: tuple[ResourceClaimName, ...] = ()
    requests: Mapping[str, Any] = Field(default_factory=dict)
    """Quantities by resource."""
    limits: Mapping[str, Any] = Field(default_factory=dict)


class Container(ApiModel):
    """v1.Container."""

    name: str
    image: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = ""
    env: tuple[EnvVar, ...] = ()
    resources: ResourceRequirements = Field(default_factory=ResourceRequirements)
    restart_policy: str | None = None
    """``Always`` makes an init container a sidecar."""

    @property
    def is_sidecar(self) -> bool:
        """Whether it is an init container that keeps running next to the containers (KEP-753)."""
        return self.restart_policy == "Always"


class PodSpec(core.PodSpec):
    """v1.PodSpec."""

    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    restart_policy: str = "Always"
    termination_grace_period_seconds: int = 30
    scheduler_name: str = "default-scheduler"
    service_account_name: str = ""
    host_network: bool = False
    node_selector: Mapping[str, str] = Field(default_factory=dict)
    affinity: Affinity | None = None
    tolerations: tuple[Toleration, ...] = ()
    resources: ResourceRequirements | None = None
    """Of the whole pod (KEP-2837); None: what its containers ask for."""
    overhead: Mapping[str, Any] = Field(default_factory=dict)
    """What running the pod costs beside that, by its RuntimeClass."""
    scheduling_gates: tuple[Mapping[str, str], ...] = ()
    """While there are any, the scheduler leaves the pod alone."""


class ContainerStateWaiting(ApiModel):
    """v1.ContainerStateWaiting."""

    reason: str = ""
    message: str = ""


class ContainerStateRunning(ApiModel):
    """v1.ContainerStateRunning."""

    started_at: datetime | None = None


class ContainerStateTerminated(ApiModel):
    """v1.ContainerStateTerminated."""

    exit_code: int = 0
    signal: int = 0
    reason: str = ""
    message: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    container_id: str = Field(default="", alias="containerID")


class ContainerState(ApiModel):
    """v1.ContainerState: one of three."""

    waiting: ContainerStateWaiting | None = None
    running: ContainerStateRunning | None = None
    terminated: ContainerStateTerminated | None = None


class ContainerStatus(core.ContainerStatus):
    """v1.ContainerStatus."""

    name: str
    state: ContainerState = Field(default_factory=ContainerState)
    last_state: ContainerState = Field(default_factory=ContainerState)
    ready: bool = False
    restart_count: int = 0
    image: str = ""
    image_id: str = Field(default="", alias="imageID")
    container_id: str = Field(default="", alias="containerID")
    started: bool | None = None


class PodStatus(core.PodStatus):
    """v1.PodStatus."""

    conditions: tuple[Condition, ...] = ()
    reason: str = ""
    message: str = ""
    host_ip: str = Field(default="", alias="hostIP")
    pod_ip: str = Field(default="", alias="podIP")
    start_time: datetime | None = None
    container_statuses: tuple[ContainerStatus, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()


class Pod(core.Pod):
    """v1.Pod."""

    spec: PodSpec = Field(default_factory=PodSpec)
    status: PodStatus = Field(default_factory=PodStatus)

    @property
    def is_finished(self) -> bool:
        """Whether all of its containers have ended for good."""
        return self.status.phase in ("Succeeded", "Failed")

    def condition(self, type_: str) -> Condition | None:
        """The condition of that type."""
        return next((each for each in self.status.conditions if each.type == type_), None)


class TemplateMetadata(ApiModel):
    """The part of metadata that a template has."""

    labels: Mapping[str, str] = Field(default_factory=dict)
    annotations: Mapping[str, str] = Field(default_factory=dict)


class ResourceClass(v1alpha2.ResourceClass):
    """Names the driver that serves the claims of this class, and which nodes may be considered for them."""

    suitable_nodes: NodeSelector | None = None


class ResourceClaimTemplateSpec(ApiModel):
    """v1alpha2.ResourceClaimTemplateSpec."""

    metadata: TemplateMetadata = Field(default_factory=TemplateMetadata)
    spec: ResourceClaimSpec = Field(default_factory=ResourceClaimSpec)


class ResourceClaimTemplate(KubeObject):
    """The template of claims that belong to one pod each. Immutable."""

    resource = ResourceKind(DRA_GROUP, DRA_VERSION, "ResourceClaimTemplate", "resourceclaimtemplates")

    spec: ResourceClaimTemplateSpec = Field(default_factory=ResourceClaimTemplateSpec)


# --- Namespaces, accounts, definitions of custom kinds ------------------------------------------------------------


class NamespaceSpec(ApiModel):
    """v1.NamespaceSpec."""

    finalizers: tuple[str, ...] = ()
    """What keeps a deleted namespace until it is empty; not the finalizers of its metadata."""


class NamespaceStatus(ApiModel):
    """v1.NamespaceStatus."""

    phase: str = ""
    conditions: tuple[Condition, ...] = ()


class ConfigMap(KubeObject):
    """v1.ConfigMap."""

    resource = ResourceKind("", "v1", "ConfigMap", "configmaps")

    data: Mapping[str, str] = Field(default_factory=dict)
    binary_data: Mapping[str, str] = Field(default_factory=dict)
    """Base64."""


class Namespace(KubeObject):
    """v1.Namespace."""

    resource = ResourceKind("", "v1", "Namespace", "namespaces", namespaced=False)

    spec: NamespaceSpec = Field(default_factory=NamespaceSpec)
    status: NamespaceStatus = Field(default_factory=NamespaceStatus)


class ServiceAccount(KubeObject):
    """v1.ServiceAccount: who a pod is, to the API server."""

    resource = ResourceKind("", "v1", "ServiceAccount", "serviceaccounts")


class CustomResourceNames(ApiModel):
    """apiextensions/v1 CustomResourceDefinitionNames."""

    kind: str = ""
    plural: str = ""


class CustomResourceVersion(ApiModel):
    """apiextensions/v1 CustomResourceDefinitionVersion, without its schema."""

    name: str
    served: bool = False
    storage: bool = False


class CustomResourceDefinitionSpec(ApiModel):
    """apiextensions/v1 CustomResourceDefinitionSpec."""

    group: str = ""
    names: CustomResourceNames = Field(default_factory=CustomResourceNames)
    scope: str = "Namespaced"
    versions: tuple[CustomResourceVersion, ...] = ()


class CustomResourceDefinitionStatus(ApiModel):
    """apiextensions/v1 CustomResourceDefinitionStatus."""

    conditions: tuple[Condition, ...] | None = None
    """None, and null on the wire, until the API server has looked at the definition."""


class CustomResourceDefinition(KubeObject):
    """apiextensions/v1 CustomResourceDefinition."""

    resource = ResourceKind(
        "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
    )

    spec: CustomResourceDefinitionSpec = Field(default_factory=CustomResourceDefinitionSpec)
    status: CustomResourceDefinitionStatus = Field(default_factory=CustomResourceDefinitionStatus)

"""What a DRA driver reads and writes of the kinds Node, Pod and Event, and node selectors (k8s.io/api/core/v1)."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from fake_dra_driver.api.kube.meta import NONE_IS_EMPTY, UID, ApiModel, KubeObject, ResourceKind, Time

__all__ = [
    "ClaimSource",
    "Condition",
    "ContainerExtendedResourceRequest",
    "Event",
    "EventSource",
    "Node",
    "NodeSelector",
    "NodeSelectorRequirement",
    "NodeSelectorTerm",
    "NodeSpec",
    "NodeStatus",
    "ObjectReference",
    "Pod",
    "PodExtendedResourceClaimStatus",
    "PodResourceClaim",
    "PodResourceClaimStatus",
    "PodSpec",
    "PodStatus",
    "Taint",
]


class Condition(ApiModel):
    """One condition of a status: of nodes, pods, workloads and namespaces alike."""

    type: str
    status: str = "Unknown"
    """``True``, ``False`` or ``Unknown``."""
    reason: str = ""
    message: str = ""
    last_transition_time: Time | None = None
    last_update_time: Time | None = None
    """Only Deployments have it."""


class Taint(ApiModel):
    """v1.Taint: keeps away pods that do not tolerate it."""

    key: str
    value: str = ""
    effect: str = ""
    """``NoSchedule``, ``PreferNoSchedule`` or ``NoExecute``."""
    time_added: Time | None = None


class NodeSpec(ApiModel):
    """v1.NodeSpec, as far as it says which pods a node takes."""

    unschedulable: bool = False
    """Set by ``kubectl cordon``."""
    taints: tuple[Taint, ...] = ()


class NodeStatus(ApiModel):
    """v1.NodeStatus, as far as it says whether a node works, and what there is for pods."""

    conditions: tuple[Condition, ...] = ()
    allocatable: Mapping[str, Any] = Field(default_factory=dict)
    """Quantities by resource."""


class Node(KubeObject):
    """v1.Node."""

    resource = ResourceKind("", "v1", "Node", "nodes", namespaced=False)

    spec: NodeSpec = Field(default_factory=NodeSpec)
    status: NodeStatus = Field(default_factory=NodeStatus)


class NodeSelectorRequirement(ApiModel):
    """v1.NodeSelectorRequirement."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


class NodeSelectorTerm(ApiModel):
    """v1.NodeSelectorTerm: its requirements are ANDed."""

    match_expressions: tuple[NodeSelectorRequirement, ...] = ()
    match_fields: tuple[NodeSelectorRequirement, ...] = ()


class NodeSelector(ApiModel):
    """v1.NodeSelector: its terms are ORed."""

    node_selector_terms: tuple[NodeSelectorTerm, ...] = ()


class ClaimSource(ApiModel):
    """v1.ClaimSource: a claim by name, or a template from which a claim is made for this pod alone."""

    resource_claim_name: str | None = None
    resource_claim_template_name: str | None = None


class PodResourceClaim(ClaimSource):
    """v1.PodResourceClaim: one entry of ``pod.spec.resourceClaims``.

    From Kubernetes 1.31 on an entry says itself where its claim comes from, up to 1.30 its ``source`` does.
    """

    name: str
    source: ClaimSource = Field(default_factory=ClaimSource)

    @property
    def claim_name(self) -> str | None:
        """The claim, where it is named."""
        return self.resource_claim_name or self.source.resource_claim_name

    @property
    def template_name(self) -> str | None:
        """The template that a claim is made from for this pod alone."""
        return self.resource_claim_template_name or self.source.resource_claim_template_name


class PodResourceClaimStatus(ApiModel):
    """v1.PodResourceClaimStatus: the name of the claim that was made for an entry (Kubernetes 1.28 and later)."""

    name: str
    resource_claim_name: str | None = None


class PodSpec(ApiModel):
    """v1.PodSpec, as far as claims go."""

    node_name: str = ""
    resource_claims: tuple[PodResourceClaim, ...] = ()


class ContainerExtendedResourceRequest(ApiModel):
    """v1.ContainerExtendedResourceRequest: the request of the claim that stands for a resource of a container."""

    container_name: str
    resource_name: str
    request_name: str


class PodExtendedResourceClaimStatus(ApiModel):
    """v1.PodExtendedResourceClaimStatus: the claim that was made for a pod's extended resources (1.34 and later)."""

    resource_claim_name: str = ""
    request_mappings: Annotated[tuple[ContainerExtendedResourceRequest, ...], NONE_IS_EMPTY] = ()


class ContainerStatus(ApiModel):
    """v1.ContainerStatus, as far as claims go."""

    container_id: str = Field(default="", alias="containerID")
    """Empty until there was a container."""


class PodStatus(ApiModel):
    """v1.PodStatus, as far as claims go."""

    phase: str = ""
    start_time: Time | None = None
    """When the kubelet first saw the pod."""
    init_container_statuses: tuple[ContainerStatus, ...] | None = None
    container_statuses: tuple[ContainerStatus, ...] | None = None
    resource_claim_statuses: tuple[PodResourceClaimStatus, ...] | None = None
    extended_resource_claim_status: PodExtendedResourceClaimStatus | None = None


class Pod(KubeObject):
    """v1.Pod, as far as claims go."""

    resource = ResourceKind("", "v1", "Pod", "pods")

    spec: PodSpec = Field(default_factory=PodSpec)
    status: PodStatus = Field(default_factory=PodStatus)


class ObjectReference(ApiModel):
    """v1.ObjectReference: the object that an event is about."""

    api_version: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: UID = UID("")
    resource_version: str = ""


class EventSource(ApiModel):
    """v1.EventSource: the component that reports an event."""

    component: str = ""
    host: str = ""


class Event(KubeObject):
    """v1.Event: what happened to an object, for the person who looks at it."""

    resource = ResourceKind("", "v1", "Event", "events")

    involved_object: ObjectReference = Field(default_factory=ObjectReference)
    reason: str = ""
    message: str = ""
    type: str = ""
    """``Normal`` or ``Warning``."""
    source: EventSource = Field(default_factory=EventSource)
    count: int = 0
    first_timestamp: Time | None = None
    last_timestamp: Time | None = None
    reporting_component: str = ""
    reporting_instance: str = ""

"""Classic DRA: the kinds of ``resource.k8s.io/v1alpha2``, Kubernetes 1.27 to 1.30 (KEP-3063)."""

from typing import Annotated, Literal

from pydantic import Field, WrapValidator

from fake_dra_driver.api.interning import Sharing
from fake_dra_driver.api.kube.core import NodeSelector
from fake_dra_driver.api.kube.meta import UID, ApiModel, KubeObject, ResourceKind

__all__ = [
    "MAX_NODES_PER_SCHEDULING_CONTEXT",
    "MAX_RESERVED_FOR",
    "MAX_RESOURCE_HANDLE_BYTES",
    "AllocationMode",
    "AllocationResult",
    "ClaimParametersReference",
    "ClassParametersReference",
    "ConsumerReference",
    "PodSchedulingContext",
    "PodSchedulingContextSpec",
    "PodSchedulingContextStatus",
    "ResourceClaim",
    "ResourceClaimSchedulingStatus",
    "ResourceClaimSpec",
    "ResourceClaimStatus",
    "ResourceClaimTemplate",
    "ResourceClaimTemplateSpec",
    "ResourceClass",
    "ResourceHandle",
]

GROUP = "resource.k8s.io"
VERSION = "v1alpha2"

MAX_NODES_PER_SCHEDULING_CONTEXT = 128
"""PodSchedulingNodeListMaxSize: longest list of potential, and of unsuitable, nodes that the API takes."""
MAX_RESERVED_FOR = 32
"""ResourceClaimReservedForMaxSize: most consumers of one claim."""
MAX_RESOURCE_HANDLE_BYTES = 16 * 1024
"""ResourceHandleDataMaxSize: longest ``resourceHandles[].data``, in bytes."""

AllocationMode = Literal["WaitForFirstConsumer", "Immediate"]
"""Whether a claim waits for a pod that uses it before it is allocated."""


class ClassParametersReference(ApiModel):
    """ResourceClassParametersReference: the object that configures a class."""

    api_group: str = ""
    kind: str
    name: str
    namespace: str = ""


class ResourceClass(KubeObject):
    """Names the driver that serves the claims of this class."""

    resource = ResourceKind(GROUP, VERSION, "ResourceClass", "resourceclasses", namespaced=False)

    driver_name: str = ""
    parameters_ref: ClassParametersReference | None = None


class ClaimParametersReference(ApiModel):
    """ResourceClaimParametersReference: the object, in the claim's namespace, that says what the claim asks for."""

    api_group: str = ""
    kind: str
    name: str


class ResourceClaimSpec(ApiModel):
    """What the claim asks for; cannot be changed after creation."""

    resource_class_name: str = ""
    parameters_ref: ClaimParametersReference | None = None
    allocation_mode: AllocationMode = "WaitForFirstConsumer"


class ResourceHandle(ApiModel):
    """What the controller wants the kubelet plugin to know; the kubelet passes ``data`` on unread."""

    driver_name: str = ""
    data: str = ""


class AllocationResult(ApiModel):
    """Where the claim's resources are; cannot be changed once set, only cleared."""

    resource_handles: tuple[ResourceHandle, ...] = ()
    available_on_nodes: Annotated[NodeSelector, WrapValidator(Sharing())] | None = None
    shareable: bool = False


class ConsumerReference(ApiModel):
    """ResourceClaimConsumerReference: an object, usually a pod, that may use the claim."""

    api_group: str = ""
    resource: str
    name: str
    uid: UID


class ResourceClaimStatus(ApiModel):
    """What was allocated, and which consumers may use it."""

    driver_name: str = ""
    allocation: AllocationResult | None = None
    reserved_for: tuple[ConsumerReference, ...] = ()
    deallocation_requested: bool = False


class ResourceClaim(KubeObject):
    """A request for devices, and its state."""

    resource = ResourceKind(GROUP, VERSION, "ResourceClaim", "resourceclaims")

    spec: Annotated[ResourceClaimSpec, WrapValidator(Sharing())] = Field(default_factory=ResourceClaimSpec)
    status: ResourceClaimStatus = Field(default_factory=ResourceClaimStatus)


class ResourceClaimTemplateSpec(ApiModel):
    """The claims that are made from a template."""

    spec: ResourceClaimSpec = Field(default_factory=ResourceClaimSpec)


class ResourceClaimTemplate(KubeObject):
    """From this a claim is made for each pod that names it."""

    resource = ResourceKind(GROUP, VERSION, "ResourceClaimTemplate", "resourceclaimtemplates")

    spec: ResourceClaimTemplateSpec = Field(default_factory=ResourceClaimTemplateSpec)


class PodSchedulingContextSpec(ApiModel):
    """The scheduler's side of the negotiation."""

    selected_node: str = ""
    potential_nodes: tuple[str, ...] = ()


class ResourceClaimSchedulingStatus(ApiModel):
    """The driver's answer for one entry of ``pod.spec.resourceClaims``."""

    name: str = ""
    """Name of the entry in the pod's spec, not of the claim."""
    unsuitable_nodes: tuple[str, ...] = ()


class PodSchedulingContextStatus(ApiModel):
    """The drivers' side of the negotiation."""

    resource_claims: tuple[ResourceClaimSchedulingStatus, ...] = ()


class PodSchedulingContext(KubeObject):
    """Where scheduler and drivers agree on a node for a pod; has the pod's name, and lives until the pod is bound."""

    resource = ResourceKind(GROUP, VERSION, "PodSchedulingContext", "podschedulingcontexts")

    spec: PodSchedulingContextSpec = Field(default_factory=PodSchedulingContextSpec)
    status: PodSchedulingContextStatus = Field(default_factory=PodSchedulingContextStatus)

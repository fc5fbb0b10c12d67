"""Structured DRA: the kinds of ``resource.k8s.io/v1``, as a DRA driver reads and writes them (KEP-4381).

This is the one model of the house. What a cluster of Kubernetes 1.32 or 1.33 serves instead is read and written as
these classes too (``v1beta1``, ``v1beta2``, listed in ``structured``). Fields that are not named here are kept and
written back, so that what a newer API server knows is never lost. Limits are those of pkg/apis/resource/types.go.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, WrapValidator

from fake_dra_driver.api.interning import Sharing
from fake_dra_driver.api.kube.core import NodeSelector
from fake_dra_driver.api.kube.meta import NONE_IS_EMPTY, UID, ApiModel, KubeObject, ObjectMeta, ResourceKind, Time

__all__ = [
    "ADMIN_ACCESS_LABEL",
    "CLAIM_FINALIZER",
    "GROUP",
    "MAX_DATA_BYTES",
    "MAX_DEVICES_PER_SLICE",
    "MAX_DEVICES_PER_SLICE_WITH_EXTRAS",
    "MAX_OPAQUE_BYTES",
    "MAX_OPAQUE_DEPTH",
    "MAX_RESULTS",
    "POD_CLAIM_ANNOTATION",
    "AllocatedDeviceStatus",
    "AllocationResult",
    "CapacityRequestPolicy",
    "CapacityRequestPolicyRange",
    "CapacityRequirements",
    "CelSelector",
    "ConsumerReference",
    "Counter",
    "CounterSet",
    "Device",
    "DeviceAllocationConfiguration",
    "DeviceAllocationResult",
    "DeviceAttribute",
    "DeviceCapacity",
    "DeviceClaim",
    "DeviceClaimConfiguration",
    "DeviceClass",
    "DeviceClassConfiguration",
    "DeviceClassSpec",
    "DeviceConstraint",
    "DeviceCounterConsumption",
    "DeviceRequest",
    "DeviceRequestAllocationResult",
    "DeviceSelector",
    "DeviceSubRequest",
    "DeviceTaint",
    "DeviceTaintRule",
    "DeviceTaintRuleSpec",
    "DeviceTaintRuleStatus",
    "DeviceTaintSelector",
    "DeviceToleration",
    "ExactDeviceRequest",
    "NetworkDeviceData",
    "NodeAllocatableMapping",
    "NodeAllocatableOverhead",
    "NodeAllocatableResource",
    "OpaqueDeviceConfiguration",
    "ResourceClaim",
    "ResourceClaimSpec",
    "ResourceClaimStatus",
    "ResourceClaimTemplate",
    "ResourceClaimTemplateSpec",
    "ResourcePool",
    "ResourceSlice",
    "ResourceSliceSpec",
    "StatusCondition",
]

GROUP: Final = "resource.k8s.io"
"""API group of DRA, in all of its versions."""
VERSION: Final = "v1"

CLAIM_FINALIZER: Final = "resource.kubernetes.io/delete-protection"
"""The scheduler's, on every claim that it allocates."""
POD_CLAIM_ANNOTATION: Final = "resource.kubernetes.io/pod-claim-name"
"""On a claim made from a template: the entry of ``pod.spec.resourceClaims`` that it was made for."""
ADMIN_ACCESS_LABEL: Final = "resource.kubernetes.io/admin-access"
"""``true`` on the namespaces in which claims may ask for adminAccess."""

MAX_DEVICES_PER_SLICE: Final = 128
"""ResourceSliceMaxDevices."""
MAX_DEVICES_PER_SLICE_WITH_EXTRAS: Final = 64
"""ResourceSliceMaxDevicesWithTaintsOrConsumesCounters: from Kubernetes 1.35, where a device has taints or counters."""
MAX_RESULTS: Final = 32
"""AllocationResultsMaxSize: most devices of one claim."""
MAX_OPAQUE_BYTES: Final = 10 * 1024
"""OpaqueParametersMaxLength."""
MAX_OPAQUE_DEPTH: Final = 100
"""Ours: the API server has no limit but the length."""
MAX_DATA_BYTES: Final = 10 * 1024
"""AllocatedDeviceStatusDataMaxLength: longest ``status.devices[].data``."""


class StatusCondition(ApiModel):
    """metav1.Condition."""

    type: str
    status: str
    """True, False or Unknown."""
    reason: str
    message: str = ""
    last_transition_time: Time | None = None
    observed_generation: int | None = None


# --- What nodes offer ----------------------------------------------------------------------------------------------


class DeviceAttribute(ApiModel):
    """A value that selectors can look at; exactly one field is set."""

    int_value: int | None = Field(default=None, alias="int")
    bool_value: bool | None = Field(default=None, alias="bool")
    string: str | None = None
    version: str | None = None
    """A semantic version, such as 1.2.3."""
    ints: tuple[int, ...] = ()
    """This and the following from Kubernetes 1.36 on (DRAListTypeAttributes)."""
    bools: tuple[bool, ...] = ()
    strings: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()


class CapacityRequestPolicyRange(ApiModel):
    """Any amount from ``min`` to ``max`` that is a whole number of steps above ``min``."""

    min: str | None = None
    max: str | None = None
    step: str | None = None


class CapacityRequestPolicy(ApiModel):
    """How much of a capacity one claim may consume; at most one of ``valid_values`` and ``valid_range`` is set."""

    default: str | None = None
    """What a request consumes that does not name the capacity."""
    valid_values: tuple[str, ...] = ()
    """In ascending order."""
    valid_range: CapacityRequestPolicyRange | None = None


class DeviceCapacity(ApiModel):
    """How much of something a device has."""

    value: str
    """A quantity, such as ``80Gi``."""
    request_policy: CapacityRequestPolicy | None = None
    """How claims may consume a part of it; only with ``allow_multiple_allocations``."""


class Counter(ApiModel):
    """A quantity of a counter set."""

    value: str


class CounterSet(ApiModel):
    """What the partitions of a device have in common, and use up."""

    name: str
    counters: Mapping[str, Counter]


class DeviceCounterConsumption(ApiModel):
    """What a device takes from a counter set while it is allocated."""

    counter_set: str
    counters: Mapping[str, Counter]
    compatibility_groups: tuple[str, ...] = ()
    """Devices that consume the same counter set go together only with a group in common (from 1.37 on, alpha)."""


class DeviceTaint(ApiModel):
    """Keeps claims away that do not tolerate it, and may evict the pods that have the device."""

    key: str
    value: str = ""
    effect: str
    """NoSchedule, NoExecute, or None."""
    time_added: Time | None = None
    """Set by the API server at every write that leaves it out, so a writer repeats what it has read."""


class NodeAllocatableMapping(ApiModel):
    """A device that is a resource of its node; either the number of devices counts, or how much of a capacity."""

    capacity_key: str | None = None
    """The capacity of which a claim consumes some; only with ``capacity_multiplier``."""
    capacity_multiplier: str | None = None
    """How much of the resource goes with each unit of the capacity."""
    device_multiplier: str | None = None
    """How much of the resource goes with each device."""


class NodeAllocatableOverhead(ApiModel):
    """What a device needs of its node beside itself; at least one is set."""

    per_pod: str | None = None
    """For each pod that uses its claim."""
    per_container: str | None = None
    """For each container that names its claim."""


class NodeAllocatableResource(ApiModel):
    """What a device takes of a resource of its node; at least one is set."""

    mapping: NodeAllocatableMapping | None = None
    """Counts once for each claim, which pods then cannot share."""
    overhead: NodeAllocatableOverhead | None = None


class Device(ApiModel):
    """One device of a slice."""

    name: str
    """A DNS label; unique in its pool."""
    attributes: Mapping[str, DeviceAttribute] = Field(default_factory=dict)
    """By name: a C identifier, in the driver's domain; or ``domain/identifier``."""
    capacity: Mapping[str, DeviceCapacity] = Field(default_factory=dict)
    consumes_counters: tuple[DeviceCounterConsumption, ...] = ()
    node_name: str | None = None
    node_selector: NodeSelector | None = None
    all_nodes: bool | None = None
    taints: tuple[DeviceTaint, ...] = ()
    binds_to_node: bool | None = None
    binding_conditions: tuple[str, ...] = ()
    binding_failure_conditions: tuple[str, ...] = ()
    allow_multiple_allocations: bool | None = None
    node_allocatable_resources: Mapping[str, NodeAllocatableResource] = Field(default_factory=dict)
    """By name of the node's resource: ``cpu``, ``memory``, or one of huge pages (from 1.37 on, alpha). What 1.36 has in
    its place, ``nodeAllocatableResourceMappings``, has other fields."""


class ResourcePool(ApiModel):
    """Which pool a slice belongs to, and how many slices that has."""

    name: str
    generation: int
    """Slices of a lower generation than another slice of the pool count for nothing."""
    resource_slice_count: int
    """How many slices of this generation make the pool complete."""


class ResourceSliceSpec(ApiModel):
    """Devices, and the nodes that can use them."""

    driver: str
    pool: ResourcePool
    node_name: str | None = None
    node_selector: NodeSelector | None = None
    all_nodes: bool | None = None
    per_device_node_selection: bool | None = None
    devices: Annotated[tuple[Device, ...], NONE_IS_EMPTY] = ()
    shared_counters: tuple[CounterSet, ...] = ()
    partition_type_attribute: str | None = None
    """The attribute, by its full name, that tells which sort of partition a device is (from 1.37 on, alpha)."""
    skip_node_operations: tuple[str, ...] = ()
    """What need not be called on the node for these devices (from 1.37 on, alpha)."""


class ResourceSlice(KubeObject):
    """Some of the devices of a pool."""

    resource = ResourceKind(GROUP, VERSION, "ResourceSlice", "resourceslices", namespaced=False)

    spec: ResourceSliceSpec


# --- What administrators say of devices ----------------------------------------------------------------------------


class DeviceTaintSelector(ApiModel):
    """Devices by where they are; all that is set must hold, so that an empty selector is for all devices."""

    driver: str | None = None
    pool: str | None = None
    device: str | None = None


class DeviceTaintRuleSpec(ApiModel):
    """A taint, and the devices that have it as if their driver had published it."""

    device_selector: DeviceTaintSelector | None = None
    """None: no devices."""
    taint: DeviceTaint

    def applies_to(self, driver: str, pool: str, device: str) -> bool:
        """Whether the device has the taint."""
        selector = self.device_selector
        # All criteria must hold, and this model cannot tell of one that it does not know: in 1.33 and 1.34 there are a
        # class and expressions.
        if selector is None or selector.model_extra:
            return False
        wanted = (selector.driver, selector.pool, selector.device)
        return all(name in (None, found) for name, found in zip(wanted, (driver, pool, device), strict=True))


class DeviceTaintRuleStatus(ApiModel):
    """What has become of the rule, from Kubernetes 1.35 on."""

    conditions: tuple[StatusCondition, ...] = ()


class DeviceTaintRule(KubeObject):
    """Gives devices a taint (KEP-5055)."""

    resource = ResourceKind(GROUP, VERSION, "DeviceTaintRule", "devicetaintrules", namespaced=False)

    spec: DeviceTaintRuleSpec
    status: DeviceTaintRuleStatus = Field(default_factory=DeviceTaintRuleStatus)


# --- What claims ask for -------------------------------------------------------------------------------------------


def _not_too_deep(value: Any) -> Any:
    """Anyone may write any JSON there, and what is deep enough ends each of Python's functions on it in its own way."""
    level = [value]
    for _ in range(MAX_OPAQUE_DEPTH + 1):
        containers = [each for each in level if isinstance(each, dict | list)]
        level = [inner for each in containers for inner in (each.values() if isinstance(each, dict) else each)]
    if level:
        raise ValueError(f"nested more than {MAX_OPAQUE_DEPTH} deep")
    return value


class OpaqueDeviceConfiguration(ApiModel):
    """Parameters for a driver, which nothing else reads."""

    driver: str
    parameters: Annotated[Any, AfterValidator(_not_too_deep)] = None
    """Any JSON object, as far as the API server is concerned."""


class DeviceClassConfiguration(ApiModel):
    """An entry of ``config``; exactly one of its fields is set, and so far there is but one."""

    opaque: OpaqueDeviceConfiguration | None = None


class DeviceClaimConfiguration(DeviceClassConfiguration):
    """An entry of a claim's ``config``."""

    requests: tuple[str, ...] = ()
    """The requests, or ``request/subrequest``, that it is for; none: all of the claim's."""


class CelSelector(ApiModel):
    """CELDeviceSelector."""

    expression: str


class DeviceSelector(ApiModel):
    """Which devices fit; exactly one of its fields is set, and so far there is but one."""

    cel: CelSelector | None = None


class DeviceClassSpec(ApiModel):
    """Which devices a class is about, and how they are configured."""

    selectors: tuple[DeviceSelector, ...] = ()
    config: tuple[DeviceClassConfiguration, ...] = ()
    extended_resource_name: str | None = None
    """Pods that ask for this resource get a device of the class, without a claim of their own (KEP-5004)."""


class DeviceClass(KubeObject):
    """A name for devices of one sort."""

    resource = ResourceKind(GROUP, VERSION, "DeviceClass", "deviceclasses", namespaced=False)

    spec: DeviceClassSpec = Field(default_factory=DeviceClassSpec)


class DeviceToleration(ApiModel):
    """A taint that a request puts up with."""

    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""
    toleration_seconds: int | None = None


class CapacityRequirements(ApiModel):
    """How much of its capacities a request wants of each device."""

    requests: Mapping[str, str] = Field(default_factory=dict)
    """Quantities, by the names under which devices list their capacities."""


class DeviceSubRequest(ApiModel):
    """One of the alternatives of ``firstAvailable``."""

    name: str
    device_class_name: str = ""
    selectors: tuple[DeviceSelector, ...] = ()
    allocation_mode: str = ""
    """``ExactCount`` or ``All``."""
    count: int = 0
    tolerations: tuple[DeviceToleration, ...] = ()
    capacity: CapacityRequirements | None = None
    derived_attributes: tuple[Mapping[str, Any], ...] = ()
    """Attributes that are computed from those of the device, for constraints (from 1.37 on, alpha)."""


class ExactDeviceRequest(ApiModel):
    """A number of devices of a class."""

    device_class_name: str = ""
    selectors: tuple[DeviceSelector, ...] = ()
    allocation_mode: str = ""
    """``ExactCount`` or ``All``."""
    count: int = 0
    admin_access: bool | None = None
    """For looking after devices: they may be in use by others."""
    tolerations: tuple[DeviceToleration, ...] = ()
    capacity: CapacityRequirements | None = None
    derived_attributes: tuple[Mapping[str, Any], ...] = ()
    """Attributes that are computed from those of the device, for constraints (from 1.37 on, alpha)."""


class DeviceRequest(ApiModel):
    """What a claim asks for under one name; exactly one of ``exactly`` and ``first_available`` is set."""

    name: str
    exactly: ExactDeviceRequest | None = None
    first_available: tuple[DeviceSubRequest, ...] = ()


class DeviceConstraint(ApiModel):
    """What the devices of several requests must have in common, or must not."""

    requests: tuple[str, ...] = ()
    match_attribute: str | None = None
    distinct_attribute: str | None = None


class DeviceClaim(ApiModel):
    """``spec.devices`` of a claim."""

    requests: Annotated[tuple[DeviceRequest, ...], NONE_IS_EMPTY] = ()
    constraints: tuple[DeviceConstraint, ...] = ()
    config: tuple[DeviceClaimConfiguration, ...] = ()


class ResourceClaimSpec(ApiModel):
    """What the claim asks for; cannot be changed after creation."""

    devices: DeviceClaim = Field(default_factory=DeviceClaim)


class DeviceRequestAllocationResult(ApiModel):
    """A device that was allocated for a request."""

    request: str
    """``request``, or ``request/subrequest`` where one of several alternatives was chosen."""
    driver: str
    pool: str
    device: str
    admin_access: bool | None = None
    tolerations: tuple[DeviceToleration, ...] = ()
    share_id: UID | None = Field(default=None, alias="shareID")
    """Which share of a device that several claims may have."""
    consumed_capacity: Mapping[str, str] = Field(default_factory=dict)
    binding_conditions: tuple[str, ...] = ()
    binding_failure_conditions: tuple[str, ...] = ()
    skip_node_operations: tuple[str, ...] = ()

    @property
    def base_request(self) -> str:
        """The name of the request, without that of a subrequest."""
        return self.request.partition("/")[0]


class DeviceAllocationConfiguration(DeviceClaimConfiguration):
    """Configuration that the scheduler has collected for the allocated devices."""

    source: str
    """``FromClass`` or ``FromClaim``. What comes later has precedence, and the claim's over a class's."""


class DeviceAllocationResult(ApiModel):
    """``allocation.devices``."""

    results: tuple[DeviceRequestAllocationResult, ...] = ()
    config: tuple[DeviceAllocationConfiguration, ...] = ()


class AllocationResult(ApiModel):
    """What the scheduler has chosen; cannot be changed once set, only cleared."""

    devices: DeviceAllocationResult = Field(default_factory=DeviceAllocationResult)
    node_selector: Annotated[NodeSelector, WrapValidator(Sharing())] | None = None
    """Nodes on which the devices can be used; None: on all."""
    allocation_timestamp: Time | None = None


class ConsumerReference(ApiModel):
    """ResourceClaimConsumerReference: an object that may use the claim, usually a pod, or a PodGroup."""

    api_group: str = ""
    resource: str
    name: str
    uid: UID


class NetworkDeviceData(ApiModel):
    """What a network device got."""

    interface_name: str = ""
    ips: tuple[str, ...] = ()
    hardware_address: str = ""


class AllocatedDeviceStatus(ApiModel):
    """What a driver reports about a device of the claim (KEP-4817). Each driver writes its own entries only."""

    driver: str
    pool: str
    device: str
    share_id: str | None = Field(default=None, alias="shareID")
    conditions: tuple[StatusCondition, ...] | None = ()
    data: Any = None
    """Any JSON object."""
    network_data: NetworkDeviceData | None = None


class ResourceClaimStatus(ApiModel):
    """What was allocated, who may use it, and what drivers report about it."""

    allocation: AllocationResult | None = None
    reserved_for: tuple[ConsumerReference, ...] = ()
    devices: tuple[AllocatedDeviceStatus, ...] = ()


class ResourceClaim(KubeObject):
    """A request for devices, and its state."""

    resource = ResourceKind(GROUP, VERSION, "ResourceClaim", "resourceclaims")

    spec: Annotated[ResourceClaimSpec, WrapValidator(Sharing())] = Field(default_factory=ResourceClaimSpec)
    status: ResourceClaimStatus = Field(default_factory=ResourceClaimStatus)


class ResourceClaimTemplateSpec(ApiModel):
    """The claims that are made from a template."""

    metadata: ObjectMeta = Field(default_factory=ObjectMeta)
    spec: ResourceClaimSpec = Field(default_factory=ResourceClaimSpec)


class ResourceClaimTemplate(KubeObject):
    """From this a claim is made for each pod that names it."""

    resource = ResourceKind(GROUP, VERSION, "ResourceClaimTemplate", "resourceclaimtemplates")

    spec: ResourceClaimTemplateSpec = Field(default_factory=ResourceClaimTemplateSpec)

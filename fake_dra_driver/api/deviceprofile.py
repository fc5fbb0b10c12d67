"""DeviceProfile: hardware that does not exist, written down, for the nodes that are to have it.

Texts that may differ by device are templates: Jinja, with a fixed set of names, of which a field's description says
which there are. What the API server cannot check is checked by the driver (``driver.profile.checking``).
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from fake_dra_driver.api.condition import ObjectCondition
from fake_dra_driver.api.fake import DRIVER_NAME, VERSION
from fake_dra_driver.api.kube.meta import ResourceKind
from fake_dra_driver.api.labelselector import LabelSelector
from fake_dra_driver.api.schema import (
    CelRule,
    Crd,
    CustomResource,
    Format,
    Int32,
    Int64,
    ListMap,
    ListSet,
    OneOf,
    PrinterColumn,
    SchemaModel,
    ServerDefault,
    ServerText,
)

__all__ = [
    "MAX_GROUP_DEVICES",
    "MAX_PLACEMENTS",
    "PATTERN_WORDS",
    "ConfigKind",
    "ConsecutiveCounters",
    "ContainerFile",
    "ContainerVariable",
    "CounterConsumption",
    "DeviceBinding",
    "DeviceGroup",
    "DevicePartition",
    "DeviceProfile",
    "DeviceProfileSpec",
    "DeviceProfileStatus",
    "NodeResource",
    "NodeResourceMapping",
    "NodeResourceOverhead",
    "ProfileAttribute",
    "ProfileCapacity",
    "ProfileRange",
    "ProfileRequestPolicy",
    "ProfileTaint",
    "SharedCounterSet",
]

MAX_GROUP_DEVICES: Final = 1024
"""Most devices of one group, without their partitions: eight slices full."""
MAX_PLACEMENTS: Final = 64
_MAX_NAMES: Final = 32
"""Most attributes, capacities, counters or the like of one thing: what an API server takes of a device."""

_TEMPLATE: Final = r".*\{[{%].*"
_INT: Final = rf"^([+-]?[0-9]{{1,19}}|{_TEMPLATE})$"
_QUANTITY: Final = rf"^([+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(([KMGTPE]i)|[numkMGTPE]|([eE][+-]?[0-9]+))?|{_TEMPLATE})$"
_VERSION: Final = rf"^([0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]*)?|{_TEMPLATE})$"
_SUBDOMAIN: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
_LABEL: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
_PATH: Final = r"^/.*[^/]$"

PATTERN_WORDS: Final[Mapping[str, str]] = {
    _INT: "must be a whole number, or a template of one",
    _QUANTITY: "must be a quantity such as 80Gi, or a template of one",
    _VERSION: "must be a semantic version such as 1.2.3, or a template of one",
    _SUBDOMAIN: "must be a DNS subdomain in lower case, such as gpu.example.com",
    _LABEL: "must be letters of English in lower case, digits and -, with a letter or digit at both ends",
    _PATH: "must begin with / and not end with it",
}
"""What texts must be, by the pattern that the CRD has for them."""

TemplateText = Annotated[str, Field(max_length=1024)]
"""A text, which may be a template."""
TemplateInt = Annotated[int | str, ServerText(_INT, 1024)]
"""A whole number, or a template that makes one."""
TemplateQuantity = Annotated[int | str, ServerText(_QUANTITY, 1024)]
"""A quantity, or a template that makes one."""
TemplateVersion = Annotated[str, Field(max_length=1024, pattern=_VERSION)]
"""A semantic version, or a template that makes one."""
Name = Annotated[str, Field(min_length=1, max_length=128)]
"""A name that may be a template."""


# --- What devices are like -----------------------------------------------------------------------------------------


class ProfileAttribute(OneOf):
    """A value that the selectors of claims can look at; exactly one field is set."""

    int_value: TemplateInt | None = Field(default=None, alias="int")
    """A whole number, or a template of one: `{{ index }}`."""
    bool_value: bool | None = Field(default=None, alias="bool")
    """True or false."""
    bool_template: TemplateText | None = None
    """A template that makes `true` or `false`."""
    string: TemplateText | None = None
    """A text of at most 64 bytes, or a template of one."""
    version: TemplateVersion | None = None
    """A semantic version, such as 1.2.3, or a template of one."""
    ints: tuple[TemplateInt, ...] | None = Field(default=None, max_length=48)
    """This and the other lists: published from Kubernetes 1.36 on (DRAListTypeAttributes)."""
    bools: tuple[bool, ...] | None = Field(default=None, max_length=48)
    """A list of true and false."""
    strings: tuple[TemplateText, ...] | None = Field(default=None, max_length=48)
    """A list of texts."""
    versions: tuple[TemplateVersion, ...] | None = Field(default=None, max_length=48)
    """A list of semantic versions."""


class ProfileRange(SchemaModel):
    """Any amount from `min` to `max` that is a whole number of steps above `min`."""

    min: TemplateQuantity
    """The least."""
    max: TemplateQuantity | None = None
    """The most; left out: all that the device has."""
    step: TemplateQuantity | None = None
    """Between two amounts; left out: any amount goes."""


class ProfileRequestPolicy(SchemaModel):
    """How much of a capacity one claim may consume."""

    cel_rules = (
        CelRule("!(has(self.validValues) && has(self.validRange))", "set validValues or validRange, not both"),
    )

    default: TemplateQuantity | None = None
    """What a request consumes that does not name the capacity."""
    valid_values: tuple[TemplateQuantity, ...] | None = Field(default=None, max_length=10)
    """The amounts that there are, in ascending order."""
    valid_range: ProfileRange | None = None
    """The amounts that there are, as a range."""


class ProfileCapacity(SchemaModel):
    """How much of something a device has."""

    value: TemplateQuantity
    """A quantity, such as `80Gi`, or a template of one."""
    request_policy: ProfileRequestPolicy | None = None
    """How claims may consume a part of it; only with `allowMultipleAllocations`."""


class ConsecutiveCounters(SchemaModel):
    """Counters, or capacities, that have a number at the end of their names: one for each slice of a GPU, say."""

    prefix: Annotated[str, Field(min_length=1, max_length=63)]
    """Their names before the number: `memory-slice-`."""
    first: Annotated[TemplateInt, ServerDefault()] = "{{ placement }}"
    """The first number. On a whole device, `placement` is 0."""
    count: int = Field(ge=1, le=_MAX_NAMES)
    """How many."""
    value: Annotated[TemplateQuantity, ServerDefault()] = 1
    """How much of each."""


Counters = Annotated[Mapping[str, TemplateQuantity], Field(max_length=_MAX_NAMES)]


class SharedCounterSet(SchemaModel):
    """What devices use up in common, such as the memory of a GPU that its partitions share."""

    name: Name
    """Unique on the node. A template, for a set of each device: `gpu-{{ index }}-counter-set`."""
    counters: Counters = Field(default_factory=dict)
    """By name: how much there is."""
    consecutive: tuple[ConsecutiveCounters, ...] = Field(default=(), max_length=8)
    """More counters, whose names end in a number."""


class CounterConsumption(SchemaModel):
    """What a device takes from a counter set while it is allocated."""

    cel_rules = (
        CelRule(
            "!(has(self.all) && self.all) || (!has(self.counters) && !has(self.consecutive))",
            "with all, counters and consecutive must be left out",
        ),
    )

    counter_set: str = Field(default="", max_length=128)
    """Name of the set; left out: the one set of the group."""
    all: bool = False
    """Takes all that there is of each counter, as a whole device does."""
    counters: Counters | None = None
    """By name: how much it takes."""
    consecutive: tuple[ConsecutiveCounters, ...] | None = Field(default=None, max_length=8)
    """More counters, whose names end in a number."""


class ProfileTaint(SchemaModel):
    """Keeps claims away that do not tolerate it, and may evict the pods that have the device."""

    key: str = Field(min_length=1, max_length=316)
    """Name of the taint, as that of a label."""
    value: str = Field(default="", max_length=63)
    """What it says, as the value of a label."""
    effect: Literal["NoSchedule", "NoExecute", "None"]
    """What it does to claims and pods."""


class DeviceBinding(SchemaModel):
    """What the driver's controller makes of the binding conditions of an allocated device."""

    delay_seconds: Annotated[float, Field(ge=0, le=86400), Format("double")] = 0.0
    """How long the conditions are not yet true."""
    failure: str = Field(default="", max_length=1024)
    """Message of the first failure condition, which then becomes true instead; empty: binding succeeds."""


class NodeResourceMapping(SchemaModel):
    """How much of a node's resource an allocation stands for."""

    cel_rules = (
        CelRule(
            "has(self.capacityKey) != has(self.deviceMultiplier)",
            "exactly one of capacityKey and deviceMultiplier has to be set",
        ),
        CelRule("!has(self.capacityMultiplier) || has(self.capacityKey)", "capacityMultiplier needs capacityKey"),
    )

    capacity_key: str | None = Field(default=None, min_length=1, max_length=96)
    """The capacity of which the allocated amount counts."""
    capacity_multiplier: TemplateQuantity | None = None
    """What one unit of that capacity counts; left out: 1."""
    device_multiplier: TemplateQuantity | None = None
    """What each allocated device counts."""


class NodeResourceOverhead(SchemaModel):
    """What an allocation needs beside the devices."""

    per_pod: TemplateQuantity | None = None
    """For each pod."""
    per_container: TemplateQuantity | None = None
    """For each container."""


class NodeResource(SchemaModel):
    """What an allocation of the device takes from a resource of the node; published from Kubernetes 1.37 on."""

    mapping: NodeResourceMapping | None = None
    """How devices, or their capacity, count."""
    overhead: NodeResourceOverhead | None = None
    """What comes on top."""


class ContainerVariable(SchemaModel):
    """A variable in the environment of containers."""

    name: Name
    """A template: `GPU_DEVICE_{{ index }}`."""
    value: str = Field(max_length=4096)
    """A template: `{{ uuid }}`."""
    when: str = Field(default="", max_length=1024)
    """An expression of Jinja, without braces: the variable is set where it is true. Left out: always."""


Attributes = Annotated[Mapping[str, ProfileAttribute], Field(max_length=_MAX_NAMES)]
Capacities = Annotated[Mapping[str, ProfileCapacity], Field(max_length=_MAX_NAMES)]
Values = Annotated[
    Mapping[str, Annotated[tuple[Annotated[int | str, ServerText(r"^.*$", 1024)], ...], Field(max_length=1024)]],
    Field(max_length=_MAX_NAMES),
]


class DevicePartition(SchemaModel):
    """Devices that are parts of each device of a group, such as the MIG devices of a GPU."""

    name: Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")]
    """Of this sort of part, unique in the group: `1g.5gb`. In templates: `partition`."""
    placements: Annotated[tuple[int, ...], ListSet(), ServerDefault()] = Field(
        default=(0,), min_length=1, max_length=MAX_PLACEMENTS
    )
    """Where such a part can be; one device for each. In templates: `placement`."""
    device_name: TemplateText = ""
    """Name of the device in ResourceSlices. Default: `{{ parent.name }}-{{ partition | dnsLabel }}-{{ placement }}`."""
    uuid: TemplateText = ""
    """UUID that containers and the node's NodeAllocationState see. Default: `{{ uuid }}`, which is a function of node,
    driver, group, index, partition and placement."""
    type: TemplateText = ""
    """Default: that of the group."""
    model: TemplateText = ""
    """Default: that of the group."""
    values: Values = Field(default_factory=dict)
    """Lists: in templates, `values.<name>` is the entry for the place of the placement in `placements`."""
    attributes: Attributes | None = None
    """Beside `commonAttributes` of the group."""
    capacity: Capacities = Field(default_factory=dict)
    """How much of what it has."""
    consecutive_capacity: tuple[ConsecutiveCounters, ...] = Field(default=(), max_length=8)
    """More capacities, whose names end in a number."""
    consumes_counters: tuple[CounterConsumption, ...] = Field(default=(), max_length=2)
    """What it takes from shared counters."""
    allow_multiple_allocations: bool | None = None
    """Whether several claims can have it at a time. Default: as in the group."""
    environment: tuple[ContainerVariable, ...] | None = Field(default=None, max_length=64)
    """Instead of the group's."""


class DeviceGroup(SchemaModel):
    """A number of devices that are alike."""

    name: Annotated[str, Field(min_length=1, max_length=48, pattern=_LABEL)]
    """Unique in the profile. In templates: `group`."""
    count: Annotated[int, ServerDefault()] = Field(default=1, ge=0, le=MAX_GROUP_DEVICES)
    """How many. In templates, `index` is the place in the group, from 0."""
    type: TemplateText = "fake"
    """What sort of device it is."""
    model: TemplateText = "{{ group }}"
    """Which model it is. No blanks."""
    device_name: TemplateText = "{{ group }}-{{ index }}"
    """Name of the device in ResourceSlices: letters of English in lower case, digits and `-`."""
    uuid: TemplateText = "{{ uuid }}"
    """UUID that containers and the node's NodeAllocationState see. Here, `uuid` is a generated one, a function of node,
    driver, group and index, and `fakeUUID` what the default profile has at this index; in all other templates, `uuid`
    is what this made of it."""
    values: Values = Field(default_factory=dict)
    """Lists: in templates, `values.<name>` is the entry for the index; after the last comes the first again."""
    attributes: Attributes | None = None
    """By name: a C identifier, in the driver's domain, or `domain/identifier`. Where neither these nor
    `commonAttributes` are written, a device has `index`, `model`, `type` and `uuid`."""
    common_attributes: Attributes | None = None
    """Of the partitions, too, rendered for each of them."""
    capacity: Capacities = Field(default_factory=dict)
    """How much of what it has, by name as attributes."""
    consecutive_capacity: tuple[ConsecutiveCounters, ...] = Field(default=(), max_length=8)
    """More capacities, whose names end in a number."""
    allow_multiple_allocations: bool | None = None
    """Whether several claims can have it at a time, each its share of the capacity."""
    shared_counters: tuple[SharedCounterSet, ...] = Field(default=(), max_length=8)
    """Counter sets of each device of the group."""
    consumes_counters: tuple[CounterConsumption, ...] = Field(default=(), max_length=2)
    """What a whole device takes from shared counters."""
    partitions: Annotated[tuple[DevicePartition, ...], ListMap("name")] = Field(default=(), max_length=_MAX_NAMES)
    """The parts in which a device can be allocated. What cannot be had together, counters say."""
    without_whole: bool = False
    """Whether the partitions alone are published, and not the devices that they are parts of."""
    taints: Annotated[tuple[ProfileTaint, ...], ListMap("key", "effect")] = Field(default=(), max_length=16)
    """Of each device and each partition."""
    binds_to_node: bool | None = None
    """Whether the claim is for this node alone as soon as the device is allocated."""
    binding_conditions: Annotated[tuple[str, ...], ListSet()] = Field(default=(), max_length=4)
    """Conditions that the scheduler waits for, until they are true of the allocated device."""
    binding_failure_conditions: Annotated[tuple[str, ...], ListSet()] = Field(default=(), max_length=4)
    """Conditions that make it choose again, if one is true."""
    binding: DeviceBinding = Field(default_factory=DeviceBinding)
    """When, and how, the driver's controller sets these conditions."""
    node_allocatable_resources: Annotated[Mapping[str, NodeResource], Field(max_length=8)] = Field(default_factory=dict)
    """By resource of the node, such as `cpu`: what an allocation takes from it."""
    environment: tuple[ContainerVariable, ...] | None = Field(default=None, max_length=64)
    """Of containers, for each device that they get. Left out: the variables of the default profile, `FAKE_DEVICE_0` and
    so on; an empty list: none."""


# --- What claims may say, and what containers get ------------------------------------------------------------------


class ConfigKind(SchemaModel):
    """A kind of opaque configuration that claims and classes may have for these devices."""

    api_version: Annotated[str, Field(min_length=1, max_length=253)]
    """Such as `resource.nvidia.com/v1beta1`."""
    kind: Annotated[str, Field(min_length=1, max_length=63)]
    """Such as `GpuConfig`."""
    types: Annotated[tuple[str, ...], ListSet()] = Field(default=(), max_length=_MAX_NAMES)
    """Types of devices that it is for; empty: all."""
    openapi: Mapping[str, Any] | None = Field(default=None, alias="schema")
    """What it may say: a schema as in CustomResourceDefinitions, without apiVersion and kind. Left out: anything."""
    default: Mapping[str, Any] | None = None
    """What holds for a device that no configuration is given for, without apiVersion and kind."""


class ContainerFile(SchemaModel):
    """A small file in containers that have a device: a command that lists devices, say."""

    path: Annotated[
        str,
        Field(min_length=2, max_length=1024, pattern=_PATH),
        CelRule(
            "!self.matches('(^|/)[.][.]?(/|$)') && !self.matches('^/(proc|sys|dev)(/|$)')",
            "must not have . or .. as a part, nor be below /proc, /sys or /dev",
        ),
    ]
    """Where containers see it."""
    mode: Annotated[int, ServerDefault()] = Field(default=0o644, ge=0, le=0o777)
    """Its permissions; 0755 (493) for a command."""
    content: str = Field(max_length=65536)
    """A template, over `devices`: those of the claim."""


class DeviceProfileSpec(SchemaModel):
    """The devices of nodes, and what containers get with them."""

    driver_name: Annotated[str, Field(min_length=1, max_length=63, pattern=_SUBDOMAIN), ServerDefault()] = DRIVER_NAME
    """Name of the DRA driver that this is for, of several in the cluster."""
    node_selector: LabelSelector | None = None
    """The nodes that it is for; left out, or empty: all nodes."""
    priority: Annotated[Int32, ServerDefault()] = 0
    """Of several profiles for a node, the one with the highest counts, and of those the first by name."""
    groups: Annotated[tuple[DeviceGroup, ...], ListMap("name")] = Field(default=(), max_length=16)
    """The devices. None: the nodes have no devices."""
    shared_counters: Annotated[tuple[SharedCounterSet, ...], ListMap("name")] = Field(default=(), max_length=8)
    """Counter sets of the node, which devices of several groups consume."""
    configs: Annotated[tuple[ConfigKind, ...], ListMap("api_version", "kind")] = Field(default=(), max_length=16)
    """Kinds of opaque configuration that are accepted; of any other kind, a claim is refused."""
    environment: tuple[ContainerVariable, ...] = Field(default=(), max_length=64)
    """Of each container that has a device of the claim, once."""
    files: Annotated[tuple[ContainerFile, ...], ListMap("path")] = Field(default=(), max_length=16)
    """In each container that has a device of the claim."""


class DeviceProfileStatus(SchemaModel):
    """What has become of the profile."""

    observed_generation: Int64 | None = None
    """The generation that this is about."""
    nodes: int | None = Field(default=None, ge=0)
    """How many nodes it describes."""
    conditions: Annotated[tuple[ObjectCondition, ...], ListMap("type")] = Field(default=(), max_length=16)
    """`Valid` says whether it can be used, and if not, what is wrong with which field."""


class DeviceProfile(CustomResource):
    """Mock devices, for the nodes that a selector matches."""

    resource = ResourceKind(DRIVER_NAME, VERSION, "DeviceProfile", "deviceprofiles", namespaced=False)
    crd = Crd(
        singular="deviceprofile",
        short_names=("dprof",),
        printer_columns=(
            PrinterColumn("Driver", "string", ".spec.driverName", "Name of the DRA driver that it is for."),
            PrinterColumn("Priority", "integer", ".spec.priority", "Of several for a node, the highest counts."),
            PrinterColumn("Nodes", "integer", ".status.nodes", "Nodes that it describes."),
            PrinterColumn(
                "Valid", "string", '.status.conditions[?(@.type=="Valid")].status', "Whether it can be used."
            ),
            PrinterColumn("Age", "date", ".metadata.creationTimestamp", "Time since the object was created."),
        ),
        status_subresource=True,
    )

    spec: DeviceProfileSpec
    """The devices of nodes, and what containers get with them."""
    status: DeviceProfileStatus = Field(default_factory=DeviceProfileStatus)
    """What has become of it."""

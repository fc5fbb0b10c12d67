"""DeviceFault: what is to go wrong with mock devices, where, and for how long."""

import re
from datetime import timedelta
from typing import Annotated, Final, Literal

from pydantic import Field

from fake_dra_driver.api.condition import ObjectCondition
from fake_dra_driver.api.fake import DRIVER_NAME, VERSION
from fake_dra_driver.api.kube.meta import ResourceKind, Time
from fake_dra_driver.api.labelselector import LABEL, LABEL_VALUE, LabelSelector
from fake_dra_driver.api.schema import (
    CelRule,
    Crd,
    CustomResource,
    ListMap,
    ListSet,
    PrinterColumn,
    SchemaModel,
    ServerDefault,
    ServerText,
)

__all__ = [
    "ACTIVE",
    "MAX_LISTED_DEVICES",
    "MAX_LISTED_NODES",
    "BindingEffect",
    "CallEffect",
    "CallFailure",
    "DeviceFault",
    "DeviceFaultSpec",
    "DeviceFaultStatus",
    "Effects",
    "FaultOnNode",
    "FaultTarget",
    "HealthEffect",
    "RandomFailures",
    "TaintEffect",
    "TargetClaim",
    "duration_of",
]

ACTIVE: Final = "Active"
"""Type of the condition that says whether a fault does something at the moment."""
MAX_LISTED_DEVICES: Final = 16
"""Most devices of a node that the status names: it may have entries of many nodes."""
MAX_LISTED_NODES: Final = 512
"""Most nodes that the status names. An object has at most 1.5 MB."""

_MAX_NAMES: Final = 64
_MAX_SECONDS: Final = 3600
_MAX_MESSAGE: Final = 1024
"""Most that kubelets show of what is wrong with a device."""

_GLOB = ServerText(r"^[!-~]+$", 253)
_TEXT = ServerText(r"^[^\n\r]+$", _MAX_MESSAGE)
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_MILLISECONDS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}

_SHORTEST: Final = timedelta(seconds=1)
_LONGEST: Final = timedelta(hours=87_600)

_Glob = Annotated[str, _GLOB]
_Message = Annotated[str, _TEXT]
_Delay = Annotated[float, Field(ge=0, le=_MAX_SECONDS)]
_Duration = Annotated[
    str,
    Field(pattern=r"^([0-9]{1,9}(\.[0-9]{1,3})?(ms|s|m|h)){1,4}$", max_length=40),
    CelRule(
        "duration(self) >= duration('1s') && duration(self) <= duration('87600h')",
        "must be from 1s to 87600h, which are ten years",
    ),
]


def duration_of(text: str) -> timedelta:
    """A duration such as ``90s`` or ``1h30m``, as the schema takes them; what is out of its bounds is the nearest."""
    parts = _DURATION.findall(text)
    found = timedelta(milliseconds=sum(float(amount) * _MILLISECONDS[unit] for amount, unit in parts))
    return min(max(found, _SHORTEST), _LONGEST)


# --- Target ------------------------------------------------------------------------------------------------------


class TargetClaim(SchemaModel):
    """A ResourceClaim."""

    namespace: Annotated[str, ServerText(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", 63)]
    """Its namespace."""
    name: Annotated[str, ServerText(r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", 253)]
    """Its name."""


class FaultTarget(SchemaModel):
    """Which devices are hit: those for which all holds that is given. When it is empty, all of all nodes are."""

    cel_rules = (CelRule("!has(self.seed) || has(self.count)", "seed chooses count devices: give count, too"),)

    nodes: Annotated[tuple[_Glob, ...], ListSet()] = Field(default=(), max_length=_MAX_NAMES)
    """Names of nodes, in which * and ? stand for any characters, or any one."""
    node_selector: LabelSelector | None = None
    """Labels of the nodes."""
    devices: Annotated[tuple[_Glob, ...], ListSet()] = Field(default=(), max_length=_MAX_NAMES)
    """Names of devices, as ResourceSlices have them, or their UUIDs; * and ? as in nodes."""
    models: Annotated[tuple[_Glob, ...], ListSet()] = Field(default=(), max_length=_MAX_NAMES)
    """Models of devices, as the NodeAllocationState has them; * and ? as in nodes."""
    claim: TargetClaim | None = None
    """Devices that are prepared for this claim; calls of other claims for them do not fail."""
    cel: str | None = Field(default=None, min_length=1, max_length=10 * 1024)
    """An expression about a device, as in the selectors of claims, such as
    device.attributes["gpu.nvidia.com"].index == 3."""
    count: int | None = Field(default=None, ge=1, le=4096)
    """How many of these devices are hit on each node; all when it is left out."""
    seed: int | None = Field(default=None, ge=0, le=2**53)
    """Which devices are the ones that count chooses: always the same ones for the same seed. Left out: the first."""


# --- Effects -----------------------------------------------------------------------------------------------------


class HealthEffect(SchemaModel):
    """What the kubelet is told about a device, which shows it in the status of pods."""

    state: Annotated[Literal["Unhealthy", "Unknown"], ServerDefault()] = "Unhealthy"
    """How healthy the device is."""
    message: _Message | None = None
    """What is wrong with it, for people."""


class TaintEffect(SchemaModel):
    """A taint of the device."""

    key: Annotated[str, LABEL]
    """Its key, such as gpu.example.com/unhealthy."""
    value: Annotated[str, LABEL_VALUE] = ""
    """Its value."""
    effect: Annotated[Literal["NoSchedule", "NoExecute", "None"], ServerDefault()] = "NoSchedule"
    """NoSchedule keeps the device from claims, NoExecute also evicts the pods that use it, None only shows the taint
    (from Kubernetes 1.35 on)."""


class CallFailure(SchemaModel):
    """Calls of the kubelet for a claim that fail."""

    times: int | None = Field(default=None, ge=1, le=1_000_000)
    """How many calls fail on each node, after which they succeed; all when it is left out."""
    message: Annotated[_Message, ServerDefault()] = "the device does not answer"
    """What the kubelet is told, and shows in an Event of the pod."""


class CallEffect(SchemaModel):
    """What happens to calls of the kubelet for claims with such a device."""

    cel_rules = (CelRule("has(self.fail) || has(self.delaySeconds)", "give fail, delaySeconds or both"),)

    fail: CallFailure | None = None
    """They fail."""
    delay_seconds: _Delay | None = None
    """They take this much longer, those that fail, too."""


class BindingEffect(SchemaModel):
    """What happens to the binding conditions of claims with such a device, where the device has any."""

    cel_rules = (CelRule("has(self.failure) || has(self.delaySeconds)", "give failure, delaySeconds or both"),)

    delay_seconds: _Delay | None = None
    """They come true this much later; the failure comes this late."""
    failure: _Message | None = None
    """Instead, the first binding failure condition comes true, with this message."""


class Effects(SchemaModel):
    """What goes wrong. Each effect is on its own."""

    cel_rules = (
        CelRule(
            "has(self.health) || has(self.taint) || has(self.prepare) || has(self.unprepare) || has(self.binding) || "
            "(has(self.vanish) && self.vanish) || (has(self.slicesLost) && self.slicesLost) || "
            "(has(self.deregister) && self.deregister)",
            "give at least one of health, taint, vanish, prepare, unprepare, binding, slicesLost and deregister",
        ),
    )

    health: HealthEffect | None = None
    """The device is not healthy."""
    taint: TaintEffect | None = None
    """The device is tainted."""
    vanish: bool = False
    """The device is not there any more: no slice has it. Claims keep what they hold."""
    prepare: CallEffect | None = None
    """Preparing a claim with the device, before its pod starts."""
    unprepare: CallEffect | None = None
    """Unpreparing a claim with the device, after its pod has ended."""
    binding: BindingEffect | None = None
    """Binding a pod to the device, where the scheduler waits for its binding conditions."""
    slices_lost: bool = False
    """The ResourceSlices of the nodes on which a device is hit are gone: with all of their devices."""
    deregister: bool = False
    """The driver's plugin is not registered with the kubelet on the nodes on which a device is hit."""


class RandomFailures(SchemaModel):
    """Each device fails and is repaired at random times, which are always the same ones for a seed."""

    seed: int = Field(ge=0, le=2**53)
    """What the times come from, together with the names of node and device, counted from the fault's creation."""
    mean_time_between_failures: _Duration
    """How long a device works, on average, before it fails."""
    mean_time_to_repair: _Duration
    """How long a failure lasts, on average."""


class DeviceFaultSpec(SchemaModel):
    """What goes wrong, with which devices, and for how long."""

    driver_name: Annotated[
        str, ServerText(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$", 63), ServerDefault()
    ] = DRIVER_NAME
    """The driver whose devices are hit: the name that a release of the chart has for it."""
    target: FaultTarget = Field(default_factory=FaultTarget)
    """Which devices are hit; left out: all."""
    effects: Effects
    """What goes wrong with them."""
    duration: _Duration | None = None
    """How long after its creation the fault ends, such as 90s or 1h30m. Left out: when it is deleted."""
    random: RandomFailures | None = None
    """Left out: the devices that are hit stay so for as long as the fault lasts."""


# --- Status ------------------------------------------------------------------------------------------------------


class FaultOnNode(SchemaModel):
    """What a fault does on one node, as the kubelet plugin there says, or the controller for a node without one."""

    node: str = Field(max_length=253)
    """Name of the node."""
    devices: tuple[Annotated[str, Field(max_length=63)], ...] = Field(default=(), max_length=MAX_LISTED_DEVICES)
    """Names of devices that are hit at the moment, the first few of them."""
    device_count: int = 0
    """How many devices are hit at the moment."""
    since: Time | None = None
    """Since when devices have been hit without a break."""
    times: int = 0
    """How many calls of the kubelet have failed."""
    message: str = Field(default="", max_length=_MAX_MESSAGE)
    """What is wrong with the fault itself, such as an expression that fails for a device."""
    observed_generation: int = 0
    """The metadata.generation that this is about."""
    simulated: bool = False
    """Whether the node has no kubelet plugin, so that the controller says it."""


class DeviceFaultStatus(SchemaModel):
    """What a fault does."""

    observed_generation: int | None = None
    """The metadata.generation that the conditions are about."""
    conditions: Annotated[tuple[ObjectCondition, ...], ListMap("type")] = Field(default=(), max_length=8)
    """Written by the controller."""
    nodes: Annotated[tuple[FaultOnNode, ...], ListMap("node")] = Field(default=(), max_length=MAX_LISTED_NODES)
    """The nodes on which it does something, or has: each entry is written by the kubelet plugin of its node."""


class DeviceFault(CustomResource):
    """Makes mock devices fail, until it ends or is deleted: all heals then."""

    resource = ResourceKind(DRIVER_NAME, VERSION, "DeviceFault", "devicefaults", namespaced=False)
    crd = Crd(
        singular="devicefault",
        short_names=("dfault",),
        status_subresource=True,
        printer_columns=(
            PrinterColumn("Driver", "string", ".spec.driverName", "The driver whose devices are hit."),
            PrinterColumn(
                "Active",
                "string",
                f'.status.conditions[?(@.type=="{ACTIVE}")].status',
                "Whether it does something at the moment.",
            ),
            PrinterColumn("Reason", "string", f'.status.conditions[?(@.type=="{ACTIVE}")].reason', "Why."),
            PrinterColumn("Duration", "string", ".spec.duration", "How long after its creation it ends."),
            PrinterColumn("Age", "date", ".metadata.creationTimestamp", "Time since the object was created."),
        ),
    )

    spec: DeviceFaultSpec
    """What goes wrong, with which devices, and for how long."""
    status: DeviceFaultStatus | None = None
    """What it does."""

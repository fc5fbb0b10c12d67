"""The shape of what ``status`` reports: stable, so that programs can read it.

Within a version fields are added, and never removed or given another meaning; readers have to ignore fields that they
do not know. Field names are camelCase in JSON and YAML.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from fake_dra_driver.dra.nodestate.deviceuse import DeviceState

__all__ = [
    "REASONS_TO_WAIT",
    "AmountReport",
    "ChildReport",
    "ClaimReport",
    "CounterSetReport",
    "Counts",
    "DeviceReport",
    "FaultOnNodeReport",
    "FaultReport",
    "ModelReport",
    "NodeReport",
    "Report",
    "ShareReport",
    "Summary",
    "TaintReport",
    "Told",
    "WaitReason",
    "WaitingClaim",
]

WaitReason = Literal[
    "InvalidParameters",
    "ParametersNotFound",
    "ClassNotFound",
    "ClaimNotFound",
    "TemplateNotFound",
    "ClaimNotMade",
    "InsufficientDevices",
    "Unschedulable",
    "BlockedByAnotherClaim",
    "NotBeingScheduled",
    "BeingScheduled",
    "BeingAllocated",
    "BeingDeallocated",
]
REASONS_TO_WAIT: dict[WaitReason, str] = {
    "InvalidParameters": "its parameters, or those of its class, cannot be used",
    "ParametersNotFound": "its parameters, or those of its class, do not exist",
    "ClassNotFound": "its class does not exist, so that no driver is responsible for it",
    "ClaimNotFound": "there is no such claim, and a pod names it",
    "TemplateNotFound": "the template that it is to be made from does not exist",
    "ClaimNotMade": "it has not been made from its template yet",
    "InsufficientDevices": "no node that can be chosen has what is asked for",
    "Unschedulable": "no node can be chosen for its pod, for another reason than its devices, or beside that",
    "BlockedByAnotherClaim": "another claim of the same pod cannot be allocated",
    "NotBeingScheduled": "the scheduler is not looking for a node for its pod",
    "BeingScheduled": "the scheduler has not selected a node yet, and some nodes are suitable",
    "BeingAllocated": "the controller is about to allocate; where this stays so, see whether its pod runs",
    "BeingDeallocated": "it is being deallocated, and can be allocated again after that",
}
"""Why a claim waits."""


class _Model(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, use_attribute_docstrings=True
    )


class Counts(_Model):
    """Devices by what they are doing."""

    devices: int = 0
    """All that the nodes have, without those that are missing."""
    free: int = 0
    """The next claim can get them."""
    allocated: int = 0
    """A claim holds them, and they are not prepared."""
    prepared: int = 0
    """Ready for the containers of the claim that holds them."""
    unavailable: int = 0
    """No claim holds them, and none can get them: the node takes no claims, they are not healthy, they are tainted, or
    other devices have used up the counters that they need."""
    missing: int = 0
    """A claim holds them, and the node does not have them."""
    shareable: int = 0
    """Of those that are allocated or prepared: further claims can get a share of them."""


class ModelReport(_Model):
    """The devices of one type and model."""

    type: str = ""
    """Their type, as their attribute `type` says; empty where they have none, and in classic DRA."""
    model: str
    """Name of the model."""
    counts: Counts
    """Its devices by what they are doing."""


class ClaimReport(_Model):
    """A claim that holds devices."""

    namespace: str = ""
    """Empty when the claim is gone."""
    name: str = ""
    """Empty when the claim is gone."""
    uid: str
    """UID of the claim."""
    pods: tuple[str, ...] = ()
    """Names of the pods, or other objects, that may use it."""
    exists: bool = True
    """False: there is no such claim (any more), and its devices are about to be free again."""


class ChildReport(_Model):
    """A part of a device that is split."""

    uuid: str
    """Name of the part."""
    prepared: bool
    """Whether it is ready for containers."""


class AmountReport(_Model):
    """An amount of something, and what is left of it."""

    name: str
    """Name of the counter, or of the capacity."""
    value: str
    """How much there is, as a quantity."""
    left: str
    """How much claims can still get of it. Less than 0 where more is in use than there is."""


class CounterSetReport(_Model):
    """What devices of a node use up in common."""

    name: str
    """Name of the counter set."""
    counters: tuple[AmountReport, ...]
    """What it has of each counter."""


class TaintReport(_Model):
    """A taint that the driver has published for a device."""

    key: str
    """Key of the taint."""
    value: str = ""
    """Value of the taint; empty where it has none."""
    effect: str
    """NoSchedule, NoExecute or None."""
    since: datetime | None = None
    """When it was added."""


class ShareReport(_Model):
    """A share of a device that several claims may have."""

    id: str
    """ID of the share, as the claim's allocation has it."""
    claim: ClaimReport
    """The claim that holds it."""
    capacity: Mapping[str, str] = {}
    """How much of the device's capacities it takes, by name."""


class DeviceReport(_Model):
    """One device."""

    uuid: str
    """Its key in the NodeAllocationState: its UUID, or what stands for one."""
    name: str = ""
    """Its name in ResourceSlices; empty in classic DRA, and where no slice has it."""
    type: str = ""
    """Its type, as its attribute `type` says; empty where it has none."""
    model: str
    """Empty when it is missing."""
    state: DeviceState
    """free, allocated, prepared, unavailable or missing."""
    parent: str = ""
    """Name of the device that it is a partition of; empty for a whole device."""
    claim: ClaimReport | None = None
    """The claim that holds it, or for which it is prepared."""
    shared_with: tuple[ClaimReport, ...] = ()
    """Further claims that hold it, where claims share it."""
    children: tuple[ChildReport, ...] = ()
    """Its parts, if the claim has it split."""
    problem: str = ""
    """What is wrong with it, so that no further claim can get it; empty when nothing is."""
    taints: tuple[TaintReport, ...] = ()
    """Its taints, as its ResourceSlice has them. One with NoSchedule or NoExecute keeps claims away."""
    shared: bool = False
    """Whether several claims may have shares of it at a time."""
    shares: tuple[ShareReport, ...] = ()
    """Its shares that claims hold."""
    capacity: tuple[AmountReport, ...] = ()
    """Its capacities, and what shares have left of them."""
    counters: tuple[str, ...] = ()
    """Names of the counter sets that it uses up."""
    lacks: tuple[str, ...] = ()
    """Counters that it needs and of which too little is left, as `set/counter`: other devices have used them up."""
    faults: tuple[str, ...] = ()
    """Names of the DeviceFaults that hit it at the moment, as far as their status names devices."""
    health: str = ""
    """How it is, by a DeviceFault: Unhealthy or Unknown, with what is wrong; empty where none says so."""


class NodeReport(_Model):
    """One node that has a NodeAllocationState."""

    name: str
    """Name of the node."""
    status: str
    """Ready or NotReady, as the NodeAllocationState says; Unreadable when that cannot be read."""
    ready: bool
    """Whether it takes claims: the NodeAllocationState is Ready, and pods can run on the node."""
    node_status: str = ""
    """Status of its Node as kubectl shows it, such as Ready,SchedulingDisabled; Missing when there is none; empty when
    Nodes may not be read."""
    counts: Counts
    """Its devices by what they are doing."""
    models: tuple[ModelReport, ...] = ()
    """Its devices by type and model, in the order of the node's inventory, without those that are missing."""
    claims: int
    """How many claims hold devices here."""
    devices: tuple[DeviceReport, ...]
    """In the order of the node's inventory; missing ones come last."""
    counter_sets: tuple[CounterSetReport, ...] = ()
    """What its devices use up in common, in the order in which it is published."""
    simulated: bool = False
    """Whether it has no kubelet plugin, so that the controller says what it has."""
    profile: str = ""
    """Which DeviceProfile describes its devices, and why it is that one; empty where none does."""
    faults: tuple[str, ...] = ()
    """Names of the DeviceFaults that hit its devices at the moment."""
    problems: tuple[str, ...]
    """What is wrong, in words."""

    @property
    def is_cordoned(self) -> bool:
        """Whether it would take claims but for ``kubectl cordon``."""
        return not self.ready and (self.status, self.node_status) == ("Ready", "Ready,SchedulingDisabled")


class FaultOnNodeReport(_Model):
    """What a DeviceFault does on one node."""

    name: str
    """Name of the node."""
    devices: tuple[str, ...] = ()
    """Names of devices that are hit at the moment, the first few of them."""
    device_count: int = 0
    """How many devices are hit at the moment."""
    since: datetime | None = None
    """Since when devices have been hit without a break."""
    failed_calls: int = 0
    """How many calls of the kubelet have failed."""
    message: str = ""
    """What is wrong with the fault itself."""


class FaultReport(_Model):
    """A DeviceFault for devices of this driver."""

    name: str
    """Name of the object."""
    effects: tuple[str, ...]
    """What goes wrong, in words."""
    reason: str = ""
    """Reason of its condition Active; empty until there is one."""
    message: str = ""
    """Message of its condition Active."""
    since: datetime | None = None
    """When it was created."""
    until: datetime | None = None
    """When it ends by itself; null where it lasts until it is deleted."""
    nodes: tuple[FaultOnNodeReport, ...] = ()
    """The nodes on which it does something, or has."""


class Told(_Model):
    """The latest warning that was reported about a claim, as an Event."""

    reason: str
    """Reason of the Event; metrics.md lists them."""
    message: str
    """Message of the Event."""
    count: int
    """How often it was reported."""
    last_seen: datetime | None = None
    """When it was last reported."""


class WaitingClaim(_Model):
    """A claim that waits for devices."""

    namespace: str
    """Namespace of the claim."""
    name: str
    """Name of the claim; until it is made from its template, those of its pod and of the entry in the spec of that."""
    uid: str
    """UID of the claim; empty when it does not exist."""
    class_name: str
    """The ResourceClass or DeviceClass that it names; of several DeviceClasses all, separated by commas. Empty when it
    does not exist."""
    mode: str
    """WaitForFirstConsumer or Immediate, which is in classic DRA alone."""
    since: datetime | None
    """When it, or the pod's scheduling, began to wait."""
    pods: tuple[str, ...] = ()
    """Names of the pods that use it."""
    reason: WaitReason
    """Why it waits, in one word."""
    message: str
    """Why it waits: what it asks for, what there is, what to change."""
    selected_node: str = ""
    """The node that the scheduler has selected for its pod; empty when there is none yet, or in structured DRA."""
    unsuitable_nodes: tuple[str, ...] = ()
    """Nodes that the driver has told the scheduler to leave out; in classic DRA alone."""
    told: Told | None = None
    """The latest warning that was reported about it, as an Event."""


class Summary(_Model):
    """The whole cluster, whichever nodes were asked for."""

    nodes: int
    """Nodes that have a NodeAllocationState."""
    ready_nodes: int
    """Those that take claims."""
    cordoned_nodes: int = 0
    """Those that would take claims but for `kubectl cordon`."""
    simulated_nodes: int = 0
    """Those that have no kubelet plugin, so that the controller says what they have."""
    counts: Counts
    """Devices of all nodes by what they are doing."""
    closed_devices: int = 0
    """Unavailable devices of nodes that take no claims."""
    models: tuple[ModelReport, ...] = ()
    """Devices of all nodes by type and model, sorted by these, without those that are missing."""
    claims: int
    """Claims that hold devices."""
    waiting: int
    """Claims that wait for devices."""
    unused: int
    """Claims without devices that no pod uses, so that they do not wait."""


class Report(_Model):
    """What ``fake-dra-driver status`` reports."""

    version: Literal["v1"] = "v1"
    """Version of this shape."""
    driver: str
    """Name of the driver."""
    namespace: str
    """Namespace of the NodeAllocationState objects; empty when there are none."""
    summary: Summary
    """The whole cluster, whichever nodes were asked for."""
    nodes: tuple[NodeReport, ...]
    """Sorted by name, numbers in names as numbers: the nodes that were asked for, or all."""
    waiting: tuple[WaitingClaim, ...]
    """Sorted by namespace and name."""
    faults: tuple[FaultReport, ...] = ()
    """DeviceFaults, by name: what goes wrong on purpose."""
    notes: tuple[str, ...] = ()
    """What could not be read, and is not known therefore, in words."""

"""The shape of what ``why`` reports: stable, so that programs can read it.

Within a version fields are added, and never removed or given another meaning; readers have to ignore fields that they
do not know. Field names are camelCase in JSON and YAML.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

__all__ = [
    "CHANGES",
    "DEVICE_REASONS",
    "NODE_REASONS",
    "PROBLEMS",
    "VERDICTS",
    "Amount",
    "AskedFor",
    "Change",
    "ClaimPart",
    "DeviceName",
    "DeviceOnNode",
    "DeviceProblem",
    "DeviceReason",
    "Holder",
    "NodeGroup",
    "NodeProblem",
    "NodeReason",
    "Problem",
    "ProblemReason",
    "Report",
    "RequestOnNode",
    "SelectorPlace",
    "Subject",
    "Suggestion",
    "Told",
    "Verdict",
]

Verdict = Literal[
    "Possible", "Impossible", "Blocked", "Failing", "Scheduled", "Allocated", "Finished", "NoDevices", "Unknown"
]
VERDICTS: Final[Mapping[Verdict, str]] = {
    "Possible": "some node has what is asked for: the scheduler can allocate it with its next attempt",
    "Impossible": "no node has what is asked for",
    "Blocked": "something stands in the way before any node is looked at, such as a class that does not exist",
    "Failing": "a selector cannot be evaluated, which ends each attempt of the scheduler, whatever other nodes have",
    "Scheduled": "the pod has a node: what is missing now is for that node's kubelet to say",
    "Allocated": "the claim has its devices",
    "Finished": "the pod has ended, and needs no devices",
    "NoDevices": "the pod asks for no devices; what keeps it from nodes is shown all the same",
    "Unknown": "too little may be read to say it (`notes` say which rights are missing), or there are too many "
    "combinations of devices to try all of them",
}
"""The answer in one word."""

ProblemReason = Literal[
    "ClaimNotFound",
    "TemplateNotFound",
    "ClaimNotMade",
    "ClaimDeleting",
    "ClaimOfAnotherPod",
    "ClaimFull",
    "ClassNotFound",
    "AdminAccessDenied",
    "TooManyDevices",
    "SelectorInvalid",
    "SelectorFailed",
    "SearchTooLong",
    "AllocationFailed",
    "PodDeleting",
    "SchedulingGated",
    "NothingPublished",
]
PROBLEMS: Final[Mapping[ProblemReason, str]] = {
    "ClaimNotFound": "the pod names a claim that does not exist",
    "TemplateNotFound": "the template that a claim is to be made from does not exist",
    "ClaimNotMade": "the claim has not been made from its template yet",
    "ClaimDeleting": "the claim is being deleted",
    "ClaimOfAnotherPod": "the claim was made from a template for another pod",
    "ClaimFull": "as many pods use the claim as can",
    "ClassNotFound": "a request names a DeviceClass that does not exist",
    "AdminAccessDenied": "a request wants admin access, which the claim's namespace does not allow",
    "TooManyDevices": "the claim asks for more devices than one claim can have",
    "SelectorInvalid": "a selector is not valid CEL",
    "SelectorFailed": "a selector cannot be evaluated for a device; the scheduler then gives up for all nodes",
    "SearchTooLong": "there are so many combinations of devices that not all were tried; a scheduler takes 10 seconds",
    "AllocationFailed": "the scheduler cannot handle the claims, for a reason that the message says",
    "PodDeleting": "the pod is being deleted",
    "SchedulingGated": "the pod has schedulingGates, and the scheduler leaves it alone until they are removed",
    "NothingPublished": "there are no ResourceSlices, so that the scheduler knows of no devices at all",
}
"""What can stand in the way before any node is looked at."""

NodeReason = Literal[
    "Unschedulable",
    "Taint",
    "NodeAffinity",
    "Resources",
    "DevicePlugin",
    "ClaimElsewhere",
    "PoolIncomplete",
    "PoolReplaced",
    "PoolInvalid",
    "NoPools",
    "Constraint",
    "Combination",
]
NODE_REASONS: Final[Mapping[NodeReason, str]] = {
    "Unschedulable": "the node is cordoned",
    "Taint": "the node has a taint that the pod does not tolerate",
    "NodeAffinity": "the pod's nodeSelector or required node affinity excludes the node",
    "Resources": "the node has too little of CPU, memory or another resource left for the pod, or takes no more pods",
    "DevicePlugin": "the node has what the pod asks for as an extended resource from a device plugin, without claims",
    "ClaimElsewhere": "a claim of the pod is allocated already, and its devices cannot be used on the node",
    "PoolIncomplete": "some slices of a pool are missing, so that none of its devices can be had",
    "PoolReplaced": "a pool is being published again, and its new slices are not all there",
    "PoolInvalid": "the slices of a pool contradict each other, so that none of its devices can be had",
    "NoPools": "no driver publishes devices for the node",
    "Constraint": "each request could be met, but not with devices that satisfy a constraint of the claim",
    "Combination": "each request could be met, but not all of them together: they compete for the same devices, "
    "counters or capacity",
}
"""What can stand in the way on a node, beside its devices."""

DeviceReason = Literal[
    "InUse",
    "Selector",
    "SelectorFailed",
    "OtherNode",
    "Capacity",
    "Counters",
    "Taint",
    "Constraint",
    "FeatureOff",
    "Chosen",
]
DEVICE_REASONS: Final[Mapping[DeviceReason, str]] = {
    "InUse": "another claim has it",
    "Selector": "a selector of the class or of the request is false for it",
    "SelectorFailed": "a selector cannot be evaluated for it",
    "OtherNode": "it cannot be used on this node",
    "Capacity": "it has less of a capacity, or less is left of it, than is asked for",
    "Counters": "what it shares with other devices, such as the memory of the card that it is a part of, is used up",
    "Taint": "it has a taint that the request does not tolerate",
    "Constraint": "with it, a constraint of the claim is not satisfied",
    "FeatureOff": "it needs a feature of Kubernetes that is switched off",
    "Chosen": "another request of the same pod takes it",
}
"""What can stand in the way of a device."""

Change = Literal[
    "CreateClaim",
    "CreateTemplate",
    "LabelNamespace",
    "OtherClass",
    "CreateClass",
    "RepairSelector",
    "Uncordon",
    "TolerateNodeTaint",
    "ChangeAffinity",
    "MakeRoom",
    "DeleteTaintRule",
    "TolerateDeviceTaint",
    "FreeClaim",
    "AskForFewer",
    "AskForLess",
    "ChangeSelector",
    "DropConstraint",
    "CompletePool",
    "Other",
]
CHANGES: Final[Mapping[Change, str]] = {
    "CreateClaim": "create the claim",
    "CreateTemplate": "create the template",
    "LabelNamespace": "allow admin access in the namespace",
    "OtherClass": "name a DeviceClass that exists",
    "CreateClass": "create the DeviceClass",
    "RepairSelector": "write the selector so that it can be evaluated for every device",
    "Uncordon": "let pods on the node again",
    "TolerateNodeTaint": "tolerate the taint of nodes, in the pod",
    "ChangeAffinity": "choose other nodes in the pod",
    "MakeRoom": "let other pods end, add nodes, or ask for less CPU, memory or the like",
    "DeleteTaintRule": "delete the DeviceTaintRule, if its reason has gone",
    "TolerateDeviceTaint": "tolerate the taint of devices, in the request",
    "FreeClaim": "delete the pods that use another claim",
    "AskForFewer": "ask for fewer devices",
    "AskForLess": "ask for less of a capacity",
    "ChangeSelector": "change a selector, or drop it",
    "DropConstraint": "drop a constraint",
    "CompletePool": "let the driver publish all slices of its pool",
    "Other": "what the message says",
}
"""What may help, in the order in which it is listed."""


class _Model(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, use_attribute_docstrings=True
    )


class Subject(_Model):
    """What is explained."""

    kind: Literal["Pod", "ResourceClaim"]
    """Kind of the object."""
    namespace: str
    """Its namespace."""
    name: str
    """Its name."""
    uid: str = ""
    """Its UID."""


class AskedFor(_Model):
    """A request of a claim, or one of the alternatives of a request."""

    name: str
    """Name of the request; of an alternative ``request/alternative``."""
    class_name: str
    """The DeviceClass that it names."""
    count: int | None
    """How many devices it wants; null: all of a node that match."""
    text: str
    """All that it asks for, in words."""


class ClaimPart(_Model):
    """A claim of the pod, or the claim itself."""

    name: str
    """Name of the claim; empty while it has not been made from its template."""
    entry: str = ""
    """Name of the entry in the pod's ``spec.resourceClaims``; empty without a pod, and for extended resources."""
    state: Literal["missing", "pending", "allocated", "deleting", "unknown", "gone"]
    """Whether there is such a claim, and whether it has devices; unknown: claims may not be read; gone: the pod has
    ended, and its claim was deleted."""
    requests: tuple[AskedFor, ...] = ()
    """What it asks for, alternatives one by one."""
    devices: tuple[str, ...] = ()
    """The devices that it has, each as driver/pool/device."""


class Problem(_Model):
    """What stands in the way whichever node is looked at."""

    reason: ProblemReason
    """In one word."""
    message: str
    """In a sentence."""
    claim: str = ""
    """Name of the claim, where it is about one."""
    request: str = ""
    """Name of the request, where it is about one."""


class Holder(_Model):
    """A claim that has a device, or a share of it."""

    namespace: str
    """Namespace of the claim."""
    name: str
    """Name of the claim."""
    pods: tuple[str, ...] = ()
    """Names of the pods that may use it."""


class SelectorPlace(_Model):
    """A selector, and where it is written."""

    class_name: str = ""
    """The DeviceClass that has it; empty: the request has it."""
    index: int
    """Its place among the selectors there, from 0."""
    expression: str
    """The CEL expression."""
    part: str = ""
    """The part of it that is false, where it consists of several parts that must all be true."""
    values: Mapping[str, str | None] = {}
    """What the expression reads of the device, and what that is there, as CEL writes it; null: the device lacks it."""
    error: str = ""
    """What CEL says, where it cannot be evaluated."""


class Amount(_Model):
    """A capacity or a counter of which there is not enough."""

    name: str
    """Name of the capacity or of the counter."""
    counter_set: str = ""
    """The counter set that has it; empty: it is a capacity."""
    needed: str
    """How much is needed."""
    left: str
    """How much is left."""
    total: str
    """How much there is, used or not."""


class DeviceName(_Model):
    """A device."""

    driver: str
    """Name of the driver."""
    pool: str
    """Name of the pool, which is often that of the node."""
    name: str
    """Name of the device in its pool."""


class DeviceProblem(_Model):
    """Why a device cannot be had for a request."""

    reason: DeviceReason
    """In one word."""
    message: str
    """In a few words."""
    holders: tuple[Holder, ...] = ()
    """Which claims have it, or use up what is short."""
    selector: SelectorPlace | None = None
    """Which selector is false, or cannot be evaluated."""
    amounts: tuple[Amount, ...] = ()
    """What is short, and by how much."""
    taint: str = ""
    """The taint, as key=value:effect."""


class DeviceOnNode(_Model):
    """A device that a request could be given."""

    device: DeviceName
    """Which it is."""
    suitable: bool
    """Whether nothing stands in its way, taken by itself."""
    problems: tuple[DeviceProblem, ...] = ()
    """All that stands in its way, taken by itself; the scheduler looks in this order, and stops at the first."""


class RequestOnNode(_Model):
    """A request, and how far the devices of a node meet it."""

    claim: str
    """Name of the claim."""
    name: str
    """Name of the request; of an alternative ``request/alternative``."""
    count: int | None
    """How many devices it wants; null: all that match."""
    suitable: int
    """How many devices there are with nothing in their way."""
    is_met: bool
    """Whether it could be met if it were alone."""
    devices: tuple[DeviceOnNode, ...] = ()
    """The devices of the first node of the group, in the order in which the scheduler looks at them."""


class NodeProblem(_Model):
    """What stands in the way on a node, beside its devices."""

    reason: NodeReason
    """In one word."""
    message: str
    """In a sentence."""


class NodeGroup(_Model):
    """Nodes for which the answer is the same."""

    names: tuple[str, ...]
    """The nodes; devices are those of the first."""
    fits: bool
    """Whether the claims can be had there."""
    has_devices: bool
    """Whether they could be had if nothing kept the pod away."""
    summary: str
    """The answer in a sentence."""
    problems: tuple[NodeProblem, ...] = ()
    """What stands in the way, beside the devices."""
    requests: tuple[RequestOnNode, ...] = ()
    """The requests of the claims that have no devices yet; none where a pod may not be on the nodes in any case."""


class Suggestion(_Model):
    """A change that would help."""

    change: Change
    """In one word."""
    message: str
    """What to do."""
    nodes: tuple[str, ...] = ()
    """Nodes that have what is asked for after that; none where the change is not about nodes."""
    verified: bool
    """Whether the allocator has found devices with this change alone; otherwise it is one step of several."""
    steps: int = 1
    """How many things are to be done for it, such as claims to free."""


class Told(_Model):
    """An Event."""

    reason: str
    """Reason of the Event."""
    message: str
    """Message of the Event."""
    component: str = ""
    """Who reported it."""
    count: int = 0
    """How often it was reported."""
    last_seen: datetime | None = None
    """When it was last reported."""


class Report(_Model):
    """What ``fake-dra-driver why`` reports."""

    version: Literal["v1"] = "v1"
    """Version of this shape."""
    subject: Subject
    """What was asked about."""
    pod: str = ""
    """The pod whose claims were looked at together; empty where no pod uses the claim."""
    verdict: Verdict
    """The answer in one word."""
    message: str
    """The answer in a sentence."""
    claims: tuple[ClaimPart, ...] = ()
    """The claims of the pod, in its order; or the claim."""
    problems: tuple[Problem, ...] = ()
    """What stands in the way whichever node is looked at."""
    nodes: tuple[NodeGroup, ...] = ()
    """What stands in the way on the nodes, equal ones together; those come first to which least is missing."""
    suggestions: tuple[Suggestion, ...] = ()
    """What would help, the smallest change first."""
    told: Told | None = None
    """The latest Event about the pod by its scheduler, or, once it has a node, by anyone."""
    kubernetes: str = ""
    """Release of the API server; the scheduler is taken to be of the same."""
    assumptions: tuple[str, ...] = ()
    """What cannot be read from the API server, and is taken to be so."""
    notes: tuple[str, ...] = ()
    """What may not be read, and is not known therefore."""

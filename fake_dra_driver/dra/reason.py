"""Why Events are written: each refusal and each repair has a reason, said once, with what a person can do about it.

``PROTOCOL_REASONS`` is every reason of the protocol side; a driver adds its own. The number of reasons is fixed, so
they can be the label of a metric; the documentation lists them from the same entries.
"""

from dataclasses import dataclass
from typing import Literal

from fake_dra_driver.api.kube.core import ObjectReference
from fake_dra_driver.api.kube.meta import KubeObject
from fake_dra_driver.runtime.events import EventSink

__all__ = [
    "CLAIM_LOST_IN_USE",
    "INSUFFICIENT_DEVICES",
    "INVALID_PARAMETERS",
    "PARAMETERS_NOT_FOUND",
    "PREPARE_FAILED",
    "PROTOCOL_REASONS",
    "RECORD_DROPPED",
    "RELEASED_FROM_GONE_NODE",
    "UNPREPARE_FAILED",
    "Reason",
]


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason of Events."""

    name: str
    """``reason`` of the Event: UpperCamelCase."""
    kind: Literal["refusal", "repair", "notice"]
    """A refusal asks a person to change something; a repair was made and only wants to be known."""
    type: Literal["Normal", "Warning"]
    about: str
    """The kinds of objects that the Events are about."""
    meaning: str
    advice: str
    """What a person can do."""

    def tell(self, events: EventSink, obj: KubeObject | ObjectReference, message: str) -> None:
        """Reports it: what was asked, what there is, what to change."""
        events.event(obj, self.type, self.name, message)


CLAIM_LOST_IN_USE = Reason(
    "ClaimLostInUse",
    "notice",
    "Warning",
    "NodeAllocationState, Pod",
    "A claim was deleted, or lost its allocation, while a pod that may use it runs. No other claim gets its devices.",
    "Find out who takes finalizers off claims, or edits their status. When the pod has ended, the devices are free.",
)
INSUFFICIENT_DEVICES = Reason(
    "InsufficientDevices",
    "refusal",
    "Warning",
    "Pod, ResourceClaim",
    "No node that can be used has what the claims of the pod ask for.",
    "Do what the message says: it lists what each node has, and why that is not enough.",
)
INVALID_PARAMETERS = Reason(
    "InvalidParameters",
    "refusal",
    "Warning",
    "Pod, ResourceClaim, ResourceClaimTemplate, ResourceClass, DeviceClass, FakeClaimParameters, DeviceClassParameters",
    "The parameters of a claim or class cannot be used.",
    "Correct what the message names; the claim goes on by itself. In structured DRA the parameters are a part of the "
    "claim, which cannot be changed: correct them in its template or manifest, and create the claim again.",
)
PARAMETERS_NOT_FOUND = Reason(
    "ParametersNotFound",
    "refusal",
    "Warning",
    "Pod, ResourceClaim, ResourceClass",
    "A claim or class names parameters that do not exist.",
    "Create them, or correct the name in parametersRef.",
)
PREPARE_FAILED = Reason(
    "PrepareFailed",
    "refusal",
    "Warning",
    "ResourceClaim",
    "The kubelet plugin cannot make the claim's devices ready, so that the pod does not start.",
    "Do what the message says; the kubelet tries again within a minute or two.",
)
UNPREPARE_FAILED = Reason(
    "UnprepareFailed",
    "refusal",
    "Warning",
    "ResourceClaim",
    "The kubelet plugin cannot release the claim's devices, so that the pod does not go away.",
    "Look at the disk of the node that the message names; the kubelet tries again.",
)
RECORD_DROPPED = Reason(
    "RecordDropped",
    "repair",
    "Normal",
    "ResourceClaim",
    "Devices were on record for a claim that was not allocated them in the end, and are free again.",
    "Nothing: the controller was stopped in between, or the scheduler has chosen another node.",
)
RELEASED_FROM_GONE_NODE = Reason(
    "ReleasedFromGoneNode",
    "repair",
    "Warning",
    "ResourceClaim",
    "The claim was allocated on a node that no longer exists, and is free to be allocated elsewhere.",
    "Nothing, if the node was removed on purpose.",
)

PROTOCOL_REASONS: tuple[Reason, ...] = (
    *(INSUFFICIENT_DEVICES, INVALID_PARAMETERS, PARAMETERS_NOT_FOUND, PREPARE_FAILED, UNPREPARE_FAILED),
    *(RECORD_DROPPED, RELEASED_FROM_GONE_NODE, CLAIM_LOST_IN_USE),
)

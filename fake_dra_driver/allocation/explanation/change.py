"""Small changes that a person could make, and whether one is enough: the allocator says so, as if it had been made.

::

    Change
    ├── FreeClaims        other claims have no devices any more
    ├── DeleteTaintRule   a DeviceTaintRule taints devices no more
    ├── DropConstraint    the claim does without a constraint
    └── RequestChange     a request, or one of its alternatives, asks for something else
        ├── FewerDevices, LessCapacity, Tolerate
        ├── DropSelector, GuardSelector
        ├── OtherClass
        └── LeaveOut
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fake_dra_driver.allocation.explanation.finding import Requested
from fake_dra_driver.allocation.explanation.situation import Situation, with_constraints, with_requests
from fake_dra_driver.allocation.obstacles import SelectorOrigin
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.resource.v1 import (
    CapacityRequirements,
    CelSelector,
    DeviceConstraint,
    DeviceRequest,
    DeviceSelector,
    DeviceSubRequest,
    DeviceTaint,
    DeviceToleration,
    ExactDeviceRequest,
    ResourceClaim,
)
from fake_dra_driver.quantity import Quantity

__all__ = [
    "Change",
    "DeleteTaintRule",
    "DropConstraint",
    "DropSelector",
    "FewerDevices",
    "FreeClaims",
    "GuardSelector",
    "LeaveOut",
    "LessCapacity",
    "OtherClass",
    "RequestChange",
    "Tolerate",
    "helps",
]


@dataclass(frozen=True, slots=True)
class Change:
    """A change of what there is, or of what is asked for."""


@dataclass(frozen=True, slots=True)
class FreeClaims(Change):
    """Other claims have no devices any more."""

    claims: tuple[ResourceClaim, ...]


@dataclass(frozen=True, slots=True)
class DeleteTaintRule(Change):
    """A DeviceTaintRule taints devices no more."""

    name: str


@dataclass(frozen=True, slots=True)
class DropConstraint(Change):
    """The claim does without a constraint."""

    claim: int
    """Which of the claims to allocate."""
    constraint: DeviceConstraint


@dataclass(frozen=True, slots=True)
class RequestChange(Change):
    """A request, or one of its alternatives, asks for something else."""

    requested: Requested


@dataclass(frozen=True, slots=True)
class FewerDevices(RequestChange):
    """The request wants fewer devices; where it wanted all, so many."""

    count: int


@dataclass(frozen=True, slots=True)
class LessCapacity(RequestChange):
    """The request wants less of a capacity."""

    name: str
    amount: Quantity


@dataclass(frozen=True, slots=True)
class Tolerate(RequestChange):
    """The request tolerates a taint."""

    taint: DeviceTaint


@dataclass(frozen=True, slots=True)
class DropSelector(RequestChange):
    """The request does without a selector of its own."""

    origin: SelectorOrigin


@dataclass(frozen=True, slots=True)
class GuardSelector(RequestChange):
    """A selector of the request, or of its class, asks first whether the device has what it reads."""

    origin: SelectorOrigin
    expression: str


@dataclass(frozen=True, slots=True)
class OtherClass(RequestChange):
    """The request names another class than one that does not exist."""

    class_name: str


@dataclass(frozen=True, slots=True)
class LeaveOut(RequestChange):
    """The claim does without the request."""


def helps(situation: Situation, node: Node, change: Change) -> bool:
    """Whether the claims can be had on a node with this change and nothing else changed."""
    match change:
        case FreeClaims():
            with situation.without(change.claims):
                return situation.fits(node)
        case DeleteTaintRule():
            with situation.without_rule(change.name):
                return situation.fits(node)
        case DropConstraint():
            claim = situation.claims[change.claim]
            others = [each for each in claim.spec.devices.constraints if each is not change.constraint]
            return situation.fits(node, situation.changed(change.claim, with_constraints(claim, others)))
        case GuardSelector() if change.origin.class_name is not None:
            device_class = situation.classes[change.origin.class_name]
            selectors = _guarded(device_class.spec.selectors, change)
            spec = device_class.spec.model_copy(update={"selectors": selectors})
            with situation.with_class(device_class.model_copy(update={"spec": spec})):
                return situation.fits(node)
        case LeaveOut():
            claim = situation.claims[change.requested.claim]
            devices = claim.spec.devices
            kept = [each for each in devices.requests if each.name != change.requested.request]
            left = situation.changed(change.requested.claim, with_requests(claim, kept, devices.constraints))
            return situation.fits(node, left)
        case RequestChange():
            return situation.fits(node, _asking(situation, change.requested, **_fields(change)))
    raise TypeError(f"{type(change).__name__} is no change that can be tried")


def _fields(change: RequestChange) -> dict[str, Any]:
    """The fields of the request that are different, and their values."""
    spec = change.requested.spec
    match change:
        case FewerDevices():
            return {"allocation_mode": "ExactCount", "count": change.count}
        case LessCapacity():
            requests = {} if spec.capacity is None else spec.capacity.requests
            return {"capacity": CapacityRequirements(requests={**requests, change.name: str(change.amount)})}
        case Tolerate():
            taint = change.taint
            toleration = DeviceToleration(key=taint.key, operator="Equal", value=taint.value, effect=taint.effect)
            return {"tolerations": (*spec.tolerations, toleration)}
        case DropSelector():
            index = change.origin.index
            return {"selectors": (*spec.selectors[:index], *spec.selectors[index + 1 :])}
        case GuardSelector():
            return {"selectors": _guarded(spec.selectors, change)}
        case OtherClass():
            return {"device_class_name": change.class_name}
    raise TypeError(f"{type(change).__name__} is no change of a request that can be tried")


def _guarded(selectors: Sequence[DeviceSelector], change: GuardSelector) -> tuple[DeviceSelector, ...]:
    index = change.origin.index
    guarded = DeviceSelector(cel=CelSelector(expression=change.expression))
    return (*selectors[:index], guarded, *selectors[index + 1 :])


def _asking(situation: Situation, requested: Requested, **fields: Any) -> tuple[ResourceClaim, ...]:
    """The claims, if a request, or one of its alternatives, had other values in these fields."""
    claim = situation.claims[requested.claim]
    spec = requested.spec.model_copy(update=fields)
    requests = [
        _replaced(each, requested, spec) if each.name == requested.request else each
        for each in claim.spec.devices.requests
    ]
    return situation.changed(requested.claim, with_requests(claim, requests, claim.spec.devices.constraints))


def _replaced(
    request: DeviceRequest, requested: Requested, spec: ExactDeviceRequest | DeviceSubRequest
) -> DeviceRequest:
    if isinstance(spec, ExactDeviceRequest):
        return request.model_copy(update={"exactly": spec})
    alternatives = tuple(spec if each is requested.spec else each for each in request.first_available)
    return request.model_copy(update={"first_available": alternatives})

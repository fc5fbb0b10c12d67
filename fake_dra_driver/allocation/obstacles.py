"""What can stand in the way of a device, a pool, or a request: what the search finds, with all the figures.

Every check of a candidate returns one of these, or None. They are values, and have no words for people: those are made
from them elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from fake_dra_driver.allocation.identity import DeviceId, Holder, PoolId
from fake_dra_driver.api.resource.v1 import Device, DeviceAttribute, DeviceTaint
from fake_dra_driver.quantity import Quantity

__all__ = [
    "CapacityShort",
    "CapacityUnknown",
    "ChosenAlready",
    "ConstraintBroken",
    "CounterShortage",
    "CountersShort",
    "FeatureOff",
    "InUse",
    "Obstacle",
    "OnOtherNode",
    "PolicyRefused",
    "PoolIncomplete",
    "PoolInvalid",
    "PoolObstacle",
    "PoolReplaced",
    "SelectorFailed",
    "SelectorFalse",
    "SelectorOrigin",
    "Tainted",
]


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a device cannot be had."""

    device: DeviceId


@dataclass(frozen=True, slots=True)
class InUse(Obstacle):
    """Other claims have it, and it is not shared."""

    holders: tuple[Holder, ...]


@dataclass(frozen=True, slots=True)
class ChosenAlready(Obstacle):
    """It was chosen for a request of the same pod."""

    claim_index: int
    """Which of the pod's claims to allocate."""


@dataclass(frozen=True, slots=True)
class FeatureOff(Obstacle):
    """It needs a feature that is off."""

    feature: Literal["DRADeviceBindingConditions", "DRAPartitionableDevices", "DRAOptionalNodeOperations"]


@dataclass(frozen=True, slots=True)
class SelectorOrigin:
    """Where a selector is written."""

    class_name: str | None
    """The class that has it; None: the request has it."""
    request: str
    """The request, or ``request/subrequest``, that is being allocated."""
    index: int
    """Its place among the selectors there."""
    expression: str


@dataclass(frozen=True, slots=True)
class SelectorFalse(Obstacle):
    """A selector is false for it. Which values it read, the selector itself can say (``selectors.Selector.reads``)."""

    origin: SelectorOrigin
    spec: Device


@dataclass(frozen=True, slots=True)
class SelectorFailed(Obstacle):
    """A selector could not be compiled, or not be evaluated for it. A scheduler aborts the pod's cycle."""

    origin: SelectorOrigin
    spec: Device
    problem: Literal["compile", "runtime"]
    message: str
    """What CEL said."""


@dataclass(frozen=True, slots=True)
class OnOtherNode(Obstacle):
    """Its slice says for each device on which nodes it is, and this one is not on the node."""


@dataclass(frozen=True, slots=True)
class CapacityUnknown(Obstacle):
    """It lacks a capacity that is asked for."""

    name: str


@dataclass(frozen=True, slots=True)
class PolicyRefused(Obstacle):
    """As much as is asked for cannot be had of any one device of this kind, as its request policy says."""

    name: str
    asked: Quantity | None
    consumed: Quantity
    """What was asked for, rounded as the policy says."""


@dataclass(frozen=True, slots=True)
class CapacityShort(Obstacle):
    """Less is left of a capacity than would be consumed."""

    name: str
    asked: Quantity | None
    """None: the request does not name it, so that its default is consumed, or all of it."""
    consumed: Quantity
    left: Quantity
    total: Quantity
    holders: tuple[tuple[Holder, Quantity], ...]
    """Who consumes it, and how much. What the pod's own claims would consume is not in it, but not left either."""


@dataclass(frozen=True, slots=True)
class CounterShortage:
    """A counter of which less is left than the device consumes; or one of the pool that is overdrawn already."""

    counter_set: str
    counter: str
    needed: Quantity
    """0: the device does not consume it, but while it is overdrawn nothing of the pool that consumes counters fits."""
    left: Quantity
    total: Quantity
    consumers: tuple[tuple[DeviceId, Quantity], ...]
    """The allocated devices that consume it, those chosen for the same pod among them."""

    def without(self, device: DeviceId) -> int:
        """What would be left, in billionths, if a device consumed nothing."""
        return self.left.nanos + sum(amount.nanos for consumer, amount in self.consumers if consumer == device)


@dataclass(frozen=True, slots=True)
class CountersShort(Obstacle):
    """The counters that its pool's devices share are used up by others."""

    shortages: tuple[CounterShortage, ...]


@dataclass(frozen=True, slots=True)
class Tainted(Obstacle):
    """It has a taint that the request does not tolerate."""

    taint: DeviceTaint
    rule: str | None
    """The DeviceTaintRule that it comes from; None: the slice has it."""


@dataclass(frozen=True, slots=True)
class ConstraintBroken(Obstacle):
    """A constraint of the claim would not be satisfied."""

    index: int
    """Its place among the claim's constraints."""
    kind: Literal["match", "distinct"]
    attribute: str
    value: DeviceAttribute | None
    """What the device has; None: it lacks the attribute."""
    others: Mapping[DeviceId, DeviceAttribute]
    """The devices that were chosen before, and what they have."""


@dataclass(frozen=True, slots=True)
class PoolObstacle:
    """Why none of a pool's devices can be had."""

    pool: PoolId
    generation: int
    slices: int
    """How many slices of this generation there are."""
    expected_slices: int
    """``resourceSliceCount``."""


@dataclass(frozen=True, slots=True)
class PoolIncomplete(PoolObstacle):
    """Slices are missing (or too many): the driver is publishing."""


@dataclass(frozen=True, slots=True)
class PoolReplaced(PoolObstacle):
    """There is a newer generation of it, which is not complete where the node sees it."""

    newer_generation: int


@dataclass(frozen=True, slots=True)
class PoolInvalid(PoolObstacle):
    """Its slices contradict each other."""

    reason: str

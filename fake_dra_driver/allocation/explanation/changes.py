"""Looks for small changes with which the claims could be had. Each is tried: the allocator says whether it helps.

A change is one thing that a person would do: free the devices of another claim, ask for less, tolerate a taint, change
a selector, drop a constraint. They are looked for where they can help, at what stands in the way on the node.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fake_dra_driver.allocation.explanation.finding import Finding, Requested, RequestFinding
from fake_dra_driver.allocation.explanation.reading import guarded_expression
from fake_dra_driver.allocation.explanation.situation import Situation, with_requests
from fake_dra_driver.allocation.identity import ClaimIdentity, identity_of
from fake_dra_driver.allocation.obstacles import (
    CapacityShort,
    CountersShort,
    InUse,
    Obstacle,
    SelectorFailed,
    SelectorFalse,
    SelectorOrigin,
    Tainted,
)
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
    "DropConstraint",
    "DropSelector",
    "FewerDevices",
    "FreeClaims",
    "GuardSelector",
    "LessCapacity",
    "OtherClass",
    "Tolerate",
    "changed",
    "changes_that_help",
    "guarded",
    "other_class",
]

MAX_FREED: Final = 8
"""So many claims at most are tried to be freed together; more is no small change."""
MAX_TRIES: Final = 24
"""So many changes of one sort are tried on a node."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change that was tried, and with which the claims can be had."""


@dataclass(frozen=True, slots=True)
class FreeClaims(Change):
    """Other claims have no devices any more."""

    claims: tuple[ResourceClaim, ...]


@dataclass(frozen=True, slots=True)
class _ToRequest(Change):
    requested: Requested


@dataclass(frozen=True, slots=True)
class FewerDevices(_ToRequest):
    """The request wants fewer devices; where it wanted all, so many."""

    count: int


@dataclass(frozen=True, slots=True)
class LessCapacity(_ToRequest):
    """The request wants less of a capacity."""

    name: str
    amount: Quantity


@dataclass(frozen=True, slots=True)
class Tolerate(_ToRequest):
    """The request tolerates a taint."""

    taint: DeviceTaint


@dataclass(frozen=True, slots=True)
class DropSelector(_ToRequest):
    """The request does without a selector of its own."""

    origin: SelectorOrigin


@dataclass(frozen=True, slots=True)
class OtherClass(_ToRequest):
    """The request names another class than one that does not exist."""

    class_name: str


@dataclass(frozen=True, slots=True)
class GuardSelector(_ToRequest):
    """The request's selector, or the class's, asks first whether the device has what it reads."""

    origin: SelectorOrigin
    expression: str


@dataclass(frozen=True, slots=True)
class DropConstraint(Change):
    """The claim does without a constraint."""

    claim: int
    constraint: DeviceConstraint


def changes_that_help(situation: Situation, finding: Finding) -> Iterator[Change]:
    """The changes, each by itself, with which the claims can be had on a node, the smallest of each sort.

    Args:
        situation: what is to be explained.
        finding: what was found out about the node, on which they cannot be had.
    """
    node = finding.node
    yield from _freed(situation, finding)
    for request in finding.requests:
        requested = request.requested
        yield from _fewer(situation, node, request)
        yield from _less(situation, node, request)
        for taint in _distinct_taints(request):
            if situation.fits(
                node, changed(situation, requested, tolerations=(*requested.spec.tolerations, _toleration(taint)))
            ):
                yield Tolerate(requested, taint)
        if request.is_met:
            continue
        for origin in _own_selectors(request):
            kept = tuple(each for at, each in enumerate(requested.spec.selectors) if at != origin.index)
            if situation.fits(node, changed(situation, requested, selectors=kept)):
                yield DropSelector(requested, origin)
    if finding.combination is not None and not finding.combination.needs_all:
        for each in finding.combination.constraints:
            yield DropConstraint(each.claim, situation.claims[each.claim].spec.devices.constraints[each.index])


def other_class(situation: Situation, nodes: Iterable[Node], requested: Requested, name: str) -> Node | None:
    """The first of the nodes on which the claims could be had if a request named another class; None: there is none.

    Classes that other requests name and that do not exist stand in the way of all nodes.
    """
    claims = changed(situation, requested, device_class_name=name)
    return next((node for node in nodes if situation.fits(node, claims)), None)


def guarded(situation: Situation, node: Node, requested: Requested, failed: SelectorFailed) -> GuardSelector | None:
    """The selector that failed, with a question before it, if that is enough to have the claims on a node."""
    origin = failed.origin
    expression = guarded_expression(failed)
    if expression is None:
        return None
    selector = DeviceSelector(cel=CelSelector(expression=expression))
    if origin.class_name is None:
        selectors = _replaced_at(requested.spec.selectors, origin.index, selector)
        fits = situation.fits(node, changed(situation, requested, selectors=selectors))
    else:
        device_class = situation.classes[origin.class_name]
        selectors = _replaced_at(device_class.spec.selectors, origin.index, selector)
        spec = device_class.spec.model_copy(update={"selectors": selectors})
        with situation.with_class(device_class.model_copy(update={"spec": spec})):
            fits = situation.fits(node)
    return GuardSelector(requested, origin, expression) if fits else None


def _replaced_at(
    selectors: Sequence[DeviceSelector], index: int, selector: DeviceSelector
) -> tuple[DeviceSelector, ...]:
    return (*selectors[:index], selector, *selectors[index + 1 :])


# --- Freeing what others have ------------------------------------------------------------------------------------


def _freed(situation: Situation, finding: Finding) -> Iterator[FreeClaims]:
    """The fewest claims to free, the first of which is found; each single claim that is enough."""
    usable = dict.fromkeys(_in_the_way(situation, finding))
    holders = [situation.holders[identity] for identity in usable if identity in situation.holders]
    enough = []
    for claim in holders[:MAX_TRIES]:
        with situation.without([claim]):
            if situation.fits(finding.node):
                enough.append(claim)
    if enough:
        for claim in enough:
            yield FreeClaims((claim,))
        return
    several = _several(situation, finding.node, holders[:MAX_FREED])
    if several:
        yield FreeClaims(several)


def _several(situation: Situation, node: Node, holders: Sequence[ResourceClaim]) -> tuple[ResourceClaim, ...]:
    """Some claims that are enough together, none of which can be left out; none where all are not enough."""
    with situation.without(holders):
        if not situation.fits(node):
            return ()
    kept = list(holders)
    for claim in holders:
        fewer = [each for each in kept if each is not claim]
        with situation.without(fewer):
            if situation.fits(node):
                kept = fewer
    return tuple(kept)


def _in_the_way(situation: Situation, finding: Finding) -> Iterator[ClaimIdentity]:
    """What has devices, or shares of them, that have nothing else in their way."""
    for request in finding.requests:
        for candidate in request.candidates:
            if candidate.obstacles and all(map(_is_about_use, candidate.obstacles)):
                for obstacle in candidate.obstacles:
                    yield from _users(situation, obstacle)


def _is_about_use(obstacle: Obstacle) -> bool:
    return isinstance(obstacle, InUse | CapacityShort | CountersShort)


def _users(situation: Situation, obstacle: Obstacle) -> Iterator[ClaimIdentity]:
    match obstacle:
        case InUse():
            yield from (holder.identity for holder in obstacle.holders)
        case CapacityShort():
            yield from (holder.identity for holder, _ in obstacle.holders)
        case CountersShort():
            for shortage in obstacle.shortages:
                for device, _ in shortage.consumers:
                    yield from map(identity_of, situation.holders_of(device))


# --- Asking for less ---------------------------------------------------------------------------------------------


def _fewer(situation: Situation, node: Node, request: RequestFinding) -> Iterator[FewerDevices]:
    requested, suitable = request.requested, request.suitable
    most = suitable if requested.wanted is None else requested.wanted - 1
    for count in range(min(most, MAX_TRIES), 0, -1):
        if situation.fits(node, changed(situation, requested, allocation_mode="ExactCount", count=count)):
            yield FewerDevices(requested, count)
            return


def _less(situation: Situation, node: Node, request: RequestFinding) -> Iterator[LessCapacity]:
    """The most that some device has left of a capacity, and of no other one."""
    requested = request.requested
    short = [
        candidate.obstacles[0]
        for candidate in request.candidates
        if len(candidate.obstacles) == 1 and isinstance(candidate.obstacles[0], CapacityShort)
    ]
    by_name: dict[str, set[Quantity]] = {}
    for each in short:
        if each.asked is not None and each.left.nanos > 0:
            by_name.setdefault(each.name, set()).add(each.left)
    for name, amounts in by_name.items():
        for amount in sorted(amounts, key=lambda amount: amount.nanos, reverse=True)[:MAX_TRIES]:
            if situation.fits(node, changed(situation, requested, capacity=_with_capacity(requested, name, amount))):
                yield LessCapacity(requested, name, amount)
                break


def _with_capacity(requested: Requested, name: str, amount: Quantity) -> CapacityRequirements:
    requests = {} if requested.spec.capacity is None else requested.spec.capacity.requests
    return CapacityRequirements(requests={**requests, name: str(amount)})


# --- Changes of a request ----------------------------------------------------------------------------------------


def changed(situation: Situation, requested: Requested, **fields: Any) -> tuple[ResourceClaim, ...]:
    """The claims, if a request, or one of its alternatives, had other values in these fields."""
    claim = situation.claims[requested.claim]
    asked = requested.spec.model_copy(update=fields)
    requests = [
        _replaced(each, requested, asked) if each.name == requested.request else each
        for each in claim.spec.devices.requests
    ]
    return situation.changed(requested.claim, with_requests(claim, requests, claim.spec.devices.constraints))


def _replaced(
    request: DeviceRequest, requested: Requested, asked: ExactDeviceRequest | DeviceSubRequest
) -> DeviceRequest:
    if isinstance(asked, ExactDeviceRequest):
        return request.model_copy(update={"exactly": asked})
    alternatives = tuple(asked if each is requested.spec else each for each in request.first_available)
    return request.model_copy(update={"first_available": alternatives})


def _toleration(taint: DeviceTaint) -> DeviceToleration:
    return DeviceToleration(key=taint.key, operator="Equal", value=taint.value, effect=taint.effect)


def _distinct_taints(request: RequestFinding) -> Iterable[DeviceTaint]:
    """The taints of devices that have nothing else in their way."""
    found: dict[tuple[str, str, str], DeviceTaint] = {}
    for candidate in request.candidates:
        taints = [each.taint for each in candidate.obstacles if isinstance(each, Tainted)]
        if len(taints) == len(candidate.obstacles):  # none, where nothing is in its way
            found.update({(taint.key, taint.value, taint.effect): taint for taint in taints})
    return list(found.values())[:MAX_TRIES]


def _own_selectors(request: RequestFinding) -> Iterable[SelectorOrigin]:
    """The selectors of the request itself that are false, or cannot be evaluated, for some device."""
    origins = (
        obstacle.origin
        for candidate in request.candidates
        for obstacle in candidate.obstacles
        if isinstance(obstacle, SelectorFalse | SelectorFailed)
    )
    return list(dict.fromkeys(origin for origin in origins if origin.class_name is None))

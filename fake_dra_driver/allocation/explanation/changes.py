"""Looks for small changes with which the claims could be had on a node. Each is tried out before it is proposed.

They are looked for where they can help, at what stands in the way. A change is one thing that a person would do, or a
few other claims to free where one is not enough.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from fake_dra_driver.allocation.explanation.change import (
    Change,
    DeleteTaintRule,
    DropConstraint,
    DropSelector,
    FewerDevices,
    FreeClaims,
    GuardSelector,
    LeaveOut,
    LessCapacity,
    Tolerate,
    helps,
)
from fake_dra_driver.allocation.explanation.finding import Finding, RequestFinding
from fake_dra_driver.allocation.explanation.reading import guarded_expression
from fake_dra_driver.allocation.explanation.situation import Situation
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
from fake_dra_driver.api.resource.v1 import DeviceTaint, ResourceClaim
from fake_dra_driver.quantity import Quantity

__all__ = ["changes_that_help"]

MAX_FREED: Final = 8
"""So many claims at most are tried to be freed together; more is no small change."""
MAX_TRIES: Final = 24
"""So many changes of one sort are tried on a node."""


def changes_that_help(situation: Situation, finding: Finding) -> Iterator[Change]:
    """The changes, each by itself, with which the claims can be had on a node, the smallest of each sort.

    Args:
        situation: what is to be explained.
        finding: what was found out about the node, on which they cannot be had.
    """
    node = finding.node
    yield from _freed(situation, finding)
    yield from (each for each in _untainted(finding) if helps(situation, node, each))
    for request in finding.requests:
        for sort in (_fewer(request), *_less(request)):
            largest = next((each for each in sort if helps(situation, node, each)), None)
            if largest is not None:
                yield largest
        competes = finding.combination is not None
        yield from (each for each in _changed(request, competes=competes) if helps(situation, node, each))
    if finding.combination is None:
        return
    left_out = (LeaveOut(each) for each in reversed(finding.combination.shortage_among))
    enough = next((each for each in islice(left_out, MAX_TRIES) if helps(situation, node, each)), None)
    if enough is not None:
        yield enough
    if not finding.combination.needs_all:
        for broken in finding.combination.constraints:
            constraints = situation.claims[broken.claim].spec.devices.constraints
            yield DropConstraint(broken.claim, constraints[broken.index])


# --- Freeing what others have ------------------------------------------------------------------------------------


def _freed(situation: Situation, finding: Finding) -> Iterator[FreeClaims]:
    """Each claim that is enough to free; where none is, a few together."""
    identities = dict.fromkeys(_in_the_way(situation, finding))
    holders = [situation.holders[identity] for identity in identities if identity in situation.holders]
    singles = [FreeClaims((claim,)) for claim in holders[:MAX_TRIES]]
    enough = [each for each in singles if helps(situation, finding.node, each)]
    yield from enough or _several(situation, finding.node, holders[:MAX_FREED])


def _several(situation: Situation, node: Node, holders: Sequence[ResourceClaim]) -> Iterator[FreeClaims]:
    """Claims that are enough together, none of which can be left out."""
    kept = FreeClaims(tuple(holders))
    if not helps(situation, node, kept):
        return
    for claim in holders:
        fewer = FreeClaims(tuple(each for each in kept.claims if each is not claim))
        kept = fewer if helps(situation, node, fewer) else kept
    yield kept


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


# --- Removing taints ---------------------------------------------------------------------------------------------


def _untainted(finding: Finding) -> Iterable[DeleteTaintRule]:
    """The rules that taint devices which are asked for otherwise."""
    obstacles = (each for request in finding.requests for device in request.candidates for each in device.decisive)
    rules = (each.rule for each in obstacles if isinstance(each, Tainted) and each.rule is not None)
    return [DeleteTaintRule(name) for name in dict.fromkeys(rules)][:MAX_TRIES]


# --- Asking for something else -----------------------------------------------------------------------------------


def _fewer(request: RequestFinding) -> Iterator[Change]:
    """Fewer devices, the most first."""
    requested = request.requested
    most = request.suitable if requested.wanted is None else requested.wanted - 1
    return (FewerDevices(requested, count) for count in range(min(most, MAX_TRIES), 0, -1))


def _less(request: RequestFinding) -> Iterator[Iterator[Change]]:
    """Less of each capacity that some device lacks and that has nothing else in its way, the most first."""
    left: dict[str, dict[int, Quantity]] = {}
    for candidate in request.candidates:
        match candidate.obstacles:
            case (CapacityShort() as short,) if short.asked is not None and short.left.nanos > 0:
                left.setdefault(short.name, {})[short.left.nanos] = short.left
    for name, amounts in left.items():
        most = sorted(amounts, reverse=True)[:MAX_TRIES]
        yield (LessCapacity(request.requested, name, amounts[nanos]) for nanos in most)


def _changed(request: RequestFinding, *, competes: bool) -> Iterator[Change]:
    """Other changes of the request, all of which may help.

    Args:
        request: what was found out about it.
        competes: whether it could be met alone, and others want what it wants.
    """
    requested = request.requested
    for taint in _distinct_taints(request):
        yield Tolerate(requested, taint)
    if competes or not request.is_met:
        for failed in _failed(request):
            expression = guarded_expression(failed)
            if expression is not None:
                yield GuardSelector(requested, failed.origin, expression)
        for origin in _own_selectors(request):
            yield DropSelector(requested, origin)


def _distinct_taints(request: RequestFinding) -> Iterable[DeviceTaint]:
    """The taints of devices that have nothing else in their way."""
    found: dict[tuple[str, str, str], DeviceTaint] = {}
    for candidate in request.candidates:
        taints = [each.taint for each in candidate.obstacles if isinstance(each, Tainted)]
        if len(taints) == len(candidate.obstacles):  # none, where nothing is in its way
            found.update({(taint.key, taint.value, taint.effect): taint for taint in taints})
    return list(found.values())[:MAX_TRIES]


def _failed(request: RequestFinding) -> Iterable[SelectorFailed]:
    """For each selector that could not be evaluated, the first device with which."""
    found: dict[SelectorOrigin, SelectorFailed] = {}
    for candidate in request.candidates:
        for obstacle in candidate.obstacles:
            if isinstance(obstacle, SelectorFailed) and obstacle.problem == "runtime":
                found.setdefault(obstacle.origin, obstacle)
    return found.values()


def _own_selectors(request: RequestFinding) -> Iterable[SelectorOrigin]:
    """The selectors of the request itself that are false, or cannot be evaluated, for some device."""
    origins = (
        obstacle.origin
        for candidate in request.candidates
        for obstacle in candidate.obstacles
        if isinstance(obstacle, SelectorFalse | SelectorFailed)
    )
    return list(dict.fromkeys(origin for origin in origins if origin.class_name is None))

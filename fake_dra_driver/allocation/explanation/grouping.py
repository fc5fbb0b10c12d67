"""Puts nodes together for which the answer is the same, so that a person reads it once.

Two nodes are equal if the same things stand in the way of as many devices: names of devices and pools, and who it is
that has a device, may differ.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

from fake_dra_driver.allocation.errors import AllocationError, SearchTooLongError, SelectorFailedError
from fake_dra_driver.allocation.explanation.finding import Candidate, Combination, Finding, RequestFinding
from fake_dra_driver.allocation.explanation.reading import false_part
from fake_dra_driver.allocation.obstacles import (
    CapacityShort,
    CapacityUnknown,
    CountersShort,
    FeatureOff,
    InUse,
    Obstacle,
    PolicyRefused,
    PoolObstacle,
    SelectorFailed,
    SelectorFalse,
    Tainted,
)

__all__ = ["error_likeness", "group", "likeness"]

T = TypeVar("T")


def group(items: Iterable[T], key: Callable[[T], Hashable]) -> Sequence[Sequence[T]]:
    """The items in groups of the same key, in the order of the first of each."""
    groups: dict[Hashable, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.values())


def likeness(finding: Finding) -> Hashable:
    """What equal nodes have in common."""
    return (
        finding.fits,
        _outcome(finding),
        frozenset(Counter(map(_pool, finding.pools)).items()),
        tuple(_request(each) for each in finding.requests),
        _combination(finding.combination),
    )


def error_likeness(error: AllocationError) -> Hashable:
    """What equal errors have in common: which node or device it was may differ."""
    match error:
        case SearchTooLongError():
            return "too long"
        case SelectorFailedError():
            return error.found.origin, error.found.message
    return str(error)


def _outcome(finding: Finding) -> Hashable:
    outcome = finding.outcome
    return error_likeness(outcome) if isinstance(outcome, AllocationError) else None


def _combination(found: Combination | None) -> Hashable:
    """Which constraints, and how many devices have the same: what it is that they have may differ."""
    if found is None:
        return None
    constraints = (
        (each.claim, each.index, frozenset(Counter(Counter(map(str, dict(each.values).values())).values()).items()))
        for each in found.constraints
    )
    return tuple(constraints), found.needs_all


def _pool(obstacle: PoolObstacle) -> Hashable:
    return type(obstacle).__name__, obstacle.pool.driver, obstacle.slices, obstacle.expected_slices


def _request(finding: RequestFinding) -> Hashable:
    kinds = Counter(_candidate(each) for each in finding.candidates)
    return finding.requested.claim, finding.requested.name, finding.is_met, frozenset(kinds.items())


def _candidate(candidate: Candidate) -> Hashable:
    return candidate.device.driver, tuple(map(_obstacle, candidate.decisive))


def _obstacle(obstacle: Obstacle) -> Hashable:
    kind = type(obstacle).__name__
    match obstacle:
        case InUse():
            return kind
        case SelectorFalse():
            part = false_part(obstacle)
            return kind, obstacle.origin, part.text, frozenset(part.values.items())
        case SelectorFailed():
            return kind, obstacle.origin, obstacle.message
        case CapacityShort():
            return kind, obstacle.name, obstacle.consumed, obstacle.left, obstacle.total
        case CountersShort():
            shortages = [(each.counter, each.needed, each.left, each.total) for each in obstacle.shortages]
            return kind, frozenset(shortages)
        case Tainted():
            return kind, obstacle.taint.key, obstacle.taint.value, obstacle.taint.effect, obstacle.rule
        case CapacityUnknown():
            return kind, obstacle.name
        case PolicyRefused():
            return kind, obstacle.name, obstacle.consumed
        case FeatureOff():
            return kind, obstacle.feature
    return kind

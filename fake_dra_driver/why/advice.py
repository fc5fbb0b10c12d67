"""What would help, in sentences: changes that the allocator has tried, and those of nodes and pods."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from fake_dra_driver.allocation.explanation import (
    Change,
    DeleteTaintRule,
    DropConstraint,
    DropSelector,
    FewerDevices,
    Finding,
    FreeClaims,
    GuardSelector,
    LeaveOut,
    LessCapacity,
    OtherClass,
    Tolerate,
    false_part,
    names_of,
    names_read,
)
from fake_dra_driver.allocation.obstacles import SelectorFailed, SelectorFalse, SelectorOrigin
from fake_dra_driver.api.resource import v1
from fake_dra_driver.naturalorder import natural_order
from fake_dra_driver.untrustedtext import short_name
from fake_dra_driver.why import report
from fake_dra_driver.why.nodefilter import taint_text
from fake_dra_driver.why.report import Suggestion
from fake_dra_driver.why.words import (
    Words,
    constraint_text,
    count_of,
    holder_text,
    listed,
    origin_text,
    quoted,
    values_text,
)

__all__ = ["ValuesThere", "merged", "suggestion"]

_ORDER: Final[Sequence[report.Change]] = tuple(report.CHANGES)
"""The smallest change first."""
MAX_VALUES: Final = 4
MEANT: Final = 0.8
"""How alike names have to be for one to be taken for the other (difflib's ratio)."""


@dataclass(frozen=True, slots=True)
class ValuesThere:
    """What devices are like that a selector alone keeps from being had."""

    by_selector: Mapping[tuple[int, SelectorOrigin], Counter[str]]
    """By claim and selector: how many devices have which values, in words."""
    satisfied: frozenset[tuple[int, SelectorOrigin]]
    """The selectors that some device satisfies."""
    names: frozenset[str]
    """The full names of all attributes and capacities of the devices of the classes that are asked for."""

    @classmethod
    def of(cls, findings: Iterable[Finding]) -> "ValuesThere":
        """What the devices of all nodes are like."""
        by_selector: dict[tuple[int, SelectorOrigin], Counter[str]] = {}
        false: Counter[tuple[int, SelectorOrigin]] = Counter()
        devices: Counter[tuple[int, str]] = Counter()
        names: set[str] = set()
        for finding in findings:
            for request in finding.requests:
                claim, name = request.requested.claim, request.requested.name
                candidates = [each for each in request.candidates if not each.is_of_other_class]
                devices[claim, name] += len(candidates)
                for candidate in candidates:
                    for obstacle in candidate.obstacles:
                        if isinstance(obstacle, SelectorFalse | SelectorFailed):
                            key = (claim, obstacle.origin)
                            false[key] += 1
                            names |= names_of(obstacle.device.driver, obstacle.spec)
                            if isinstance(obstacle, SelectorFalse) and len(candidate.obstacles) == 1:
                                by_selector.setdefault(key, Counter())[values_text(false_part(obstacle).values)] += 1
        satisfied = frozenset(key for key, number in false.items() if number < devices[key[0], key[1].request])
        return cls(by_selector, satisfied, frozenset(names))

    def text(self, claim: int, origin: SelectorOrigin) -> str:
        """What there is instead of what the selector wants, to go on with in a sentence."""
        key = (claim, origin)
        values = self.by_selector.get(key, Counter())
        there = [f"{text} ({count_of(number, 'device')})" for text, number in values.most_common(MAX_VALUES) if text]
        more = f" and {len(values) - MAX_VALUES} others" if len(values) > MAX_VALUES else ""
        nothing = "" if key in self.satisfied else ", which no device satisfies"
        instead = f"; of those that could be had, {', '.join(there)}{more}" if there else ""
        return f"{nothing}{self._misnamed(origin)}{instead}"

    def _misnamed(self, origin: SelectorOrigin) -> str:
        """What the selector reads and no device has, with what was probably meant."""
        unknown = [name for name in names_read(origin.expression) if name not in self.names]
        if not unknown or not self.names:
            return ""
        wanted = unknown[0]
        known = sorted(self.names)
        namesakes = [name for name in known if name.partition("/")[2] == wanted.partition("/")[2]]
        meant = namesakes or get_close_matches(wanted, known, n=1, cutoff=MEANT)
        by_domain: dict[str, list[str]] = {}
        for name in known:
            domain, _, own = name.partition("/")
            by_domain.setdefault(domain, []).append(short_name(own))
        there = "; ".join(f"{listed(names, 8)} in {short_name(domain)}" for domain, names in by_domain.items())
        hint = f"did you mean {short_name(meant[0])}? " if meant else ""
        return f"; no device has {short_name(wanted)}: {hint}Devices have {there}"


def suggestion(
    change: Change,
    claims: Sequence[v1.ResourceClaim],
    nodes: Sequence[str],
    words: Words,
    there: ValuesThere | None = None,
) -> Suggestion:
    """A change with which the allocator has found devices on these nodes, in words."""
    kind, message = _said(change, claims, words, there)
    steps = len(change.claims) if isinstance(change, FreeClaims) else 1
    return Suggestion(change=kind, message=message, nodes=tuple(nodes), verified=True, steps=steps)


def _said(
    change: Change, claims: Sequence[v1.ResourceClaim], words: Words, there: ValuesThere | None
) -> tuple[report.Change, str]:
    match change:
        case FreeClaims():
            holders = [holder_text(words.holder(claim.key)) for claim in change.claims]
            return "FreeClaim", f"free the devices of {listed(holders, 8)}"
        case DeleteTaintRule():
            return "DeleteTaintRule", f"kubectl delete devicetaintrule {change.name}"
        case FewerDevices():
            where = _where(change.requested.name, change.requested.claim, claims)
            instead = "all that match" if change.requested.wanted is None else str(change.requested.wanted)
            return "AskForFewer", f"ask for {count_of(change.count, 'device')} in {where} instead of {instead}"
        case LeaveOut():
            return "AskForFewer", f"do without {_where(change.requested.name, change.requested.claim, claims)}"
        case LessCapacity():
            where = _where(change.requested.name, change.requested.claim, claims)
            return "AskForLess", f"ask for {change.amount} of {short_name(change.name)} at most in {where}"
        case Tolerate():
            shown = taint_text(change.taint.key, change.taint.value, change.taint.effect)
            return "TolerateDeviceTaint", (
                f"add a toleration of taint {shown} to {_where(change.requested.name, change.requested.claim, claims)}"
            )
        case DropSelector():
            claim = change.requested.claim
            known = there.text(claim, change.origin) if there is not None else ""
            return "ChangeSelector", (
                f"change or drop {origin_text(change.origin)} of claim {claims[claim].metadata.name}, "
                f"{quoted(change.origin.expression)}{known}"
            )
        case GuardSelector():
            where = origin_text(change.origin)
            return "RepairSelector", f"write {where} so that it can be evaluated for all devices: {change.expression}"
        case OtherClass():
            where = _where(change.requested.name, change.requested.claim, claims)
            return "OtherClass", f"name DeviceClass {short_name(change.class_name)} in {where}"
        case DropConstraint():
            name = claims[change.claim].metadata.name
            return "DropConstraint", f"drop the constraint of claim {name} that {constraint_text(change.constraint)}"
    raise TypeError(f"there are no words for {type(change).__name__}")


def _where(request: str, claim: int, claims: Sequence[v1.ResourceClaim]) -> str:
    return f"request {request} of claim {claims[claim].metadata.name}"


def merged(suggestions: Iterable[Suggestion]) -> tuple[Suggestion, ...]:
    """Equal suggestions as one, with the nodes of all; the smallest change first."""
    found: dict[tuple[str, str], Suggestion] = {}
    for each in suggestions:
        key = (each.change, each.message)
        known = found.get(key)
        nodes = {*each.nodes, *(known.nodes if known is not None else ())}
        found[key] = each.model_copy(
            update={
                "nodes": tuple(sorted(nodes, key=natural_order)),
                "verified": each.verified or (known is not None and known.verified),
            }
        )
    return tuple(sorted(found.values(), key=lambda each: (not each.verified, each.steps, _ORDER.index(each.change))))

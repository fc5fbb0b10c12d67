"""The report as text: the answer first, then what was asked for, what would help, and what stands in the way where."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from fake_dra_driver.tablelayout import Cell, Column, Layout, Row, Tone, age
from fake_dra_driver.untrustedtext import short_name
from fake_dra_driver.why.report import (
    ClaimPart,
    DeviceOnNode,
    DeviceProblem,
    Holder,
    NodeGroup,
    Report,
    RequestOnNode,
    Suggestion,
    Verdict,
)
from fake_dra_driver.why.words import count_of, in_use_text, listed

__all__ = ["table"]

GROUPS: Final = 8
"""Up to so many groups of nodes are shown; the rest is counted."""
SUGGESTIONS: Final = 6
NAMED_NODES: Final = 4
NAMED_DEVICES: Final = 3

_TONES: Final[dict[Verdict, Tone]] = {
    "Possible": Tone.GOOD,
    "Scheduled": Tone.GOOD,
    "Allocated": Tone.GOOD,
    "Impossible": Tone.BAD,
    "Blocked": Tone.BAD,
    "Failing": Tone.BAD,
}


def table(report: Report, now: datetime, *, details: bool = False, layout: Layout | None = None) -> str:
    """The report as text, which ends with a newline.

    Args:
        report: what to show.
        now: for ages.
        details: whether everything is shown, and devices one by one.
        layout: how wide a line can be, and whether there are colours; None: any width, and no colours.
    """
    return _Table(report, now, layout or Layout(), details=details).text()


class _Table:
    def __init__(self, report: Report, now: datetime, layout: Layout, *, details: bool) -> None:
        self._report = report
        self._now = now
        self._layout = layout
        self._details = details

    def text(self) -> str:
        blocks = [
            self._answer(),
            self._claims(),
            self._problems(),
            self._suggestions(),
            *map(self._nodes, self._shown_groups()),
            self._rest(),
            self._told(),
            self._fine_print(),
        ]
        return "\n\n".join("\n".join(lines) for lines in blocks if lines) + "\n"

    def _answer(self) -> list[str]:
        report = self._report
        tone = _TONES.get(report.verdict, Tone.WARNING)
        return self._layout.sentence(report.message[:1].upper() + report.message[1:], tone=tone)

    def _claims(self) -> list[str]:
        rows = [row for claim in self._report.claims for row in _claim_rows(claim)]
        if not rows:
            return []
        columns = [Column("CLAIM", shrinks=True), Column("ENTRY", shrinks=True), Column("STATE"), Column("REQUEST")]
        return self._layout.table(columns, rows, sentences="ASKS FOR, OR HAS")

    def _problems(self) -> list[str]:
        """What stands in the way everywhere, where it is not said already."""
        # The first one is the answer, in these words or almost.
        return [
            line
            for problem in self._report.problems[1:]
            for line in self._layout.sentence(problem.message, first="! ", following="  ", tone=Tone.BAD)
        ]

    # --- What would help

    def _suggestions(self) -> list[str]:
        suggestions = self._report.suggestions
        if not suggestions:
            return []
        shown = suggestions if self._details else suggestions[:SUGGESTIONS]
        lines = self._layout.sentence("WHAT WOULD HELP", tone=Tone.HEADING)
        for each in shown:
            lines += self._layout.sentence(_suggestion_text(each), first="- ", following="  ")
        if any(each.change in _OF_CLAIMS for each in shown):
            lines += self._layout.sentence(_IMMUTABLE, first="  ", following="  ", tone=Tone.FAINT)
        if len(suggestions) > len(shown):
            lines += self._layout.sentence(f"... and {len(suggestions) - len(shown)} more: --details shows all")
        return lines

    # --- Nodes

    def _shown_groups(self) -> Sequence[NodeGroup]:
        groups = self._report.nodes
        return groups if self._details else groups[:GROUPS]

    def _rest(self) -> list[str]:
        left = self._report.nodes[len(self._shown_groups()) :]
        if not left:
            return []
        nodes = sum(len(each.names) for each in left)
        return self._layout.sentence(f"... and {count_of(nodes, 'node')} more in other ways: --details shows all")

    def _nodes(self, group: NodeGroup) -> list[str]:
        names = [short_name(name) for name in group.names]
        if len(names) == 1:
            head = f"NODE {names[0]}"
        else:
            head = f"{len(names)} NODES like {names[0]}: {listed(names, NAMED_NODES)}"
        lines = self._layout.sentence(head, following="  ", tone=Tone.HEADING)
        if group.fits:
            return lines + self._layout.sentence(group.summary, first="  ", following="  ", tone=Tone.GOOD)
        for problem in group.problems:
            lines += self._layout.sentence(problem.message, first="  ! ", following="    ", tone=Tone.BAD)
        if group.problems and group.problems[0].reason in _AWAY:
            return lines + self._in_short(group)
        for request in group.requests:
            lines += self._request(request)
        return lines

    def _in_short(self, group: NodeGroup) -> list[str]:
        """Whether a node has the devices that the pod cannot be on."""
        if not group.requests:
            return []
        text = "it has the devices" if group.has_devices else "nor does it have the devices"
        return self._layout.sentence(text, first="    ", following="    ", tone=Tone.FAINT)

    def _request(self, request: RequestOnNode) -> list[str]:
        tone = Tone.PLAIN if request.is_met else Tone.WARNING
        lines = self._layout.sentence(_request_head(request), first="  ", following="    ", tone=tone)
        rows = self._device_rows(request)
        if not rows:
            return lines
        columns = [Column("DEVICE", shrinks=True), Column("STATE")]
        return lines + self._layout.table(columns, rows, sentences="WHY NOT", indent="    ")

    def _device_rows(self, request: RequestOnNode) -> list[Row]:
        groups: dict[object, list[DeviceOnNode]] = {}
        devices = request.devices if self._details else _of_class(request) or request.devices
        pools = {(each.device.driver, each.device.pool) for each in devices}
        for device in devices:
            key: object = device.device if self._details else _kind(device)
            groups.setdefault(key, []).append(device)
        rows = []
        for members in groups.values():
            names = [_name(each, with_pool=len(pools) > 1) for each in members]
            shown = listed(names, NAMED_DEVICES)
            if members[0].suitable:
                rows.append(Row([Cell(shown), Cell("can be had", Tone.GOOD)]))
            else:
                state = _STATES[_decisive(members[0])[0].reason]
                rows.append(Row([Cell(shown), Cell(state)], _why(members, self._details)))
        others = len(request.devices) - len(devices)
        if others:
            rows.append(Row([Cell(count_of(others, "device")), Cell("other class", Tone.FAINT)]))
        return rows

    # --- What others say

    def _told(self) -> list[str]:
        told = self._report.told
        if told is None:
            return []
        who = short_name(told.component or "an Event")
        ago = f", {since} ago" if (since := age(told.last_seen, self._now)) else ""
        head = f"LAST EVENT by {who}{ago}: {short_name(told.reason)}"
        lines = self._layout.sentence(head, tone=Tone.HEADING)
        return lines + self._layout.sentence(told.message, first="  ", following="  ")

    def _fine_print(self) -> list[str]:
        lines = [
            line
            for note in self._report.notes
            for line in self._layout.sentence(note, first="NOTE     ", following=" " * 9, tone=Tone.WARNING)
        ]
        for assumed in self._report.assumptions if self._report.nodes else ():
            lines += self._layout.sentence(assumed, first="ASSUMED  ", following=" " * 9, tone=Tone.FAINT)
        return lines


_OF_CLAIMS: Final = frozenset(
    (
        "OtherClass",
        "RepairSelector",
        "TolerateDeviceTaint",
        "AskForFewer",
        "AskForLess",
        "ChangeSelector",
        "DropConstraint",
    )
)
_IMMUTABLE: Final = (
    "(Claims and templates cannot be changed: delete what has to ask for something else, and make it again.)"
)
_AWAY: Final = frozenset(("Unschedulable", "Taint", "NodeAffinity", "Resources", "DevicePlugin"))
"""What keeps the pod from a node whatever devices that has."""
_STATES: Final = {
    "InUse": "in use",
    "Selector": "no match",
    "SelectorFailed": "CEL error",
    "OtherNode": "elsewhere",
    "Capacity": "too small",
    "Counters": "used up",
    "Taint": "tainted",
    "Constraint": "constraint",
    "FeatureOff": "not usable",
    "Chosen": "taken",
}
"""Why a device cannot be had, in one or two words."""


def _claim_rows(claim: ClaimPart) -> list[Row]:
    name = claim.name or ("(deleted)" if claim.state == "gone" else "(none yet)")
    if claim.state == "allocated" or not claim.requests:
        return [Row([Cell(name), Cell(claim.entry), Cell(claim.state), Cell("")], listed(claim.devices, 4))]
    rows = []
    for at, request in enumerate(claim.requests):
        head = [Cell(name), Cell(claim.entry), Cell(claim.state)] if not at else [Cell(""), Cell(""), Cell("")]
        rows.append(Row([*head, Cell(request.name)], request.text))
    return rows


def _suggestion_text(suggestion: Suggestion) -> str:
    if not suggestion.nodes:
        return suggestion.message
    return f"{suggestion.message}; then it fits on {listed([short_name(each) for each in suggestion.nodes])}"


def _request_head(request: RequestOnNode) -> str:
    wanted = "all devices that match" if request.count is None else count_of(request.count, "device")
    total = len(_of_class(request)) or len(request.devices)
    have = f"{request.suitable} of {total} can be had" if total else "there are none"
    return f"request {request.name} of claim {request.claim} wants {wanted}: {have}"


def _of_class(request: RequestOnNode) -> Sequence[DeviceOnNode]:
    """The devices that are of the class that is asked for."""
    return [device for device in request.devices if not any(map(_is_about_class, _decisive(device)))]


def _is_about_class(problem: DeviceProblem) -> bool:
    return problem.reason == "Selector" and problem.selector is not None and bool(problem.selector.class_name)


def _name(device: DeviceOnNode, *, with_pool: bool) -> str:
    name = device.device
    return short_name(f"{name.pool}/{name.name}" if with_pool else name.name)


def _kind(device: DeviceOnNode) -> object:
    """What devices on one line have in common."""
    first = _decisive(device)
    return tuple((each.reason, "" if each.reason == "InUse" else each.message) for each in first)


def _decisive(device: DeviceOnNode) -> Sequence[DeviceProblem]:
    """What matters of a device: where a selector is false, it is not what is asked for, and all else is beside it."""
    selectors = [each for each in device.problems if each.reason in ("Selector", "SelectorFailed")]
    return selectors[:1] or device.problems


def _why(devices: Sequence[DeviceOnNode], details: bool) -> str:
    parts = []
    for at, problem in enumerate(_decisive(devices[0]) if not details else devices[0].problems):
        if problem.reason == "InUse":
            holders: dict[Holder, None] = {}
            for device in devices:
                problems = _decisive(device) if not details else device.problems
                holders.update(dict.fromkeys(problems[at].holders))
            parts.append(in_use_text(list(holders)))
        else:
            parts.append(problem.message)
    return "; ".join(parts)

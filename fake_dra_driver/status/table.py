"""The report as text: a summary first, then what waits, then as much about the nodes as a person can read.

Up to a handful of nodes, or those that were named, are shown device by device; some dozens line by line; more than that
by what they have in common, and only those with problems by name. Tables are aligned here, in a few lines: ``rich``
belongs to the extra of the embedded cluster, and tables like kubectl's need no more than this.
"""

import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from enum import Enum
from typing import Final

from fake_dra_driver.status.nodes import MISSING
from fake_dra_driver.status.report import ClaimReport, DeviceReport, NodeReport, Report, WaitingClaim

__all__ = ["Detail", "table"]

NODES_BY_DEVICE: Final = 5
"""Up to so many nodes, each is shown device by device."""
NODES_BY_LINE: Final = 40
"""Up to so many nodes, each has a line."""
LINES_OF_A_LIST: Final = 20
"""Most entries of a list that may be long: waiting claims, nodes with problems."""
FREE_BY_LINE: Final = 8
"""Up to so many idle devices of a node, each has a line."""
CHILDREN_BY_LINE: Final = 8
EXAMPLES: Final = 3
LEAST_WIDTH: Final = 20
"""Sentences in the last column of a table are wrapped only where so many characters have room beside the others."""

TableRow = Sequence[str]


class Detail(Enum):
    """How much is shown."""

    SHORT = "short"
    """As much about each node as their number allows."""
    DEVICES = "devices"
    """Each node device by device."""
    ALL = "all"
    """And every entry of every list."""


def table(report: Report, now: datetime, detail: Detail, room: int | None = None, columns: int | None = None) -> str:
    """The report as text, which ends with a newline. Lines are as long as they have to be.

    Args:
        report: what to show.
        now: for ages.
        detail: how much at least.
        room: how many lines fit; nodes are shown in less detail where that makes the report fit. None: no bound.
        columns: how wide a line can be; longer sentences continue on the next line. None: no bound.
    """
    above = [_summary(report), _waiting(report, now, detail, columns)]
    text = ""
    for nodes in _choices(report.nodes, detail, columns):
        text = "\n\n".join("\n".join(block) for block in (*above, *nodes()) if block) + "\n"
        if room is None or text.count("\n") <= room:
            break
    return text


def _choices(
    nodes: Sequence[NodeReport], detail: Detail, columns: int | None
) -> Iterator[Callable[[], Iterable[list[str]]]]:
    """The ways to show the nodes, the most detailed first."""
    if detail is not Detail.SHORT or len(nodes) <= NODES_BY_DEVICE:
        yield lambda: [_devices(node, detail, columns) for node in nodes]
    if detail is Detail.SHORT and len(nodes) <= NODES_BY_LINE:
        yield lambda: [_problems(nodes, columns), _lines(nodes), _hint(nodes)]
    if detail is Detail.SHORT and len(nodes) > NODES_BY_DEVICE:
        yield lambda: [_problems(nodes, columns), _groups(nodes, columns), _hint(nodes)]


# --- Summary


def _summary(report: Report) -> list[str]:
    summary, counts = report.summary, report.summary.counts
    where = f" in {report.namespace}" if report.namespace else ""
    if not summary.nodes:
        return [
            f"{report.driver}{where}: no node runs the kubelet plugin of this driver",
            *([f"CLAIMS   {_claims(report)}"] if summary.waiting or summary.unused else []),
        ]
    states = [f"{counts.free} free", f"{counts.allocated} allocated", f"{counts.prepared} prepared"]
    states += [f"{number} {name}" for name in ("unavailable", "missing") if (number := getattr(counts, name))]
    return [
        f"{report.driver}{where}",
        *(f"NOTE     {note}" for note in report.notes),
        f"NODES    {summary.nodes}: {summary.ready_nodes} ready, {summary.nodes - summary.ready_nodes} not ready",
        f"DEVICES  {counts.devices}: {', '.join(states)}",
        f"CLAIMS   {_claims(report)}",
    ]


def _claims(report: Report) -> str:
    summary = report.summary
    text = f"{summary.claims} with devices, {summary.waiting} waiting"
    return text + (f", {summary.unused} that no pod uses" if summary.unused else "")


# --- Nodes


def _hint(nodes: Sequence[NodeReport]) -> list[str]:
    return [f"Device by device: name nodes, such as {nodes[0].name}, or use --details."]


_NODE_HEADINGS: Final = ("STATUS", "DEVICES", "FREE", "ALLOCATED", "PREPARED", "UNAVAILABLE", "CLAIMS")


def _node_cells(nodes: Sequence[NodeReport]) -> TableRow:
    names = ("devices", "free", "allocated", "prepared", "unavailable")
    numbers = [sum(getattr(node.counts, name) for node in nodes) for name in names]
    unavailable = str(numbers.pop() or "")  # a column of its own only where there are any
    return (_status(nodes[0]), *map(str, numbers), unavailable, str(sum(node.claims for node in nodes)))


def _lines(nodes: Sequence[NodeReport]) -> list[str]:
    """A line for each node."""
    return _aligned([("NODE", *_NODE_HEADINGS), *((node.name, *_node_cells([node])) for node in nodes)])


def _groups(nodes: Sequence[NodeReport], columns: int | None) -> list[str]:
    """A line for nodes that have the same status and use."""
    groups: dict[tuple[str, str], list[NodeReport]] = {}
    for node in nodes:
        groups.setdefault((_status(node), _use_of(node)), []).append(node)
    rows: list[TableRow] = [("NODES", "USE", *_NODE_HEADINGS, "WHICH")]
    for (_, use), members in sorted(groups.items(), key=lambda item: (not item[1][0].ready, _USES.index(item[0][1]))):
        which = _examples([node.name for node in members])
        rows.append((str(len(members)), use, *_node_cells(members), which))
    return _aligned(rows, columns)


def _status(node: NodeReport) -> str:
    """One word for the status of a node and of its kubelet plugin, the worst first."""
    if node.ready:
        return "Ready"
    if node.node_status == MISSING:
        return "NodeGone"
    if node.status != "Ready":
        return node.status
    if node.node_status in ("Ready", "Ready,SchedulingDisabled"):
        return "Cordoned" if "," in node.node_status else "Tainted"
    return "NotReady"


_USES: Final = ("all free", "in use", "full", "no devices", "closed")


def _use_of(node: NodeReport) -> str:
    if not node.ready:
        return "closed"
    if not node.counts.devices:
        return "no devices"
    if not node.counts.free:
        return "full"
    return "all free" if node.counts.free == node.counts.devices else "in use"


def _problems(nodes: Sequence[NodeReport], columns: int | None) -> list[str]:
    """A line for each problem of a node, or for nodes that have the very same one."""
    groups: dict[str, list[str]] = {}
    for node in nodes:
        for problem in node.problems:
            groups.setdefault(problem, []).append(node.name)
    if not groups:
        return []
    rows = [(_examples(names), problem) for problem, names in groups.items()]
    lines = _aligned([("PROBLEM ON", "WHAT"), *rows[:LINES_OF_A_LIST]], columns)
    return lines + _rest(len(rows) - LINES_OF_A_LIST)


def _examples(names: Sequence[str]) -> str:
    more = len(names) - EXAMPLES
    return ", ".join(names[:EXAMPLES]) + (f" and {more} more" if more > 0 else "")


# --- Devices


def _devices(node: NodeReport, detail: Detail, columns: int | None) -> list[str]:
    counts = node.counts
    models = {device.model for device in node.devices if device.model}
    (model,) = models if len(models) == 1 else ("",)  # named once, where all have the same
    what = f"{model} free" if model else "devices free"
    head = f"NODE {node.name}  {_status(node)}, {counts.free} of {counts.devices} {what}"
    rows: list[TableRow] = [("DEVICE", "MODEL", "STATE", "CLAIM", "POD")]
    idle = [device for device in node.devices if device.claim is None]
    folded = set[str]() if detail is Detail.ALL or len(idle) <= FREE_BY_LINE else {device.uuid for device in idle[1:]}
    for device in node.devices:
        if device.uuid not in folded:
            shown = "" if model else device.model
            rows.append((device.uuid, shown, device.state, *_claim_cells(device.claim)))
            rows += _children(device, detail)
        if folded and device is idle[0]:
            rows.append((f"and {len(folded)} more like this", "", device.state, "", ""))
    lines = _aligned(rows) if len(rows) > 1 else []
    problems = [line for problem in node.problems for line in _wrapped(problem, columns, "  ! ", "    ")]
    return [head, *(f"  {line}" for line in lines), *problems]


def _children(device: DeviceReport, detail: Detail) -> Iterator[TableRow]:
    shown = len(device.children) if detail is Detail.ALL else CHILDREN_BY_LINE
    last = len(device.children) - 1
    for index, child in enumerate(device.children[:shown]):
        branch = "└─" if index == last else "├─"
        yield (f"{branch} {child.uuid}", "", "prepared" if child.prepared else device.state, "", "")
    if len(device.children) > shown:
        yield (f"└─ and {len(device.children) - shown} more parts", "", "", "", "")


def _claim_cells(claim: ClaimReport | None) -> TableRow:
    if claim is None:
        return ("", "")
    if not claim.name:
        return (f"(gone) {claim.uid}", "")
    return (f"{claim.namespace}/{claim.name}", ", ".join(claim.pods))


# --- Claims


def _waiting(report: Report, now: datetime, detail: Detail, columns: int | None) -> list[str]:
    """A line for each claim, or for claims that wait for the very same reason."""
    if not report.waiting:
        return []
    groups: dict[tuple[str, str], list[WaitingClaim]] = {}
    for claim in report.waiting:
        groups.setdefault((claim.reason, claim.message), []).append(claim)
    rows: list[TableRow] = []
    for claims in groups.values():
        if detail is Detail.ALL or len(claims) <= EXAMPLES:
            rows += [_waiting_cells([claim], now) for claim in claims]
        else:
            rows.append(_waiting_cells(claims, now))
    shown = rows if detail is Detail.ALL else rows[:LINES_OF_A_LIST]
    lines = _aligned([("WAITING CLAIM", "POD", "FOR", "WHY"), *shown], columns)
    return lines + _rest(len(rows) - len(shown))


def _waiting_cells(claims: Sequence[WaitingClaim], now: datetime) -> TableRow:
    """One row; several claims are shown by the one that waits longest."""
    first = min(claims, key=lambda claim: claim.since or now)
    more = f" and {len(claims) - 1} more" if len(claims) > 1 else ""
    return (
        f"{first.namespace}/{first.name}{more}",
        ", ".join(first.pods[:EXAMPLES]),
        _age(first.since, now),
        f"{first.reason}: {first.message}",
    )


def _age(since: datetime | None, now: datetime) -> str:
    """An age as kubectl shows it: the two largest units at most."""
    if since is None:
        return ""
    seconds = max(0, int((now - since).total_seconds()))
    if seconds < 120:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m"
    if seconds < 2 * 86400:
        return f"{seconds // 3600}h{seconds % 3600 // 60}m"
    return f"{seconds // 86400}d"


def _rest(count: int) -> list[str]:
    return [f"... and {count} more: --details shows all"] if count > 0 else []


def _aligned(rows: Iterable[TableRow], columns: int | None = None) -> list[str]:
    """TableRow in columns, as wide as they have to be; columns that are empty below their heading are left out.

    Args:
        rows: the cells; the first row is the headings.
        columns: how wide a line can be; the last column continues below itself.
    """
    found = [tuple(row) for row in rows]
    kept = [column for column in range(len(found[0])) if any(row[column] for row in found[1:])]
    widths = {column: max(len(row[column]) for row in found) for column in kept}
    *first, last = kept
    lines = []
    for row in found:
        start = "".join(row[column].ljust(widths[column]) + "  " for column in first)
        lines += _wrapped(row[last], columns, start, " " * len(start))
    return lines


def _wrapped(text: str, columns: int | None, first: str, following: str) -> list[str]:
    """The text after ``first``; what does not fit continues on lines that begin with ``following``."""
    if columns is None or columns - len(following) < LEAST_WIDTH:
        return [(first + text).rstrip()]
    parts = textwrap.wrap(text, columns - len(following), break_long_words=False, break_on_hyphens=False)
    return [
        (start + part).rstrip() for start, part in zip([first] + [following] * len(parts), parts or [""], strict=False)
    ]

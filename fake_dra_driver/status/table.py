"""The report as text: a summary first, then what waits, then as much about the nodes as a person can read.

Up to a handful of nodes, or those that were named, are shown device by device; some dozens line by line; more than that
by what they have in common, and only those with problems by name.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from enum import Enum
from typing import Final

from fake_dra_driver.dra.nodestate.deviceuse import DeviceState
from fake_dra_driver.status.devicetable import (
    CLAIM_COLUMNS,
    EXAMPLES,
    DeviceTable,
    claim_cells,
    claims_of,
    examples,
    state_cell,
)
from fake_dra_driver.status.nodes import MISSING
from fake_dra_driver.status.report import (
    Counts,
    DeviceReport,
    FaultReport,
    ModelReport,
    NodeReport,
    Report,
    Summary,
    WaitingClaim,
)
from fake_dra_driver.tablelayout import LEAST_WIDTH, Cell, Column, Layout, Row, Tone, age, printable, shorten, width_of

__all__ = ["NODE_STATES", "Detail", "cut", "table"]

NODES_BY_DEVICE: Final = 5
"""Up to so many nodes, each is shown device by device."""
NODES_BY_LINE: Final = 40
"""Up to so many nodes, each has a line."""
LINES_OF_A_LIST: Final = 20
"""Most entries of a list that may be long: waiting claims, nodes with problems, models."""
MAX_MODEL: Final = 63
"""Characters of a model in a sentence; a claim cannot ask for a longer one."""
WITHOUT_MODEL: Final = "without a model"
LEAST_OF_WAITING: Final = 8
"""Where a terminal is too low for everything, so many lines about waiting claims are left, and the nodes follow."""


class Detail(Enum):
    """How much is shown."""

    SHORT = "short"
    """As much about each node as their number allows."""
    DEVICES = "devices"
    """Each node device by device, and their parts."""
    ALL = "all"
    """And every entry of every list."""


def table(report: Report, now: datetime, detail: Detail, room: int | None = None, layout: Layout | None = None) -> str:
    """The report as text, which ends with a newline.

    Args:
        report: what to show.
        now: for ages.
        detail: how much at least.
        room: how many lines fit; nodes are shown in less detail where that makes the report fit. None: no bound.
        layout: how wide a line can be, and whether there are colours; None: any width, and no colours.
    """
    return _Table(report, now, detail, layout or Layout()).text(room)


class _Table:
    """One report, as it is shown to one terminal or pipe."""

    def __init__(self, report: Report, now: datetime, detail: Detail, layout: Layout) -> None:
        self._report = report
        self._now = now
        self._detail = detail
        self._layout = layout
        self._several_models = len(report.summary.models) > 1

    def text(self, room: int | None) -> str:
        summary, waiting, faults = self._summary(), self._waiting(), self._faults()
        lines: list[str] = []
        for nodes in self._choices():
            below = list(nodes())
            lines = _joined([summary, waiting, faults, *below])
            if room is None or len(lines) <= room:
                break
        else:
            if room is not None and len(waiting) > LEAST_OF_WAITING:
                left = max(LEAST_OF_WAITING, len(waiting) - (len(lines) - room))
                lines = _joined([summary, cut(waiting, left), faults, *below])
        return "\n".join(lines) + "\n"

    def _choices(self) -> Iterator[Callable[[], Iterable[list[str]]]]:
        """The ways to show the nodes, the most detailed first."""
        nodes, is_short = self._report.nodes, self._detail is Detail.SHORT
        if not is_short or len(nodes) <= NODES_BY_DEVICE:
            yield lambda: map(self._node_by_device, nodes)
        if is_short and len(nodes) <= NODES_BY_DEVICE:
            yield lambda: [*map(self._node_by_claim, nodes), self._hint()]
        if is_short and len(nodes) <= NODES_BY_LINE:
            yield lambda: [self._problems(), self._nodes_by_line(), self._hint()]
        if is_short and len(nodes) > NODES_BY_DEVICE:
            yield lambda: [self._problems(), self._nodes_by_group(), self._hint()]

    # --- Summary

    def _summary(self) -> list[str]:
        report, summary, counts = self._report, self._report.summary, self._report.summary.counts
        where = f" in {report.namespace}" if report.namespace else ""
        facts = [("NOTE", note) for note in report.notes]
        if summary.nodes:
            head = f"{report.driver}{where}"
            states = [f"{counts.free} free", f"{counts.allocated} allocated", f"{counts.prepared} prepared"]
            closed = f" ({summary.closed_devices} on nodes that take no claims)" if summary.closed_devices else ""
            states += [f"{counts.unavailable} unavailable{closed}"] if counts.unavailable else []
            states += [f"{counts.missing} missing"] if counts.missing else []
            states += [f"{counts.shareable} with shares left"] if counts.shareable else []
            facts.append(("NODES", f"{summary.nodes}: {_nodes_by_status(summary)}"))
            facts.append(("DEVICES", f"{counts.devices}: {', '.join(states)}"))
            if self._several_models:
                facts.append(("FREE", _by_model(summary.models, LINES_OF_A_LIST)))
        else:
            head = f"{report.driver}{where}: no node runs the kubelet plugin of this driver"
        if summary.nodes or summary.waiting or summary.unused:
            unused = f", {summary.unused} that no pod uses" if summary.unused else ""
            facts.append(("CLAIMS", f"{summary.claims} with devices, {summary.waiting} waiting{unused}"))
        lines = self._layout.sentence(head, tone=Tone.HEADING)
        for name, fact in facts:
            lines += self._layout.sentence(fact, first=f"{name:<9}", following=" " * 9)
        return lines

    # --- Nodes

    def _hint(self) -> list[str]:
        return self._layout.sentence(
            f"Device by device: name nodes, such as {self._report.nodes[0].name}, or use --details.", tone=Tone.FAINT
        )

    def _rest(self, count: int) -> list[str]:
        return self._layout.sentence(f"... and {count} more: --details shows all") if count > 0 else []

    def _nodes_by_line(self) -> list[str]:
        """A line for each node."""
        rows = [Row([Cell(node.name), *self._node_cells([node])]) for node in self._report.nodes]
        return self._layout.table([Column("NODE", shrinks=True), *_NODE_COLUMNS], rows)

    def _nodes_by_group(self) -> list[str]:
        """A line for nodes that have the same status and use."""
        groups: dict[tuple[str, str], list[NodeReport]] = {}
        for node in self._report.nodes:
            groups.setdefault((_status(node), _use_of(node)), []).append(node)
        ordered = sorted(groups.items(), key=lambda item: (not item[1][0].ready, _USES.index(item[0][1])))
        rows = [
            Row(
                [Cell(str(len(members))), Cell(use), *self._node_cells(members)],
                examples([node.name for node in members]),
            )
            for (_, use), members in ordered
        ]
        return self._layout.table([Column("NODES"), Column("USE"), *_NODE_COLUMNS], rows, sentences="WHICH")

    def _node_cells(self, nodes: Sequence[NodeReport]) -> Sequence[Cell]:
        names = ("devices", "free", "allocated", "prepared", "unavailable")
        numbers = [sum(getattr(node.counts, name) for node in nodes) for name in names]
        unavailable = str(numbers.pop() or "")  # a column of its own only where there are any
        models = _by_model(nodes[0].models) if self._several_models and len(nodes) == 1 else ""
        claims = str(sum(node.claims for node in nodes))
        faults = str(len({name for node in nodes for name in node.faults}) or "")
        return [_status_cell(nodes[0]), *map(Cell, (*map(str, numbers), unavailable, claims, faults, models))]

    def _problems(self) -> list[str]:
        """A line for each problem of a node, or for nodes that have the very same one."""
        groups: dict[str, list[str]] = {}
        for node in self._report.nodes:
            for problem in node.problems:
                groups.setdefault(problem, []).append(node.name)
        if not groups:
            return []
        rows = [Row([Cell(examples(names))], problem) for problem, names in groups.items()]
        lines = self._layout.table([Column("PROBLEM ON", shrinks=True)], rows[:LINES_OF_A_LIST], sentences="WHAT")
        return lines + self._rest(len(rows) - LINES_OF_A_LIST)

    def _node_head(self, node: NodeReport) -> list[str]:
        """A node's name, status, and how many of its devices are free; and what is wrong with it."""
        counts, layout = node.counts, self._layout
        models = [found for found in node.models if found.model or len(node.models) > 1]
        if len(models) == 1:
            free = f"{_free_of(counts, node.models[0].model)} free"
        else:
            by_model = f": {_by_model(models)}" if models else ""
            free = f"{counts.free} of {counts.devices} devices free{by_model}"
        status, name = _status_cell(node), printable(node.name)
        if layout.columns is not None:
            name = shorten(name, layout.columns - len(f"NODE   {status.text}"))
        head = f"{layout.paint(f'NODE {name}', Tone.HEADING)}  {layout.paint(status.text, status.tone)}"
        if layout.columns is None or width_of(f"NODE {name}  {status.text}, {free}") <= layout.columns:
            lines = [f"{head}, {free}"]
        else:
            lines = [head, *layout.sentence(free, first="  ", following="  ")]
        facts = ["simulated"] if node.simulated else []
        facts += [f"DeviceProfile {name}"] if (name := node.profile.partition(":")[0]) else []
        if facts:
            lines += layout.sentence(", ".join(facts), first="  ", following="  ", tone=Tone.FAINT)
        for problem in node.problems:
            lines += layout.sentence(problem, first="  ! ", following="    ", tone=Tone.BAD)
        return lines

    def _node_by_device(self, node: NodeReport) -> list[str]:
        table = DeviceTable(node, is_short=self._detail is Detail.SHORT, is_folded=self._detail is not Detail.ALL)
        return [*self._node_head(node), *table.lines(self._layout)]

    def _node_by_claim(self, node: NodeReport) -> list[str]:
        """A line for the devices that one claim has, or the same claims share, or that are free."""
        groups: dict[tuple[DeviceState, Sequence[str]], list[DeviceReport]] = {}
        for device in node.devices:
            uids = tuple(claim.uid for claim in claims_of(device))
            groups.setdefault((device.state, uids), []).append(device)
        rows = [
            Row([Cell(str(len(members))), state_cell(state), *claim_cells(claims_of(members[0]))])
            for (state, _), members in groups.items()
        ]
        columns = [Column("DEVICES"), Column("STATE"), *CLAIM_COLUMNS]
        return [*self._node_head(node), *(self._layout.table(columns, rows, indent="  ") if rows else [])]

    # --- Claims

    def _waiting(self) -> list[str]:
        """A row for each claim; of many that wait for the very same reason, those that wait longest."""
        groups: dict[tuple[str, str], list[WaitingClaim]] = {}
        for claim in self._report.waiting:
            groups.setdefault((claim.reason, claim.message), []).append(claim)
        rows: list[Row] = []
        for claims in groups.values():
            why = f"{claims[0].reason}: {claims[0].message}"
            if self._detail is Detail.ALL or len(claims) <= EXAMPLES:
                rows += [self._waiting_row(claim, why) for claim in claims]
            else:
                longest = sorted(claims, key=lambda claim: claim.since or self._now)[:EXAMPLES]
                rows += [self._waiting_row(claim, why) for claim in longest]
                rows.append(Row([Cell(f"and {len(claims) - EXAMPLES} more"), Cell(""), Cell("")], why))
        if not rows:
            return []
        shown = rows if self._detail is Detail.ALL else rows[:LINES_OF_A_LIST]
        columns = [Column("WAITING CLAIM", shrinks=True), Column("POD", shrinks=True), Column("FOR")]
        return self._layout.table(columns, shown, sentences="WHY") + self._rest(len(rows) - len(shown))

    # --- Faults

    def _faults(self) -> list[str]:
        """A row for each DeviceFault."""
        rows = [self._fault_row(fault) for fault in self._report.faults]
        shown = rows if self._detail is Detail.ALL else rows[:LINES_OF_A_LIST]
        columns = [Column("FAULT", shrinks=True), Column("HITS"), Column("FOR")]
        lines = self._layout.table(columns, shown, sentences="WHAT") if rows else []
        return lines + self._rest(len(rows) - len(shown))

    def _fault_row(self, fault: FaultReport) -> Row:
        hit = [node for node in fault.nodes if node.device_count]
        devices = sum(node.device_count for node in hit)
        hits = f"{_count(devices, 'device')} on {_count(len(hit), 'node')}" if hit else "nothing"
        parts = [", ".join(fault.effects)]
        parts += [f"{_first_of(node.devices, node.device_count)} of {node.name}" for node in hit[:EXAMPLES]]
        parts += [f"and on {_count(len(hit) - EXAMPLES, 'more node')}"] if len(hit) > EXAMPLES else []
        failed = sum(node.failed_calls for node in fault.nodes)
        parts += [f"{_count(failed, 'call')} failed"] if failed else []
        if fault.until is not None:
            parts.append(f"ends in {age(self._now, fault.until)}" if fault.until > self._now else "has ended")
        if not hit and fault.message:
            parts.append(f"{fault.reason}: {fault.message}")
        parts += dict.fromkeys(f"{node.name}: {node.message}" for node in fault.nodes if node.message)
        return Row([Cell(fault.name), Cell(hits), Cell(age(fault.since, self._now))], "; ".join(parts))

    def _waiting_row(self, claim: WaitingClaim, why: str) -> Row:
        pods = examples(claim.pods)
        return Row([Cell(f"{claim.namespace}/{claim.name}"), Cell(pods), Cell(age(claim.since, self._now))], why)


_NODE_COLUMNS: Final = (
    *map(Column, ("STATUS", "DEVICES", "FREE", "ALLOCATED", "PREPARED", "UNAVAIL.", "CLAIMS", "FAULTS")),
    Column("FREE BY MODEL", shrinks=True),
)


NODE_STATES: Final[dict[str, str]] = {
    "Ready": "its next pod can get its free devices",
    "NotReady": "it is stopped or not reachable, or the kubelet cannot use its plugin",
    "Cordoned": "`kubectl cordon` or `kubectl drain` keeps pods away; `kubectl uncordon` lets them come again",
    "Closed": "Kubernetes keeps pods away with a taint, such as `node.kubernetes.io/disk-pressure`; in structured DRA "
    "also: its devices are in no ResourceSlice, as half a minute after its kubelet plugin was killed",
    "NodeGone": "there is no Node of that name (any more)",
    "Unreadable": "its NodeAllocationState cannot be read",
}
"""The words for a node's status, and what they mean."""


def _status(node: NodeReport) -> str:
    """One word for the status of a node and of its kubelet plugin, the worst first."""
    if node.ready:
        return "Ready"
    if node.node_status == MISSING:
        return "NodeGone"
    if node.status != "Ready":
        return shorten(printable(node.status), LEAST_WIDTH)  # whoever may write the object can have it say anything
    if node.is_cordoned:
        return "Cordoned"
    return "NotReady" if node.node_status != "Ready" else "Closed"


def _nodes_by_status(summary: Summary) -> str:
    """How many nodes are ready, cordoned, and neither; and how many of them all are simulated."""
    others = summary.nodes - summary.ready_nodes - summary.cordoned_nodes
    cordoned = [f"{summary.cordoned_nodes} cordoned"] if summary.cordoned_nodes else []
    simulated = [f"{summary.simulated_nodes} simulated"] if summary.simulated_nodes else []
    return ", ".join([f"{summary.ready_nodes} ready", *cordoned, f"{others} not ready", *simulated])


def _status_cell(node: NodeReport) -> Cell:
    return Cell(_status(node), Tone.GOOD if node.ready else Tone.BAD)


def _by_model(models: Sequence[ModelReport], most: int = EXAMPLES) -> str:
    """How many of each model are free; with the type, where that alone tells them apart."""
    more = f" and {_count(len(models) - most, 'more model')}" if len(models) > most else ""
    often = Counter(model.model for model in models)
    shown = (
        _free_of(model.counts, model.model) + (f" ({model.type})" if often[model.model] > 1 and model.type else "")
        for model in models[:most]
    )
    return ", ".join(shown) + more


def _free_of(counts: Counts, model: str) -> str:
    return f"{counts.free} of {counts.devices} {shorten(printable(model), MAX_MODEL) or WITHOUT_MODEL}"


def cut(lines: Sequence[str], room: int) -> Sequence[str]:
    """As many lines as there is room for."""
    return lines if len(lines) <= room else [*lines[: room - 1], f"... {_count(len(lines) - room + 1, 'more line')}"]


def _joined(blocks: Iterable[Sequence[str]]) -> list[str]:
    """The lines of the blocks that have any, with an empty line between blocks."""
    lines: list[str] = []
    for block in blocks:
        if block:
            lines += ["", *block] if lines else block
    return lines


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _first_of(names: Sequence[str], count: int) -> str:
    """The first of so many things, some of which have names."""
    more = count - len(names[:EXAMPLES])
    return ", ".join(names[:EXAMPLES]) + (f" and {more} more" if more > 0 else "")


_USES: Final = ("all free", "in use", "full", "no devices", "closed")


def _use_of(node: NodeReport) -> str:
    if not node.ready:
        return "closed"
    if not node.counts.devices:
        return "no devices"
    if not node.counts.free:
        return "full"
    return "all free" if node.counts.free == node.counts.devices else "in use"

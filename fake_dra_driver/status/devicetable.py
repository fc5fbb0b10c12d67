"""The devices of a node as text: each with its state and its claim; below it its parts, its shares or its partitions.

What many devices have in common is folded into one row, so that a node with hundreds of partitions fits on a terminal.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from fake_dra_driver.dra.nodestate.deviceuse import DeviceState
from fake_dra_driver.quantity import Quantity
from fake_dra_driver.status.report import (
    AmountReport,
    ClaimReport,
    DeviceReport,
    NodeReport,
    ShareReport,
    TaintReport,
)
from fake_dra_driver.tablelayout import Cell, Column, Layout, Row, Tone

__all__ = ["CLAIM_COLUMNS", "EXAMPLES", "DeviceTable", "claim_cells", "claims_of", "examples", "state_cell"]

FREE_BY_LINE: Final = 8
"""Up to so many idle devices of a node, each has a line."""
EXAMPLES: Final = 3
CLAIM_COLUMNS: Final = (Column("CLAIM", shrinks=True), Column("POD", shrinks=True))
_STATE_TONES: Final[dict[DeviceState, Tone]] = {
    "free": Tone.GOOD,
    "unavailable": Tone.WARNING,
    "missing": Tone.BAD,
}
_DEFAULT_NAME: Final = re.compile(r"fake-\d+")
"""In ResourceSlices, of a device of the default profile: it says less than the UUID."""
_NUMBERED: Final = re.compile(r"(.*?)\d+")


class DeviceTable:
    """The devices of one node.

    Args:
        node: whose devices are shown.
        is_short: whether a device that is split has a number in place of a row for each part.
        is_folded: whether idle devices that are alike share a row where there are many.
    """

    def __init__(self, node: NodeReport, *, is_short: bool, is_folded: bool) -> None:
        self._node = node
        self._is_short = is_short
        self._is_folded = is_folded
        self._several_types = len({model.type for model in node.models}) > 1
        self._several_models = len(node.models) > 1  # else the model is named above
        self._sets = {each.name: each.counters for each in node.counter_sets}
        self._consumers = Counter(name for device in node.devices for name in device.counters)
        self._parents = {device.parent for device in node.devices}
        self._partitions: dict[str, list[DeviceReport]] = {}
        for device in node.devices:
            if above := self._above(device):
                self._partitions.setdefault(above, []).append(device)

    def lines(self, layout: Layout) -> list[str]:
        """The table, in lines; none where the node has no devices."""
        names = [Column("DEVICE", shrinks=True), Column("TYPE"), Column("MODEL", shrinks=True)]
        columns = [*names, Column("STATE"), Column("PARTS"), *CLAIM_COLUMNS]
        rows = list(self._rows())
        return layout.table(columns, rows, sentences="NOTES", indent="  ") if rows else []

    def _above(self, device: DeviceReport) -> str:
        """The device that a partition belongs to; where no device is all of it, the counter set; empty for others."""
        if device.parent or not device.counters or device.name in self._parents:
            return device.parent
        return device.counters[0] if self._consumers[device.counters[0]] > 1 else ""

    def _rows(self) -> Iterator[Row]:
        whole = [device for device in self._node.devices if not self._above(device)]
        idle: dict[tuple[str, str, DeviceState], list[DeviceReport]] = {}
        for device in filter(self._is_idle, whole):
            idle.setdefault((device.type, device.model, device.state), []).append(device)
        if self._is_folded and sum(map(len, idle.values())) > FREE_BY_LINE:
            folded = {device.uuid for alike in idle.values() for device in alike[1:]}
        else:
            folded = set()
        for device in whole:
            if device.uuid not in folded:
                yield self._row(device, self._notes(device))
                yield from _tree(self._below(device))
                alike = idle.get((device.type, device.model, device.state), [device])
                if folded and device is alike[0] and len(alike) > 1:
                    yield _row(f"and {len(alike) - 1} more like this", device.state)
        known = {device.name for device in whole}
        for above, partitions in self._partitions.items():
            if above not in known:
                yield Row([Cell(above), *_EMPTY], self._left(above), Tone.FAINT)
                yield from _tree(self._partition_rows(partitions))

    def _is_idle(self, device: DeviceReport) -> bool:
        """Whether there is nothing to say about a device."""
        below = self._partitions.get(device.name, ())
        return device.claim is None and not self._notes(device) and not any(each.claim for each in below)

    def _row(self, device: DeviceReport, notes: Sequence[str]) -> Row:
        cells = [
            Cell(_label(device)),
            Cell(device.type if self._several_types else ""),
            Cell(device.model if self._several_models else ""),
            state_cell(device.state),
            Cell(_parts(device) if self._is_short else ""),
            *claim_cells(() if device.shares else claims_of(device)),
        ]
        is_wrong = bool(device.problem or device.taints or device.faults)
        return Row(cells, "; ".join(notes), Tone.WARNING if is_wrong else Tone.FAINT)

    def _notes(self, device: DeviceReport) -> Sequence[str]:
        """What else there is to say about a device."""
        notes = [device.problem] if device.problem else []
        notes += [device.health] if device.health else []
        notes += [f"taint {_taint(taint)}" for taint in device.taints]
        notes += [f"fault {name}" for name in device.faults]
        if device.shares and (left := _left(device.capacity)):
            notes.append(f"left: {left}")
        if not device.parent and device.name in self._parents:
            notes += [left for name in device.counters if (left := self._left(name))]
        return notes

    def _left(self, counter_set: str) -> str:
        """What is left of a counter set, where that is not all of it."""
        left = _left(self._sets.get(counter_set, ()))
        return f"left of {counter_set}: {left}" if left else ""

    def _below(self, device: DeviceReport) -> Iterator[Row]:
        if not self._is_short:
            for child in device.children:
                yield _row(child.uuid, "prepared" if child.prepared else device.state)
        for share in device.shares:
            yield _share_row(share, device.state)
        if device.name:
            yield from self._partition_rows(self._partitions.get(device.name, ()), self._notes(device))

    def _partition_rows(self, partitions: Sequence[DeviceReport], above: Sequence[str] = ()) -> Iterator[Row]:
        """Those that claims have; then all others, those that are alike in one row.

        Args:
            partitions: of one device.
            above: what has been said about that device.
        """
        alike: dict[tuple[str, str, DeviceState, tuple[str, ...]], list[DeviceReport]] = {}
        for device in partitions:
            notes = tuple(note for note in self._notes(device) if note not in above)
            if device.claim is not None or not self._is_folded:
                yield self._row(device, notes)
            else:
                alike.setdefault((device.type, device.model, device.state, notes), []).append(device)
        idle = [device for members in alike.values() for device in members]
        if len(idle) == len(partitions) > 1 and len({(state, notes) for _, _, state, notes in alike}) == 1:
            (_, _, state, notes), *_ = alike
            yield _row(_count(len(idle), "partition"), state)._replace(sentence="; ".join(notes))
            return
        for (type_, model, state, notes), members in sorted(alike.items(), key=lambda item: not item[0][3]):
            if notes and len(members) == 1:
                yield self._row(members[0], notes)
                continue
            shown = (type_ if self._several_types else "", model if self._several_models else "")
            cells = [Cell(_count(len(members), "partition")), *map(Cell, shown), state_cell(state), *_EMPTY[3:]]
            yield Row(cells, "; ".join(notes))


_EMPTY: Final = (Cell(""),) * 6
"""The cells of a row behind the first."""


def state_cell(state: DeviceState) -> Cell:
    """The state of a device."""
    return Cell(state, _STATE_TONES.get(state, Tone.PLAIN))


def claims_of(device: DeviceReport) -> Sequence[ClaimReport]:
    """The claims that have a device, as a rule one."""
    return () if device.claim is None else (device.claim, *device.shared_with)


def claim_cells(claims: Sequence[ClaimReport]) -> Sequence[Cell]:
    """The claims, and the pods that use them."""
    gone = bool(claims) and not claims[0].name
    names = [f"{claim.namespace}/{claim.name}" if claim.name else f"(gone) {claim.uid}" for claim in claims]
    pods = dict.fromkeys(pod for claim in claims for pod in claim.pods)
    return [Cell(examples(names), Tone.BAD if gone else Tone.PLAIN), Cell(", ".join(pods))]


def examples(names: Sequence[str]) -> str:
    """The first of the names, and how many more there are."""
    more = len(names) - EXAMPLES
    return ", ".join(names[:EXAMPLES]) + (f" and {more} more" if more > 0 else "")


def _label(device: DeviceReport) -> str:
    """The name by which a person can ask for it."""
    return device.uuid if not device.name or _DEFAULT_NAME.fullmatch(device.name) else device.name


def _parts(device: DeviceReport) -> str:
    """How many parts a device is split into, and how many of them are prepared where it is not all or none."""
    prepared, parts = sum(child.prepared for child in device.children), len(device.children)
    if not parts:
        return ""
    return str(parts) if prepared in (0, parts) else f"{prepared}/{parts}"


def _taint(taint: TaintReport) -> str:
    """As kubectl writes it."""
    return f"{taint.key}{f'={taint.value}' if taint.value else ''}:{taint.effect}"


def _row(device: str, state: DeviceState) -> Row:
    """A row that says no more than the state."""
    return Row([Cell(device), *_EMPTY[:2], state_cell(state), *_EMPTY[3:]])


def _share_row(share: ShareReport, state: DeviceState) -> Row:
    amounts = ", ".join(f"{name} {amount}" for name, amount in share.capacity.items())
    cells = [Cell(f"share: {amounts}" if amounts else "share"), *_EMPTY[:2], state_cell(state), Cell("")]
    return Row([*cells, *claim_cells([share.claim])])


def _tree(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows, as what belongs to the row before them."""
    below = list(rows)
    for at, row in enumerate(below):
        first, *others = row.cells
        branch = "└─" if at + 1 == len(below) else "├─"
        yield row._replace(cells=[first._replace(text=f"{branch} {first.text}"), *others])


def _left(amounts: Sequence[AmountReport]) -> str:
    """What is left of each amount; empty where that is all of it. Counters that differ in a number are counted."""
    if all(amount.left == amount.value for amount in amounts):
        return ""
    series: dict[str, list[AmountReport]] = {}
    for amount in amounts:
        if amount.value == "0":
            continue
        found = _NUMBERED.fullmatch(amount.name)
        series.setdefault(f"{found[1]}*" if found and amount.value == "1" else amount.name, []).append(amount)
    return ", ".join(_left_of_series(name, members) for name, members in series.items())


def _left_of_series(name: str, members: Sequence[AmountReport]) -> str:
    if len(members) == 1:
        (only,) = members
        return f"{only.name} {only.left} of {only.value}"
    return f"{name} {sum(Quantity.parse(each.left).nanos > 0 for each in members)} of {len(members)}"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"

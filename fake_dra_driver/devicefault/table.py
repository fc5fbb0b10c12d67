"""The list of DeviceFaults for people."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from fake_dra_driver.status.report import FaultReport
from fake_dra_driver.tablelayout import Cell, Column, Layout, Row, Tone, age

__all__ = ["FaultList", "table"]

_COLUMNS = (
    Column("FAULT", shrinks=True),
    Column("STATE"),
    Column("DEVICES"),
    Column("NODES"),
    Column("FAILED CALLS"),
    Column("AGE"),
    Column("ENDS IN"),
)
_TONES = {
    "Hit": Tone.BAD,
    "NothingMatches": Tone.WARNING,
    "NoCall": Tone.FAINT,
    "Problem": Tone.WARNING,
    "Expired": Tone.FAINT,
}


class FaultList(BaseModel):
    """What is listed."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)

    driver: str
    """Whose devices are meant."""
    faults: tuple[FaultReport, ...]
    """By name."""


def table(faults: FaultList, now: datetime, layout: Layout) -> str:
    """A table, or a sentence where there is nothing to list."""
    if not faults.faults:
        return f"driver {faults.driver} has no DeviceFaults\n"
    rows = [_row(fault, now) for fault in faults.faults]
    return "\n".join(layout.table(_COLUMNS, rows, sentences="WHAT")) + "\n"


def _row(fault: FaultReport, now: datetime) -> Row:
    hit = [node for node in fault.nodes if node.since is not None]
    state = fault.reason or "Waiting"
    is_over = fault.until is not None and fault.until <= now
    cells = (
        Cell(fault.name),
        Cell(state, _TONES.get(state, Tone.PLAIN)),
        Cell(str(sum(node.device_count for node in hit) or "")),
        Cell(str(len(hit) or "")),
        Cell(str(sum(node.failed_calls for node in fault.nodes) or "")),
        Cell(age(fault.since, now)),
        Cell("" if fault.until is None or is_over else age(now, fault.until)),
    )
    return Row(cells, "; ".join(filter(None, [", ".join(fault.effects), fault.message])), Tone.PLAIN)

"""The figures of a run: as a table, as JSON, and side by side with those of another run."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from rich.table import Column, Table

__all__ = ["Better", "Change", "Figure", "Report", "changes", "comparison_table", "figure_table"]

Better = Literal["more", "less", "neither"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One number, and what is wanted of it."""

    name: str
    """The same in every run."""
    title: str
    value: float
    unit: str
    better: Better = "less"
    """Raw costs and the ceiling are the machine's, and neither better nor worse."""
    reach: float | None = None
    """What is to be reached."""
    go: str = ""
    """Where the Go driver is (spec of the reference, measured on the same kind of machine)."""

    @property
    def is_reached(self) -> bool | None:
        """None when nothing is to be reached."""
        if self.reach is None:
            return None
        return self.value >= self.reach if self.better == "more" else self.value <= self.reach


@dataclass(frozen=True, slots=True)
class Report:
    """One run of the benchmark."""

    about: dict[str, Any]
    """Machine, load, versions and arguments."""
    figures: list[Figure]
    details: dict[str, Any] = field(default_factory=dict)
    """Whatever the figures were made from."""

    def add(self, figures: Iterable[Figure], details: Mapping[str, Any]) -> None:
        """Of one more suite of the same run."""
        self.figures.extend(figures)
        self.details.update(details)

    def save(self, path: Path) -> None:
        """Writes JSON. Blocks."""
        path.write_text(json.dumps(asdict(self), indent=1, default=str) + "\n")

    @classmethod
    def load(cls, path: Path) -> "Report":
        """Reads what ``save`` wrote. Blocks."""
        raw = json.loads(path.read_text())
        return cls(raw["about"], [Figure(**figure) for figure in raw["figures"]], raw["details"])


@dataclass(frozen=True, slots=True)
class Change:
    """One figure in two runs."""

    before: Figure
    after: Figure

    @property
    def share(self) -> float | None:
        """How much it grew, 0.1 for a tenth; None when it was 0."""
        return self.after.value / self.before.value - 1 if self.before.value else None

    @property
    def verdict(self) -> Literal["better", "worse", "same", ""]:
        """Empty where neither direction is better."""
        if self.after.better == "neither":
            return ""
        if self.after.value == self.before.value:
            return "same"
        return "better" if (self.after.value > self.before.value) == (self.after.better == "more") else "worse"


def changes(before: Report, after: Report) -> Sequence[Change]:
    """The figures that both runs have, in the order of the second."""
    known = {figure.name: figure for figure in before.figures}
    return [Change(known[figure.name], figure) for figure in after.figures if figure.name in known]


def figure_table(report: Report) -> Table:
    """The figures beside what is to be reached."""
    table = Table("figure", *_right("value", "reach"), "", "Go driver")
    for figure in report.figures:
        sign = {"more": "≥ ", "less": "≤ ", "neither": ""}[figure.better]
        reach = "" if figure.reach is None else f"{sign}{_number(figure.reach)}"
        verdict = {None: "", True: "reached", False: "MISSED"}[figure.is_reached]
        table.add_row(figure.title, f"{_number(figure.value)} {figure.unit}", reach, verdict, figure.go)
    return table


def comparison_table(before: Report, after: Report) -> Table:
    """The figures of two runs side by side."""
    table = Table("figure", *_right("before", "after", "change"), "")
    for change in changes(before, after):
        share = "" if change.share is None else f"{change.share:+.0%}"
        values = (f"{_number(figure.value)} {figure.unit}" for figure in (change.before, change.after))
        table.add_row(change.after.title, *values, share, change.verdict)
    return table


def _right(*names: str) -> Sequence[Any]:
    return [Column(name, justify="right") for name in names]


def _number(value: float) -> str:
    """Three digits that count."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"

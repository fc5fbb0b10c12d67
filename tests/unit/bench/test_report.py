"""Figures against what is to be reached, and against those of another run."""

from pathlib import Path
from typing import Literal

import pytest
from rich.console import Console
from rich.table import Table

from tests.bench.report import Figure, Report, changes, comparison_table, figure_table


def speed(value: float) -> Figure:
    return Figure("speed", "pods bound", value, "pods/s", "more", reach=10, go="2.1")


def cost(value: float) -> Figure:
    return Figure("cost", "requests for a claim", value, "", reach=6)


def ceiling(value: float) -> Figure:
    return Figure("ceiling", "raw: ceiling", value, "pods/s", "neither")


def report(*figures: Figure) -> Report:
    return Report({"commit": "abc"}, list(figures), {"binding": {"runs": [1]}})


def printed(table: Table) -> str:
    console = Console(width=120)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        (speed(10), True),
        (speed(9.9), False),
        (cost(6), True),
        (cost(6.1), False),
        (ceiling(1), None),
    ],
)
def test_is_reached(figure: Figure, expected: bool | None) -> None:
    assert figure.is_reached is expected


def test_saves_and_loads(tmp_path: Path) -> None:
    saved = report(speed(20), ceiling(25))

    saved.save(tmp_path / "a.json")

    assert Report.load(tmp_path / "a.json") == Report(saved.about, list(saved.figures), saved.details)


@pytest.mark.parametrize(
    ("before", "after", "share", "verdict"),
    [
        (speed(10), speed(15), 0.5, "better"),
        (speed(10), speed(5), -0.5, "worse"),
        (cost(4), cost(5), 0.25, "worse"),
        (cost(4), cost(3), -0.25, "better"),
        (cost(4), cost(4), 0, "same"),
        (cost(0), cost(4), None, "worse"),
        (ceiling(10), ceiling(5), -0.5, ""),
    ],
)
def test_compares_a_figure(
    before: Figure, after: Figure, share: float | None, verdict: Literal["better", "worse", "same", ""]
) -> None:
    (found,) = changes(report(before), report(after))

    assert (found.share, found.verdict) == (share, verdict)


def test_compares_what_both_runs_have() -> None:
    found = changes(report(speed(1), cost(2)), report(ceiling(3), cost(4), speed(5)))

    assert [(change.before.value, change.after.value) for change in found] == [(2, 4), (1, 5)]


def test_the_table_says_what_is_missed() -> None:
    text = printed(figure_table(report(speed(20.04), cost(1234.5), ceiling(0.123))))

    assert [line.strip("│ ").split() for line in text.splitlines() if "│" in line] == [
        ["pods", "bound", "│", "20.0", "pods/s", "│", "≥", "10.0", "│", "reached", "│", "2.1"],
        ["requests", "for", "a", "claim", "│", "1,234", "│", "≤", "6.00", "│", "MISSED"],
        ["raw:", "ceiling", "│", "0.12", "pods/s"],
    ]


def test_the_comparison_says_what_got_worse() -> None:
    text = printed(comparison_table(report(speed(20), cost(5)), report(speed(10), cost(5))))

    assert [line.strip("│ ").split() for line in text.splitlines() if "│" in line] == [
        ["pods", "bound", "│", "20.0", "pods/s", "│", "10.0", "pods/s", "│", "-50%", "│", "worse"],
        ["requests", "for", "a", "claim", "│", "5.00", "│", "5.00", "│", "+0%", "│", "same"],
    ]

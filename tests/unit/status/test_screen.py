"""Where reports go: a terminal that is redrawn, a file that gets all of them, a pipe whose other end is closed."""

import io
import re
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from fake_dra_driver.status.report import Report
from fake_dra_driver.status.screen import ReportScreen, Style
from fake_dra_driver.status.table import Detail
from tests.support.world import NOW, World
from tests.unit.status.conftest import report_of
from tests.unit.status.worlds import crowd


class Terminal(io.StringIO):
    """A terminal of 100 columns and 30 lines."""

    def isatty(self) -> bool:
        return True

    def frames(self) -> list[list[str]]:
        """What was shown, one after the other, as lines."""
        shown = self.getvalue().replace("\x1b[?1049h\x1b[?25l", "").split("\x1b[?25h\x1b[?1049l")[0]
        return [frame.split("\n") for frame in shown.split("\x1b[H\x1b[J")[1:]]


@pytest.fixture(autouse=True)
def _size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "30")


@pytest.fixture
def clock() -> Iterator[datetime]:
    """Each look at the clock is a minute later."""
    return (NOW + timedelta(minutes=minute) for minute in range(100))


@pytest.fixture
def report() -> Report:
    world = World()
    world.node("n", devices=2)
    world.claim("waits", count=9, mode="Immediate")
    return report_of(world.api)


async def test_a_terminal_shows_one_report_at_a_time(report: Report, clock: Iterator[datetime]) -> None:
    terminal = Terminal()
    screen = ReportScreen(terminal, Style(), lambda: next(clock))
    await screen.enter()
    await screen.show(report)
    await screen.show(report, "list nodeallocationstates: no answer within 10 s")
    frames = terminal.frames()
    assert len(frames) == 2, "also without a change: ages have changed"
    assert re.search("default/waits *10m", "\n".join(frames[0]))
    assert frames[0][-1] == "00:10:00 UTC, Ctrl-C ends"
    assert re.search("default/waits *11m", "\n".join(frames[1]))
    assert frames[1][-1].endswith("MAY BE OUT OF DATE: list nodeallocationstates: no answer within 10 s")
    await screen.leave()
    before, _, after = terminal.getvalue().partition("\x1b[?25h\x1b[?1049l")
    assert before.startswith("\x1b[?1049h\x1b[?25l")
    assert after == Style().text(report, NOW + timedelta(minutes=2), columns=100)


async def test_a_report_alone_is_as_wide_as_the_terminal_and_in_a_file_as_wide_as_it_has_to_be(report: Report) -> None:
    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        await ReportScreen(stream, Style(), lambda: NOW).write(report)
    assert max(map(len, terminal.getvalue().splitlines())) <= 100
    assert max(map(len, file.getvalue().splitlines())) > 100


@pytest.mark.parametrize(
    ("nodes", "detail"), [(3, Detail.SHORT), (40, Detail.SHORT), (300, Detail.SHORT), (9, Detail.ALL)]
)
async def test_nothing_is_larger_than_the_terminal(nodes: int, detail: Detail) -> None:
    terminal = Terminal()
    screen = ReportScreen(terminal, Style(detail=detail), lambda: NOW)
    await screen.show(report_of(crowd(nodes).api))
    (frame,) = terminal.frames()
    assert len(frame) <= 30
    assert max(map(len, frame)) <= 100
    assert any(line.startswith("DEVICES") for line in frame), "the summary is what counts"
    assert any("default/big-00" in line for line in frame), "and what waits"


async def test_a_file_gets_what_has_changed(report: Report, clock: Iterator[datetime]) -> None:
    file = io.StringIO()
    screen = ReportScreen(file, Style(), lambda: next(clock))
    await screen.enter()
    await screen.show(report)
    await screen.show(report)
    other = report.model_copy(update={"waiting": ()})
    await screen.show(other, "trouble")
    await screen.leave()
    first, second = file.getvalue().split("\n\n2026")
    assert first.startswith("2026-01-01 00:10:00 UTC\nfake.resource.3-shake.com")
    assert second.startswith("-01-01 00:12:00 UTC\nfake.resource.3-shake.com")
    assert "\x1b" not in file.getvalue()


@pytest.mark.parametrize("output", ["json", "yaml"])
async def test_programs_get_no_escapes_on_a_terminal_either(report: Report, output: str) -> None:
    terminal = Terminal()
    screen = ReportScreen(terminal, Style("json" if output == "json" else "yaml"))
    await screen.enter()
    await screen.show(report)
    await screen.leave()
    assert "\x1b" not in terminal.getvalue()

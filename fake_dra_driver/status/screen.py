"""Where reports are written: a terminal, on which each replaces the last, or anything else, which gets all of them."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, TextIO

from fake_dra_driver.documenttext import json_text, yaml_text
from fake_dra_driver.inthread import in_thread
from fake_dra_driver.status.report import Report
from fake_dra_driver.status.table import Detail, cut, table
from fake_dra_driver.tablelayout import Layout, printable, shorten

__all__ = ["ReportScreen", "Style"]

_ENTER: Final = "\x1b[?1049h\x1b[?25l"
_LEAVE: Final = "\x1b[?25h\x1b[?1049l"
_HOME: Final = "\x1b[H\x1b[J"
"""xterm's sequences, which every terminal of today knows: the alternate screen without a cursor, and a clean one."""


@dataclass(frozen=True, slots=True)
class Style:
    """How a report is written."""

    output: Literal["table", "json", "yaml"] = "table"
    detail: Detail = Detail.SHORT
    is_colored: bool = False

    def text(
        self,
        report: Report,
        now: datetime,
        *,
        is_stream: bool = False,
        room: int | None = None,
        columns: int | None = None,
    ) -> str:
        """The report as text. In a stream JSON has one line for each, and YAML a separator."""
        if self.output == "table":
            return table(report, now, self.detail, room, Layout(columns, self.is_colored))
        written = json_text if self.output == "json" else yaml_text
        return written(report, is_stream=is_stream)


class ReportScreen:
    """A stream of text. Writing blocks while no one reads the other end of a pipe, so it is done in a thread."""

    def __init__(self, stream: TextIO, style: Style, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.stream = stream
        self._style = style
        self._now = now
        self._drawn: Report | None = None
        self.is_terminal = stream.isatty() and style.output == "table"

    async def write(self, report: Report) -> None:
        """Writes a report, and nothing else."""
        await self._write(self._style.text(report, self._now(), columns=self._columns()))

    async def enter(self) -> None:
        """Switches to the alternate screen of a terminal."""
        if self.is_terminal:
            await self._write(_ENTER)

    async def show(self, report: Report, trouble: str = "") -> None:
        """Shows a report: on a terminal always, since ages have changed; elsewhere when it is not the last one.

        Args:
            report: what to show.
            trouble: why it may be out of date; shown on a terminal.
        """
        now = self._now()
        if self.is_terminal:
            size = shutil.get_terminal_size()
            room = max(1, size.lines - 2)
            footer = f"{now:%H:%M:%S} UTC, Ctrl-C ends" + (f", MAY BE OUT OF DATE: {trouble}" if trouble else "")
            lines = cut(self._style.text(report, now, room=room, columns=size.columns).split("\n")[:-1], room)
            footer = shorten(printable(footer), size.columns)
            await self._write(_HOME + "\n".join((*lines, "", footer)))
        elif report != self._drawn:
            text = self._style.text(report, now, is_stream=True)
            if self._style.output == "table":
                text = f"{'' if self._drawn is None else chr(10)}{now:%Y-%m-%d %H:%M:%S} UTC\n{text}"
            await self._write(text)
        self._drawn = report

    async def leave(self) -> None:
        """Leaves the alternate screen, and prints the last report."""
        if self.is_terminal:
            last = ""
            if self._drawn is not None:
                last = self._style.text(self._drawn, self._now(), columns=self._columns())
            await self._write(_LEAVE + last)

    def _columns(self) -> int | None:
        """The width of the terminal; None where lines may have any length."""
        return shutil.get_terminal_size().columns if self.is_terminal else None

    async def _write(self, text: str) -> None:
        await in_thread(self._write_now, text)

    def _write_now(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()

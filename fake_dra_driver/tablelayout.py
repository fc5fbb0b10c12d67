"""Where lines end: tables and sentences as wide as a terminal, or, in a file or a pipe, as wide as they have to be.

On a terminal names are shortened in the middle and sentences go on below their row. Elsewhere every name is whole and
every row is one line, for grep and awk. What others wrote is escaped, and cut where it is longer than any name.
(``rich`` belongs to the extra of the embedded cluster, and writes tables for people alone.)
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final, NamedTuple

from fake_dra_driver.untrustedtext import MAX_SENTENCE, escape, one_line

__all__ = ["LEAST_WIDTH", "Cell", "Column", "Layout", "Row", "Tone", "age", "printable", "shorten", "width_of", "wrap"]

GAP: Final = "  "
"""Between columns, as wide as kubectl's smallest."""
LEAST_WIDTH: Final = 12
"""Names are shortened to so many characters, and not further."""
BELOW: Final = "  "
"""Before a sentence that goes on below its row."""
_LIKE_A_GAP: Final = re.compile(r"(?<= ) |^ | \Z")
_MAKES_EMOJI: Final = "\ufe0f"


class Tone(Enum):
    """What a piece of text is to the eye. The values are parameters of SGR (ECMA-48), which every terminal knows."""

    PLAIN = ""
    HEADING = "1"
    GOOD = "32"
    WARNING = "33"
    BAD = "31"
    FAINT = "2"


class Cell(NamedTuple):
    """A cell of a table."""

    text: str
    tone: Tone = Tone.PLAIN


class Column(NamedTuple):
    """A column of a table. It is left out where all of its cells are empty."""

    heading: str
    shrinks: bool = False
    """Whether its cells are names, which may be shortened where the terminal is narrow."""


class Row(NamedTuple):
    """A row of a table."""

    cells: Sequence[Cell]
    sentence: str = ""
    """What there is to say about it: the last column, or lines of their own below this and the rows before it that say
    the same."""
    tone: Tone = Tone.WARNING
    """Of the sentence, where that has lines of its own."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Lays out tables and sentences."""

    columns: int | None = None
    """How wide a line can be; None: as wide as it has to be."""
    is_colored: bool = False

    def paint(self, text: str, tone: Tone) -> str:
        """The text in its colour, where there are colours."""
        return f"\x1b[{tone.value}m{text}\x1b[0m" if self.is_colored and tone.value and text else text

    def sentence(self, text: str, *, first: str = "", following: str = "", tone: Tone = Tone.PLAIN) -> list[str]:
        """The text after ``first``, and what does not fit on lines that begin with ``following``.

        It is escaped, and cut where it is very long.
        """
        text = one_line(text)
        if self.columns is None:
            return [first + self.paint(text, tone)]
        parts = wrap(text, max(self.columns - max(width_of(first), width_of(following)), 1)) or [""]
        return [(following if at else first) + self.paint(part, tone) for at, part in enumerate(parts)]

    def table(
        self, columns: Sequence[Column], rows: Sequence[Row], *, sentences: str = "", indent: str = ""
    ) -> list[str]:
        """A table, in lines.

        Args:
            columns: the columns.
            rows: their cells, one for each column.
            sentences: heading of what the rows have to say.
            indent: before each line.
        """
        if sentences and self.columns is None:
            columns = [*columns, Column(sentences)]
            rows = [Row([*row.cells, Cell(one_line(row.sentence))]) for row in rows]
        kept = [at for at in range(len(columns)) if any(row.cells[at].text for row in rows)]
        headings = [Cell(columns[at].heading, Tone.HEADING) for at in kept]
        cells = [[_printable(row.cells[at]) for at in kept] for row in rows]
        if self.columns is None:
            cells = [_with_every_field(row) for row in cells]
        widths = [max(width_of(cell.text) for cell in column) for column in zip(headings, *cells, strict=True)]
        if self.columns is not None:
            _shrink(widths, [columns[at].shrinks for at in kept], self.columns - width_of(indent))
        lines = [self._line(headings, widths, indent)]
        for at, (row, line) in enumerate(zip(rows, cells, strict=True)):
            lines.append(self._line(line, widths, indent))
            is_last = at + 1 == len(rows) or rows[at + 1].sentence != row.sentence
            if row.sentence and self.columns is not None and is_last:
                below = indent + BELOW
                lines += self.sentence(row.sentence, first=below, following=below, tone=row.tone)
        return lines

    def _line(self, cells: Sequence[Cell], widths: Sequence[int], indent: str) -> str:
        line, room = indent, None if self.columns is None else self.columns - width_of(indent)
        for at, (cell, width) in enumerate(zip(cells, widths, strict=True)):
            gap = GAP if at else ""
            if room is not None:
                room -= len(gap) + width
                if room < 0:  # too narrow for all columns
                    width = max(width + room, 0)
                    room = 0
            text = shorten(cell.text, width)
            line += gap + self.paint(text, cell.tone) + " " * (width - width_of(text))
        return line.rstrip()


def age(since: datetime | None, now: datetime) -> str:
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


def width_of(text: str) -> int:
    """How many columns of a terminal the text takes: a Chinese character takes two, a combining accent none."""
    return len(text) if text.isascii() else sum(map(_width, text))


def printable(text: str) -> str:
    """The text of a cell: escaped, also blanks that look like the end of a column, and shortened where it is long."""
    if len(text) > MAX_SENTENCE:
        text = text[:MAX_SENTENCE] + text[-MAX_SENTENCE:]  # of which less is shown
    text = shorten(escape(text), MAX_SENTENCE)
    return _LIKE_A_GAP.sub(r"\\x20", text) if "  " in text or text[:1] == " " or text[-1:] == " " else text


def shorten(text: str, columns: int) -> str:
    """The text, with an ellipsis in the middle where it takes more than so many columns: names differ at their ends."""
    if width_of(text) <= columns:
        return text
    if columns < 2:
        return "…"[:columns]
    end = (columns - 1) // 2
    return _start(text, columns - 1 - end) + "…" + _start(text[::-1], end)[::-1]


def wrap(text: str, columns: int) -> list[str]:
    """The words in lines of so many columns; longer words are broken."""
    lines: list[str] = []
    for word in text.split():
        if lines and width_of(lines[-1]) + 1 + width_of(word) <= columns:
            lines[-1] += f" {word}"
            continue
        while width_of(word) > columns and (part := _start(word, columns)):
            lines.append(part)
            word = word[len(part) :]
        lines.append(word)
    return lines


def _shrink(widths: list[int], shrinks: Sequence[bool], room: int) -> None:
    """Makes columns of names narrower, the widest first, until a line has room or they are as narrow as can be."""
    excess = sum(widths) + len(GAP) * (len(widths) - 1) - room
    for _ in range(excess):
        wide = [at for at, width in enumerate(widths) if shrinks[at] and width > LEAST_WIDTH]
        if not wide:
            return
        widths[max(wide, key=widths.__getitem__)] -= 1


def _start(text: str, columns: int) -> str:
    """As much of the beginning as fits."""
    taken = 0
    for at, character in enumerate(text):
        taken += _width(character)
        if taken > columns:
            return text[:at]
    return text


def _width(character: str) -> int:
    if character == _MAKES_EMOJI:  # of what takes one column without it, in most terminals of today
        return 1
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _with_every_field(cells: Sequence[Cell]) -> list[Cell]:
    """The cells, with a dash in those that are empty before another one: awk counts what is between blanks."""
    filled = max((at for at, cell in enumerate(cells) if cell.text), default=0)
    return [Cell("-") if at < filled and not cell.text else cell for at, cell in enumerate(cells)]


def _printable(cell: Cell) -> Cell:
    return cell._replace(text=printable(cell.text))

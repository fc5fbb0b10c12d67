"""What the demo shows: steps, the commands that a person would type, their output, and what it is waiting for.

What commands print, such as logs of containers, is escaped line by line. On a terminal with colours and a spinner,
elsewhere as plain lines (rich decides, and honours NO_COLOR and TERM).
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.text import Text

from fake_dra_driver.untrustedtext import one_line, some_lines

__all__ = ["Screen"]


class Screen:
    """Writes to one stream."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """Writes to standard output when no stream is given."""
        self._console = Console(file=stream or sys.stdout, highlight=False, markup=False, soft_wrap=True)
        self._steps = 0
        self.is_terminal = self._console.is_terminal

    def step(self, title: str) -> None:
        """Begins the next step."""
        self._steps += 1
        self._line(f"\n== {self._steps}. {title}", "bold cyan")

    def note(self, text: str) -> None:
        """A sentence for the reader."""
        self._line(text, "dim" if self.is_terminal else "")

    def command(self, text: str) -> None:
        """A command, as a person would type it; several lines are one command."""
        self._line(f"$ {text}", "bold")

    def output(self, text: str) -> None:
        """What the command printed."""
        self._line(text.removesuffix("\n"))

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Shows that the program waits until ``what`` is so, while the block runs."""
        if self.is_terminal:
            with self._console.status(one_line(f"waiting until {what}")):
                yield
        else:
            self._line(f"(waiting until {what})")
            yield

    def _line(self, text: str, style: str = "") -> None:
        self._console.print(Text(some_lines(text), style=style))
        self._console.file.flush()

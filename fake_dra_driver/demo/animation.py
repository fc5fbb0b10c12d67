"""A terminal that changes, as an SVG that moves by itself: in a browser, and where a page shows it as an image. Pure.

Each frame is a group that is visible for its time, by an animation in CSS: no script, which pages of others do not run.
Lines that several frames have in common are in the file once.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

__all__ = ["Frame", "animation"]

_CHARACTER: Final = 8.4
"""Width of a character in pixels: that of most monospaced fonts at this size."""
_FONT_SIZE: Final = 14
_LINE: Final = 19
_MARGIN: Final = 16
_PROMPT: Final = "$ "
_COLORED: Final = re.compile(r"\x1b\[([0-9]+)m(.*?)\x1b\[0m")
_CLASSES: Final = {"1": "b", "2": "f", "31": "r", "32": "g", "33": "y"}
"""By parameter of SGR, as ``tablelayout`` writes it: the class of the text."""
_STYLE: Final = """\
text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#d4d4d4;white-space:pre}
.b{font-weight:bold;fill:#fff}.f{fill:#8b949e}.r{fill:#ff7b72}.g{fill:#7ee787}.y{fill:#e3b341}.p{fill:#79c0ff}
"""


@dataclass(frozen=True, slots=True)
class Frame:
    """What a terminal shows for a while."""

    command: str
    """What a person has typed in another terminal; shown in the first line."""
    text: str
    """What is on the screen, in colours or not."""
    seconds: float


def animation(title: str, frames: Sequence[Frame], *, columns: int) -> str:
    """The frames one after the other, for ever, as the text of an SVG.

    Args:
        title: for people who cannot see it, and for those who point at it.
        frames: at least one.
        columns: how wide the terminal is.
    """
    screens = [[_PROMPT + frame.command, "", *frame.text.splitlines()] for frame in frames]
    height = 2 * _MARGIN + _LINE * max(map(len, screens))
    width = round(2 * _MARGIN + _CHARACTER * columns)
    shared = _by_frames(screens)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>\n{_STYLE}" + "".join(_visible(shown, frames) for shown in shared if len(shown) < len(frames)),
        "</style>",
        '<rect width="100%" height="100%" rx="8" fill="#161b22"/>',
    ]
    for shown, lines in shared.items():
        parts.append(f'<g class="{_name(shown)}">')
        parts += [_text(row, line) for row, line in lines]
        parts.append("</g>")
    return "\n".join([*parts, "</svg>", ""])


_Shown = tuple[int, ...]
"""The frames in which something is visible."""


def _by_frames(screens: Sequence[Sequence[str]]) -> Mapping[_Shown, Sequence[tuple[int, str]]]:
    """Lines, with their row, by the frames that have them there."""
    frames_of: dict[tuple[int, str], list[int]] = {}
    for number, lines in enumerate(screens):
        for row, line in enumerate(lines):
            if line.strip():
                frames_of.setdefault((row, line), []).append(number)
    found: dict[_Shown, list[tuple[int, str]]] = {}
    for place, numbers in frames_of.items():
        found.setdefault(tuple(numbers), []).append(place)
    return found


def _name(shown: _Shown) -> str:
    return "v" + "-".join(map(str, shown))


def _visible(shown: _Shown, frames: Sequence[Frame]) -> str:
    """The rules of CSS by which something is visible in these frames."""
    total, passed, steps, was_visible = sum(frame.seconds for frame in frames), 0.0, [], None
    for number, frame in enumerate(frames):
        is_visible = number in shown
        if is_visible is not was_visible:
            steps.append(f"{100 * passed / total:.4g}%{{visibility:{'visible' if is_visible else 'hidden'}}}")
        passed, was_visible = passed + frame.seconds, is_visible
    name = _name(shown)
    return f"@keyframes {name}{{{''.join(steps)}}}.{name}{{animation:{name} {total:g}s step-end infinite}}\n"


def _text(row: int, line: str) -> str:
    spans = "".join(
        escape(text) if not tone else f'<tspan class="{tone}">{escape(text)}</tspan>'
        for tone, text in _spans(row, line)
    )
    return f'<text x="{_MARGIN}" y="{_MARGIN + _FONT_SIZE + _LINE * row}">{spans}</text>'


def _spans(row: int, line: str) -> Iterator[tuple[str, str]]:
    """Pieces of a line with the class of each; empty for the usual colour."""
    if row == 0:
        yield "p", line
        return
    end = 0
    for found in _COLORED.finditer(line):
        yield "", line[end : found.start()]
        yield _CLASSES[found[1]], found[2]
        end = found.end()
    yield "", line[end:]

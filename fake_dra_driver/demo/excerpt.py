"""The part of a long output that a reader needs; ``(...)`` stands for the rest, as in the quickstart. Pure."""

from collections.abc import Collection, Iterator, Sequence
from itertools import groupby, takewhile

__all__ = ["first_lines", "spec_excerpt", "status_excerpt"]

_LEFT_OUT = "(...)"
_HEADING_INDENT = 2


def first_lines(lines: Sequence[str], most: int) -> Sequence[str]:
    """The first lines, and how many more there are.

    Args:
        lines: the lines of one list, whose members begin where the first line does and may have lines below them.
        most: how many lines to show, without the one that stands for the rest; fewer where a member would be cut that
            could be left out instead.
    """
    if len(lines) <= most + 1:
        return lines
    depth = _indent(lines[0])
    shown = max((number for number in range(1, most + 1) if _indent(lines[number]) == depth), default=most)
    return [*lines[:shown], f"{' ' * depth}(... {len(lines) - shown} more lines)"]


def spec_excerpt(described: str, sections: Collection[str], most: int) -> str:
    """Of what ``kubectl describe`` prints only Spec, all of whose headings are shown.

    Args:
        described: what it printed, of an object that has a Spec.
        sections: headings in Spec below which something is shown.
        most: how many lines to show below each of them.
    """
    lines = described.splitlines()
    spec = takewhile(lambda line: line.startswith(" "), lines[lines.index("Spec:") + 1 :])
    return "\n".join([_LEFT_OUT, "Spec:", *_excerpts(spec, sections, most), _LEFT_OUT])


def status_excerpt(printed: str, most: int) -> str:
    """Of an object in YAML only the first lines of its status, which is the last thing in it."""
    lines = printed.splitlines()
    begin = lines.index("status:")
    return "\n".join([_LEFT_OUT, *lines[begin : begin + most], _LEFT_OUT])


def _excerpts(spec: Iterator[str], sections: Collection[str], most: int) -> Iterator[str]:
    heading = ""
    for is_heading, run in groupby(spec, key=lambda line: _indent(line) == _HEADING_INDENT):
        lines = list(run)
        if is_heading:
            yield from lines
            heading = lines[-1].strip().removesuffix(":")
        elif heading in sections:
            yield from first_lines(lines, most)
        else:
            yield f"{' ' * _indent(lines[0])}{_LEFT_OUT}"


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))

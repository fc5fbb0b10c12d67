"""Writes a changed value into the text of its document, and leaves all else there as it was.

What is written is read back, and must say what it should. Where that fails, as with an anchor whose value goes while an
alias still needs it, the document is written from its value, below its comments, and the caller is told so.
ruamel.yaml, which can keep comments too, writes all of a document again when one value of it changes: indentation,
blanks, long lines and line ends of everything else would come out different.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any, Final

from fake_dra_driver.convert.stream import Document, DocumentError, load
from fake_dra_driver.convert.style import UNBROKEN, Style, block_lines, flow_pairs, scalar_text
from fake_dra_driver.convert.tree import AliasNode, MappingNode, Node, ScalarNode, SequenceNode, parse
from fake_dra_driver.yamldumper import dump_yaml

__all__ = ["REMOVED", "Path", "Removed", "Rewritten", "comments_of", "rewrite"]

Path = tuple[str | int, ...]
"""The way to a value: keys of mappings, and places in lists."""


class Removed:
    """The type of ``REMOVED``."""


REMOVED: Final = Removed()
"""Stands in a changed list for an item that goes, so that all others keep their places."""

_COMMENT: Final = re.compile(r"(?:(?<=\s)|^)#[^\r\n]*")
_JSON_INDENT: Final = re.compile(r"\{\r?\n([ \t]+)\"")


class _CannotRewriteError(Exception):
    """The change cannot be made in this text."""


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The text of a changed document."""

    text: str
    is_written_again: bool = False
    """Whether all of it is new: its comments, which stand above it now, have lost their places."""


def rewrite(document: Document, old: Any, new: Any, remarks: Mapping[Path, Sequence[str]], style: Style) -> Rewritten:
    """The text of a document whose value has changed.

    Args:
        document: the document.
        old: its value.
        new: what it is to say. Parts that stay are best the same objects as in ``old``.
        remarks: lines to be put as comments above the value with this path. JSON has no comments, and gets none.
        style: how what is written is indented.
    """
    wanted = _without_removed(new)
    if document.is_json:
        return Rewritten(document.head + _as_json(document.body, wanted))
    try:
        text = _Rewriter(document.text, style).rewrite(old, new, remarks)
        if load(text) == wanted:
            return Rewritten(text)
    except (_CannotRewriteError, DocumentError):
        pass  # what cannot be changed in its place, or came out wrong, is written from its value
    above = [document.head.rstrip()] if document.head else []
    above += [*comments_of(document), *(f"# {line}" for line in remarks.get((), ()))]
    body = dump_yaml(wanted, allow_unicode=True, width=UNBROKEN)
    return Rewritten("\n".join([*above, body]).replace("\n", style.newline), is_written_again=True)


def comments_of(document: Document) -> Sequence[str]:
    """The comments of a document below its ``---`` line."""
    if document.is_json:
        return ()
    return tuple(_Comments(document.text, parse(document.text)).between(document.body_start, len(document.text)))


def _without_removed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_removed(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_without_removed(item) for item in value if item is not REMOVED]
    return value


def _as_json(body: str, value: Any) -> str:
    indent = _JSON_INDENT.search(body)
    separators = None if indent or '": ' in body else (",", ":")
    text = json.dumps(value, indent=indent[1] if indent else None, separators=separators, ensure_ascii=body.isascii())
    before, after = body[: len(body) - len(body.lstrip())], body[len(body.rstrip()) :]
    return before + text + after


class _Comments:
    """Finds the comments of a text: what starts with ``#`` and is not in a value."""

    def __init__(self, text: str, root: Node | None) -> None:
        self._text = text
        self._values = list(_leaves(root)) if root is not None else []

    def between(self, start: int, end: int) -> Iterator[str]:
        """The comments that start between these places."""
        position = start
        for value_start, value_end in [*self._values, (end, end)]:
            if value_end >= position and value_start <= end:
                yield from (match[0].rstrip() for match in _COMMENT.finditer(self._text, position, value_start))
                position = value_end


def _leaves(node: Node) -> Iterator[tuple[int, int]]:
    match node:
        case MappingNode():
            for key, value in node.pairs:
                yield from _leaves(key)
                yield from _leaves(value)
        case SequenceNode():
            for item in node.items:
                yield from _leaves(item)
        case ScalarNode() | AliasNode():
            yield node.start, node.end


class _Rewriter:
    """Collects the changes to one text."""

    def __init__(self, text: str, style: Style) -> None:
        self._text = text
        self._style = style
        self._root = parse(text)
        self._comments = _Comments(text, self._root)
        self._edits: dict[tuple[int, int], str] = {}

    def rewrite(self, old: Any, new: Any, remarks: Mapping[Path, Sequence[str]]) -> str:
        """The text with the changes. Raises _CannotRewriteError."""
        if self._root is None:
            raise _CannotRewriteError
        self._change(self._root, old, new)
        for path, lines in remarks.items():
            self._remark(self._root, path, lines)
        edits = sorted(self._edits.items())
        if any(first[1] > second[0] for (first, _), (second, _) in pairwise(edits)):
            raise _CannotRewriteError
        parts, position = [], 0
        for (start, end), replacement in edits:
            parts += [self._text[position:start], replacement]
            position = end
        return "".join([*parts, self._text[position:]])

    def _change(self, node: Node, old: Any, new: Any) -> None:
        if old is new or old == new:
            return
        match node:
            case AliasNode():
                return  # it is changed at its anchor; whether that is right for both is seen when it is read back
            case MappingNode() if isinstance(old, dict) and isinstance(new, dict):
                self._change_mapping(node, old, new)
            case SequenceNode() if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
                self._change_list(node, old, new)
            case ScalarNode() if node.end > node.start:
                self._edits[node.start, node.end] = scalar_text(new, node.style)
            case _:
                raise _CannotRewriteError

    def _change_mapping(self, node: MappingNode, old: dict[str, Any], new: dict[str, Any]) -> None:
        keys = [key.text if isinstance(key, ScalarNode) else None for key, _ in node.pairs]
        if keys != list(old):
            raise _CannotRewriteError  # keys that are merged or repeated, or are no strings
        kept = [
            key
            for key, (_, value) in zip(old, node.pairs, strict=True)
            if key in new and _is_same_sort(old[key], new[key]) and (node.is_flow or _fits(value, old[key], new[key]))
        ]
        if kept != [key for key in new if key in kept]:
            raise _CannotRewriteError
        spans = [(key.start, value.end) for key, value in node.pairs]
        for key, (_, value) in zip(keys, node.pairs, strict=True):
            if key in kept:
                self._change(value, old[key], new[key])
        for gone, come in zip(_gaps(old, kept), _gaps(new, kept), strict=True):
            if not gone:
                if come:
                    raise _CannotRewriteError
                continue
            first = keys.index(gone[0])
            last = first + len(gone) - 1
            if come:
                pairs = {key: _without_removed(new[key]) for key in come}
                self._replace(spans[first][0], spans[last][1], pairs, node.is_flow)
            else:
                self._delete(spans, first, last, node.is_flow)

    def _change_list(self, node: SequenceNode, old: list[Any], new: list[Any]) -> None:
        spans = [(item.start, item.end) for item in node.items]
        if not node.is_flow:
            spans = [(self._dash_of(start), end) for start, end in spans]
        places = [place for place, item in enumerate(new) if item is REMOVED]
        for first, last in _runs(places):
            self._delete(spans, first, last, node.is_flow)
        for item, before, after in zip(node.items, old, new, strict=True):
            if after is not REMOVED:
                self._change(item, before, after)

    def _replace(self, start: int, end: int, pairs: dict[str, Any], is_flow: bool) -> None:
        """Writes these pairs over those that stand there; their comments go above."""
        comments = list(self._comments.between(start, end))
        if is_flow:
            if comments:
                raise _CannotRewriteError
            self._edits[start, end] = flow_pairs(pairs)
            return
        lines = list(block_lines(pairs, self._style))
        if len(lines) > 1:
            line_end = self._line_end(end)
            comments += self._comments.between(end, line_end)
            end = line_end
        self._edits[start, end] = (self._style.newline + " " * self._column(start)).join([*comments, *lines])

    def _delete(self, spans: Sequence[tuple[int, int]], first: int, last: int, is_flow: bool) -> None:
        """Takes out pairs or items from ``first`` to ``last``; their comments stay."""
        start, end = spans[first][0], spans[last][1]
        if is_flow:
            if last + 1 < len(spans):
                end = spans[last + 1][0]
            else:
                start = spans[first - 1][1]
            if next(self._comments.between(start, end), None):
                raise _CannotRewriteError
            self._edits[start, end] = ""
            return
        indent = " " * self._column(start)
        newline = self._style.newline
        if self._text[start - len(indent) : start] == indent:
            start, end = start - len(indent), self._line_end(end)
            comments = [f"{indent}{comment}{newline}" for comment in self._comments.between(start, end)]
            end += len(newline) if self._text.startswith(newline, end) else 0
        elif last + 1 < len(spans):
            # The first key of a list item stands behind its dash, and so will the next.
            end = spans[last + 1][0]
            comments = [f"{comment}{newline}{indent}" for comment in self._comments.between(start, end)]
        else:
            raise _CannotRewriteError
        self._edits[start, end] = "".join(comments)

    def _remark(self, node: Node, path: Path, lines: Sequence[str]) -> None:
        """Puts lines of comment above the value with this path, where there is room for any."""
        start = node.start
        for step in path:
            match node:
                case MappingNode(is_flow=False):
                    node = next(value for key, value in node.pairs if isinstance(key, ScalarNode) and key.text == step)
                    start = node.start
                case SequenceNode(is_flow=False) if isinstance(step, int):
                    node = node.items[step]
                    start = self._dash_of(node.start)
                case _:
                    return
        column = self._column(start)
        if self._text[start - column : start].strip(" "):
            return
        text = "".join(f"{' ' * column}# {line}{self._style.newline}" for line in lines)
        self._edits[start - column, start - column] = text

    def _dash_of(self, start: int) -> int:
        """Where the dash is of a list item that starts there."""
        before = self._text[:start].rstrip(" ")
        if not before.endswith("-"):
            raise _CannotRewriteError
        return len(before) - 1

    def _column(self, place: int) -> int:
        return place - (self._text.rfind("\n", 0, place) + 1)

    def _line_end(self, place: int) -> int:
        """The end of its line, before the line break."""
        found = self._text.find("\n", place)
        end = len(self._text) if found < 0 else found
        return end - 1 if self._text[place:end].endswith("\r") else end


def _is_same_sort(old: Any, new: Any) -> bool:
    """Whether a value can be changed where it stands; if not, its key is written again with it."""
    if old is new or old == new:
        return True
    if isinstance(old, dict) or isinstance(new, dict):
        return isinstance(old, dict) and isinstance(new, dict) and bool(old) and bool(new)
    if isinstance(old, list) or isinstance(new, list):
        return isinstance(old, list) and isinstance(new, list) and any(item is not REMOVED for item in new)
    return old is not None


def _fits(node: Node, old: Any, new: Any) -> bool:
    """Whether a value in braces can go on being written so: not if it gets new mappings or lists, for its line."""
    if not isinstance(node, MappingNode) or not node.is_flow or old is new:
        return True
    return not any(isinstance(value, (dict, list)) for key, value in new.items() if key not in old)


def _gaps(keys: Mapping[str, Any], kept: Sequence[str]) -> list[list[str]]:
    """The keys before the first that is kept, those between it and the second, and so on."""
    gaps: list[list[str]] = [[]]
    for key in keys:
        if key in kept:
            gaps.append([])
        else:
            gaps[-1].append(key)
    return gaps


def _runs(places: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Numbers in a row, as the first and the last of each row."""
    for _, run in groupby(enumerate(places), key=lambda numbered: numbered[1] - numbered[0]):
        members = [place for _, place in run]
        yield members[0], members[-1]

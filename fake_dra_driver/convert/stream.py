"""A file of manifests as the documents in it, each with its text, its place and its value.

Documents are told apart by the lines that YAML reserves for it (YAML 1.2, 9.1.2: a line that starts with ``---`` or
``...`` and goes on with white space is never part of a value), so that one that is not YAML leaves the others readable.
JSON texts may also follow each other without such lines, as kubectl takes them.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

__all__ = ["Document", "DocumentError", "documents", "load"]

_LINE: Final = re.compile(r"[^\n]*\n|[^\n]+")
_START: Final = re.compile(r"---(?=\s|$)")
_END: Final = re.compile(r"\.\.\.(?=\s|$)")
_EMPTY: Final = re.compile(r"\s*(#.*)?$", re.DOTALL)
_MAX_DEPTH: Final = 200
"""Levels of nesting. What goes through values is recursive, and Python ends that at about 1,000 calls."""
_MAX_SIZE: Final = 1_000_000
"""Values in a document, those that aliases repeat counted each time. An object of Kubernetes has 3 MiB at most."""
_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
LOADER: Final[Any] = type(
    "_Loader",
    (_BASE,),
    {
        # A date is a string to Kubernetes, as JSON has no dates.
        "yaml_implicit_resolvers": {
            first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
            for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }
    },
)
"""PyYAML's, with libyaml where there is one: kubectl's parser is a translation of it, and takes tabs where it does."""


class DocumentError(Exception):
    """A document that cannot be read; ``line`` counts from 0 in the document."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(reason)
        self.line = line


@dataclass(frozen=True, slots=True)
class Document:
    """A part of a file that holds one value, or only comments."""

    number: int
    """Its place in the file, from 1."""
    line: int
    """Line of the file on which its text begins, from 1."""
    text: str
    """All of it: what stands above its ``---`` (comments, directives), that line, and what follows it."""
    body_start: int
    """Index in ``text`` after the ``---`` line, or after the ``---`` where the value begins on that line; 0 without."""
    is_json: bool = False

    @property
    def head(self) -> str:
        """Its text up to the end of the ``---``."""
        return self.text[: self.body_start]

    @property
    def body(self) -> str:
        """Its text after the ``---``."""
        return self.text[self.body_start :]

    @property
    def object_line(self) -> int:
        """Line of the file, from 1, on which the first thing stands that is no comment."""
        lines = _LINE.findall(self.body)
        offset = next((number for number, line in enumerate(lines) if not _EMPTY.match(line)), 0)
        return self.line + self.text.count("\n", 0, self.body_start) + offset

    def value(self) -> Any:
        """What it says; None when it is empty. Raises DocumentError."""
        value = json.loads(self.body) if self.is_json else load(self.text)
        if _is_too_deep(value) or _size(value, {}) > _MAX_SIZE:
            raise DocumentError(f"is nested more than {_MAX_DEPTH} levels deep, contains itself, or is too large")
        return value


def load(text: str) -> Any:
    """The value of the one document of a text. Raises DocumentError."""
    try:
        return yaml.load(text, Loader=LOADER)  # noqa: S506 # derived from SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise DocumentError(f"is not YAML: {error.problem or error.context}", mark.line if mark else 0) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) if isinstance(error.position, int) else 0
        raise DocumentError(f"is not YAML: {error.reason}", line) from error
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        # PyYAML passes on what Python says to a value such as "!!int x", and without libyaml to a deep one.
        raise DocumentError("is not YAML: a value does not fit its tag, or is nested too deeply") from error


def documents(text: str) -> list[Document]:
    """The documents of a file, in order: their texts together are the file's."""
    parts = _json_values(text) or list(_parts(text))
    found, line = [], 1
    for number, (part, body_start) in enumerate(parts, 1):
        found.append(Document(number, line, part, body_start, _is_json(part[body_start:])))
        line += part.count("\n")
    return found


def _is_too_deep(value: Any) -> bool:
    """Whether a value is nested too deeply to be gone through, as one is that contains itself."""
    level = {id(value): value}
    for _ in range(_MAX_DEPTH):
        members = [member for each in level.values() for member in _members(each)]
        level = {id(member): member for member in members if isinstance(member, (dict, list))}
        if not level:
            return False
    return True


def _size(value: Any, known: dict[int, int]) -> int:
    """How many values there are in one that is not too deep; ``known`` has those that were seen, by their identity."""
    if id(value) not in known:
        known[id(value)] = 1 + sum(_size(member, known) for member in _members(value))
    return known[id(value)]


def _members(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _parts(text: str) -> Iterator[tuple[str, int]]:
    lines: list[str] = []
    body_start, has_value = 0, False
    for line in _LINE.findall(text):
        if (start := _START.match(line)) and (body_start or has_value):
            yield "".join(lines), body_start
            lines, body_start, has_value = [], 0, False
        lines.append(line)
        if start:
            has_value = not _EMPTY.match(line, start.end())
            body_start = sum(map(len, lines)) - (len(line) - start.end() if has_value else 0)
        elif _END.match(line):
            yield "".join(lines), body_start
            lines, body_start, has_value = [], 0, False
        elif not _EMPTY.match(line):
            is_directive = line.startswith("%") and not body_start
            has_value = has_value or not is_directive
    if lines:
        yield "".join(lines), body_start


def _json_values(text: str) -> list[tuple[str, int]]:
    """The texts of several JSON objects in a row, each with the white space before it; nothing for any other text."""
    decoder, parts, position = json.JSONDecoder(), [], 0
    while rest := text[position:].lstrip():
        start = len(text) - len(rest)
        if not rest.startswith("{"):
            return []
        try:
            _, end = decoder.raw_decode(text, start)
        except (json.JSONDecodeError, RecursionError):
            return []
        parts.append((text[position:end], 0))
        position = end
    if not parts:
        return []
    last, body_start = parts[-1]
    return [*parts[:-1], (last + text[position:], body_start)]


def _is_json(text: str) -> bool:
    if not text.lstrip().startswith("{"):
        return False
    try:
        json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        return False
    return True

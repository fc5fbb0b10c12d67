"""YAML in the bodies of requests: read as sigs.k8s.io/yaml does it, into JSON values.

That is YAML 1.1: ``y``, ``no`` and ``off`` are booleans, also as keys. Times and dates stay texts. Numbers are those
of Go (``resolve`` in goyaml.v2) and not those of the YAML library: ``1e3`` and ``089`` are numbers, ``12:30`` is none.
What an alias stands for is counted, as in Go, and beyond a share of the document it is refused. The YAML library only
finds the events: what it makes of them itself takes a hundred times as long, and has no bounds.
"""

import base64
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from fake_dra_driver.cluster.apiserver.types.jsonbody import MAX_DEPTH, MAX_VALUES, read_json, too_many_values

__all__ = ["YamlError", "read_yaml"]

_TAG = "tag:yaml.org,2002:"
_MERGE = "<<"
_NULLS = ("", "~", "null", "Null", "NULL")
_BOOLEANS = {
    form: value
    for value, words in ((True, ("y", "yes", "true", "on")), (False, ("n", "no", "false", "off")))
    for word in words
    for form in (word, word.capitalize(), word.upper())
}
_NOT_FINITE = re.compile(r"(?P<infinite>[-+]?\.(?:inf|Inf|INF))|\.(?:nan|NaN|NAN)")
_INTEGER = re.compile(r"[-+]?(0x[0-9a-f]+|0b[01]+|0o[0-7]+|0|[1-9][0-9]*)", re.IGNORECASE)
_OCTAL = re.compile(r"[-+]?0[0-7]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NUMBER_STARTS = frozenset("0123456789+-.")
_INTEGERS = range(-(2**63), 2**64)
"""Larger ones are floats, and texts where they are too large for these."""
_LONGEST_INTEGER = len("-0b") + 64
_LARGEST_WHOLE = 1e21
"""From here on Go writes floats with an exponent."""
_TOO_DEEP = "exceeded maximum nesting depth"
"""What libyaml says of more than 1,000 levels, also before the first event."""
_FEW_ALIASED, _FEW_DECODED = 100, 1000
_MAX_ALIASED_SHARE = 0.99
"""goyaml.v2 allows that share of a document, of more than a few nodes, to be made by aliases (decode.go)."""
_MAX_ALIASED_CHARACTERS = 3 * 1024 * 1024
"""Go does not bound them. They are no more than a body may have."""


class YamlError(ValueError):
    """The message says what is wrong, and where."""


def _too_deep() -> YamlError:
    return YamlError(f"yaml: exceeded max depth of {MAX_DEPTH}")


def read_yaml(raw: bytes) -> tuple[Any, list[str]]:
    """The value of the first document, and its duplicate fields.

    Raises:
        YamlError: it cannot be read.
        StatusError: 413, it has too many values.
    """
    if raw.startswith(b"{"):
        found = _as_json(raw)
        if found is not None:
            return found, []
    builder = _Builder()
    try:
        for event in yaml.parse(raw, Loader=_LOADER):
            if builder.take(event):
                break
    except yaml.MarkedYAMLError as error:
        if error.problem == _TOO_DEEP:
            raise _too_deep() from error
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 1
        raise YamlError(f"yaml: line {line}: {error.problem}") from error
    except yaml.reader.ReaderError as error:
        raise YamlError(f"yaml: {error.reason}") from error
    except yaml.YAMLError as error:
        raise YamlError(f"yaml: {error}") from error
    joined = "\n  ".join(builder.duplicates)
    return builder.value, [f"yaml: unmarshal errors:\n  {joined}"] if joined else []


# libyaml, where there is one: Go's parser is a translation of it, and it takes a sixth of the time.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _as_json(raw: bytes) -> Any:
    """The value of a body that is plain JSON, which most of those are that say that they are YAML; None: it is not."""
    try:
        value, duplicates = read_json(raw)
    except ValueError:
        return None
    return None if duplicates else _whole(value)


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _whole(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_whole(each) for each in value]
    return _written(value) if isinstance(value, float) else value


def _written(value: float) -> int | float:
    """A float as Go writes it into JSON: without a fraction where there is none."""
    return int(value) if value.is_integer() and abs(value) < _LARGEST_WHOLE else value


# --- values ---


@dataclass(slots=True)
class _Node:
    """A value that is finished, with its cost."""

    value: Any
    nodes: int = 1
    """What Go decodes for it: itself, and what is in it, aliases followed."""
    characters: int = 0
    depth: int = 0


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end was not seen yet."""

    anchor: str | None
    items: list[Any] | None
    """Of a list; None: it is a mapping."""
    members: dict[str, Any] = field(default_factory=dict)
    merged: list[dict[str, Any]] = field(default_factory=list)
    key: str | None = None
    """The key whose value comes next."""
    is_merge: bool = False
    nodes: int = 1
    characters: int = 0
    depth: int = 1


class _Builder:
    """Makes a value of events, without recursion."""

    def __init__(self) -> None:
        self.value: Any = None
        self.duplicates: list[str] = []
        self._open: list[_Open] = []
        self._anchors: dict[str, _Node | None] = {}
        # None: the value is not finished.
        self._decoded = self._aliased = self._aliased_characters = 0

    def take(self, event: Any) -> bool:
        """Takes the next event; True: the document has ended. Raises YamlError, StatusError."""
        match event:
            case yaml.ScalarEvent():
                self._count(1)
                is_key = self._expects_key()
                if is_key and event.implicit[0] and event.value == _MERGE:
                    self._open[-1].is_merge = True
                    self._open[-1].key = _MERGE
                    return False
                value = _scalar(event, is_key=is_key)
                node = _Node(value, 1, len(event.value))
                if event.anchor is not None:
                    self._anchors[event.anchor] = node
                self._add(node, event)
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                self._count(1)
                if len(self._open) >= MAX_DEPTH:
                    raise _too_deep()
                self._open.append(_Open(event.anchor, [] if isinstance(event, yaml.SequenceStartEvent) else None))
                if event.anchor is not None:
                    self._anchors[event.anchor] = None
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                done = self._open.pop()
                node = _Node(_finished(done), done.nodes, done.characters, done.depth)
                if done.anchor is not None:
                    self._anchors[done.anchor] = node
                self._add(node, event)
            case yaml.AliasEvent():
                self._add(self._followed(str(event.anchor)), event)
            case yaml.DocumentEndEvent():
                return True
        return False

    def _count(self, nodes: int) -> None:
        self._decoded += nodes
        if self._decoded > MAX_VALUES:
            raise too_many_values()

    def _followed(self, anchor: str) -> _Node:
        """A copy of what an alias stands for. Raises YamlError."""
        if anchor not in self._anchors:
            raise YamlError(f"yaml: unknown anchor '{anchor}' referenced")
        node = self._anchors[anchor]
        if node is None:
            raise YamlError(f"yaml: anchor '{anchor}' value contains itself")
        self._aliased += node.nodes
        self._aliased_characters += node.characters
        decoded = self._decoded + 1 + node.nodes
        is_most = (
            self._aliased > _FEW_ALIASED and decoded > _FEW_DECODED and self._aliased > _MAX_ALIASED_SHARE * decoded
        )
        if is_most or self._aliased_characters > _MAX_ALIASED_CHARACTERS:
            raise YamlError("yaml: document contains excessive aliasing")
        self._count(1 + node.nodes)
        if len(self._open) + node.depth > MAX_DEPTH:
            raise _too_deep()
        return _Node(_copied(node.value), 1 + node.nodes, node.characters, node.depth)

    def _expects_key(self) -> bool:
        return bool(self._open) and self._open[-1].items is None and self._open[-1].key is None

    def _add(self, node: _Node, event: Any) -> None:
        """Puts a finished value into the collection that is open, or makes it the whole."""
        if not self._open:
            self.value = node.value
            return
        parent = self._open[-1]
        parent.nodes += node.nodes
        parent.characters += node.characters
        parent.depth = max(parent.depth, node.depth + 1)
        if parent.items is not None:
            parent.items.append(node.value)
        elif parent.key is None:
            parent.key = self._key(parent, node.value, event)
        elif parent.is_merge:
            parent.merged += _merged(node.value)
            parent.key, parent.is_merge = None, False
        else:
            parent.members[parent.key] = node.value
            parent.key = None

    def _key(self, parent: _Open, value: Any, event: Any) -> str:
        if isinstance(value, list | dict):
            raise YamlError(f"yaml: invalid map key: {_go_syntax(value)}")
        key = _key_text(value)
        if key in parent.members:
            self.duplicates.append(f'line {event.start_mark.line + 1}: key "{key}" already set in map')
        return key


def _finished(done: _Open) -> Any:
    if done.items is not None:
        return done.items
    if not done.merged:
        return done.members
    # Of several the first wins, and a member of the mapping itself before all of them.
    members: dict[str, Any] = {}
    for each in reversed(done.merged):
        members.update(each)
    return {**members, **done.members}


def _merged(value: Any) -> list[dict[str, Any]]:
    found = value if isinstance(value, list) else [value]
    if not all(isinstance(each, dict) for each in found):
        raise YamlError("yaml: map merge requires map or sequence of maps as the value")
    return list(found)


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    return [_copied(each) for each in value] if isinstance(value, list) else value


# --- scalars ---


def _scalar(event: Any, *, is_key: bool) -> Any:
    """The value of a scalar. Raises YamlError."""
    text, tag = str(event.value), event.tag
    if tag is None or tag == "!":
        return _plain(text, is_key=is_key) if event.implicit[0] else text
    if not tag.startswith(_TAG):
        return text
    match tag.removeprefix(_TAG):
        case "null" | "bool" | "int" | "float" as kind:
            value = _plain(text, is_key=is_key)
            if _fits(value, kind):
                return float(value) if kind == "float" and is_key else value
            raise YamlError(f"yaml: cannot decode !!str `{text}` as a !!{kind}")
        case "binary":
            try:
                return base64.b64decode(text, validate=True).decode(errors="replace")
            except ValueError as error:
                raise YamlError("yaml: !!binary value contains invalid base64 data") from error
    return text


def _fits(value: Any, kind: str) -> bool:
    match kind:
        case "null":
            return value is None
        case "bool":
            return isinstance(value, bool)
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plain(text: str, *, is_key: bool) -> Any:
    """What Go reads a text as that is written without quotes. Raises YamlError: JSON has no such number."""
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text[0] not in _NUMBER_STARTS:
        return text
    if found := _NOT_FINITE.fullmatch(text):
        if is_key:
            return text
        shown = "NaN" if found["infinite"] is None else "-Inf" if text.startswith("-") else "+Inf"
        raise YamlError(f"json: unsupported value: {shown}")
    number = _number(text)
    return text if number is None else number


def _number(text: str) -> int | float | None:
    """What Go reads a plain text as, which may have underscores anywhere but in front; None: no number."""
    plain = text.replace("_", "")
    if len(plain) <= _LONGEST_INTEGER and (_OCTAL.fullmatch(plain) or _INTEGER.fullmatch(plain)):
        whole = int(plain, 8 if _OCTAL.fullmatch(plain) else 0)
        if whole in _INTEGERS:
            return whole
    value = float(plain) if _FLOAT.fullmatch(plain) else math.inf
    return None if math.isinf(value) else _written(value)


def _key_text(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return "null" if key is None else str(key)


def _go_syntax(value: Any) -> str:
    """A value as Go prints it for programmers (%#v)."""
    return "".join(_go_parts(value))


def _go_parts(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        yield "[]interface {}{"
        for at, each in enumerate(value):
            yield ", " if at else ""
            yield from _go_parts(each)
        yield "}"
    elif isinstance(value, dict):
        yield "map[interface {}]interface {}{"
        for at, (key, each) in enumerate(sorted(value.items())):
            yield ", " if at else ""
            yield f'"{key}":'
            yield from _go_parts(each)
        yield "}"
    elif isinstance(value, str):
        yield f'"{value}"'
    elif value is None:
        yield "interface {}(nil)"
    else:
        yield str(value).lower()

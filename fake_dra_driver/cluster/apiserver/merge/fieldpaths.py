"""Sets of field paths: what ``managedFields[].fieldsV1`` holds.

Follows sigs.k8s.io/structured-merge-diff/fieldpath. A path is a tuple of elements, each written as on the wire:
``f:name`` (a field), ``k:{"name":"a"}`` (an item by its keys), ``v:"x"`` (an item of a set), ``i:0`` (an index).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

__all__ = ["FieldSet", "Path", "field_element", "key_element", "path_text", "value_element"]

Path = tuple[str, ...]
_ELEMENTS = ("f:", "k:", "v:", "i:")
_MAX_REMEMBERED: Final = 16 * 1024
"""Characters of fieldsV1: those of a large pod are 4,000."""


def field_element(name: str) -> str:
    """The element of a field or of a key of a map."""
    return f"f:{name}"


def key_element(keys: Mapping[str, Any]) -> str:
    """The element of an item of a list of type map."""
    return "k:" + json.dumps(dict(sorted(keys.items())), separators=(",", ":"), ensure_ascii=False)


def value_element(value: Any) -> str:
    """The element of an item of a set."""
    return "v:" + json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def path_text(path: Path) -> str:
    """A path as people read it: ``.spec.items[name="a"].v``."""
    parts = []
    for element in path:
        kind, rest = element[0], element[2:]
        if kind == "f":
            parts.append(f".{rest}")
        elif kind == "k":
            inner = ",".join(f"{name}={json.dumps(value)}" for name, value in json.loads(rest).items())
            parts.append(f"[{inner}]")
        else:
            parts.append(f"[={rest}]" if kind == "v" else f"[{rest}]")
    return "".join(parts)


class FieldSet:
    """A set of paths: a plain set of tuples, since sets are small in practice."""

    __slots__ = ("_wire", "paths")

    def __init__(self, paths: Iterable[Path] = ()) -> None:
        self.paths = frozenset(paths)
        self._wire: dict[str, Any] | None = None
        # As ``to_wire`` has written it.

    def __bool__(self) -> bool:
        return bool(self.paths)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FieldSet) and self.paths == other.paths

    def __hash__(self) -> int:
        return hash(self.paths)

    def __contains__(self, path: Path) -> bool:
        return path in self.paths

    def __iter__(self) -> Iterator[Path]:
        return iter(sorted(self.paths))

    def __or__(self, other: "FieldSet") -> "FieldSet":
        return FieldSet(self.paths | other.paths)

    def __sub__(self, other: "FieldSet") -> "FieldSet":
        return self if self.paths.isdisjoint(other.paths) else FieldSet(self.paths - other.paths)

    def __and__(self, other: "FieldSet") -> "FieldSet":
        return FieldSet(self.paths & other.paths)

    def without_below(self, prefixes: Iterable[Path]) -> "FieldSet":
        """The set without these paths and all that lies below them."""
        cut = tuple(prefixes)
        return FieldSet(path for path in self.paths if not any(path[: len(each)] == each for each in cut))

    def with_ancestors(self) -> frozenset[Path]:
        """Every path of the set, and every prefix of one."""
        found: set[Path] = set()
        for path in self.paths:
            while path and path not in found:
                found.add(path)
                path = path[:-1]
        return frozenset(found)

    @classmethod
    def from_wire(cls, fields: Mapping[str, Any]) -> "FieldSet":
        """Reads fieldsV1. Raises ValueError when it is none.

        The sets that were read last are remembered: those of an object are read at each write of it, and objects of a
        kind have the same.
        """
        if not isinstance(fields, dict):
            raise ValueError("fieldsV1 is no object")
        text = json.dumps(fields)
        return _remembered(text) if len(text) <= _MAX_REMEMBERED else cls(_walk(fields, ()))

    def to_wire(self) -> dict[str, Any]:
        """Writes fieldsV1: a member with members below it gets a ``.`` entry. Not to be changed by the caller."""
        if self._wire is None:
            self._wire = self._written()
        return self._wire

    def _written(self) -> dict[str, Any]:
        root: dict[str, Any] = {}
        for path in self:
            node = root
            for element in path:
                node = node.setdefault(element, {})
        for path in self:
            node = root
            for element in path:
                node = node[element]
            if node:
                node["."] = {}
        return _sorted(root)


@lru_cache(maxsize=1024)
def _remembered(text: str) -> FieldSet:
    return FieldSet(_walk(json.loads(text), ()))


def _walk(node: Mapping[str, Any], path: Path) -> Iterator[Path]:
    """The paths of fieldsV1 at a path. Raises ValueError."""
    for element, inner in node.items():
        if not isinstance(inner, dict) or (element[:2] not in _ELEMENTS and element != "."):
            raise ValueError(f"no field: {element}")
        if element == ".":
            yield path
        elif inner:
            yield from _walk(inner, (*path, _canonical(element)))
        else:
            yield (*path, _canonical(element))


def _canonical(element: str) -> str:
    if not element.startswith("k:"):
        return element
    try:
        keys = json.loads(element[2:])
    except RecursionError as error:
        raise ValueError("the keys of an item are too deep") from error
    if not isinstance(keys, dict):
        raise ValueError(f"no keys of an item: {element}")
    return key_element(keys)


def _sorted(node: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _sorted(node[name]) for name in sorted(node)}

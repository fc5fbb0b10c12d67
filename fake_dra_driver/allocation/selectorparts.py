"""What a selector is made of: which values of a device it looks at, and the conditions that it joins with ``&&``."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from fake_dra_driver.allocation.selectors import Selector
from fake_dra_driver.cel import CelSyntaxError
from fake_dra_driver.cel.lexer import tokens_of
from fake_dra_driver.cel.syntaxtree import (
    Call,
    Comprehension,
    Identifier,
    ListOf,
    Literal,
    MapOf,
    Node,
    Select,
)

__all__ = ["Reference", "conditions_of", "references_of"]

_FIELDS = ("driver", "allowMultipleAllocations")
_MAPS = ("attributes", "capacity")
_INDEXES = ("_[_]", "_[?_]", "_?._")
_OPEN, _CLOSED = "([{", ")]}"

_Path = tuple[str, ...]
"""How something is reached from the device, by constant names."""


class Reference(NamedTuple):
    """A value of a device that an expression names."""

    field: str
    """driver, allowMultipleAllocations, attributes, or capacity."""
    domain: str = ""
    name: str = ""
    """Of an attribute or a capacity."""


def references_of(selector: Selector) -> Sequence[Reference]:
    """The values that a selector names, each once, in its order. What it finds by a loop has no name in it."""
    return list(dict.fromkeys(_references(selector.root, {"device": ()})))


def _references(node: Node, known: Mapping[str, _Path]) -> Iterator[Reference]:
    """``known``: names that stand for a part of the device."""
    path = _path_of(node, known)
    if path is not None:
        found = _reference(path)
        if found is not None:
            yield found
            return
    match node:
        case Select():
            yield from _references(node.operand, known)
        case Call():
            for each in node.operands:
                yield from _references(each, known)
        case ListOf():
            for each in node.elements:
                yield from _references(each, known)
        case MapOf():
            for entry in node.entries:
                yield from _references(entry.key, known)
                yield from _references(entry.value, known)
        case Comprehension():
            yield from _of_loop(node, known)


def _of_loop(node: Comprehension, known: Mapping[str, _Path]) -> Iterator[Reference]:
    yield from _references(node.range, known)
    yield from _references(node.initial, known)
    inner = {name: path for name, path in known.items() if name not in (node.first, node.second, node.accumulator)}
    path = _path_of(node.initial, known) if node.is_binding else None
    if path is not None:
        inner[node.accumulator] = path
    for each in (node.condition, node.step, node.result):
        yield from _references(each, inner)


def _path_of(node: Node, known: Mapping[str, _Path]) -> _Path | None:
    match node:
        case Identifier():
            return known.get(node.name.removeprefix("."))
        case Select():
            inner, key = node.operand, node.field
        case Call(function=function, arguments=[operand, Literal(value=str() as text)]) if function in _INDEXES:
            inner, key = operand, text
        case Call(function="optional.of", arguments=[operand]):
            return _path_of(operand, known)
        case _:
            return None
    path = _path_of(inner, known)
    return None if path is None else (*path, key)


def _reference(path: _Path) -> Reference | None:
    match path:
        case (field,) if field in _FIELDS:
            return Reference(field)
        case (field, domain, name, *_) if field in _MAPS:
            return Reference(field, domain, name)
    return None


def conditions_of(expression: str) -> Sequence[str]:
    """The conditions that an expression joins with ``&&``, as they are written; the expression if it joins none."""
    try:
        tokens, issues = tokens_of(expression)
    except CelSyntaxError:
        return [expression]
    depth, begin = 0, 0
    found: list[str] = []
    for at, token in enumerate(tokens if not issues else ()):
        if token.kind == "operator":
            depth += (token.text in _OPEN) - (token.text in _CLOSED)
        elif token.kind != "end":
            continue
        before = tokens[max(at - 1, 0)].text
        if depth == 0 and (token.text == "||" or (token.text == "?" and before != ".")):
            # These bind less.
            return [expression]
        if depth == 0 and (token.text == "&&" or token.kind == "end"):
            found.append(expression[begin : token.at].strip())
            begin = token.at + len(token.text)
    return found or [expression]

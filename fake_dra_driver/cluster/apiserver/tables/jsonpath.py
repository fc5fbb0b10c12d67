"""JSONPath, as the printer columns of custom kinds use it.

Follows k8s.io/client-go/util/jsonpath (parser.go, jsonpath.go) with AllowMissingKeys: fields, indexes, slices, unions,
wildcards, recursive descent, and filters of one comparison. ``range``, functions and text outside of a path belong to
templates, and are refused.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

__all__ = ["JsonPathError", "parse_path"]

Spend = Callable[[int], None]
_Step = Callable[[list[Any], Spend], list[Any]]
_FIELD = re.compile(r"(?:\\.|[^\s.\[\]\\(){},'\"|@$])+")
_SLICE = re.compile(r"(-?\d*)(?:(:)(-?\d*)(?:(:)(-?\d*))?)?")
_FILTER = re.compile(r"^(.+?)\s*(?:(==|!=|<=|>=|<|>)\s*(.+))?$")
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda left, right: bool(left == right),
    "!=": lambda left, right: bool(left != right),
    "<": lambda left, right: bool(left < right),
    "<=": lambda left, right: bool(left <= right),
    ">": lambda left, right: bool(left > right),
    ">=": lambda left, right: bool(left >= right),
}


_MAX_LENGTH = 2_000
"""The longest path."""
_MAX_NESTING = 10
"""How deep filters may stand in filters."""
_LONGEST_INDEX = 18
"""Digits of an index; more than any list needs."""


class JsonPathError(ValueError):
    """The text is not a path, or it does not fit the types of the values on its way."""


def parse_path(text: str) -> Callable[[Any, Spend], list[Any]]:
    """Parses a path into a function that returns the values there, if any. Raises JsonPathError.

    The function is told whom to tell of each value that it looks at; it raises what that raises.
    """
    if len(text) > _MAX_LENGTH:
        raise JsonPathError("the path is too long")
    steps = list(_steps(text, _MAX_NESTING))

    def find(value: Any, spend: Spend) -> list[Any]:
        try:
            return _walk(steps, [value], spend)
        except JsonPathError:
            return []

    return find


def _walk(steps: Sequence[_Step], values: list[Any], spend: Spend) -> list[Any]:
    for step in steps:
        if len(values) > 1:  # a path of fields, as nearly all are, looks at little
            spend(len(values))
        values = step(values, spend)
    return values


def _steps(text: str, nesting: int) -> Iterator[_Step]:
    if nesting < 0:
        raise JsonPathError("filters nest too deep")
    at = 0
    while at < len(text):
        if text.startswith("..", at):
            yield _everything
            at += 1 if text[at + 2 : at + 3] not in ("[", "") else 2
        if text.startswith(".*", at):
            yield _values_of
            at += 2
        elif text.startswith("[", at):
            end = _closing(text, at)
            yield _bracket(text[at + 1 : end].strip(), nesting)
            at = end + 1
        elif text.startswith(".", at) and (found := _FIELD.match(text, at + 1)):
            yield _field(re.sub(r"\\(.)", r"\1", found[0]))
            at = found.end()
        elif text[at:] == ".":
            return
        else:
            raise JsonPathError(f"unrecognized character in path: {text[at:]}")


def _closing(text: str, start: int) -> int:
    """Where the bracket that opens at ``start`` closes. Quoted text and inner brackets are skipped."""
    depth, quote = 0, ""
    for at in range(start, len(text)):
        sign = text[at]
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        elif sign in "[]":
            depth += 1 if sign == "[" else -1
            if not depth:
                return at
    raise JsonPathError("unterminated array")


def _bracket(inner: str, nesting: int) -> _Step:
    if inner == "*":
        return _items
    if inner.startswith("?(") and inner.endswith(")"):
        return _filter(inner[2:-1].strip(), nesting - 1)
    if "," in inner:
        return _union([_bracket(part.strip(), nesting) for part in inner.split(",")])
    if len(inner) > 1 and inner[0] == inner[-1] == "'":
        # As in Go, dots within the quotes separate fields.
        steps = list(_steps(f".{inner[1:-1]}", nesting - 1))
        return lambda values, spend: _walk(steps, values, spend)
    found = _SLICE.fullmatch(inner)
    if found is None or not inner:
        raise JsonPathError(f"invalid array index {inner}")
    return _indexes(found)


def _field(name: str) -> _Step:
    return lambda values, _: [each[name] for each in values if isinstance(each, dict) and name in each]


def _values_of(values: list[Any], spend: Spend) -> list[Any]:
    found: list[Any] = []
    for each in values:
        if isinstance(each, dict):
            found += [each[key] for key in sorted(each)]
        elif isinstance(each, list):
            found += each
    spend(len(found))
    return found


def _items(values: list[Any], spend: Spend) -> list[Any]:
    found: list[Any] = []
    for each in values:
        found += _list(each)
    spend(len(found))
    return found


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise JsonPathError("not an array")
    return value


def _everything(values: list[Any], spend: Spend) -> list[Any]:
    """The values, and all that is in them, each before what is in it."""
    found: list[Any] = []
    waiting = values[::-1]
    while waiting:
        spend(1)
        found.append(waiting.pop())
        waiting += _values_of(found[-1:], spend)[::-1]
    return found


def _union(steps: Sequence[_Step]) -> _Step:
    return lambda values, spend: [value for step in steps for value in step(values, spend)]


def _indexes(found: re.Match[str]) -> _Step:
    if any(len(each) > _LONGEST_INDEX for each in found.groups(default="")):
        raise JsonPathError("invalid array index")
    first, is_range, last, _, step = found.groups()
    if step and int(step) <= 0:
        raise JsonPathError("step must be > 0")
    if not is_range:
        index = int(first)

        def one(values: list[Any], _: Spend) -> list[Any]:
            try:
                return [_list(each)[index] for each in values]
            except IndexError as error:
                raise JsonPathError("array index out of bounds") from error

        return one
    bounds = slice(*(int(each) if each else None for each in (first, last, step)))

    def some(values: list[Any], spend: Spend) -> list[Any]:
        found = [item for each in values for item in _list(each)[bounds]]
        spend(len(found))
        return found

    return some


def _filter(text: str, nesting: int) -> _Step:
    parsed = _FILTER.match(text)
    if parsed is None:
        raise JsonPathError("empty filter")
    left, operator, right = parsed.groups()
    find_left = _operand(left, nesting)
    if operator is None:
        return lambda values, spend: [item for item in _items(values, spend) if find_left(item, spend)]
    find_right, compare = _operand(right, nesting), _COMPARISONS[operator]

    def holds(item: Any, spend: Spend) -> bool:
        sides = find_left(item, spend), find_right(item, spend)
        if any(len(side) != 1 for side in sides):
            return False
        try:
            return compare(sides[0][0], sides[1][0])
        except TypeError as error:
            raise JsonPathError("incompatible types for comparison") from error

    return lambda values, spend: [item for item in _items(values, spend) if holds(item, spend)]


def _operand(text: str, nesting: int) -> Callable[[Any, Spend], list[Any]]:
    """One side of a filter: a path below ``@``, or a text, a number or a truth value."""
    if text.startswith("@"):
        steps = list(_steps(text[1:], nesting))
        return lambda item, spend: _walk(steps, [item], spend)
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return lambda _item, _spend: [text[1:-1]]
    if text in ("true", "false"):
        return lambda _item, _spend: [text == "true"]
    try:
        is_whole = re.fullmatch(rf"[-+]?\d{{1,{_LONGEST_INDEX}}}", text)
        number: int | float = int(text) if is_whole else float(text)
    except ValueError as error:
        raise JsonPathError(f"unrecognized operand {text}") from error
    return lambda _item, _spend: [number]

"""The operators of CEL on values."""

import operator
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["OPERATORS", "CelError", "as_bool", "as_mapping", "comprehend", "divide", "either", "index"]

Scope = Mapping[str, Any]
Evaluate = Callable[[Scope], Any]


class CelError(ValueError):
    """The rule cannot be evaluated on this value, such as when a field is not there."""


def as_bool(value: Any) -> bool:
    """The value, which must be a bool. Raises CelError."""
    if not isinstance(value, bool):
        raise CelError(f"{value!r} is not a bool")
    return value


def as_number(value: Any) -> Any:
    """The value, which must be a number. Raises CelError."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CelError(f"{value!r} is not a number")
    return value


def as_string(value: Any) -> str:
    """The value, which must be a string. Raises CelError."""
    if not isinstance(value, str):
        raise CelError(f"{value!r} is not a string")
    return value


def as_list(value: Any) -> list[Any]:
    """The value, which must be a list. Raises CelError."""
    if not isinstance(value, list):
        raise CelError(f"{value!r} is not a list")
    return value


def as_mapping(value: Any) -> Mapping[str, Any]:
    """The value, which must have fields. Raises CelError."""
    if not isinstance(value, Mapping):
        raise CelError(f"{value!r} has no fields")
    return value


def either(left: Evaluate, right: Evaluate, *, decides: bool) -> Evaluate:
    """``||`` (decides on true) and ``&&`` (on false): an error on one side does not matter if the other decides."""

    def evaluate(scope: Scope) -> bool:
        try:
            first = as_bool(left(scope))
        except CelError:
            if as_bool(right(scope)) is decides:
                return decides
            raise
        return decides if first is decides else as_bool(right(scope))

    return evaluate


def index(value: Any, at: Any) -> Any:
    """``value[at]``. Raises CelError."""
    try:
        if isinstance(value, list) and at < 0:
            raise IndexError(at)
        return value[at]
    except (LookupError, TypeError) as error:
        raise CelError(f"no such key: {at}") from error


def comprehend(name: str, values: Any, body: Callable[[Any], Any]) -> Any:
    """A macro over the items of a list or the keys of a map."""
    items = list(values)
    match name:
        case "all":
            return all(as_bool(body(each)) for each in items)
        case "exists":
            return any(as_bool(body(each)) for each in items)
        case "exists_one":
            return sum(as_bool(body(each)) for each in items) == 1
        case "filter":
            return [each for each in items if as_bool(body(each))]
        case _:
            return [body(each) for each in items]


def _equal(left: Any, right: Any) -> bool:
    same_kind = isinstance(left, bool) == isinstance(right, bool)
    return same_kind and bool(left == right)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def evaluate(left: Any, right: Any) -> bool:
        if isinstance(left, str) != isinstance(right, str):
            raise CelError(f"no such overload: {left!r} compared with {right!r}")
        return compare(left, right)

    return evaluate


def divide(left: Any, right: Any) -> Any:
    """Integers are divided towards zero. Raises CelError."""
    if right == 0 and isinstance(right, int):
        raise CelError("divide by zero")
    if isinstance(left, float) or isinstance(right, float):
        return left / right
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _add(left: Any, right: Any) -> Any:
    if type(left) is not type(right):
        raise CelError(f"no such overload: {left!r} + {right!r}")
    return left + right


OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": _equal,
    "!=": lambda left, right: not _equal(left, right),
    "<": _ordered(operator.lt),
    "<=": _ordered(operator.le),
    ">": _ordered(operator.gt),
    ">=": _ordered(operator.ge),
    "in": lambda left, right: left in right,
    "+": _add,
    "-": lambda left, right: as_number(left) - as_number(right),
    "*": lambda left, right: as_number(left) * as_number(right),
    "/": lambda left, right: divide(as_number(left), as_number(right)),
    "%": lambda left, right: left - right * divide(as_number(left), as_number(right)),
}

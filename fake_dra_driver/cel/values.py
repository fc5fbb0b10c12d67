"""The operators of CEL on values, each with what it costs."""

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from fake_dra_driver.cel.meter import Meter, text_cost

__all__ = [
    "NO_OVERLOAD",
    "OPERATORS",
    "CelError",
    "Evaluate",
    "Scope",
    "as_bool",
    "as_int64",
    "as_list",
    "as_mapping",
    "as_string",
    "compare",
    "comprehend",
    "equal",
    "index",
    "junction",
    "negated",
]

NO_OVERLOAD = "no such overload"
"""What cel-go says of a value of the wrong type."""
_ITERATION_COST = 3


class CelError(ValueError):
    """The rule cannot be evaluated on this value, such as when a field is not there."""


class Scope(NamedTuple):
    """Where an expression is evaluated: what its names stand for, and who counts the steps."""

    names: Mapping[str, Any]
    meter: Meter


Evaluate = Callable[[Scope], Any]


def as_bool(value: Any) -> bool:
    """The value, which must be a bool. Raises CelError."""
    if not isinstance(value, bool):
        raise CelError(NO_OVERLOAD)
    return value


def as_string(value: Any) -> str:
    """The value, which must be a string. Raises CelError."""
    if not isinstance(value, str):
        raise CelError(NO_OVERLOAD)
    return value


def as_list(value: Any) -> list[Any]:
    """The value, which must be a list. Raises CelError."""
    if not isinstance(value, list):
        raise CelError(NO_OVERLOAD)
    return value


def as_mapping(value: Any) -> Mapping[str, Any]:
    """The value, which must have fields. Raises CelError."""
    if not isinstance(value, Mapping):
        raise CelError(NO_OVERLOAD)
    return value


def as_int64(number: int) -> int:
    """The number, which must fit into 64 bits. Raises CelError."""
    if not -(2**63) <= number < 2**63:
        raise CelError("integer overflow")
    return number


def negated(value: Any) -> Any:
    """``-value``. Raises CelError."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CelError(NO_OVERLOAD)
    return as_int64(-value) if isinstance(value, int) else -value


def junction(sides: Sequence[Evaluate], *, decides: bool) -> Evaluate:
    """``||`` (decides on true) and ``&&`` (on false): an error on one side does not matter if another decides."""

    def evaluate(scope: Scope) -> bool:
        first_error: CelError | None = None
        for side in sides:
            scope.meter.spend(1)
            try:
                if as_bool(side(scope)) is decides:
                    return decides
            except CelError as error:
                first_error = first_error or error
        if first_error is not None:
            raise first_error
        return not decides

    return evaluate


def index(value: Any, at: Any) -> Any:
    """``value[at]``. Raises CelError."""
    if isinstance(value, list):
        if isinstance(at, bool) or not isinstance(at, int | float) or at != at // 1:
            raise CelError(NO_OVERLOAD)
        if not 0 <= at < len(value):
            raise CelError(f"index out of bounds: {at}")
        return value[int(at)]
    fields = as_mapping(value)
    if isinstance(at, list | dict):
        raise CelError(NO_OVERLOAD)
    if at not in fields:
        raise CelError(f"no such key: {at}")
    return fields[at]


def comprehend(name: str, values: Any, body: Callable[[Any], Any], meter: Meter) -> Any:
    """A macro over the items of a list or the keys of a map."""
    if not isinstance(values, list | Mapping):
        raise CelError(NO_OVERLOAD)
    match name:
        case "all" | "exists":
            return _quantified(values, body, meter, decides=name == "exists")
        case "exists_one":
            return sum(as_bool(each) for _, each in _iterated(values, body, meter)) == 1
        case "filter":
            return [item for item, keeps in _iterated(values, body, meter) if as_bool(keeps)]
        case _:
            return [made for _, made in _iterated(values, body, meter)]


def _iterated(values: Any, body: Callable[[Any], Any], meter: Meter) -> Any:
    for each in values:
        meter.spend(_ITERATION_COST)
        yield each, body(each)


def _quantified(values: Any, body: Callable[[Any], Any], meter: Meter, *, decides: bool) -> bool:
    """As with ``||`` and ``&&``, an error for one item does not matter if another item decides."""
    first_error: CelError | None = None
    for each in values:
        meter.spend(_ITERATION_COST)
        try:
            if as_bool(body(each)) is decides:
                return decides
        except CelError as error:
            first_error = first_error or error
    if first_error is not None:
        raise first_error
    return not decides


def equal(left: Any, right: Any, meter: Meter) -> bool:
    """``==``. Values that an expression has made may contain one list many times: each comparison costs."""
    waiting = [(left, right)]
    while waiting:
        one, other = waiting.pop()
        if isinstance(one, list) and isinstance(other, list):
            meter.spend(1 + len(one))
            if len(one) != len(other):
                return False
            waiting += zip(one, other, strict=True)
        elif isinstance(one, Mapping) and isinstance(other, Mapping):
            meter.spend(1 + len(one))
            if one.keys() != other.keys():
                return False
            waiting += [(one[key], other[key]) for key in one]
        else:
            meter.spend(_scalar_cost(one, other))
            if isinstance(one, bool) is not isinstance(other, bool) or isinstance(one, list | Mapping) or one != other:
                return False
    return True


def _scalar_cost(left: Any, right: Any) -> int:
    both_text = isinstance(left, str) and isinstance(right, str)
    return text_cost(min(len(left), len(right))) if both_text else 1


def compare(test: Callable[[Any, Any], bool], left: Any, right: Any, meter: Meter) -> bool:
    """``<`` and the like, of two texts, two numbers or two truth values. Raises CelError."""
    meter.spend(_scalar_cost(left, right))
    kinds = {_ORDERED.get(type(left)), _ORDERED.get(type(right))}
    if len(kinds) > 1 or None in kinds:
        raise CelError(NO_OVERLOAD)
    return test(left, right)


_ORDERED: Mapping[type, str] = {str: "string", bool: "bool", int: "number", float: "number"}


def _contains(left: Any, right: Any, meter: Meter) -> bool:
    if isinstance(right, list):
        return any(equal(left, each, meter) for each in right)
    meter.spend(1)
    fields = as_mapping(right)
    return not isinstance(left, list | Mapping) and left in fields


def _add(left: Any, right: Any, meter: Meter) -> Any:
    if isinstance(left, str) and isinstance(right, str):
        meter.spend(text_cost(len(left) + len(right)))
        return left + right
    if isinstance(left, list) and isinstance(right, list):
        meter.spend(1 + len(left) + len(right))
        return left + right
    return _calculate(operator.add, left, right, meter)


def _calculate(operate: Callable[[Any, Any], Any], left: Any, right: Any, meter: Meter) -> Any:
    """Two integers, or two doubles. Raises CelError."""
    meter.spend(1)
    if type(left) is type(right) is int:
        return as_int64(operate(left, right))
    if type(left) is type(right) is float:
        return operate(left, right)
    raise CelError(NO_OVERLOAD)


def _divide(left: Any, right: Any) -> Any:
    """Integers are divided towards zero. Raises CelError."""
    if isinstance(left, float):
        if right:
            return left / right
        return math.nan if not left or math.isnan(left) else math.copysign(math.inf, left) * math.copysign(1, right)
    if not right:
        raise CelError("division by zero")
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _modulo(left: Any, right: Any) -> Any:
    if isinstance(left, float):
        raise CelError(NO_OVERLOAD)
    if not right:
        raise CelError("modulus by zero")
    return left - right * _divide(left, right)


Operate = Callable[[Any, Any, Meter], Any]


def _comparison(test: Callable[[Any, Any], bool]) -> Operate:
    return lambda left, right, meter: compare(test, left, right, meter)


def _arithmetic(operate: Callable[[Any, Any], Any]) -> Operate:
    return lambda left, right, meter: _calculate(operate, left, right, meter)


OPERATORS: Mapping[str, Operate] = {
    "==": equal,
    "!=": lambda left, right, meter: not equal(left, right, meter),
    "<": _comparison(operator.lt),
    "<=": _comparison(operator.le),
    ">": _comparison(operator.gt),
    ">=": _comparison(operator.ge),
    "in": _contains,
    "+": _add,
    "-": _arithmetic(operator.sub),
    "*": _arithmetic(operator.mul),
    "/": _arithmetic(_divide),
    "%": _arithmetic(_modulo),
}

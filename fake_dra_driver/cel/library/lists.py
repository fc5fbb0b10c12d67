"""The libraries for lists: Kubernetes' pkg/cel/library/lists.go, and cel-go's ext/lists.go, version 3."""

import operator
from collections.abc import Callable, Sequence
from functools import cmp_to_key, reduce
from itertools import pairwise
from typing import Any

from fake_dra_driver.cel.bounds import UNLIMITED, Bounds, exactly
from fake_dra_driver.cel.errors import CelError
from fake_dra_driver.cel.library.costs import allocating, list_walk
from fake_dra_driver.cel.macro import SORT_MACROS
from fake_dra_driver.cel.operators import add, compare, equal
from fake_dra_driver.cel.overload import CallEstimate, Cost, Library, Operand, Overload, function, method
from fake_dra_driver.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    UINT,
    Type,
    list_of,
    parameter,
)
from fake_dra_driver.cel.value import Duration, Uint, type_of

__all__ = ["INCLUDES", "LISTS", "MORE_LISTS"]

Spend = Callable[[int], None]
_T = parameter("T")
_LIST = list_of(_T)
_COMPARABLE = (INT, UINT, DOUBLE, BOOL, DURATION, TIMESTAMP, STRING, BYTES)
_ZEROS = ((INT, 0), (UINT, Uint(0)), (DOUBLE, 0.0), (DURATION, Duration(0)))
_MAX_RANGE = 10_000_000


# --- Kubernetes' ---


def _is_sorted(values: Sequence[Any]) -> bool:
    return not any(_holds(operator.gt, one, following) for one, following in pairwise(values))


def _holds(test: Callable[[Any, Any], bool], one: Any, other: Any) -> bool:
    """Values that have no order, such as those that are no numbers, are in order."""
    try:
        return compare(test, one, other)
    except CelError:
        return False


def _sum_from(zero: Any) -> Callable[[Sequence[Any]], Any]:
    return lambda values: reduce(add, values, zero)


def _extreme(name: str, test: Callable[[Any, Any], bool]) -> Callable[[Sequence[Any]], Any]:
    def call(values: Sequence[Any]) -> Any:
        if not values:
            raise CelError(f"{name} called on empty list")
        return reduce(lambda best, each: each if _holds(test, each, best) else best, values)

    return call


def _position(spend: Spend, values: Sequence[Any], wanted: Any, places: Sequence[int]) -> int:
    return next((at for at in places if _is_equal(values[at], wanted, spend)), -1)


def _is_equal(one: Any, other: Any, spend: Spend) -> bool:
    """Values that cannot be compared are not equal here."""
    try:
        return equal(one, other, spend)
    except CelError:
        return False


def _index_of(spend: Spend, values: Sequence[Any], wanted: Any) -> int:
    return _position(spend, values, wanted, range(len(values)))


def _last_index_of(spend: Spend, values: Sequence[Any], wanted: Any) -> int:
    return _position(spend, values, wanted, range(len(values) - 1, -1, -1))


def _includes(spend: Spend, values: Any, wanted: Any) -> bool:
    return any(_is_equal(each, wanted, spend) for each in (values if isinstance(values, list) else [values]))


def _for_each(
    name: str, types: Sequence[Type], call: Callable[..., Any], *, gives: Type | None = None
) -> tuple[Overload, ...]:
    return tuple(
        method(f"list_{each.kind}_{name}", (list_of(each),), gives or each, call, cost=list_walk) for each in types
    )


_SEARCH: dict[str, Any] = {"cost": list_walk, "counts_steps": True}
LISTS = Library(
    {
        "isSorted": _for_each("is_sorted", _COMPARABLE, _is_sorted, gives=BOOL),
        "sum": tuple(
            method(f"list_{each.kind}_sum", (list_of(each),), each, _sum_from(zero), cost=list_walk)
            for each, zero in _ZEROS
        ),
        "min": _for_each("min", _COMPARABLE, _extreme("min", operator.lt)),
        "max": _for_each("max", _COMPARABLE, _extreme("max", operator.gt)),
        "indexOf": (method("list_a_index_of_int", (_LIST, _T), INT, _index_of, **_SEARCH),),
        "lastIndexOf": (method("list_a_last_index_of_int", (_LIST, _T), INT, _last_index_of, **_SEARCH),),
    }
)
INCLUDES = Library({"includes": (method("list_includes_dyn_dyn", (DYN, DYN), BOOL, _includes, **_SEARCH),)})


# --- cel-go's ---


def _slice(values: Sequence[Any], start: int, end: int) -> Sequence[Any]:
    problem = f"cannot slice({start}, {end}), "
    if start < 0 or end < 0:
        raise CelError(f"{problem}negative indexes not supported")
    if start > end:
        raise CelError(f"{problem}start index must be less than or equal to end index")
    if len(values) < end:
        raise CelError(f"{problem}list is length {len(values)}")
    return values[start:end]


def _flatten(spend: Spend, values: Any, depth: int = 1) -> list[Any]:
    if not isinstance(values, list):
        raise CelError(f"no such overload: {type_of(values).name}.flatten()")
    if depth < 0:
        raise CelError("level must be non-negative")
    spend(len(values))
    while depth and any(isinstance(each, list) for each in values):
        spend(sum(len(each) if isinstance(each, list) else 1 for each in values))
        values = [item for each in values for item in (each if isinstance(each, list) else [each])]
        depth -= 1
    return list(values)


def _sort(values: Sequence[Any]) -> list[Any]:
    return _sort_by(values, values)


def _sort_by(values: Sequence[Any], keys: Sequence[Any]) -> list[Any]:
    if len(values) != len(keys):
        raise CelError(
            "@sortByAssociatedKeys() expected a list of the same size as the associated keys list, but got "
            f"{len(values)} and {len(keys)} elements respectively"
        )
    if any(type_of(each) != type_of(keys[0]) for each in keys):
        raise CelError("list elements must have the same type")

    def order(one: int, other: int) -> int:
        return compare(operator.gt, keys[one], keys[other]) - compare(operator.lt, keys[one], keys[other])

    return [values[at] for at in sorted(range(len(values)), key=cmp_to_key(order))]


def _range(size: int) -> list[int]:
    if size < 0:
        raise CelError(f"lists.range: size must be non-negative, got {size}")
    if size > _MAX_RANGE:
        raise CelError(f"lists.range: size {size} exceeds maximum allowed ({_MAX_RANGE})")
    return list(range(size))


def _distinct(spend: Spend, values: Sequence[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if not any(_is_equal(value, each, spend) for each in found):
            found.append(value)
    return found


def _size(values: Any) -> int:
    return len(values) if isinstance(values, list) else 1


def _slice_estimate(operands: Sequence[Operand]) -> CallEstimate:
    start, end = operands[1].constant, operands[2].constant
    first = max(start, 0) if isinstance(start, int) else 0
    last = max(end, 0) if isinstance(end, int) else operands[0].size.most
    return allocating(1, exactly((last - first) % 2**64))


def _range_estimate(operands: Sequence[Operand]) -> CallEstimate:
    size = operands[0].constant
    return allocating(1, exactly(max(size, 0) if isinstance(size, int) else UNLIMITED))


def _flatten_estimate(operands: Sequence[Operand]) -> CallEstimate:
    depth = operands[1].constant if len(operands) > 1 else 1
    return allocating(float(max(depth, 0) if isinstance(depth, int) else UNLIMITED), operands[0].size)


def _squared(factor: float, keys: int = 0) -> Callable[[Sequence[Operand]], CallEstimate]:
    def estimate(operands: Sequence[Operand]) -> CallEstimate:
        size: Bounds = operands[keys].size
        return allocating(factor, size.times(size))

    return estimate


_COMPARISONS = 2
_SLICE = Cost(_slice_estimate, lambda _, start, end: 11 + max(end - start, 0))
_FLATTEN = Cost(_flatten_estimate, lambda *_: 11)
_RANGE = Cost(_range_estimate, lambda size: 11 + max(size, 0))
_REVERSE = Cost(lambda operands: allocating(1, operands[0].size), lambda values: 11 + _size(values))
_DISTINCT = Cost(_squared(_COMPARISONS), lambda values: 11 + _COMPARISONS * _size(values) ** 2)


def _sort_cost(type_: Type, keys: int = 0) -> Cost:
    factor = _COMPARISONS + (0.1 if type_ in (STRING, BYTES) else 0)
    return Cost(_squared(factor, keys), lambda *values: 11 + int(factor * _size(values[keys]) ** 2))


MORE_LISTS = Library(
    {
        "slice": (method("list_slice", (_LIST, INT, INT), _LIST, _slice, cost=_SLICE),),
        "flatten": (
            method(
                "list_flatten", (list_of(_LIST),), _LIST, _flatten, cost=_FLATTEN, counts_steps=True, is_checked=True
            ),
            method("list_flatten_int", (list_of(DYN), INT), list_of(DYN), _flatten, cost=_FLATTEN, counts_steps=True),
        ),
        "sort": tuple(
            method(f"list_{each.kind}_sort", (list_of(each),), list_of(each), _sort, cost=_sort_cost(each))
            for each in _COMPARABLE
        ),
        "@sortByAssociatedKeys": tuple(
            method(
                f"list_{each.kind}_sortByAssociatedKeys",
                (_LIST, list_of(each)),
                _LIST,
                _sort_by,
                cost=_sort_cost(each, keys=1),
            )
            for each in _COMPARABLE
        ),
        "lists.range": (function("lists_range", (INT,), list_of(INT), _range, cost=_RANGE),),
        "reverse": (method("list_reverse", (_LIST,), _LIST, lambda values: values[::-1], cost=_REVERSE),),
        "distinct": (method("list_distinct", (_LIST,), _LIST, _distinct, cost=_DISTINCT, counts_steps=True),),
    },
    SORT_MACROS,
)

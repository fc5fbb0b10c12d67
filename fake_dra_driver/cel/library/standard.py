"""The operators and functions that every expression can use.

Follows cel-go's common/stdlib/standard.go.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fake_dra_driver.cel.bounds import Bounds, exactly
from fake_dra_driver.cel.errors import NO_OVERLOAD, CelError
from fake_dra_driver.cel.library.conversions import CONVERSIONS
from fake_dra_driver.cel.library.costs import pattern_search, read, smaller_of_both
from fake_dra_driver.cel.library.times import TIME_FUNCTIONS
from fake_dra_driver.cel.macro import STANDARD_MACROS
from fake_dra_driver.cel.meter import text_cost
from fake_dra_driver.cel.operators import (
    add,
    contains,
    divide,
    equal,
    index,
    modulo,
    multiply,
    negate,
    ordered,
    size_of,
    subtract,
)
from fake_dra_driver.cel.overload import (
    CallEstimate,
    Cost,
    Functions,
    Library,
    Operand,
    Overload,
    free,
    function,
    method,
)
from fake_dra_driver.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    NULL,
    STRING,
    TIMESTAMP,
    UINT,
    Type,
    list_of,
    map_of,
    parameter,
    type_of_types,
)
from fake_dra_driver.cel.value import type_of
from fake_dra_driver.re2 import PatternError, compile_pattern

__all__ = ["STANDARD", "STANDARD_WITHOUT_MIXED_ORDER", "pattern_of"]

_A, _B = parameter("A"), parameter("B")
_LIST, _MAP = list_of(_A), map_of(_A, _B)


# --- operators ---


def _not_planned(*_: Any) -> Any:
    """Operators that decide which of their operands are evaluated have no function."""
    raise CelError(NO_OVERLOAD)


def _either(operands: Sequence[Operand]) -> CallEstimate:
    return CallEstimate(exactly(0), operands[1].size.union(operands[2].size))


def _joined(operands: Sequence[Operand]) -> CallEstimate:
    size = operands[0].size.plus(operands[1].size)
    return CallEstimate(size.read, size)


def _joined_lists(operands: Sequence[Operand]) -> CallEstimate:
    return CallEstimate(exactly(1), operands[0].size.plus(operands[1].size))


_JOIN_TEXTS = Cost(_joined, lambda one, other: text_cost(size_of(one) + size_of(other)))
# Unlike cel-go, Python copies the lists.
_JOIN_LISTS = Cost(_joined_lists, lambda one, other: 1 + size_of(one) + size_of(other))
_SEARCH_LIST = Cost(lambda operands: CallEstimate(operands[1].size), lambda *_: 1)


def _operator(
    kinds: Mapping[str, tuple[Type, Type, Type]], name: str, call: Callable[..., Any]
) -> tuple[Overload, ...]:
    """An operator for the kinds of values, each with the types of its operands and its result."""
    return tuple(
        function(f"{name}_{kind}", takes, gives, call, is_checked=True, cost=_ARITHMETIC_COSTS.get(kind, _ANY_SUM))
        for kind, (*takes, gives) in kinds.items()
    )


_ANY_SUM = Cost(lambda _: CallEstimate(exactly(1)), lambda one, other: text_cost(_length(one) + _length(other)))
_ARITHMETIC_COSTS = {"string": _JOIN_TEXTS, "bytes": _JOIN_TEXTS, "list": _JOIN_LISTS}


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str | bytes | list) else 0


def _same(*types: Type) -> dict[str, tuple[Type, Type, Type]]:
    return {each.kind: (each, each, each) for each in types}


_SUMS = {
    "bytes": (BYTES, BYTES, BYTES),
    "double": (DOUBLE, DOUBLE, DOUBLE),
    "duration_duration": (DURATION, DURATION, DURATION),
    "duration_timestamp": (DURATION, TIMESTAMP, TIMESTAMP),
    "timestamp_duration": (TIMESTAMP, DURATION, TIMESTAMP),
    "int64": (INT, INT, INT),
    "list": (_LIST, _LIST, _LIST),
    "string": (STRING, STRING, STRING),
    "uint64": (UINT, UINT, UINT),
}
_DIFFERENCES = {
    "double": (DOUBLE, DOUBLE, DOUBLE),
    "duration_duration": (DURATION, DURATION, DURATION),
    "int64": (INT, INT, INT),
    "timestamp_duration": (TIMESTAMP, DURATION, TIMESTAMP),
    "timestamp_timestamp": (TIMESTAMP, TIMESTAMP, DURATION),
    "uint64": (UINT, UINT, UINT),
}


def _order(name: str, *, across_numbers: bool) -> tuple[Overload, ...]:
    call = ordered(name)
    pairs = [(each, each) for each in (BOOL, INT, UINT, DOUBLE, STRING, BYTES, TIMESTAMP, DURATION)]
    if across_numbers:
        numbers = (INT, DOUBLE, UINT)
        pairs += [(one, other) for one in numbers for other in numbers if one is not other]
    return tuple(
        function(
            f"{name}_{one}_{other}",
            (one, other),
            BOOL,
            call,
            is_checked=True,
            cost=smaller_of_both if one in (STRING, BYTES) else _ANY_ORDER,
        )
        for one, other in pairs
    )


_ANY_ORDER = Cost(lambda _: CallEstimate(exactly(1)), smaller_of_both.actual)


def _equality(name: str) -> tuple[Overload, ...]:
    def call(one: Any, other: Any) -> bool:
        return equal(one, other, free) is (name == "_==_")

    cost = _EQUALITY if name == "_==_" else smaller_of_both
    return (function(name, (_A, _A), BOOL, call, is_checked=True, cost=cost),)


_SMALL_TYPES = ("kubernetes.Quantity", "kubernetes.Semver", "net.IP", "net.CIDR")
_READ_TYPES = {"kubernetes.NamedFormat": 64}
"""Of types of Kubernetes, whose sizes are not known otherwise."""


def _equality_estimate(operands: Sequence[Operand]) -> CallEstimate:
    name = operands[0].type.name if operands[0].type == operands[1].type else ""
    if name in _SMALL_TYPES:
        return CallEstimate(exactly(1))
    if name in _READ_TYPES:
        return CallEstimate(Bounds(1, _READ_TYPES[name]).read)
    return smaller_of_both.estimate(operands)


_EQUALITY = Cost(_equality_estimate, smaller_of_both.actual)


_ORDERS = ("_<_", "_<=_", "_>_", "_>=_")
_LOGIC = Cost(lambda _: CallEstimate(exactly(0)), lambda *_: 0)
_OPERATORS: Functions = {
    "_?_:_": (function("conditional", (BOOL, _A, _A), _A, _not_planned, cost=Cost(_either, lambda *_: 0)),),
    "_&&_": (function("logical_and", (BOOL, BOOL), BOOL, _not_planned, cost=_LOGIC),),
    "_||_": (function("logical_or", (BOOL, BOOL), BOOL, _not_planned, cost=_LOGIC),),
    "!_": (function("logical_not", (BOOL,), BOOL, _not_planned),),
    "@not_strictly_false": (function("not_strictly_false", (BOOL,), BOOL, _not_planned),),
    "_==_": _equality("_==_"),
    "_!=_": _equality("_!=_"),
    "_+_": _operator(_SUMS, "add", add),
    "_-_": _operator(_DIFFERENCES, "subtract", subtract),
    "_*_": _operator(_same(DOUBLE, INT, UINT), "multiply", multiply),
    "_/_": _operator(_same(DOUBLE, INT, UINT), "divide", divide),
    "_%_": _operator(_same(INT, UINT), "modulo", modulo),
    "-_": tuple(function(f"negate_{each.kind}", (each,), each, negate, is_checked=True) for each in (DOUBLE, INT)),
    "@in": (
        function("in_list", (_A, _LIST), BOOL, lambda one, many: contains(one, many, free), cost=_SEARCH_LIST),
        function("in_map", (_A, _MAP), BOOL, lambda one, many: contains(one, many, free)),
    ),
    "_[_]": (
        function("index_list", (_LIST, INT), _A, index, is_checked=True),
        function("index_map", (_MAP, _A), _B, index, is_checked=True),
    ),
}


# --- functions ---


def _of_texts(call: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    def checked(text: Any, part: Any) -> bool:
        if not isinstance(text, str) or not isinstance(part, str):
            raise CelError(NO_OVERLOAD)
        return call(text, part)

    return checked


def pattern_of(text: str) -> Any:
    """The pattern of a text. Raises CelError."""
    try:
        return compile_pattern(text)
    except PatternError as error:
        raise CelError(str(error)) from error


def _matches(spend: Callable[[int], None], text: Any, pattern: Any) -> bool:
    if not isinstance(text, str) or not isinstance(pattern, str):
        raise CelError(NO_OVERLOAD)
    return bool(pattern_of(pattern).search(text, spend))


def _part_cost(operands: Sequence[Operand]) -> CallEstimate:
    return CallEstimate(operands[0].size.read.times(operands[1].size.read))


def _match_cost(operands: Sequence[Operand]) -> CallEstimate:
    return CallEstimate(pattern_search.estimate(operands).cost)


def _text_test(name: str, call: Callable[[str, str], bool], cost: Cost) -> tuple[Overload, ...]:
    return (method(name, (STRING, STRING), BOOL, _of_texts(call), cost=cost, is_checked=True),)


def _size(value: Any) -> int:
    if not isinstance(value, str | bytes | list | Mapping):
        raise CelError(f"{NO_OVERLOAD}: size")
    return len(value)


_SIZES = (("string", STRING), ("bytes", BYTES), ("list", _LIST), ("map", _MAP))
_MATCHING: dict[str, Any] = {
    "cost": Cost(_match_cost, lambda _, pattern: size_of(pattern)),
    "counts_steps": True,
    "is_checked": True,
}
_PART = Cost(_part_cost, lambda text, part: text_cost(size_of(text) + size_of(part)))
_FUNCTIONS: Functions = {
    "size": (
        *(function(f"size_{name}", (each,), INT, _size, is_checked=True) for name, each in _SIZES),
        *(method(f"{name}_size", (each,), INT, _size, is_checked=True) for name, each in _SIZES),
    ),
    "type": (function("type", (_A,), type_of_types(_A), type_of),),
    "contains": _text_test("contains_string", str.__contains__, _PART),
    "startsWith": _text_test("starts_with_string", str.startswith, read(1)),
    "endsWith": _text_test("ends_with_string", str.endswith, read(1)),
    "matches": (
        function("matches", (STRING, STRING), BOOL, _matches, **_MATCHING),
        method("matches_string", (STRING, STRING), BOOL, _matches, **_MATCHING),
    ),
}
_TYPES = {
    "bool": BOOL,
    "bytes": BYTES,
    "double": DOUBLE,
    "int": INT,
    "list": list_of(DYN),
    "map": map_of(DYN, DYN),
    "null_type": NULL,
    "string": STRING,
    "type": type_of_types(),
    "uint": UINT,
    "google.protobuf.Duration": DURATION,
    "google.protobuf.Timestamp": TIMESTAMP,
}


def _standard(*, across_numbers: bool) -> Library:
    orders = {name: _order(name, across_numbers=across_numbers) for name in _ORDERS}
    functions = {**_OPERATORS, **orders, **_FUNCTIONS, **CONVERSIONS, **TIME_FUNCTIONS}
    return Library(functions, STANDARD_MACROS, _TYPES)


STANDARD = _standard(across_numbers=True)
STANDARD_WITHOUT_MIXED_ORDER = _standard(across_numbers=False)
"""Before Kubernetes allowed ``1 < 1.5`` (CrossTypeNumericComparisons)."""

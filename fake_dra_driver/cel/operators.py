"""What the operators of CEL do with values.

Follows cel-go's common/types. What may take long is told of its steps (``spend``) while it runs.
"""

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from fake_dra_driver.cel.errors import NO_OVERLOAD, CelError
from fake_dra_driver.cel.meter import text_cost
from fake_dra_driver.cel.value import (
    NONE,
    Duration,
    Extension,
    Optional,
    Timestamp,
    Uint,
    as_int64,
    as_uint64,
    duration_of,
    timestamp_of,
    type_of,
)

__all__ = [
    "MISSING",
    "add",
    "check_hashable",
    "compare",
    "contains",
    "divide",
    "equal",
    "find",
    "find_optional",
    "index",
    "modulo",
    "multiply",
    "negate",
    "ordered",
    "size_of",
    "subtract",
]

Spend = Callable[[int], None]

MISSING = object()
"""What is not there."""


def size_of(value: Any) -> int:
    """How much it costs to look at a value, in characters or items."""
    if isinstance(value, str | bytes | list | Mapping):
        return len(value)
    if isinstance(value, Extension):
        return value.size
    if isinstance(value, Optional) and value.has_value:
        return size_of(value.value)
    return 1


# --- equality and order ---


def equal(left: Any, right: Any, spend: Spend) -> bool:
    """``==``. Values that an expression has made may contain one list many times: each comparison costs.

    Raises CelError: a value of a library's own type cannot be compared with one of another type. In a list or a map,
    cel-go takes that for equality.
    """
    if type(left) is type(right) and type(left) in _PLAIN:
        spend(_scalar_cost(left, right))
        return bool(left == right)
    is_nested = isinstance(left, list | Mapping)
    waiting = [(left, right)]
    while waiting:
        one, other = waiting.pop()
        while isinstance(one, Optional) and isinstance(other, Optional) and one.has_value and other.has_value:
            one, other = one.value, other.value
        if isinstance(one, list) and isinstance(other, list):
            spend(1 + len(one))
            if len(one) != len(other):
                return False
            waiting += zip(reversed(one), reversed(other), strict=True)
        elif isinstance(one, Mapping) and isinstance(other, Mapping):
            spend(1 + len(one))
            if len(one) != len(other) or any(find(other, key) is MISSING for key in one):
                return False
            waiting += [(one[key], other[key]) for key in one]
        else:
            spend(_scalar_cost(one, other))
            try:
                if not _is_same(one, other):
                    return False
            except CelError:
                if not is_nested:
                    raise
    return True


_PLAIN = (str, int, bool)
"""The types of most values, which are compared as Python does."""


def _is_same(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return one is other
    if isinstance(one, Extension):
        return one.equals(other)
    if isinstance(one, bool) is not isinstance(other, bool) or isinstance(one, list | Mapping):
        return False
    return _as_numbers(one, other, operator.eq)


def _as_numbers(left: Any, right: Any, test: Callable[[Any, Any], bool]) -> bool:
    """Compares two values. An integer and a double are compared as doubles, so that large ones may lose digits."""
    if isinstance(left, float) and isinstance(right, int):
        right = float(right)
    elif isinstance(left, int) and isinstance(right, float):
        left = float(left)
    return bool(test(left, right))


def _scalar_cost(left: Any, right: Any) -> int:
    both_text = isinstance(left, str) and isinstance(right, str)
    return text_cost(min(len(left), len(right))) if both_text else 1


_ORDERED: Mapping[type, str] = {
    bool: "bool",
    int: "number",
    Uint: "number",
    float: "number",
    str: "string",
    bytes: "bytes",
    Timestamp: "timestamp",
    Duration: "duration",
}


def compare(test: Callable[[Any, Any], bool], left: Any, right: Any) -> bool:
    """``<`` and the like. Raises CelError."""
    order = _ORDERED.get(type(left))
    if order is None or order != _ORDERED.get(type(right)):
        raise CelError(NO_OVERLOAD)
    if order == "number" and (left != left or right != right):
        raise CelError("NaN values cannot be ordered")
    return _as_numbers(left, right, test)


def ordered(name: str) -> Callable[[Any, Any], bool]:
    """The function of an operator of order."""
    test = {"_<_": operator.lt, "_<=_": operator.le, "_>_": operator.gt, "_>=_": operator.ge}[name]
    return lambda left, right: compare(test, left, right)


# --- arithmetic ---

Operate = Callable[[Any, Any], Any]
_Table = Mapping[tuple[type, type], Operate]


_RECEIVERS = (str, Timestamp, Duration)
"""Types whose values cel-go asks themselves what they cannot do."""


def _calculate(name: str, table: _Table) -> Operate:
    """An operator that does something for some pairs of types."""
    known = {left for left, _ in table}

    def operate(left: Any, right: Any) -> Any:
        found = table.get((type(left), type(right)))
        if found is None:
            raise CelError(NO_OVERLOAD if type(left) in known or type(left) in _RECEIVERS else f"{NO_OVERLOAD}: {name}")
        return found(left, right)

    return operate


def _whole(operate: Operate) -> Operate:
    return lambda left, right: as_int64(operate(left, right))


def _unsigned(operate: Operate) -> Operate:
    return lambda left, right: as_uint64(operate(int(left), int(right)))


def _divide_doubles(left: float, right: float) -> float:
    if right:
        return left / right
    return math.nan if not left or math.isnan(left) else math.copysign(math.inf, left) * math.copysign(1, right)


def _divide_whole(left: int, right: int) -> int:
    """Towards zero."""
    if not right:
        raise CelError("division by zero")
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _modulo_whole(left: int, right: int) -> int:
    if not right:
        raise CelError("modulus by zero")
    return left - right * _divide_whole(left, right)


def _times(operate: Operate) -> Mapping[tuple[type, type], Operate]:
    return {
        (int, int): _whole(operate),
        (Uint, Uint): _unsigned(operate),
        (float, float): operate,
    }


def _moved(moment: Timestamp, nanoseconds: int) -> Timestamp:
    return timestamp_of(moment.nanoseconds + nanoseconds, moment.offset_minutes)


add = _calculate(
    "_+_",
    {
        **_times(operator.add),
        (str, str): operator.add,
        (bytes, bytes): operator.add,
        (list, list): operator.add,
        (Duration, Duration): lambda one, other: duration_of(one.nanoseconds + other.nanoseconds),
        (Duration, Timestamp): lambda span, moment: _moved(moment, span.nanoseconds),
        (Timestamp, Duration): lambda moment, span: _moved(moment, span.nanoseconds),
    },
)
"""``+``. Raises CelError."""
subtract = _calculate(
    "_-_",
    {
        **_times(operator.sub),
        (Duration, Duration): lambda one, other: duration_of(one.nanoseconds - other.nanoseconds),
        (Timestamp, Duration): lambda moment, span: _moved(moment, -span.nanoseconds),
        (Timestamp, Timestamp): lambda one, other: duration_of(one.nanoseconds - other.nanoseconds),
    },
)
"""``-``. Raises CelError."""
multiply = _calculate("_*_", _times(operator.mul))
"""``*``. Raises CelError."""
divide = _calculate(
    "_/_",
    {
        (int, int): _whole(_divide_whole),
        (Uint, Uint): _unsigned(_divide_whole),
        (float, float): _divide_doubles,
    },
)
"""``/``. Raises CelError."""
modulo = _calculate("_%_", {(int, int): _whole(_modulo_whole), (Uint, Uint): _unsigned(_modulo_whole)})
"""``%``. Raises CelError."""


def negate(value: Any) -> Any:
    """``-value``. Raises CelError."""
    match value:
        case bool():
            raise CelError(NO_OVERLOAD)
        case float():
            return -value
        case int() if not isinstance(value, Uint):
            return as_int64(-value)
        case Duration():
            return duration_of(-value.nanoseconds)
        case _:
            raise CelError(NO_OVERLOAD if type(value) in _RECEIVERS else f"{NO_OVERLOAD}: -_")


# --- containers ---

_KEYS = (bool, int, float, str)
"""What a key of a map may be, or be equal to."""


def find(value: Any, key: Any) -> Any:
    """``value[key]``, or MISSING. Raises CelError if there can be no such key."""
    if isinstance(value, Mapping):
        if not isinstance(key, _KEYS):
            return MISSING
        found = value.get(key, MISSING)
        if found is not MISSING and key in (0, 1):
            # To Python, true and 1 are one key.
            is_there = any(each == key and isinstance(each, bool) is isinstance(key, bool) for each in value)
            return found if is_there else MISSING
        return found
    if isinstance(value, list):
        if isinstance(key, bool) or not isinstance(key, int | float):
            raise CelError(f"unsupported index type '{type_of(key).name}' in list")
        if key != key // 1:
            raise CelError(f"unsupported index value {key} in list")
        return value[int(key)] if 0 <= key < len(value) else MISSING
    return MISSING


def index(value: Any, key: Any) -> Any:
    """``value[key]``, or ``value.key``. Raises CelError."""
    if isinstance(value, Optional):
        return find_optional(value, key)
    found = find(value, key)
    if found is MISSING:
        raise CelError(f"index out of bounds: {key}" if isinstance(value, list) else f"no such key: {_shown(key)}")
    return found


def find_optional(value: Any, key: Any) -> Optional:
    """``value[?key]``, or ``value.?key``. Raises CelError."""
    if isinstance(value, Optional):
        if not value.has_value:
            return NONE
        value = value.value
    found = find(value, key)
    return NONE if found is MISSING else Optional(has_value=True, value=found)


def _shown(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def contains(item: Any, container: Any, spend: Spend) -> bool:
    """``item in container``. Raises CelError."""
    if isinstance(container, list):
        return any(_equal_if_can_be(item, each, spend) for each in container)
    if isinstance(container, Mapping):
        spend(1)
        check_hashable(item)
        return isinstance(item, _KEYS) and item in container and find(container, item) is not MISSING
    raise CelError(NO_OVERLOAD)


def check_hashable(value: Any) -> None:
    """Raises CelError for what fails in Go where it is looked for in a table."""
    if isinstance(value, Extension) and value.unhashable_name:
        raise CelError(f"internal error: runtime error: hash of unhashable type {value.unhashable_name}")


def _equal_if_can_be(one: Any, other: Any, spend: Spend) -> bool:
    """An item that cannot be compared is another one."""
    try:
        return equal(one, other, spend)
    except CelError:
        return False

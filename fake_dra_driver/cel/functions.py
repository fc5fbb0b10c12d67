"""The functions of CEL that are supported here, with the types of their arguments and results.

The standard ones, and of the extensions of Kubernetes (k8s.io/apiserver/pkg/cel/library) and cel-go those for strings
and lists. What they cost is counted before they begin.
"""

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import Any, NamedTuple

from fake_dra_driver.cel.meter import Meter, text_cost
from fake_dra_driver.cel.types import BOOL, DOUBLE, DYN, INT, STRING, Kind, list_of
from fake_dra_driver.cel.values import (
    NO_OVERLOAD,
    OPERATORS,
    CelError,
    as_int64,
    as_list,
    as_string,
    compare,
    equal,
)
from fake_dra_driver.re2 import Pattern, PatternError, compile_pattern

__all__ = ["FUNCTIONS", "METHODS", "NOT_HERE", "Function"]

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_DOUBLE = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
_MAX_DOUBLE_TEXT = 400
"""Longest text of a double; more digits than any double has."""


class Function(NamedTuple):
    """One overload: the types of its arguments, a method's receiver first, and of its result."""

    takes: tuple[str, ...]
    gives: Callable[[Kind], Kind]
    """Gets the type of the first argument."""
    call: Callable[..., Any]
    """Gets the meter, and then the arguments."""


def _fixed(kind: Kind) -> Callable[[Kind], Kind]:
    return lambda _: kind


def _item(kind: Kind) -> Kind:
    return kind.element or DYN


# --- conversions ---


def _size(meter: Meter, value: Any) -> int:
    meter.spend(1)
    if not isinstance(value, str | list | Mapping):
        raise CelError(NO_OVERLOAD)
    return len(value)


def _to_text(meter: Meter, value: Any) -> str:
    meter.spend(1)
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        raise CelError(NO_OVERLOAD)
    return str(value)


def _to_int(meter: Meter, value: Any) -> int:
    meter.spend(1)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise CelError("integer overflow")
        return as_int64(int(value))
    if isinstance(value, str):
        if not _INTEGER.fullmatch(value) or not -(2**63) <= int(value) < 2**63:
            raise CelError("type conversion error from 'string' to 'int'")
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise CelError(NO_OVERLOAD)
    return value


def _to_double(meter: Meter, value: Any) -> float:
    meter.spend(1)
    if isinstance(value, str):
        if len(value) > _MAX_DOUBLE_TEXT or not _DOUBLE.fullmatch(value):
            raise CelError("type conversion error from 'string' to 'double'")
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CelError(NO_OVERLOAD)
    return float(value)


def _as_it_is(meter: Meter, value: Any) -> Any:
    meter.spend(1)
    return value


# --- texts ---


def _on_texts(work: Callable[..., Any]) -> Callable[..., Any]:
    """A function of texts alone, which takes time as long as they are together."""

    def call(meter: Meter, *texts: Any) -> Any:
        meter.spend(text_cost(sum(len(as_string(each)) for each in texts)))
        return work(*texts)

    return call


def _char_at(meter: Meter, text: str, at: int) -> str:
    meter.spend(1)
    if not 0 <= at <= len(as_string(text)):
        raise CelError(f"index out of range: {at}")
    return text[at : at + 1]


def _substring(meter: Meter, text: str, start: int, end: int | None = None) -> str:
    meter.spend(text_cost(len(as_string(text))))
    stop = len(text) if end is None else end
    if not 0 <= start <= len(text):
        raise CelError(f"index out of range: {start}")
    if not 0 <= stop <= len(text):
        raise CelError(f"index out of range: {stop}")
    if start > stop:
        raise CelError(f"invalid substring range. start: {start}, end: {stop}")
    return text[start:stop]


def _matches(meter: Meter, text: str, pattern: str) -> bool:
    return _pattern(meter, pattern).search(as_string(text), meter.spend)


def _find(meter: Meter, text: str, pattern: str) -> str:
    found = _pattern(meter, pattern).find(as_string(text), 0, meter.spend)
    return text[found[0] : found[1]] if found else ""


def _find_all(meter: Meter, text: str, pattern: str, count: int = -1) -> list[str]:
    found = []
    for each in _pattern(meter, pattern).find_all(as_string(text), meter.spend) if count else ():
        found.append(each)
        if len(found) == count:
            break
    return found


def _pattern(meter: Meter, text: str) -> Pattern:
    meter.spend(len(as_string(text)))
    try:
        return compile_pattern(text)
    except PatternError as error:
        raise CelError(str(error)) from error


def _replace(meter: Meter, text: str, old: str, new: str, count: int = -1) -> str:
    found = as_string(text).count(as_string(old))
    times = found if count < 0 else min(found, count)
    meter.spend(text_cost(len(text) + times * len(as_string(new))))
    return text.replace(old, new, count)


def _split(meter: Meter, text: str, separator: str, count: int = -1) -> list[str]:
    meter.spend(text_cost(len(as_string(text))) + as_string(text).count(as_string(separator)))
    if count == 0:
        return []
    if separator:
        return text.split(separator, count - 1 if count > 0 else -1)
    return list(text) if count < 0 or count >= len(text) else [*text[: count - 1], text[count - 1 :]]


def _join(meter: Meter, values: list[Any], separator: str = "") -> str:
    texts = [as_string(each) for each in as_list(values)]
    meter.spend(text_cost(sum(map(len, texts)) + len(texts) * (len(as_string(separator)) + 1)))
    return separator.join(texts)


def _swap_ascii_case(first: str, last: str) -> Callable[[str], str]:
    table = {ord(char): char.swapcase() for char in map(chr, range(ord(first), ord(last) + 1))}
    return lambda text: text.translate(table)


# --- lists ---


def _position(values: list[Any], wanted: Any, meter: Meter, places: Iterable[int]) -> int:
    return next((at for at in places if equal(values[at], wanted, meter)), -1)


def _index_of(meter: Meter, within: Any, wanted: Any) -> int:
    if isinstance(within, str):
        meter.spend(text_cost(len(within) + len(as_string(wanted))))
        return within.find(wanted)
    return _position(as_list(within), wanted, meter, range(len(within)))


def _last_index_of(meter: Meter, within: Any, wanted: Any) -> int:
    if isinstance(within, str):
        meter.spend(text_cost(len(within) + len(as_string(wanted))))
        at = within[::-1].find(wanted[::-1])  # str.rfind is not linear
        return -1 if at < 0 else len(within) - len(wanted) - at
    return _position(as_list(within), wanted, meter, range(len(within) - 1, -1, -1))


def _is_sorted(meter: Meter, values: list[Any]) -> bool:
    pairs = zip(as_list(values), values[1:], strict=False)
    return all(compare(operator.le, one, following, meter) for one, following in pairs)


def _sum(meter: Meter, values: list[Any]) -> Any:
    return reduce(lambda total, each: OPERATORS["+"](total, each, meter), as_list(values)) if values else 0


def _extreme(test: Callable[[Any, Any], bool]) -> Callable[[Meter, list[Any]], Any]:
    def call(meter: Meter, values: list[Any]) -> Any:
        if not as_list(values):
            raise CelError("min/max called on empty list")
        return reduce(lambda best, each: each if compare(test, each, best, meter) else best, values)

    return call


_NOT_HERE = (
    "type duration timestamp bytes uint reverse format url isURL getScheme getHost getHostname getPort getEscapedPath "
    "getQuery quantity isQuantity isInteger asInteger asApproximateFloat sign getFullYear getMonth getDate getHours "
    "getMinutes getSeconds getMilliseconds getDayOfWeek getDayOfYear"
)
NOT_HERE = frozenset(_NOT_HERE.split(" "))
"""What a real API server supports, unlike this package."""
_ANY_SIZE = ("string|list|map|object",)

FUNCTIONS: Mapping[str, tuple[Function, ...]] = {
    "size": (Function(_ANY_SIZE, _fixed(INT), _size),),
    "string": (Function(("int|double|bool|string",), _fixed(STRING), _to_text),),
    "int": (Function(("int|double|string",), _fixed(INT), _to_int),),
    "double": (Function(("int|double|string",), _fixed(DOUBLE), _to_double),),
    "dyn": (Function(("any",), _fixed(DYN), _as_it_is),),
}
"""By name."""
_S, _I, _L = "string", "int", "list"
METHODS: Mapping[str, tuple[Function, ...]] = {
    "size": (Function(_ANY_SIZE, _fixed(INT), _size),),
    "startsWith": (Function((_S, _S), _fixed(BOOL), _on_texts(str.startswith)),),
    "endsWith": (Function((_S, _S), _fixed(BOOL), _on_texts(str.endswith)),),
    "contains": (Function((_S, _S), _fixed(BOOL), _on_texts(str.__contains__)),),
    "matches": (Function((_S, _S), _fixed(BOOL), _matches),),
    "lowerAscii": (Function((_S,), _fixed(STRING), _on_texts(_swap_ascii_case("A", "Z"))),),
    "upperAscii": (Function((_S,), _fixed(STRING), _on_texts(_swap_ascii_case("a", "z"))),),
    "trim": (Function((_S,), _fixed(STRING), _on_texts(str.strip)),),
    "charAt": (Function((_S, _I), _fixed(STRING), _char_at),),
    "find": (Function((_S, _S), _fixed(STRING), _find),),
    "findAll": (
        Function((_S, _S), _fixed(list_of(STRING)), _find_all),
        Function((_S, _S, _I), _fixed(list_of(STRING)), _find_all),
    ),
    "replace": (
        Function((_S, _S, _S), _fixed(STRING), _replace),
        Function((_S, _S, _S, _I), _fixed(STRING), _replace),
    ),
    "split": (
        Function((_S, _S), _fixed(list_of(STRING)), _split),
        Function((_S, _S, _I), _fixed(list_of(STRING)), _split),
    ),
    "substring": (
        Function((_S, _I), _fixed(STRING), _substring),
        Function((_S, _I, _I), _fixed(STRING), _substring),
    ),
    "join": (Function((_L,), _fixed(STRING), _join), Function((_L, _S), _fixed(STRING), _join)),
    "indexOf": (
        Function((_S, _S), _fixed(INT), _index_of),
        Function((_L, "any"), _fixed(INT), _index_of),
    ),
    "lastIndexOf": (
        Function((_S, _S), _fixed(INT), _last_index_of),
        Function((_L, "any"), _fixed(INT), _last_index_of),
    ),
    "isSorted": (Function((_L,), _fixed(BOOL), _is_sorted),),
    "sum": (Function(("list of numbers",), _item, _sum),),
    "min": (Function((_L,), _item, _extreme(operator.lt)),),
    "max": (Function((_L,), _item, _extreme(operator.gt)),),
}
"""By name."""

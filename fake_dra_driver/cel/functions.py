"""The functions of CEL that are supported here, with the types of their arguments and results.

The standard ones, and of the extensions of Kubernetes (k8s.io/apiserver/pkg/cel/library) and cel-go those for strings
and lists.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from fake_dra_driver.cel.types import BOOL, DOUBLE, DYN, INT, STRING, Kind, list_of
from fake_dra_driver.cel.values import CelError, as_list, as_string

__all__ = ["FUNCTIONS", "METHODS", "NOT_HERE", "Function"]


class Function(NamedTuple):
    """One overload: the types of its arguments, a method's receiver first, and of its result."""

    takes: tuple[str, ...]
    gives: Callable[[Kind], Kind]
    """Gets the type of the first argument."""
    call: Callable[..., Any]


def _fixed(kind: Kind) -> Callable[[Kind], Kind]:
    return lambda _: kind


def _item(kind: Kind) -> Kind:
    return kind.element or DYN


def _size(value: Any) -> int:
    if not isinstance(value, str | list | dict):
        raise CelError(f"{value!r} has no size")
    return len(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def _to_int(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError) as error:
        raise CelError(f"{value!r} is not an int") from error


def _to_double(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise CelError(f"{value!r} is not a double") from error


def _char_at(text: str, at: int) -> str:
    if not 0 <= at <= len(text):
        raise CelError(f"index out of range: {at}")
    return text[at : at + 1]


def _substring(text: str, start: int, end: int | None = None) -> str:
    stop = len(text) if end is None else end
    if not 0 <= start <= stop <= len(text):
        raise CelError(f"index out of range: {start}")
    return text[start:stop]


def _find(text: str, pattern: str) -> str:
    found = re.search(pattern, text)
    return found[0] if found else ""


def _replace(text: str, old: str, new: str, count: int = -1) -> str:
    return text.replace(old, new, count)


def _split(text: str, separator: str, count: int = -1) -> list[str]:
    if count == 0:
        return []
    return text.split(separator, count - 1 if count > 0 else -1) if separator else list(text)


def _least(values: list[Any]) -> Any:
    return min(_not_empty(values))


def _greatest(values: list[Any]) -> Any:
    return max(_not_empty(values))


def _not_empty(values: list[Any]) -> list[Any]:
    if not values:
        raise CelError("min or max called on empty list")
    return values


def _position(values: list[Any], wanted: Any, *, last: bool = False) -> int:
    places = [at for at, each in enumerate(values) if each == wanted]
    return -1 if not places else places[-1 if last else 0]


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
    "string": (Function(("int|double|bool|string",), _fixed(STRING), _text),),
    "int": (Function(("int|double|string",), _fixed(INT), _to_int),),
    "double": (Function(("int|double|string",), _fixed(DOUBLE), _to_double),),
    "dyn": (Function(("any",), _fixed(DYN), lambda value: value),),
}
"""By name."""
_S, _I, _L = "string", "int", "list"
METHODS: Mapping[str, tuple[Function, ...]] = {
    "size": (Function(_ANY_SIZE, _fixed(INT), _size),),
    "startsWith": (Function((_S, _S), _fixed(BOOL), lambda text, part: as_string(text).startswith(as_string(part))),),
    "endsWith": (Function((_S, _S), _fixed(BOOL), lambda text, part: as_string(text).endswith(as_string(part))),),
    "contains": (Function((_S, _S), _fixed(BOOL), lambda text, part: as_string(part) in as_string(text)),),
    "matches": (
        Function((_S, _S), _fixed(BOOL), lambda text, part: re.search(as_string(part), as_string(text)) is not None),
    ),
    "lowerAscii": (Function((_S,), _fixed(STRING), lambda text: as_string(text).lower()),),
    "upperAscii": (Function((_S,), _fixed(STRING), lambda text: as_string(text).upper()),),
    "trim": (Function((_S,), _fixed(STRING), lambda text: as_string(text).strip()),),
    "charAt": (Function((_S, _I), _fixed(STRING), _char_at),),
    "find": (Function((_S, _S), _fixed(STRING), _find),),
    "findAll": (Function((_S, _S), _fixed(list_of(STRING)), lambda text, part: re.findall(part, text)),),
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
    "join": (
        Function((_L,), _fixed(STRING), lambda values: "".join(as_list(values))),
        Function((_L, _S), _fixed(STRING), lambda values, separator: separator.join(as_list(values))),
    ),
    "indexOf": (
        Function((_S, _S), _fixed(INT), lambda text, part: as_string(text).find(part)),
        Function((_L, "any"), _fixed(INT), _position),
    ),
    "lastIndexOf": (
        Function((_S, _S), _fixed(INT), lambda text, part: as_string(text).rfind(part)),
        Function((_L, "any"), _fixed(INT), lambda values, wanted: _position(values, wanted, last=True)),
    ),
    "isSorted": (Function((_L,), _fixed(BOOL), lambda values: values == sorted(as_list(values))),),
    "sum": (Function(("list of numbers",), _item, lambda values: sum(as_list(values))),),
    "min": (Function((_L,), _item, _least),),
    "max": (Function((_L,), _item, _greatest),),
}
"""By name."""

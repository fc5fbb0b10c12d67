"""Conversions between types: ``int(x)``, ``string(x)`` and the like."""

import math
import re
from collections.abc import Callable
from typing import Any

from fake_dra_driver.cel.bounds import Bounds
from fake_dra_driver.cel.errors import CelError
from fake_dra_driver.cel.operators import size_of
from fake_dra_driver.cel.overload import CallEstimate, Cost, Functions, Overload, function
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
    parameter,
)
from fake_dra_driver.cel.value import (
    Duration,
    Timestamp,
    Uint,
    as_int64,
    as_uint64,
    double_text,
    duration_text,
    parse_duration,
    parse_timestamp,
    timestamp_of,
    timestamp_text,
)

__all__ = ["CONVERSIONS", "text_of"]

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_UNSIGNED = re.compile(r"[0-9]{1,20}")
_DOUBLE = re.compile(
    r"""[+-]?0[xX]([0-9a-fA-F]+(\.[0-9a-fA-F]*)?|\.[0-9a-fA-F]+)[pP][+-]?[0-9]{1,4}
    |[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?
    |[+-]?(inf|infinity)
    |nan""",
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)
_MAX_DOUBLE_TEXT = 400
"""Longest text of a double; more digits than any double has."""
_TRUTHS = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}
_NANOSECONDS = 1_000_000_000


def _failed(from_: Type, to: Type) -> CelError:
    return CelError(f"type conversion error from '{from_.name}' to '{to.name}'")


def _as_it_is(value: Any) -> Any:
    return value


# --- from texts ---


def _int_of_text(text: str) -> int:
    if not _INTEGER.fullmatch(text) or not -(2**63) <= int(text) < 2**63:
        raise _failed(STRING, INT)
    return int(text)


def _uint_of_text(text: str) -> Uint:
    if not _UNSIGNED.fullmatch(text) or int(text) >= 2**64:
        raise _failed(STRING, UINT)
    return Uint(text)


def _double_of_text(text: str) -> float:
    if len(text) > _MAX_DOUBLE_TEXT or not _DOUBLE.fullmatch(text):
        raise _failed(STRING, DOUBLE)
    number = float.fromhex(text) if "x" in text or "X" in text else float(text)
    if math.isinf(number) and text.lstrip("+-")[0] not in "iI":
        raise _failed(STRING, DOUBLE)
    return number


def _bool_of_text(text: str) -> bool:
    if text not in _TRUTHS:
        raise _failed(STRING, BOOL)
    return _TRUTHS[text]


def _duration_of_text(text: str) -> Duration:
    found = parse_duration(text)
    if found is None:
        raise _failed(STRING, DURATION)
    return found


def _timestamp_of_text(text: str) -> Timestamp:
    found = parse_timestamp(text)
    if found is None:
        raise _failed(STRING, TIMESTAMP)
    return found


# --- from numbers ---


def _int_of_double(number: float) -> int:
    if not math.isfinite(number) or not -(2.0**63) < number < 2.0**63:
        raise CelError("integer overflow")
    return int(number)


def _uint_of_double(number: float) -> Uint:
    if not math.isfinite(number) or not 0 <= number < 2.0**64:
        raise CelError("unsigned integer overflow")
    return Uint(number)


def _timestamp_of_int(seconds: int) -> Timestamp:
    return timestamp_of(seconds * _NANOSECONDS)


# --- to texts ---


def _text_of_bytes(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise CelError("invalid UTF-8 in bytes, cannot convert to string") from error


def text_of(value: Any) -> str:
    """As ``string(value)`` gives it. Raises CelError."""
    match value:
        case bool():
            return str(value).lower()
        case bytes():
            return _text_of_bytes(value)
        case float():
            return double_text(value)
        case Duration():
            return duration_text(value)
        case Timestamp():
            return timestamp_text(value)
        case Type():
            return value.name
        case _:
            return str(value)


def _forms(name: str, to: Type, *forms: tuple[Type, Callable[[Any], Any]]) -> tuple[Overload, ...]:
    same = function(f"{name}_to_{name}", (to,), to, _as_it_is)
    others = (function(f"{from_.kind}_to_{name}", (from_,), to, call) for from_, call in forms)
    return (same, *others)


_TO_BYTES = Cost(
    lambda operands: CallEstimate(
        operands[0].size.read, Bounds(operands[0].size.least, operands[0].size.scaled(4).most)
    ),
    lambda text: 1 + size_of(text) // 10,
)
_FROM_BYTES = Cost(
    lambda operands: CallEstimate(operands[0].size.read, Bounds(operands[0].size.least // 4, operands[0].size.most)),
    lambda value: 1 + size_of(value) // 10,
)
_WRITTEN = (DURATION, TIMESTAMP, BOOL, DOUBLE, INT, UINT)
CONVERSIONS: Functions = {
    "bool": _forms("bool", BOOL, (STRING, _bool_of_text)),
    "bytes": (
        function("bytes_to_bytes", (BYTES,), BYTES, _as_it_is),
        function("string_to_bytes", (STRING,), BYTES, str.encode, cost=_TO_BYTES),
    ),
    "double": _forms("double", DOUBLE, (INT, float), (STRING, _double_of_text), (UINT, float)),
    "duration": _forms("duration", DURATION, (STRING, _duration_of_text)),
    "dyn": (function("to_dyn", (parameter("A"),), DYN, _as_it_is),),
    "int": _forms(
        "int",
        INT,
        (DOUBLE, _int_of_double),
        (DURATION, lambda value: value.nanoseconds),
        (STRING, _int_of_text),
        (TIMESTAMP, lambda value: value.nanoseconds // _NANOSECONDS),
        (UINT, lambda value: as_int64(int(value))),
    ),
    "string": (
        *_forms("string", STRING, *((each, text_of) for each in _WRITTEN)),
        function("bytes_to_string", (BYTES,), STRING, _text_of_bytes, cost=_FROM_BYTES),
    ),
    "timestamp": _forms("timestamp", TIMESTAMP, (INT, _timestamp_of_int), (STRING, _timestamp_of_text)),
    "uint": _forms("uint", UINT, (DOUBLE, _uint_of_double), (INT, as_uint64), (STRING, _uint_of_text)),
}

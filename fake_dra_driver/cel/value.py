"""The values of CEL that Python has no type of its own for.

The others are bool, int, float, str, bytes, list, dict and None. Follows cel-go's common/types.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, NamedTuple

from fake_dra_driver.cel.errors import NO_OVERLOAD, CelError
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
    optional_of,
    type_of_types,
)

__all__ = [
    "NONE",
    "Duration",
    "Extension",
    "Optional",
    "Timestamp",
    "Uint",
    "as_int64",
    "as_uint64",
    "double_text",
    "duration_of",
    "duration_text",
    "parse_duration",
    "parse_timestamp",
    "timestamp_of",
    "timestamp_text",
    "type_of",
]

_NANOSECONDS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MIN_SECONDS, _MAX_SECONDS = -62135596800, 253402300799
"""From the year 1 to the year 9999."""


class Uint(int):
    """An unsigned integer of 64 bits."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A time span."""

    nanoseconds: int


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    """A point in time."""

    nanoseconds: int
    """Since 1970, in UTC."""
    offset_minutes: int = field(default=0, compare=False)
    """Of the time zone in which it was written, and is written again."""

    @property
    def moment(self) -> datetime:
        """The same, without what is below a microsecond."""
        return _EPOCH + timedelta(microseconds=self.nanoseconds // 1000)


class Optional(NamedTuple):
    """A value that may not be there."""

    has_value: bool
    value: Any = None


NONE = Optional(has_value=False)


class Extension:
    """A value of a type that a library brings along."""

    __slots__ = ()
    kind: ClassVar[Type]
    unhashable_name: ClassVar[str] = ""
    """The name of its type in Go, if Go cannot look for it among constants or keys of a map, and fails."""

    def equals(self, other: Any) -> bool:
        """``self == other``. Raises CelError."""
        if type(other) is not type(self):
            raise CelError(NO_OVERLOAD)
        return bool(self == other)

    @property
    def size(self) -> int:
        """How much it costs to look at it, in characters."""
        return 1


_OPTIONAL = optional_of(DYN)
_TYPES: Mapping[type, Type] = {
    bool: BOOL,
    int: INT,
    Uint: UINT,
    float: DOUBLE,
    str: STRING,
    bytes: BYTES,
    list: list_of(DYN),
    dict: map_of(DYN, DYN),
    type(None): NULL,
    Type: type_of_types(),
    Optional: _OPTIONAL,
    Duration: DURATION,
    Timestamp: TIMESTAMP,
}


def type_of(value: Any) -> Type:
    """The type of a value, as far as that shows without looking into it."""
    found = _TYPES.get(type(value))
    if found is not None:
        return found
    if isinstance(value, Extension):
        return value.kind
    return _TYPES[dict] if isinstance(value, Mapping) else DYN


def as_int64(number: int) -> int:
    """The number, which must fit into 64 bits. Raises CelError."""
    if not -(2**63) <= number < 2**63:
        raise CelError("integer overflow")
    return number


def as_uint64(number: int) -> Uint:
    """The number, which must fit into 64 bits without a sign. Raises CelError."""
    if not 0 <= number < 2**64:
        raise CelError("unsigned integer overflow")
    return Uint(number)


# --- durations and timestamps as texts ---

_UNITS = {
    "ns": 1,
    "us": 1000,
    "µs": 1000,  # Go takes both signs
    "μs": 1000,
    "ms": 1_000_000,
    "s": _NANOSECONDS,
    "m": 60 * _NANOSECONDS,
    "h": 3600 * _NANOSECONDS,
}
_PART = re.compile(r"([0-9]*)(?:\.([0-9]*))?(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_MAX_DURATION_TEXT = 200
_EXPONENT_FROM = 6
"""From which power of ten on a double is written with an exponent."""
_TIMESTAMP = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII)


def duration_of(nanoseconds: int) -> Duration:
    """A duration. Raises CelError if it is too long."""
    if not -(2**63) <= nanoseconds < 2**63:
        raise CelError("integer overflow")
    return Duration(nanoseconds)


def parse_duration(text: str) -> Duration | None:
    """The duration that Go's time.ParseDuration reads in the text; None: it is none."""
    sign, rest = (text[:1], text[1:]) if text[:1] in ("+", "-") else ("", text)
    if rest == "0":
        return Duration(0)
    if not rest or len(rest) > _MAX_DURATION_TEXT:
        return None
    total, at = 0, 0
    while at < len(rest):
        found = _PART.match(rest, at)
        if found is None or not (found[1] or found[2]):
            return None
        unit = _UNITS[found[3]]
        fraction = found[2] or ""
        total += int(found[1] or 0) * unit + (int(fraction) * unit // 10 ** len(fraction) if fraction else 0)
        at = found.end()
    total = -total if sign == "-" else total
    return Duration(total) if -(2**63) <= total < 2**63 else None


def duration_text(duration: Duration) -> str:
    """As ``string(duration)`` gives it: in seconds."""
    return f"{Decimal(repr(duration.nanoseconds / _NANOSECONDS)).normalize():f}s"


def timestamp_of(nanoseconds: int, offset_minutes: int = 0) -> Timestamp:
    """A point in time. Raises CelError if it is outside the years 1 to 9999."""
    if not _MIN_SECONDS <= nanoseconds // _NANOSECONDS <= _MAX_SECONDS:
        raise CelError("timestamp overflow")
    return Timestamp(nanoseconds, offset_minutes)


def parse_timestamp(text: str) -> Timestamp | None:
    """The timestamp that RFC 3339 has in the text; None: it is none. Raises CelError if it is too far away."""
    found = _TIMESTAMP.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    offset = 0
    if found[8]:
        hours, minutes = int(found[9]), int(found[10])
        if hours > 24 or minutes > 60:
            return None
        offset = (hours * 60 + minutes) * (1 if found[8] == "+" else -1)
    if year == 0:
        raise CelError("timestamp overflow")
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    fraction = int((found[7] or "0")[:9].ljust(9, "0"))
    seconds = int((moment - _EPOCH).total_seconds()) - offset * 60
    return timestamp_of(seconds * _NANOSECONDS + fraction, offset)


def timestamp_text(timestamp: Timestamp) -> str:
    """As RFC 3339 has it, with as many digits as needed."""
    rest = timestamp.nanoseconds % _NANOSECONDS
    fraction = f".{rest:09}".rstrip("0") if rest else ""
    offset = timestamp.offset_minutes
    moment = timestamp.moment + timedelta(minutes=offset)
    zone = f"{'-' if offset < 0 else '+'}{abs(offset) // 60:02}:{abs(offset) % 60:02}" if offset else "Z"
    return f"{moment.year:04}-{moment:%m-%dT%H:%M:%S}{fraction}{zone}"


def double_text(number: float) -> str:
    """As Go's ``%g`` writes it: as short as can be, large and small ones with an exponent."""
    if not math.isfinite(number):
        return "NaN" if math.isnan(number) else f"{number:+f}".replace("inf", "Inf")
    negative, digits, exponent = Decimal(repr(number)).normalize().as_tuple()
    sign, text = "-" if negative else "", "".join(map(str, digits))
    power = len(text) - 1 + int(exponent)
    if number == 0 or -5 < power < _EXPONENT_FROM:
        return f"{sign}{Decimal(repr(abs(number))).normalize():f}"
    mantissa = text[0] + (f".{text[1:]}" if len(text) > 1 else "")
    return f"{sign}{mantissa}e{'-' if power < 0 else '+'}{abs(power):02}"

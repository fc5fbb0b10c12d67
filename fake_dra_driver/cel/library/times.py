"""What can be asked of timestamps and durations."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fake_dra_driver.cel.errors import CelError
from fake_dra_driver.cel.overload import Functions, Overload, method
from fake_dra_driver.cel.types import DURATION, INT, STRING, TIMESTAMP
from fake_dra_driver.cel.value import Duration, Timestamp

__all__ = ["TIME_FUNCTIONS"]

_OFFSET = re.compile(r"([+-]?)(\d{1,4}):(\d{1,4})", re.ASCII)
_ZONE = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")


@lru_cache(maxsize=64)
def _zone(name: str) -> tzinfo:
    """A time zone, by its name or its offset. Raises CelError."""
    if found := _OFFSET.fullmatch(name):
        minutes = int(found[2]) * 60 + int(found[3])
        if minutes >= 24 * 60:
            raise CelError(f"unknown time zone {name}")
        return timezone(timedelta(minutes=-minutes if found[1] == "-" else minutes))
    if name in ("", "UTC"):
        return UTC
    try:
        if _ZONE.fullmatch(name):
            return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError) as error:
        raise CelError(f"unknown time zone {name}") from error
    raise CelError(f"unknown time zone {name}")


def _moment(timestamp: Timestamp, zone: str) -> datetime:
    try:
        return timestamp.moment.astimezone(_zone(zone))
    except OverflowError as error:
        raise CelError("timestamp overflow") from error


Part = Callable[[datetime], int]
_UNITS = {
    "Hours": 3600_000_000_000,
    "Minutes": 60_000_000_000,
    "Seconds": 1_000_000_000,
    "Milliseconds": 1_000_000,
}


def _overloads(name: str, part: Part) -> tuple[Overload, ...]:
    def of_timestamp(timestamp: Timestamp, zone: str = "UTC") -> int:
        return part(_moment(timestamp, zone))

    found: list[Overload] = [
        method(f"timestamp_to_{name}", (TIMESTAMP,), INT, of_timestamp),
        method(f"timestamp_to_{name}_with_tz", (TIMESTAMP, STRING), INT, of_timestamp),
    ]
    unit = _UNITS.get(name)
    if unit is not None:

        def of_duration(duration: Duration) -> Any:
            whole = abs(duration.nanoseconds) // unit
            return -whole if duration.nanoseconds < 0 else whole

        found.append(method(f"duration_to_{name}", (DURATION,), INT, of_duration))
    return tuple(found)


_PARTS: dict[str, Part] = {
    "FullYear": lambda moment: moment.year,
    "Month": lambda moment: moment.month - 1,
    "DayOfYear": lambda moment: moment.timetuple().tm_yday - 1,
    "DayOfMonth": lambda moment: moment.day - 1,
    "Date": lambda moment: moment.day,
    "DayOfWeek": lambda moment: moment.isoweekday() % 7,
    "Hours": lambda moment: moment.hour,
    "Minutes": lambda moment: moment.minute,
    "Seconds": lambda moment: moment.second,
    "Milliseconds": lambda moment: moment.microsecond // 1000,
}
TIME_FUNCTIONS: Functions = {f"get{name}": _overloads(name, part) for name, part in _PARTS.items()}

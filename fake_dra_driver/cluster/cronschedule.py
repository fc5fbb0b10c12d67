"""Schedules of CronJobs: the five fields of cron with names, ranges and steps, ``@hourly`` and the like, ``@every``.

Takes and refuses what github.com/robfig/cron does, which Kubernetes reads schedules with, in its words; likewise for
time zones and Go's ``time.LoadLocation``. Pure, but for the files of time zones, each of which is read once.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

__all__ = ["Schedule", "ScheduleError", "parse_schedule", "time_zone"]

_LAST_YEARS: Final = 5
"""How far ahead a time is looked for: the 29th of February comes every four years, but for some."""
_NAMED: Final[Mapping[str, str]] = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_EVERY: Final = "@every "
_DURATION: Final = re.compile(r"([+-]?)((?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+")
_UNITLESS: Final = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))*(?:\d+\.?\d*|\.\d+)")
_DURATION_PART: Final = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_UNITS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_LARGEST_INTEGER: Final = 2**63 - 1
"""Of Go's int."""
_INTEGER_DIGITS: Final = 19
_LONGEST_SECONDS: Final = (2**63 - 1) / 1e9
"""Go's Duration has 64 bits of nanoseconds."""
_ZONE_PART: Final = re.compile(r"[A-Za-z0-9_+][A-Za-z0-9._+-]*|[A-Za-z0-9._+][A-Za-z0-9._+-]+")
_MONTHS: Final = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_WEEKDAYS: Final = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]


class ScheduleError(ValueError):
    """The text is no schedule, or no time zone; the message is that of Kubernetes."""


class Schedule(Protocol):
    """When something is due."""

    def after(self, moment: datetime) -> datetime | None:
        """The first time after that one; None: never."""
        ...


@dataclass(frozen=True, slots=True)
class _Field:
    lowest: int
    highest: int
    names: Mapping[str, int]


_FIELDS: Final = (
    _Field(0, 59, {}),
    _Field(0, 23, {}),
    _Field(1, 31, {}),
    _Field(1, 12, {name: at for at, name in enumerate(_MONTHS, 1)}),
    _Field(0, 6, {name: at for at, name in enumerate(_WEEKDAYS)}),
)


@dataclass(frozen=True, slots=True)
class _Values:
    """What a field allows."""

    numbers: frozenset[int]
    is_any: bool
    """Whether it is a star: of the fields for days, one that is none decides alone."""


@dataclass(frozen=True, slots=True)
class _Interval:
    seconds: int

    def after(self, moment: datetime) -> datetime | None:
        """As ``Schedule`` says."""
        return moment.replace(microsecond=0) + timedelta(seconds=self.seconds)


@dataclass(frozen=True, slots=True)
class _Cron:
    minutes: _Values
    hours: _Values
    days: _Values
    months: _Values
    weekdays: _Values
    zone: tzinfo

    def after(self, moment: datetime) -> datetime | None:
        """As ``Schedule`` says. An hour that a clock leaves out has none; one that it repeats has each time twice."""
        at = moment.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        end = at.year + _LAST_YEARS
        while at.year <= end:
            local = at.astimezone(self.zone)
            if local.month not in self.months.numbers:
                at = self._midnight(local.year + local.month // 12, local.month % 12 + 1, 1)
            elif not self._is_day(local):
                tomorrow = local.date() + timedelta(days=1)
                at = self._midnight(tomorrow.year, tomorrow.month, tomorrow.day)
            elif local.hour not in self.hours.numbers:
                at += timedelta(minutes=60 - local.minute)
            elif local.minute not in self.minutes.numbers:
                at += timedelta(minutes=1)
            else:
                return at
        return None

    def _midnight(self, year: int, month: int, day: int) -> datetime:
        return datetime(year, month, day, tzinfo=self.zone).astimezone(UTC)

    def _is_day(self, local: datetime) -> bool:
        by_month = local.day in self.days.numbers
        by_week = local.isoweekday() % 7 in self.weekdays.numbers
        return by_month and by_week if self.days.is_any or self.weekdays.is_any else by_month or by_week


def parse_schedule(text: str, zone: tzinfo = UTC) -> Schedule:
    """The schedule of a text, in a time zone. Raises ScheduleError."""
    if not text:
        raise ScheduleError("empty spec string")
    if text.startswith(("TZ=", "CRON_TZ=")):
        name, _, text = text.partition("=")[2].partition(" ")
        zone, text = time_zone(name), text.strip()
    if text.startswith(_EVERY):
        return _Interval(_seconds(text))
    if text.startswith("@"):
        if text not in _NAMED:
            raise ScheduleError(f"unrecognized descriptor: {text}")
        text = _NAMED[text]
    parts = text.split()
    if len(parts) != len(_FIELDS):
        raise ScheduleError(f"expected exactly 5 fields, found {len(parts)}: [{' '.join(parts)}]")
    minutes, hours, days, months, weekdays = map(_values, parts, _FIELDS)
    return _Cron(minutes, hours, days, months, weekdays, zone)


def _values(text: str, field: _Field) -> _Values:
    numbers: set[int] = set()
    is_any = False
    for part in filter(None, text.split(",")):
        found, is_star = _range(part, field)
        numbers.update(found)
        is_any |= is_star
    return _Values(frozenset(numbers), is_any)


def _range(text: str, field: _Field) -> tuple[range, bool]:
    """The numbers of a part such as ``*``, ``5``, ``mon-fri`` or ``*/15``, and whether it is a star."""
    extent, *steps = text.split("/")
    first, *last = extent.split("-")
    is_star = first in ("*", "?")
    if is_star:
        low, high = field.lowest, field.highest
    else:
        if len(last) > 1:
            raise ScheduleError(f"too many hyphens: {text}")
        low = _number(first, field)
        high = _number(last[0], field) if last else low
    step = 1
    if len(steps) > 1:
        raise ScheduleError(f"too many slashes: {text}")
    if steps:
        step = _number(steps[0])
        if not last:
            high = field.highest
    if low < field.lowest:
        raise ScheduleError(f"beginning of range ({low}) below minimum ({field.lowest}): {text}")
    if high > field.highest:
        raise ScheduleError(f"end of range ({high}) above maximum ({field.highest}): {text}")
    if low > high:
        raise ScheduleError(f"beginning of range ({low}) beyond end of range ({high}): {text}")
    if step == 0:
        raise ScheduleError(f"step of range should be a positive number: {text}")
    return range(low, high + 1, step), is_star and step == 1


def _number(text: str, field: _Field | None = None) -> int:
    if field is not None and text.lower() in field.names:
        return field.names[text.lower()]
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise ScheduleError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    # Python itself refuses to read very many digits.
    digits = text.lstrip("+-").lstrip("0")
    number = int(digits or "0") if len(digits) <= _INTEGER_DIGITS else _LARGEST_INTEGER + 1
    if number > _LARGEST_INTEGER:
        raise ScheduleError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": value out of range')
    if text.startswith("-") and number:
        raise ScheduleError(f"negative number ({-number}) not allowed: {text}")
    return number


def _seconds(text: str) -> int:
    """A duration of Go after ``@every``, in whole seconds; at least one."""
    duration = text.removeprefix(_EVERY)
    if not _DURATION.fullmatch(duration):
        problem = "missing unit in" if _UNITLESS.fullmatch(duration) else "invalid"
        raise ScheduleError(f'failed to parse duration {text}: time: {problem} duration "{duration}"')
    total = sum(float(number) * _UNITS[unit] for number, unit in _DURATION_PART.findall(duration))
    if total > _LONGEST_SECONDS:
        raise ScheduleError(f'failed to parse duration {text}: time: invalid duration "{duration}"')
    return max(int(-total if duration.startswith("-") else total), 1)


@lru_cache(maxsize=64)
def time_zone(name: str) -> tzinfo:
    """The time zone of that name. Raises ScheduleError."""
    if name in ("", "UTC"):
        return UTC
    if name == "Local" or not all(_ZONE_PART.fullmatch(part) and part != ".." for part in name.split("/")):
        raise ScheduleError(f"unknown time zone {name}")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError) as error:
        raise ScheduleError(f"unknown time zone {name}") from error

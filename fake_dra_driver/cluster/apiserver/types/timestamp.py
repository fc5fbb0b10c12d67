"""Times in objects, as Go reads and writes them: RFC 3339, and in UTC.

Follows package time of Go. Its years have no ends: a time in the year 1 may be in the year 0 in UTC, and one in 9999 in
10000, where Python has no time.
"""

import re
from calendar import monthrange
from datetime import UTC, datetime, timedelta

__all__ = ["since_1970", "utc_text"]

_TIME = re.compile(r"(-?\d{4,5})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:Z|([+-])(\d\d):(\d\d))")
_START = 2000
_CYCLE_YEARS = 400
"""After these the calendar repeats, so that any time can be reckoned in years which Python has."""
_CYCLE = timedelta(days=146_097)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc_text(text: str, precision: str) -> str:
    """A time as Go writes it.

    Args:
        text: the time, in the form of RFC 3339.
        precision: ``seconds`` or ``microseconds``.

    Raises:
        ValueError: there is no such time. The message is that of Go.
    """
    cycle, moment = _read(text)
    year = moment.year + cycle * _CYCLE_YEARS
    shown = moment.replace(tzinfo=None).isoformat(timespec=precision)
    return f"{'-' if year < 0 else ''}{abs(year):04}{shown[4:]}Z"


def since_1970(text: str) -> timedelta:
    """How long after the beginning of 1970 a time was; negative before. Raises ValueError."""
    cycle, moment = _read(text)
    return moment - _EPOCH + cycle * _CYCLE


def _read(text: str) -> tuple[int, datetime]:
    """How many cycles later the time is than this one, which is in UTC. Raises ValueError."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(f'parsing time "{text}": cannot parse')
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    fraction, sign = found[7] or "", found[8]
    zone_hours, zone_minutes = (int(found[9]), int(found[10])) if sign else (0, 0)
    cycle, rest = divmod(year - _START, _CYCLE_YEARS)
    is_month = 1 <= month <= 12
    ranges = {
        "month": is_month,
        "hour": hour < 24,
        "minute": minute < 60,
        "second": second < 60,
        # Go lets both be one too large.
        "time zone offset hour": zone_hours <= 24,
        "time zone offset minute": zone_minutes <= 60,
        "day": is_month and 1 <= day <= monthrange(_START + rest, month)[1],
    }
    wrong = next((name for name, is_right in ranges.items() if not is_right), None)
    if wrong is not None:
        raise ValueError(f'parsing time "{text}": {wrong} out of range')
    microseconds = int(fraction[:6].ljust(6, "0"))
    moment = datetime(_START + rest, month, day, hour, minute, second, microseconds, UTC)
    offset = timedelta(hours=zone_hours, minutes=zone_minutes)
    return cycle, moment + offset if sign == "-" else moment - offset

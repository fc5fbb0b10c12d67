"""Schedules of CronJobs: when they are due, and what is none."""

from datetime import UTC, datetime

import pytest

from fake_dra_driver.cluster.cronschedule import ScheduleError, parse_schedule, time_zone

WEDNESDAY = datetime(2026, 1, 7, 10, 30, 15, tzinfo=UTC)


def due(schedule: str, moment: datetime = WEDNESDAY, zone: str = "UTC") -> str:
    """The first time after that one."""
    found = parse_schedule(schedule, time_zone(zone)).after(moment)
    return found.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if found is not None else "never"


@pytest.mark.parametrize(
    ("schedule", "time"),
    [
        ("* * * * *", "2026-01-07 10:31:00"),
        ("*/15 * * * *", "2026-01-07 10:45:00"),
        (f"{'0' * 5000}45 * * * *", "2026-01-07 10:45:00"),
        ("*/9223372036854775807 11 * * *", "2026-01-07 11:00:00"),
        ("@every 2562047h", "2318-04-19 09:30:15"),
        ("0/20 * * * *", "2026-01-07 10:40:00"),
        ("5-9/2 * * * *", "2026-01-07 11:05:00"),
        ("30 10 * * *", "2026-01-08 10:30:00"),
        ("0 0 13 * *", "2026-01-13 00:00:00"),
        ("0 0 * * fri", "2026-01-09 00:00:00"),
        ("0 0 * * MON-wed", "2026-01-12 00:00:00"),
        ("0 0 13 * fri", "2026-01-09 00:00:00"),
        ("0 0 1 feb ?", "2026-02-01 00:00:00"),
        ("0 12 29 2 *", "2028-02-29 12:00:00"),
        ("0,5,31 10,22 * * *", "2026-01-07 10:31:00"),
        ("@hourly", "2026-01-07 11:00:00"),
        ("@daily", "2026-01-08 00:00:00"),
        ("@midnight", "2026-01-08 00:00:00"),
        ("@weekly", "2026-01-11 00:00:00"),
        ("@monthly", "2026-02-01 00:00:00"),
        ("@yearly", "2027-01-01 00:00:00"),
        ("@every 1h30m", "2026-01-07 12:00:15"),
        ("@every 1.5s", "2026-01-07 10:30:16"),
        ("@every 10ms", "2026-01-07 10:30:16"),
        ("59 23 31 2 *", "never"),
        ("TZ=Europe/Berlin 0 12 * * *", "2026-01-07 11:00:00"),
    ],
)
def test_when_it_is_due(schedule: str, time: str) -> None:
    assert due(schedule) == time


def test_a_time_of_the_day_is_that_of_its_zone() -> None:
    assert due("0 12 * * *", zone="Europe/Berlin") == "2026-01-07 11:00:00"
    summer = datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert due("0 12 * * *", summer, "Europe/Berlin") == "2026-07-02 10:00:00"
    assert due("0 12 * * *", zone="Asia/Kolkata") == "2026-01-08 06:30:00"


def test_a_clock_that_is_put_forward_or_back() -> None:
    march, october = datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert due("30 2 * * *", march, "Europe/Berlin") == "2026-03-30 00:30:00"
    assert due("30 2 * * *", october, "Europe/Berlin") == "2026-10-25 01:30:00"


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("", "empty spec string"),
        (
            "9223372036854775808 * * * *",
            "failed to parse int from 9223372036854775808: "
            'strconv.Atoi: parsing "9223372036854775808": value out of range',
        ),
        (
            f"{'9' * 5000} * * * *",
            f'failed to parse int from {"9" * 5000}: strconv.Atoi: parsing "{"9" * 5000}": value out of range',
        ),
        (
            "@every 100000000h",
            'failed to parse duration @every 100000000h: time: invalid duration "100000000h"',
        ),
        (
            f"@every {'9' * 5000}h",
            f'failed to parse duration @every {"9" * 5000}h: time: invalid duration "{"9" * 5000}h"',
        ),
        ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
        ("0 * * * * *", "expected exactly 5 fields, found 6: [0 * * * * *]"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("* 5-3 * * *", "beginning of range (5) beyond end of range (3): 5-3"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("1/2/3 * * * *", "too many slashes: 1/2/3"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("x * * * *", 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'),
        ("@often", "unrecognized descriptor: @often"),
        ("@every 5", 'failed to parse duration @every 5: time: missing unit in duration "5"'),
        ("TZ=Nowhere 0 * * * *", "unknown time zone Nowhere"),
    ],
)
def test_what_is_no_schedule(schedule: str, words: str) -> None:
    with pytest.raises(ScheduleError) as error:
        parse_schedule(schedule)
    assert str(error.value) == words


@pytest.mark.parametrize("name", ["Nowhere/Land", "../etc/passwd", "/etc/passwd", "Europe/..", "Local", "-x"])
def test_what_is_no_time_zone(name: str) -> None:
    with pytest.raises(ScheduleError) as error:
        time_zone(name)
    assert str(error.value) == f"unknown time zone {name}"

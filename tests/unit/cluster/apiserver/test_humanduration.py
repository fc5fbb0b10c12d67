"""Durations as kubectl writes them."""

from datetime import UTC, datetime, timedelta

import pytest

from fake_dra_driver.cluster.apiserver.tables.humanduration import age, human_duration

NOW = datetime(2024, 5, 1, 10, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(seconds=-1.9), "0s"),
        (timedelta(seconds=-5), "<invalid>"),
        (timedelta(seconds=0.9), "0s"),
        (timedelta(seconds=119), "119s"),
        (timedelta(minutes=2), "2m"),
        (timedelta(minutes=9, seconds=5), "9m5s"),
        (timedelta(minutes=10, seconds=5), "10m"),
        (timedelta(minutes=179), "179m"),
        (timedelta(hours=3, minutes=1), "3h1m"),
        (timedelta(hours=4), "4h"),
        (timedelta(hours=8, minutes=1), "8h"),
        (timedelta(hours=47), "47h"),
        (timedelta(days=2, hours=3), "2d3h"),
        (timedelta(days=7), "7d"),
        (timedelta(days=8, hours=3), "8d"),
        (timedelta(days=729), "729d"),
        (timedelta(days=730), "2y"),
        (timedelta(days=937), "2y207d"),
        (timedelta(days=8 * 365 + 3), "8y"),
    ],
    ids=str,
)
def test_durations_are_short(duration: timedelta, text: str) -> None:
    assert human_duration(duration.total_seconds()) == text


def test_ages() -> None:
    assert age("2024-05-01T09:55:00Z", NOW) == "5m"
    assert age("2024-05-01T09:59:59.500000Z", NOW) == "0s"
    assert age(None, NOW) == "<unknown>"

"""The arithmetic of the benchmark."""

import pytest

from tests.bench.statistic import Distribution, percentile


@pytest.mark.parametrize(
    ("share", "expected"), [(0, 1), (0.5, 5), (0.51, 6), (0.9, 9), (0.95, 10), (0.99, 10), (1, 10)]
)
def test_percentile_is_the_nearest_rank(share: float, expected: float) -> None:
    assert percentile([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], share) == expected


def test_percentile_of_one_value() -> None:
    assert [percentile([7], share) for share in (0, 0.5, 1)] == [7, 7, 7]


@pytest.mark.parametrize(("values", "share"), [([], 0.5), ([1], 1.1), ([1], -0.1)])
def test_percentile_of_nothing(values: list[float], share: float) -> None:
    with pytest.raises(ValueError, match="percentile"):
        percentile(values, share)


def test_distribution() -> None:
    found = Distribution.of(range(1, 201))

    assert (found.count, found.p50, found.p95, found.p99, found.greatest) == (200, 100, 190, 198, 200)

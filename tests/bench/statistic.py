"""Percentiles and their summaries; the only arithmetic of the benchmark."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Distribution", "percentile"]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that at least ``share`` (0 to 1) of them do not exceed (nearest rank).

    Raises:
        ValueError: there are no values, or the share is none.
    """
    if not values or not 0 <= share <= 1:
        raise ValueError(f"no {share} percentile of {len(values)} values")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


@dataclass(frozen=True, slots=True)
class Distribution:
    """What is kept of many measurements of one thing."""

    count: int
    p50: float
    p95: float
    p99: float
    greatest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Distribution":
        """Raises ValueError when there are no values."""
        return cls(len(values), *(percentile(values, share) for share in (0.5, 0.95, 0.99, 1)))

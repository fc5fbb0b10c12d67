"""Durations as kubectl and the tables of the API server write them: ``5m30s``, ``2y207d``.

Follows k8s.io/apimachinery/pkg/util/duration (HumanDuration).
"""

from datetime import datetime, timedelta
from typing import Any

from fake_dra_driver.cluster.apiserver.types.timestamp import since_1970

__all__ = ["age", "human_duration"]

_SECONDS_OF_CLOCKS_APART = 1
"""How far in the future a time may lie and still count as now."""
_LONGEST_SECONDS = 2**63 / 10**9
"""Go's longest duration, 292 years."""


def human_duration(seconds: float) -> str:
    """A duration in the one or two units that matter at its length."""
    whole = int(seconds)
    if whole < 0:
        return "0s" if whole >= -_SECONDS_OF_CLOCKS_APART else "<invalid>"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return _joined(f"{minutes}m", whole % 60, "s")
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return _joined(f"{hours}h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _joined(f"{days}d", hours % 24, "h")
    if days < 2 * 365:
        return f"{days}d"
    years, rest = divmod(days, 365)
    return _joined(f"{years}y", rest, "d") if years < 8 else f"{years}y"


def _joined(first: str, rest: int, unit: str) -> str:
    return f"{first}{rest}{unit}" if rest else first


def age(timestamp: Any, now: datetime) -> str:
    """How long ago a time of an object was, or ``<unknown>``."""
    if not isinstance(timestamp, str):
        return "<unknown>"
    passed = timedelta(seconds=now.timestamp()) - since_1970(timestamp)
    return human_duration(min(passed.total_seconds(), _LONGEST_SECONDS))

"""When devices fail at random, and when they are repaired: a function of seed, node, device and time. Pure.

Times between failures, and until a repair, are exponentially distributed, as those of machines that do not age are.
Nothing is remembered: time is cut into periods, each of which is drawn on its own, so that what is asked for a moment
a year after the first one needs no walk through that year. A period begins in the state in which a device is found at
any moment, by the odds; the first begins with a device that works.
"""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from math import log
from random import Random
from typing import Final

__all__ = ["DeviceState", "FailureTimes"]

_CYCLES: Final = 8
"""Failures and repairs in a period, on average: few enough to be drawn in no time."""
_SHORTEST: Final = timedelta(seconds=1)
"""Of a failure, and of the time between two: what is shorter could not be seen."""
_REMEMBERED_PERIODS: Final = 8192
"""Each has a few hundred bytes; what is forgotten is drawn again."""


@dataclass(frozen=True, slots=True)
class DeviceState:
    """Whether a device works at a moment."""

    failed: bool
    until: datetime
    """When this has to be looked at again: the device may fail or be repaired then, or stay as it is."""


@dataclass(frozen=True, slots=True)
class FailureTimes:
    """When devices of a node fail."""

    seed: int
    start: datetime
    """Devices work then. Before it they do, too."""
    between_failures: timedelta
    """Mean of the times for which a device works."""
    to_repair: timedelta
    """Mean of the times for which it does not."""

    def state(self, node: str, device: str, now: datetime) -> DeviceState:
        """How a device is at this moment. An empty name stands for the node itself."""
        length = _CYCLES * (self.between_failures + self.to_repair)
        elapsed = max(now - self.start, timedelta(0))
        number = elapsed // length
        begin = self.start + number * length
        fails_first, changes = _period(self.seed, node, device, number, self.between_failures, self.to_repair)
        passed = bisect_right(changes, elapsed - number * length)
        until = begin + (changes[passed] if passed < len(changes) else length)
        return DeviceState(fails_first != (passed % 2 == 1), until)


@lru_cache(maxsize=_REMEMBERED_PERIODS)
def _period(
    seed: int, node: str, device: str, number: int, between_failures: timedelta, to_repair: timedelta
) -> tuple[bool, tuple[timedelta, ...]]:
    """Whether a device is failed when a period begins, and how long after that begin this changes, each time."""
    # A text is hashed in full: the times of devices whose names differ in one digit have nothing in common.
    source = Random(f"{seed}/{node}/{device}/{number}")  # noqa: S311 - a mock's failures are no secret
    begins_failed = number > 0 and source.random() < to_repair / (between_failures + to_repair)
    failed, at = begins_failed, timedelta(0)
    changes: list[timedelta] = []
    while True:
        mean = to_repair if failed else between_failures
        # 1 - x is never 0.
        at += max(-log(1 - source.random()) * mean, _SHORTEST)
        if at >= _CYCLES * (between_failures + to_repair):
            return begins_failed, tuple(changes)
        changes.append(at)
        failed = not failed

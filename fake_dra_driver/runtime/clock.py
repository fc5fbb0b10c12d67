"""Where time comes from: the event loop for durations, the wall clock for what people read; tests replace both."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

__all__ = ["Clock", "WallClock", "loop_time", "utc_now"]

Clock = Callable[[], float]
"""Seconds since a moment that means nothing by itself; never goes back."""
WallClock = Callable[[], datetime]
"""The present, with its time zone."""


def loop_time() -> float:
    """Time of the running event loop. Raises RuntimeError outside of one."""
    return asyncio.get_running_loop().time()


def utc_now() -> datetime:
    """The wall clock, in UTC."""
    return datetime.now(UTC)

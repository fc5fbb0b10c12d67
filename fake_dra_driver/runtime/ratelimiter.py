"""How long a key that failed waits before its next turn (client-go's workqueue.TypedRateLimiter).

A limiter only counts and computes; the work queue does the waiting. State is per process on purpose: after a restart
every key gets a fresh chance.
"""

import math
from collections.abc import Hashable
from typing import Protocol, TypeVar

from typing_extensions import override

from fake_dra_driver.runtime.clock import Clock, loop_time

__all__ = [
    "ExponentialRateLimiter",
    "MaxOfRateLimiter",
    "RateLimiter",
    "TokenBucket",
    "TokenBucketRateLimiter",
    "default_rate_limiter",
]

K = TypeVar("K", bound=Hashable)
K_contra = TypeVar("K_contra", bound=Hashable, contravariant=True)

BASE_SECONDS = 0.005
"""First backoff of a key: client-go's DefaultTypedControllerRateLimiter."""
MAX_SECONDS = 1000.0
"""Longest backoff of a key; from the same place, as are the two below."""
OVERALL_PER_SECOND = 10.0
OVERALL_BURST = 100


class RateLimiter(Protocol[K_contra]):
    """Decides how long a key waits."""

    def when(self, key: K_contra) -> float:
        """Seconds that ``key`` has to wait now; counts as one more failure of it."""
        ...

    def forget(self, key: K_contra) -> None:
        """The key is done with, well or for good: its failures no longer count."""
        ...

    def num_requeues(self, key: K_contra) -> int:
        """How often ``when`` was asked for ``key`` since it was last forgotten."""
        ...


class ExponentialRateLimiter(RateLimiter[K]):
    """``base_seconds`` times two to the number of failures of the key, up to ``max_seconds``."""

    def __init__(self, base_seconds: float = BASE_SECONDS, max_seconds: float = MAX_SECONDS) -> None:
        if not 0 < base_seconds <= max_seconds:
            raise ValueError(f"base_seconds {base_seconds} has to be above 0 and at most max_seconds {max_seconds}")
        self._base_seconds = base_seconds
        self._max_seconds = max_seconds
        # Beyond this exponent the result is max_seconds anyway, and 2.0 ** exponent would overflow in the end.
        self._max_exponent = math.ceil(math.log2(max_seconds / base_seconds))
        self._failures: dict[K, int] = {}

    @override
    def when(self, key: K) -> float:
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        return min(self._base_seconds * 2.0 ** min(failures, self._max_exponent), self._max_seconds)

    @override
    def forget(self, key: K) -> None:
        self._failures.pop(key, None)

    @override
    def num_requeues(self, key: K) -> int:
        return self._failures.get(key, 0)


class TokenBucket:
    """``burst`` turns at once and ``per_second`` after that (golang.org/x/time/rate)."""

    def __init__(self, per_second: float, burst: int) -> None:
        if per_second <= 0 or burst < 1:
            raise ValueError(f"per_second {per_second} has to be above 0, and burst {burst} at least 1")
        self._per_second = per_second
        self._burst = burst
        self._tokens = float(burst)
        """Below zero: that many turns are promised for later."""
        self._last: float | None = None
        """When ``_tokens`` was brought up to date."""

    def reserve(self, now: float) -> float:
        """Takes a turn and returns how many seconds it has to wait."""
        self._refill(now)
        self._tokens -= 1
        return max(-self._tokens / self._per_second, 0.0)

    def try_take(self, now: float) -> bool:
        """Takes a turn if there is one now."""
        self._refill(now)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _refill(self, now: float) -> None:
        if self._last is not None:
            passed = max(now - self._last, 0.0)  # a clock that goes back takes no turns away
            self._tokens = min(self._tokens + passed * self._per_second, float(self._burst))
        self._last = now


class TokenBucketRateLimiter(RateLimiter[K]):
    """One token bucket for all keys: bounds how fast failures of a whole program are tried again."""

    def __init__(
        self, per_second: float = OVERALL_PER_SECOND, burst: int = OVERALL_BURST, *, clock: Clock = loop_time
    ) -> None:
        self._bucket = TokenBucket(per_second, burst)
        self._clock = clock

    @override
    def when(self, key: K) -> float:
        return self._bucket.reserve(self._clock())

    @override
    def forget(self, key: K) -> None:
        pass  # a turn that was promised stays taken

    @override
    def num_requeues(self, key: K) -> int:
        return 0  # the bucket does not know keys apart


class MaxOfRateLimiter(RateLimiter[K]):
    """The longest wait of several limiters."""

    def __init__(self, *limiters: RateLimiter[K]) -> None:
        if not limiters:
            raise ValueError("at least one limiter is needed")
        self._limiters = limiters

    @override
    def when(self, key: K) -> float:
        # A list, so that every limiter is asked: each keeps its own count.
        return max([limiter.when(key) for limiter in self._limiters])

    @override
    def forget(self, key: K) -> None:
        for limiter in self._limiters:
            limiter.forget(key)

    @override
    def num_requeues(self, key: K) -> int:
        return max(limiter.num_requeues(key) for limiter in self._limiters)


def default_rate_limiter(*, clock: Clock = loop_time) -> MaxOfRateLimiter[K]:
    """client-go's default: 5 ms to 1,000 s for each key, and 10 turns a second after a burst of 100 over all keys."""
    return MaxOfRateLimiter(ExponentialRateLimiter(), TokenBucketRateLimiter(clock=clock))

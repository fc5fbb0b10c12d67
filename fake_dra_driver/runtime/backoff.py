"""How long to wait after a failure: exponential, with jitter, as k8s.io/apimachinery/pkg/util/wait.Backoff."""

import random

__all__ = ["Backoff"]

_RNG = random.Random()  # noqa: S311 - nothing secret
"""Shared: each has 2.5 KB, and seeds itself."""


class Backoff:
    """Delays that double from ``initial_seconds`` to ``max_seconds``, each made longer by up to ``jitter`` of itself.

    The jitter keeps thousands of clients of a server that comes back from coming back together.
    """

    def __init__(
        self, initial_seconds: float, max_seconds: float, *, jitter: float = 1.0, rng: random.Random | None = None
    ) -> None:
        self._initial_seconds = initial_seconds
        self._max_seconds = max_seconds
        self._jitter = jitter
        self._rng = rng or _RNG
        self._failures = 0

    def next(self) -> float:
        """The delay after one more failure."""
        # The exponent is bounded, or a float would overflow after a day of failures.
        seconds = min(self._initial_seconds * 2.0 ** min(self._failures, 32), self._max_seconds)
        self._failures += 1
        return seconds * (1 + self._jitter * self._rng.random())

    def reset(self) -> None:
        """Starts over: something went well."""
        self._failures = 0

"""What the server itself sets on objects: times, UIDs, the suffixes of generated names.

The wall clock and the seed are the caller's, so that a test with simulated time and a seed sees the same objects in
each run.
"""

import random
import uuid
from datetime import datetime, timedelta

from fake_dra_driver.runtime.clock import WallClock, utc_now

__all__ = ["Stamps"]

_SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
"""No vowels and no look-alikes (k8s.io/apimachinery/pkg/util/rand)."""
_SUFFIX_LENGTH = 5
_MAX_GENERATED_PREFIX = 58


class Stamps:
    """Times and random names of one server."""

    def __init__(self, now: WallClock = utc_now, seed: int | None = None) -> None:
        self._now = now
        self._rng = random.Random(seed)  # noqa: S311 - names, not secrets

    def now(self) -> datetime:
        """The present time."""
        return self._now()

    def now_text(self, *, after_seconds: int = 0) -> str:
        """The present, or a time after it, as Kubernetes writes it: UTC, whole seconds."""
        return (self._now() + timedelta(seconds=after_seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def uid(self) -> str:
        """A new UID."""
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))

    def name(self, prefix: str) -> str:
        """A name for an object that came with ``generateName``."""
        return prefix[:_MAX_GENERATED_PREFIX] + "".join(self._rng.choices(_SUFFIX_LETTERS, k=_SUFFIX_LENGTH))

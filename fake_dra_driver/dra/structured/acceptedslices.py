"""What an API server has made of slices that it does not keep as they were sent.

A field whose feature gate is off is dropped, whatever is written. What was stored is then taken for what was wanted, or
the slice would be written for ever; but not for good, since a gate may be switched on later.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fake_dra_driver.dra.structured.slices import Accepted
from fake_dra_driver.dra.structured.slicespec import says
from fake_dra_driver.runtime.clock import Clock

__all__ = ["AcceptedSlices"]

_EXPIRES_SECONDS: Final = 3600.0
"""How often dropped fields are sent again. A gate is switched on by a restart of the API server, which nothing tells a
driver; a restart of the driver sends them at once. While the gate is still off, the write changes nothing."""


@dataclass(frozen=True, slots=True)
class _Entry:
    accepted: Accepted
    expires: float


class AcceptedSlices:
    """Remembers, by name, the slices of which the API server keeps something else than what was sent."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: dict[str, _Entry] = {}

    def current(self) -> Mapping[str, Accepted]:
        """Those that are to be taken for right, by name."""
        now = self._clock()
        return {name: entry.accepted for name, entry in self._entries.items() if entry.expires > now}

    def is_expired(self, name: str) -> bool:
        """Whether it is time to find out if the API server still keeps the same of a slice."""
        return name in self._entries and self._entries[name].expires <= self._clock()

    def take(self, name: str, accepted: Accepted) -> bool:
        """Takes over the answer to a write. Returns whether what is stored is something else than what was sent."""
        self._entries.pop(name, None)
        if says(accepted.stored, accepted.sent):
            return False
        self._entries[name] = _Entry(accepted, self._clock() + _EXPIRES_SECONDS)
        return True

    def next_expiry_seconds(self) -> float | None:
        """Seconds until one expires, when all is written: what has expired before was sent again, or had no need to."""
        now = self._clock()
        self._entries = {name: entry for name, entry in self._entries.items() if entry.expires > now}
        return min((entry.expires - now for entry in self._entries.values()), default=None)

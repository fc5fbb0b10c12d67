"""Which fields of slices the API server drops, as it has answered when it was asked.

It is asked before a gated field is sent for the first time, since without it a slice may offer what is not there, and
each hour, since a gate may be switched by a restart of the API server.
"""

from dataclasses import dataclass
from typing import Final

from fake_dra_driver.dra.structured.featuregates import DroppedFields
from fake_dra_driver.runtime.clock import Clock

__all__ = ["KeptFields"]

_EXPIRES_SECONDS: Final = 3600.0
"""As in ``acceptedslices``."""


@dataclass(frozen=True, slots=True)
class _Known:
    is_dropped: bool
    expires: float


class KeptFields:
    """What is known of the gated fields."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[str, _Known] = {}

    def must_ask(self, fields: frozenset[str]) -> bool:
        """Whether it is not known, or has not been asked for long, what becomes of these gated fields."""
        now = self._clock()
        return any(field not in self._known or self._known[field].expires <= now for field in fields)

    def is_partial(self, fields: frozenset[str]) -> bool:
        """Whether one of these is known to be dropped."""
        return any(field in self._known and self._known[field].is_dropped for field in fields)

    def take(self, fields: frozenset[str], dropped: DroppedFields | None) -> bool:
        """Takes over what an answer has shown. Returns whether fields that were dropped before are kept now."""
        was_partial = self.is_partial(fields)
        lost = () if dropped is None else dropped.fields
        expires = self._clock() + _EXPIRES_SECONDS
        self._known |= {field: _Known(field in lost, expires) for field in fields}
        return was_partial and not self.is_partial(fields)

    def next_expiry_seconds(self, fields: frozenset[str]) -> float | None:
        """Seconds until it is to be found out if dropped ones are kept. None where all of these are kept."""
        now = self._clock()
        known = (self._known[field] for field in fields if field in self._known)
        return min((one.expires - now for one in known if one.is_dropped and one.expires > now), default=None)

"""An API server that is away: found out by one node, and not by each of thousands again and again."""

import contextlib
from collections.abc import Iterator
from typing import Final

from fake_dra_driver.runtime.backoff import Backoff
from fake_dra_driver.runtime.clock import Clock
from fake_dra_driver.runtime.errors import ApiError, TransportError, UnusableAnswerError

__all__ = ["Outage"]

_FIRST_PAUSE_SECONDS: Final = 0.25
_MAX_PAUSE_SECONDS: Final = 5.0
"""With the jitter, 10 s at most from when the API server is back until that is noticed; as a rule a watch is faster."""


class Outage:
    """Whether connections fail now, whichever node they are for. What the server answers, errors included, ends it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._backoff = Backoff(_FIRST_PAUSE_SECONDS, _MAX_PAUSE_SECONDS)
        self._until: float | None = None
        """When to try again; None while all is well."""

    def left_seconds(self) -> float:
        """How long nothing should be tried; 0 while all is well, and when it is time for another try."""
        return 0.0 if self._until is None else max(0.0, self._until - self._clock())

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """Learns from how the calls in the block end."""
        try:
            yield
        except (ApiError, UnusableAnswerError):
            self._end()
            raise
        except TransportError:
            if not self.left_seconds():
                self._until = self._clock() + self._backoff.next()
            raise
        else:
            self._end()

    def _end(self) -> None:
        self._until = None
        self._backoff.reset()

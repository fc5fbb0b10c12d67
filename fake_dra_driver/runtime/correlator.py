"""Decides what becomes of an event: a new Event object, a higher count of an earlier one, or nothing.

Pure; follows client-go's tools/record/events_cache.go, with its numbers:

- the same type, reason and message about the same object within ten minutes raise the count of one Event;
- from the tenth different message of one type and reason about one object within ten minutes, further ones share one
  Event, which shows the latest message behind a prefix;
- about one object, 25 events of a type at once and one each five minutes after that; the rest is spam.

Unlike there, a count does not go on after ten quiet minutes: the API server deletes an Event after an hour, and a
person reads "5 times" as five times lately.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar
from uuid import uuid4

from fake_dra_driver.api.kube.core import ObjectReference
from fake_dra_driver.runtime.ratelimiter import TokenBucket

__all__ = ["COMBINED_PREFIX", "Correlator", "Occurrence", "Series"]

WINDOW_SECONDS = 600.0
"""defaultAggregateIntervalInSeconds."""
MAX_MESSAGES = 10
"""defaultAggregateMaxEvents: the message with which similar events begin to be combined."""
COMBINED_PREFIX = "(combined from similar events): "
SPAM_BURST = 25
SPAM_PER_SECOND = 1 / 300
MAX_ENTRIES = 4096
"""maxLruCacheEntries: how many objects, messages and series are remembered; the least recently seen go first."""
MAX_NAME = 253
"""Longest name of an Event (a DNS subdomain)."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Something that has happened to an object."""

    about: ObjectReference
    type: str
    reason: str
    message: str
    at: datetime
    component: str = ""
    """Who reports it."""


@dataclass(slots=True)
class Series:
    """One Event object, and how often what it tells has happened."""

    name: str
    first_at: datetime
    count: int = 0
    last_seconds: float = 0
    """When it last happened, by the clock that durations are measured with."""
    is_written: bool = False
    """Whether the API server has it; set by the writer."""


@dataclass(slots=True)
class _Similar:
    """Messages of one type and reason about one object. Never more than MAX_MESSAGES - 1 between two calls."""

    last_seconds: float
    messages: dict[str, None] = field(default_factory=dict)


class Correlator:
    """Remembers what has been reported."""

    def __init__(self) -> None:
        self._series: _Recent[Hashable, Series] = _Recent()
        self._similar: _Recent[Hashable, _Similar] = _Recent()
        self._buckets: _Recent[Hashable, TokenBucket] = _Recent()
        self._last_name = 0

    def correlate(self, occurrence: Occurrence, seconds: float) -> tuple[Series, str] | None:
        """The Event to write and its message, or None for spam.

        Args:
            occurrence: what has happened.
            seconds: the present, by a clock that never goes back.
        """
        about = occurrence.about
        object_ = (about.api_version, about.kind, about.namespace, about.name, about.uid)
        subject = (occurrence.component, object_, occurrence.type)
        key, message = self._combine(subject, occurrence, seconds)
        series = self._series.get(key, lambda: self._begin(occurrence))
        if series.count and seconds - series.last_seconds > WINDOW_SECONDS:
            self._series.put(key, series := self._begin(occurrence))
        series.count += 1
        series.last_seconds = seconds
        # As in client-go, spam counts: the next Event that gets through tells how often it has really happened.
        bucket = self._buckets.get(subject, lambda: TokenBucket(SPAM_PER_SECOND, SPAM_BURST))
        return (series, message) if bucket.try_take(seconds) else None

    def _combine(self, subject: Hashable, occurrence: Occurrence, seconds: float) -> tuple[Hashable, str]:
        key = (subject, occurrence.reason)
        similar = self._similar.get(key, lambda: _Similar(seconds))
        if seconds - similar.last_seconds > WINDOW_SECONDS:
            similar.messages.clear()
        similar.last_seconds = seconds
        similar.messages[occurrence.message] = None
        if len(similar.messages) < MAX_MESSAGES:
            return (subject, occurrence.reason, occurrence.message), occurrence.message
        # One is let go, so that the set does not grow: the oldest, which is the least likely to come again.
        del similar.messages[next(iter(similar.messages))]
        return key, COMBINED_PREFIX + occurrence.message

    def _begin(self, occurrence: Occurrence) -> Series:
        # Nanoseconds as client-go, made unique: two events of one object may be told in one tick of the clock.
        self._last_name = max(self._last_name + 1, int(occurrence.at.timestamp() * 1_000_000) * 1_000)
        name = f"{occurrence.about.name}.{self._last_name:x}"
        return Series(name if len(name) <= MAX_NAME else str(uuid4()), occurrence.at)


class _Recent(Generic[K, V]):
    """A mapping that keeps the entries that were used last."""

    def __init__(self, max_entries: int = MAX_ENTRIES) -> None:
        self._entries: OrderedDict[K, V] = OrderedDict()
        self._max_entries = max_entries

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The value of ``key``, made when there is none; it is now the one used last."""
        if key not in self._entries:
            self.put(key, make())
        self._entries.move_to_end(key)
        return self._entries[key]

    def put(self, key: K, value: V) -> None:
        """Sets a value, and forgets the one that was not used for the longest time when there are too many."""
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)

"""Writes core/v1 Events: what a person sees under ``kubectl describe``.

``event`` only puts an occurrence into a bounded queue; one writer asks the correlator what becomes of it and talks to
the API server. Events are best effort: nothing waits for them, and what cannot be written is dropped, logged and
counted. Follows client-go's tools/record, except that a full queue drops the oldest event and not the newest: the
latest one is what a person who looks needs.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal, Protocol

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.kube.core import Event, EventSource, ObjectReference
from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName, ObjectMeta
from fake_dra_driver.runtime.backoff import Backoff
from fake_dra_driver.runtime.clock import Clock, WallClock, loop_time, utc_now
from fake_dra_driver.runtime.correlator import COMBINED_PREFIX, Correlator, Occurrence, Series
from fake_dra_driver.runtime.errors import (
    AlreadyExistsError,
    ApiError,
    ForbiddenError,
    InvalidObjectError,
    NotFoundError,
    RuntimeLayerError,
    ServerError,
    TooManyRequestsError,
)
from fake_dra_driver.runtime.metrics import Metrics
from fake_dra_driver.untrustedtext import one_line

__all__ = ["EventClient", "EventRecorder", "EventSink"]

log = logger.bind(component="events")

MAX_QUEUED = 1000
"""maxQueuedEvents of client-go."""
MAX_TRIES = 12
"""maxTriesPerEvent of client-go; with the pauses below, about two minutes."""
_FIRST_PAUSE_SECONDS = 0.5
_MAX_PAUSE_SECONDS = 10.0
"""defaultSleepDuration of client-go."""
MAX_MESSAGE = 1024 - len(COMBINED_PREFIX)
"""Longest message, in characters, so that an Event's is never longer than events.k8s.io/v1 allows for its own."""
CLUSTER_SCOPED_NAMESPACE = "default"
"""Where Events about objects without a namespace are kept (metav1.NamespaceDefault)."""


EventType = Literal["Normal", "Warning"]


class EventClient(Protocol):
    """What the recorder needs from a ``Client``."""

    async def create(self, obj: Event) -> Event:
        """Creates an Event."""
        ...

    async def merge_patch(self, kind: type[Event], key: NamespacedName, patch: Mapping[str, Any]) -> Event:
        """Changes an Event."""
        ...


class EventSink(Protocol):
    """Where the parts of a program report what people should know; an ``EventRecorder`` is one."""

    def event(self, obj: KubeObject | ObjectReference, type_: EventType, reason: str, message: str) -> None:
        """Reports something about an object. Returns at once, never raises.

        Args:
            obj: what it is about.
            type_: ``Warning`` for what a person should look into.
            reason: short, UpperCamelCase, the same for the same thing.
            message: for people: what was asked, what there is, what to change. May quote what others wrote: it is
                escaped, and cut to MAX_MESSAGE.
        """
        ...


class EventRecorder(EventSink):
    """Tells people what happens to objects."""

    def __init__(
        self,
        client: EventClient,
        component: str,
        *,
        host: str = "",
        metrics: Metrics | None = None,
        now: WallClock = utc_now,
        clock: Clock = loop_time,
        rng: random.Random | None = None,
        observer: Callable[[str], None] = lambda _reason: None,
    ) -> None:
        """Prepares a recorder; nothing is written before ``run``.

        Args:
            client: writes the Events.
            component: who reports: ``source.component`` and ``reportingComponent``.
            host: from which node: ``source.host`` and ``reportingInstance``.
            metrics: counts the events by what became of them.
            now: timestamps of the Events.
            clock: for what belongs together in time.
            rng: for the pauses between tries.
            observer: gets the reason of each event that is reported, whatever becomes of it.
        """
        self._client = client
        self._component = component
        self._host = host
        self._metrics = (metrics or Metrics()).for_events()
        self._now = now
        self._clock = clock
        self._rng = rng
        self._observer = observer
        self._correlator = Correlator()
        self._queue: deque[Occurrence] = deque()
        self._is_overflowing = False
        """Whether it was logged that the queue is full, since it was last empty."""
        self._arrived = asyncio.Event()
        self._idle = asyncio.Event()
        """Set while nothing is queued and nothing is being written."""
        self._idle.set()

    @override
    def event(self, obj: KubeObject | ObjectReference, type_: EventType, reason: str, message: str) -> None:
        self._report(obj, type_, reason, message, self._component)

    def reporting_as(self, component: str) -> EventSink:
        """Reports through this recorder under the name of another component: for a program of several parts."""
        return _Part(self._report, component)

    def _report(
        self, obj: KubeObject | ObjectReference, type_: EventType, reason: str, message: str, component: str
    ) -> None:
        self._observer(reason)
        if len(self._queue) >= MAX_QUEUED:
            self._queue.popleft()
            self._metrics.total("overflow").inc()
            if not self._is_overflowing:
                self._is_overflowing = True
                log.warning("Too many events at once, the oldest are dropped", queued=MAX_QUEUED)
        text = one_line(message, MAX_MESSAGE)
        self._queue.append(Occurrence(_reference(obj), type_, reason, text, self._now(), component))
        self._idle.clear()
        self._arrived.set()

    async def run(self) -> None:
        """Writes events until cancelled; what is queued then is dropped."""
        try:
            while True:
                await self._arrived.wait()
                self._arrived.clear()
                while self._queue:
                    await self._record(self._queue.popleft())
                self._is_overflowing = False
                self._idle.set()
        finally:
            if not self._idle.is_set():
                log.warning("Stopped before all events were written", queued=len(self._queue) + 1)

    async def flush(self) -> None:
        """Waits until everything reported so far is written or dropped. Needs ``run`` to run; give it a deadline."""
        await self._idle.wait()

    # --- The writer ----------------------------------------------------------------------------------------------

    async def _record(self, occurrence: Occurrence) -> None:
        correlated = self._correlator.correlate(occurrence, self._clock())
        about = f"{occurrence.about.kind} {occurrence.about.namespace}/{occurrence.about.name}"
        if correlated is None:
            self._metrics.total("spam").inc()
            log.debug("Too many events about one object, dropped", object=about, reason=occurrence.reason)
            return
        series, message = correlated
        backoff = Backoff(_FIRST_PAUSE_SECONDS, _MAX_PAUSE_SECONDS, jitter=0.5, rng=self._rng)
        for tries_left in reversed(range(MAX_TRIES)):
            try:
                result = await self._write(occurrence, series, message)
            except (NotFoundError, ForbiddenError) as error:
                self._reject(about, occurrence, error, is_expected=_is_namespace_gone(error))
                return
            except RuntimeLayerError as error:
                if isinstance(error, ApiError) and not isinstance(error, ServerError | TooManyRequestsError):
                    self._reject(about, occurrence, error, is_expected=False)
                    return
                if not tries_left:
                    self._metrics.total("given_up").inc()
                    log.warning("Event not written, dropped", object=about, reason=occurrence.reason, error=str(error))
                    return
                log.debug("Event not written, trying again", object=about, error=str(error))
            else:
                self._metrics.total(result).inc()
                return
            await asyncio.sleep(backoff.next())

    async def _write(self, occurrence: Occurrence, series: Series, message: str) -> Literal["created", "patched"]:
        try:
            if series.is_written and await self._patch(occurrence, series, message):
                return "patched"
            await self._client.create(self._event(occurrence, series, message))
        except AlreadyExistsError:
            # An earlier try got through, and only its answer was lost.
            pass
        except InvalidObjectError:
            # Written; the answer holds something that our model does not know.
            pass
        series.is_written = True
        return "created"

    async def _patch(self, occurrence: Occurrence, series: Series, message: str) -> bool:
        """Whether the Event is still there; the API server deletes it an hour after its last change."""
        key = NamespacedName(_namespace(occurrence.about), series.name)
        patch = {"count": series.count, "lastTimestamp": _timestamp(occurrence.at), "message": message}
        try:
            await self._client.merge_patch(Event, key, patch)
        except NotFoundError:
            return False
        except InvalidObjectError:
            pass  # written, as above
        return True

    def _event(self, occurrence: Occurrence, series: Series, message: str) -> Event:
        return Event(
            metadata=ObjectMeta(name=series.name, namespace=_namespace(occurrence.about)),
            involved_object=occurrence.about,
            type=occurrence.type,
            reason=occurrence.reason,
            message=message,
            source=EventSource(component=occurrence.component, host=self._host),
            count=series.count,
            first_timestamp=series.first_at.replace(microsecond=0),
            last_timestamp=occurrence.at.replace(microsecond=0),
            reporting_component=occurrence.component,
            reporting_instance=self._host,
        )

    def _reject(self, about: str, occurrence: Occurrence, error: ApiError, *, is_expected: bool) -> None:
        self._metrics.total("rejected").inc()
        level = "DEBUG" if is_expected else "WARNING"
        log.log(level, "Event refused by the API server", object=about, reason=occurrence.reason, error=str(error))


_Report = Callable[[KubeObject | ObjectReference, EventType, str, str, str], None]


class _Part(EventSink):
    """A part of a program, with its own name in Events."""

    def __init__(self, report: _Report, component: str) -> None:
        self._report = report
        self._component = component

    @override
    def event(self, obj: KubeObject | ObjectReference, type_: EventType, reason: str, message: str) -> None:
        self._report(obj, type_, reason, message, self._component)


def _reference(obj: KubeObject | ObjectReference) -> ObjectReference:
    if isinstance(obj, ObjectReference):
        return obj
    return ObjectReference(
        api_version=obj.resource.api_version,
        kind=obj.resource.kind,
        namespace=obj.metadata.namespace,
        name=obj.metadata.name,
        uid=obj.uid,
        resource_version=obj.metadata.resource_version,
    )


def _namespace(about: ObjectReference) -> str:
    return about.namespace or CLUSTER_SCOPED_NAMESPACE


def _timestamp(at: datetime) -> str:
    """metav1.Time: RFC 3339, whole seconds."""
    return at.replace(microsecond=0).isoformat().replace("+00:00", "Z")


def _is_namespace_gone(error: ApiError) -> bool:
    """Whether the namespace is gone or going (cause NamespaceTerminating): its objects' last events do not matter."""
    if isinstance(error, NotFoundError):
        return True
    causes = error.details.get("causes") or ()
    return any(isinstance(cause, Mapping) and cause.get("reason") == "NamespaceTerminating" for cause in causes)

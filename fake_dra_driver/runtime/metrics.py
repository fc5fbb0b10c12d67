"""Prometheus metrics under the names that controller-runtime and client-go use, so that their dashboards fit.

One ``Metrics`` object is one registry: a program makes one and hands it to the manager, the client and the event
recorder. prometheus_client's global registry is not used, so that two managers in one process (tests) do not mix their
numbers. What each metric is called and what it means is in ``metricfamily``.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from fake_dra_driver.runtime import metricfamily as families
from fake_dra_driver.runtime.metricfamily import (
    EVENT_RESULTS,
    RECONCILE_RESULTS,
    CounterFamily,
    GaugeFamily,
    HistogramFamily,
)

__all__ = ["CONTENT_TYPE", "ControllerMetrics", "EventMetrics", "Metrics", "QueueMetrics"]

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
"""Of what ``Metrics.render`` returns: Prometheus' text format."""


@dataclass(frozen=True, slots=True)
class QueueMetrics:
    """What one work queue counts."""

    depth: Gauge
    """Keys that need a worker's look."""
    adds: Counter
    queue_duration: Histogram
    """Seconds from add to get."""
    work_duration: Histogram
    """Seconds from get to done."""
    unfinished_work: Gauge
    """Seconds that keys still being processed have taken, added up."""
    longest_running: Gauge
    retries: Counter


@dataclass(frozen=True, slots=True)
class ControllerMetrics:
    """What one controller counts."""

    total: Callable[[str], Counter]
    """By result: one of RECONCILE_RESULTS."""
    errors: Counter
    time: Histogram
    panics: Counter
    terminal_errors: Counter
    active_workers: Gauge
    max_concurrent_reconciles: Gauge
    mapper_errors: Counter


@dataclass(frozen=True, slots=True)
class EventMetrics:
    """What an event recorder counts."""

    total: Callable[[str], Counter]
    """By result. Dropped: ``spam`` too many about one object, ``overflow`` too many at once, ``rejected`` by the API
    server, ``given_up`` when the last try has failed."""


class Metrics:
    """All metrics of a program, and their registry.

    Args:
        prefix: what the names of the program's own metrics begin with, such as ``paint_`` (``Family.of_program``).
    """

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self.registry = CollectorRegistry()
        self._refreshers: list[Callable[[], None]] = []
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._depth = self.gauge(families.DEPTH)
        self._adds = self.counter(families.ADDS)
        self._queue_duration = self.histogram(families.QUEUE_DURATION)
        self._work_duration = self.histogram(families.WORK_DURATION)
        self._unfinished_work = self.gauge(families.UNFINISHED_WORK)
        self._longest_running = self.gauge(families.LONGEST_RUNNING)
        self._retries = self.counter(families.RETRIES)
        self._reconciles = self.counter(families.RECONCILES)
        self._reconcile_errors = self.counter(families.RECONCILE_ERRORS)
        self._terminal_errors = self.counter(families.TERMINAL_ERRORS)
        self._panics = self.counter(families.PANICS)
        self._reconcile_time = self.histogram(families.RECONCILE_TIME)
        self._active_workers = self.gauge(families.ACTIVE_WORKERS)
        self._max_concurrent = self.gauge(families.MAX_CONCURRENT)
        self._mapper_errors = self.counter(families.MAPPER_ERRORS)
        self._requests = self.counter(families.REQUESTS)
        self._request_duration = self.histogram(families.REQUEST_DURATION)
        self._events = self.counter(families.EVENTS)
        self._leads = self.gauge(families.LEADS)
        self._tasks = self.gauge(families.TASKS)

    # --- Metrics of a program's own ------------------------------------------------------------------------------

    def counter(self, family: CounterFamily) -> Counter:
        """Adds a counter to the registry. Raises ValueError when there is one of that name, as all three do."""
        family = family.named(self._prefix)
        return Counter(family.name, family.about, family.label_names, registry=self.registry)

    def gauge(self, family: GaugeFamily) -> Gauge:
        """Adds a gauge."""
        family = family.named(self._prefix)
        return Gauge(family.name, family.about, family.label_names, registry=self.registry)

    def histogram(self, family: HistogramFamily) -> Histogram:
        """Adds a histogram."""
        family = family.named(self._prefix)
        return Histogram(family.name, family.about, family.label_names, buckets=family.buckets, registry=self.registry)

    # --- Rendering -----------------------------------------------------------------------------------------------

    def add_refresher(self, refresh: Callable[[], None]) -> None:
        """``refresh`` is called before each rendering, in the event loop, to set what changes with time alone."""
        self._refreshers.append(refresh)

    async def render(self) -> bytes:
        """All metrics in Prometheus' text format. In a thread, since the process metrics are read from files."""
        for refresh in self._refreshers:
            refresh()
        self._tasks.set(len(asyncio.all_tasks()))
        return await asyncio.to_thread(generate_latest, _WithoutCreated(self.registry))

    # --- Views ---------------------------------------------------------------------------------------------------

    def for_queue(self, name: str) -> QueueMetrics:
        """The metrics of the work queue of the controller ``name``."""
        labels = (name, name)
        return QueueMetrics(
            depth=self._depth.labels(*labels),
            adds=self._adds.labels(*labels),
            queue_duration=self._queue_duration.labels(*labels),
            work_duration=self._work_duration.labels(*labels),
            unfinished_work=self._unfinished_work.labels(*labels),
            longest_running=self._longest_running.labels(*labels),
            retries=self._retries.labels(*labels),
        )

    def for_controller(self, name: str) -> ControllerMetrics:
        """The metrics of a controller; each result is there from the start, with 0."""
        by_result = {result: self._reconciles.labels(name, result) for result in RECONCILE_RESULTS}
        return ControllerMetrics(
            total=by_result.__getitem__,
            errors=self._reconcile_errors.labels(name),
            time=self._reconcile_time.labels(name),
            panics=self._panics.labels(name),
            terminal_errors=self._terminal_errors.labels(name),
            active_workers=self._active_workers.labels(name),
            max_concurrent_reconciles=self._max_concurrent.labels(name),
            mapper_errors=self._mapper_errors.labels(name),
        )

    def for_events(self) -> EventMetrics:
        """The metrics of the event recorder."""
        by_result = {result: self._events.labels(result) for result in EVENT_RESULTS}
        return EventMetrics(total=by_result.__getitem__)

    def for_leader_election(self, lease: str) -> Gauge:
        """Whether this process leads: 1 or 0, from the start."""
        gauge: Gauge = self._leads.labels(lease)
        return gauge

    def observe_request(self, method: str, host: str, code: str, seconds: float) -> None:
        """Counts one HTTP request to an API server; ``code`` is ``<error>`` when there was no answer."""
        self._requests.labels(code, host, method).inc()
        self._request_duration.labels(method, host).observe(seconds)


class _WithoutCreated(Collector):
    """A registry without the ``_created`` series that prometheus_client adds to every counter and histogram.

    Go programs have none, and they would double the number of counters. prometheus_client's own switch is global.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterable[Metric]:
        """The metrics of the registry."""
        for metric in self._registry.collect():
            if metric.type in {"counter", "histogram"}:
                metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric

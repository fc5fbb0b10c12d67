"""Prometheus metrics under the names that controller-runtime and client-go use, so that their dashboards fit.

One ``Metrics`` object is one registry: a program makes one and hands it to the manager, the client and the event
recorder. prometheus_client's global registry is not used, so that two managers in one process (tests) do not mix their
numbers. Names, labels and buckets: k8s.io/component-base/metrics/prometheus/{workqueue,restclient} and
sigs.k8s.io/controller-runtime/pkg/{metrics,internal/controller/metrics}; those of events and mappers have no model.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

__all__ = ["CONTENT_TYPE", "ControllerMetrics", "EventMetrics", "Metrics", "QueueMetrics"]

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
"""Of what ``Metrics.render`` returns: Prometheus' text format."""

_QUEUE_BUCKETS = tuple(1e-8 * 10**exponent for exponent in range(12))
"""10 ns to 1,000 s."""
_RECONCILE_BUCKETS = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    *(1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60),
)
_REST_BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)

RECONCILE_RESULTS = ("success", "error", "requeue", "requeue_after")
"""Label ``result``: ``requeue`` is the quiet retry after a conflict."""
EVENT_RESULTS = ("created", "patched", "spam", "overflow", "rejected", "given_up")
"""Label ``result`` of events: the first two were written; the others were dropped, see ``EventMetrics``."""


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
    server, ``given_up`` after the last try."""


class Metrics:
    """All metrics of a program, and their registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._refreshers: list[Callable[[], None]] = []
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._make_queue_families()
        self._make_reconcile_families()
        self._make_rest_families()
        self._events = self._counter("event_recorder_events", "Events, by what became of them.", "result")
        self._mapper_errors = self._counter(
            "controller_mapper_errors", "Changes of watched objects that could not be mapped to keys.", "controller"
        )

    def add_refresher(self, refresh: Callable[[], None]) -> None:
        """``refresh`` is called before each rendering, in the event loop, to set what changes with time alone."""
        self._refreshers.append(refresh)

    async def render(self) -> bytes:
        """All metrics in Prometheus' text format. In a thread, since the process metrics are read from files."""
        for refresh in self._refreshers:
            refresh()
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
        by_result = {result: self._reconcile_total.labels(name, result) for result in RECONCILE_RESULTS}
        return ControllerMetrics(
            total=by_result.__getitem__,
            errors=self._reconcile_errors.labels(name),
            time=self._reconcile_time.labels(name),
            panics=self._reconcile_panics.labels(name),
            terminal_errors=self._terminal_errors.labels(name),
            active_workers=self._active_workers.labels(name),
            max_concurrent_reconciles=self._max_concurrent.labels(name),
            mapper_errors=self._mapper_errors.labels(name),
        )

    def for_events(self) -> EventMetrics:
        """The metrics of the event recorder."""
        by_result = {result: self._events.labels(result) for result in EVENT_RESULTS}
        return EventMetrics(total=by_result.__getitem__)

    def observe_request(self, method: str, host: str, code: str, seconds: float) -> None:
        """Counts one HTTP request to an API server; ``code`` is ``<error>`` when there was no answer."""
        self._requests.labels(code, host, method).inc()
        self._request_duration.labels(method, host).observe(seconds)

    # --- Families ------------------------------------------------------------------------------------------------

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)

    def _make_queue_families(self) -> None:
        labels = ("name", "controller")
        self._depth = self._gauge("workqueue_depth", "Keys that wait in the work queue.", *labels)
        self._adds = self._counter("workqueue_adds", "Keys added to the work queue.", *labels)
        self._queue_duration = self._histogram(
            "workqueue_queue_duration_seconds", "Seconds a key waited for a worker.", _QUEUE_BUCKETS, *labels
        )
        self._work_duration = self._histogram(
            "workqueue_work_duration_seconds", "Seconds a worker took for a key.", _QUEUE_BUCKETS, *labels
        )
        self._unfinished_work = self._gauge(
            "workqueue_unfinished_work_seconds", "Seconds spent so far on keys that workers still have.", *labels
        )
        self._longest_running = self._gauge(
            "workqueue_longest_running_processor_seconds",
            "Seconds the longest running worker has had its key.",
            *labels,
        )
        self._retries = self._counter("workqueue_retries", "Keys added for later.", *labels)

    def _make_reconcile_families(self) -> None:
        prefix, label = "controller_runtime", "controller"
        self._reconcile_total = self._counter(f"{prefix}_reconcile", "Reconciles, by result.", label, "result")
        self._reconcile_errors = self._counter(f"{prefix}_reconcile_errors", "Reconciles that failed.", label)
        self._terminal_errors = self._counter(
            f"{prefix}_terminal_reconcile_errors", "Reconciles that failed and are not tried again.", label
        )
        self._reconcile_panics = self._counter(
            f"{prefix}_reconcile_panics", "Reconciles that failed with an exception nobody expected.", label
        )
        self._reconcile_time = self._histogram(
            f"{prefix}_reconcile_time_seconds", "Seconds a reconcile took.", _RECONCILE_BUCKETS, label
        )
        self._active_workers = self._gauge(f"{prefix}_active_workers", "Workers that have a key.", label)
        self._max_concurrent = self._gauge(f"{prefix}_max_concurrent_reconciles", "Workers.", label)

    def _make_rest_families(self) -> None:
        self._requests = self._counter(
            "rest_client_requests", "HTTP requests to the API server.", "code", "host", "method"
        )
        self._request_duration = self._histogram(
            "rest_client_request_duration_seconds",
            "Seconds until the API server answered.",
            _REST_BUCKETS,
            "verb",
            "host",
        )


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

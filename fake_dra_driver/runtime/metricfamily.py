"""What a metric is, said once: its name, type, unit, labels and meaning, from which it is made and documented.

``FAMILIES`` is every metric of the framework itself. A program that adds metrics of its own writes another such list,
and hands each entry to ``Metrics.counter``, ``gauge`` or ``histogram``; documentation, dashboards and alerts are
rendered from, and checked against, the same entries. Names, labels and buckets:
k8s.io/component-base/metrics/prometheus/{workqueue,restclient,clientgo/leaderelection} and
sigs.k8s.io/controller-runtime/pkg/{metrics,internal/controller/metrics}; those of events and mappers have no model.
"""

from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal, Self

__all__ = [
    "EVENT_RESULTS",
    "FAMILIES",
    "RECONCILE_RESULTS",
    "CounterFamily",
    "Family",
    "GaugeFamily",
    "HistogramFamily",
]

RECONCILE_RESULTS = ("success", "error", "requeue", "requeue_after")
"""Label ``result``: ``requeue`` is the quiet retry after a conflict."""
EVENT_RESULTS = ("created", "patched", "spam", "overflow", "rejected", "given_up")
"""Label ``result`` of events: the first two were written; the others were dropped, see ``EventMetrics``."""

_QUEUE_BUCKETS = tuple(1e-8 * 10**exponent for exponent in range(12))
"""10 ns to 1,000 s."""
_RECONCILE_BUCKETS = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    *(1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60),
)
_REST_BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)


@dataclass(frozen=True, slots=True)
class Family:
    """One metric, with all its series."""

    type: ClassVar[Literal["counter", "gauge", "histogram"]]

    name: str
    """As Prometheus shows it; ``_bucket``, ``_sum`` and ``_count`` of a histogram are left out."""
    about: str
    """One sentence: the HELP text."""
    unit: str
    """``seconds``, ``bytes``, or what is counted."""
    labels: tuple[tuple[str, str], ...] = ()
    """Each label with what its values are."""
    of_program: bool = field(default=False, kw_only=True)
    """Whether ``name`` gets the prefix of the program that shows it (``Metrics``): several have such a metric."""

    def named(self, prefix: str) -> Self:
        """As the program with this prefix shows it."""
        return replace(self, name=prefix + self.name, of_program=False) if self.of_program else self

    @property
    def label_names(self) -> tuple[str, ...]:
        """The labels without their meaning."""
        return tuple(name for name, _ in self.labels)


@dataclass(frozen=True, slots=True)
class CounterFamily(Family):
    """Counts what happens since the start of the process; the name ends with ``_total``."""

    type: ClassVar[Literal["counter"]] = "counter"


@dataclass(frozen=True, slots=True)
class GaugeFamily(Family):
    """Shows what is so at this moment."""

    type: ClassVar[Literal["gauge"]] = "gauge"


@dataclass(frozen=True, slots=True)
class HistogramFamily(Family):
    """How values are spread, since the start of the process."""

    type: ClassVar[Literal["histogram"]] = "histogram"

    buckets: tuple[float, ...] = ()
    """Upper bounds, without infinity."""


_CONTROLLER = ("controller", "name of the controller: the kind that it reconciles, in lower case, or what it does")
_QUEUE = (("name", "the same as `controller`"), _CONTROLLER)
_HOST = ("host", "address of the API server")

DEPTH = GaugeFamily("workqueue_depth", "Keys that wait in the work queue.", "keys", _QUEUE)
ADDS = CounterFamily("workqueue_adds_total", "Keys added to the work queue.", "keys", _QUEUE)
QUEUE_DURATION = HistogramFamily(
    "workqueue_queue_duration_seconds", "Seconds a key waited for a worker.", "seconds", _QUEUE, _QUEUE_BUCKETS
)
WORK_DURATION = HistogramFamily(
    "workqueue_work_duration_seconds", "Seconds a worker took for a key.", "seconds", _QUEUE, _QUEUE_BUCKETS
)
UNFINISHED_WORK = GaugeFamily(
    "workqueue_unfinished_work_seconds", "Seconds spent so far on keys that workers still have.", "seconds", _QUEUE
)
LONGEST_RUNNING = GaugeFamily(
    "workqueue_longest_running_processor_seconds",
    "Seconds the longest running worker has had its key.",
    "seconds",
    _QUEUE,
)
RETRIES = CounterFamily("workqueue_retries_total", "Keys added for later.", "keys", _QUEUE)

RECONCILES = CounterFamily(
    "controller_runtime_reconcile_total",
    "Reconciles, by result.",
    "reconciles",
    (_CONTROLLER, ("result", ", ".join(RECONCILE_RESULTS) + "; `requeue` is the quiet retry after a conflict")),
)
RECONCILE_ERRORS = CounterFamily(
    "controller_runtime_reconcile_errors_total", "Reconciles that failed.", "reconciles", (_CONTROLLER,)
)
TERMINAL_ERRORS = CounterFamily(
    "controller_runtime_terminal_reconcile_errors_total",
    "Reconciles that failed and are not tried again.",
    "reconciles",
    (_CONTROLLER,),
)
PANICS = CounterFamily(
    "controller_runtime_reconcile_panics_total",
    "Reconciles that failed with an unexpected exception.",
    "reconciles",
    (_CONTROLLER,),
)
RECONCILE_TIME = HistogramFamily(
    "controller_runtime_reconcile_time_seconds",
    "Seconds a reconcile took.",
    "seconds",
    (_CONTROLLER,),
    _RECONCILE_BUCKETS,
)
ACTIVE_WORKERS = GaugeFamily("controller_runtime_active_workers", "Workers that have a key.", "workers", (_CONTROLLER,))
MAX_CONCURRENT = GaugeFamily("controller_runtime_max_concurrent_reconciles", "Workers.", "workers", (_CONTROLLER,))
MAPPER_ERRORS = CounterFamily(
    "controller_mapper_errors_total",
    "Changes of watched objects that could not be mapped to keys.",
    "changes",
    (_CONTROLLER,),
)

REQUESTS = CounterFamily(
    "rest_client_requests_total",
    "HTTP requests to the API server.",
    "requests",
    (("code", "HTTP status, or `<error>` when there was no answer"), _HOST, ("method", "HTTP method")),
)
REQUEST_DURATION = HistogramFamily(
    "rest_client_request_duration_seconds",
    "Seconds until the API server answered.",
    "seconds",
    (("verb", "HTTP method"), _HOST),
    _REST_BUCKETS,
)

EVENTS = CounterFamily(
    "event_recorder_events_total",
    "Events, by what became of them.",
    "events",
    (
        (
            "result",
            "created, patched (the count of one that is there was raised); dropped: spam (too many about one object), "
            "overflow (too many at once), rejected (by the API server), given_up (after the last try)",
        ),
    ),
)

LEADS = GaugeFamily(
    "leader_election_master_status",
    "Whether this process holds the lease: 1 if so, else 0.",
    "0 or 1",
    (("name", "name of the Lease"),),
)

TASKS = GaugeFamily(
    "python_asyncio_tasks",
    "Tasks of the event loop that have not ended: what go_goroutines is of a program in Go.",
    "tasks",
)

LIBRARY_FAMILIES: tuple[Family, ...] = (
    GaugeFamily("process_virtual_memory_bytes", "Virtual memory size in bytes.", "bytes"),
    GaugeFamily("process_resident_memory_bytes", "Resident memory size in bytes.", "bytes"),
    GaugeFamily("process_start_time_seconds", "Start time of the process since unix epoch in seconds.", "seconds"),
    CounterFamily("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", "seconds"),
    GaugeFamily("process_open_fds", "Number of open file descriptors.", "file descriptors"),
    GaugeFamily("process_max_fds", "Maximum number of open file descriptors.", "file descriptors"),
    GaugeFamily(
        "python_info",
        "Python platform information",
        "always 1",
        (
            ("version", "version of Python"),
            ("implementation", "such as CPython"),
            ("major", "part of the version"),
            ("minor", "part of the version"),
            ("patchlevel", "part of the version"),
        ),
    ),
)
"""What prometheus_client's own collectors add, in its words."""

FAMILIES: tuple[Family, ...] = (
    *(DEPTH, ADDS, QUEUE_DURATION, WORK_DURATION, UNFINISHED_WORK, LONGEST_RUNNING, RETRIES),
    *(RECONCILES, RECONCILE_ERRORS, TERMINAL_ERRORS, PANICS, RECONCILE_TIME, ACTIVE_WORKERS, MAX_CONCURRENT),
    *(MAPPER_ERRORS, REQUESTS, REQUEST_DURATION, EVENTS, LEADS, TASKS),
)
"""Every metric that each program has, beside those of ``LIBRARY_FAMILIES``."""

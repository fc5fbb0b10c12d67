"""Which figures of structured DRA come out of which measurements, with what is to be reached."""

from collections.abc import Sequence
from statistics import median

from tests.bench.report import Figure
from tests.bench.statistic import Distribution
from tests.bench.structured.podtraffic import PodTraffic
from tests.bench.structured.preparing import PrepareRun, Waits
from tests.bench.structured.publishing import PublishRun

__all__ = ["prepare_figures", "publish_figures", "raw_figures", "traffic_figures"]


def raw_figures(fsync_ms: Distribution, write_ms: Distribution) -> Sequence[Figure]:
    """The machine's own costs."""
    return [
        Figure("v1-raw-fsync", "raw: one fsync of 4 KiB, p50", fsync_ms.p50, "ms", "neither"),
        Figure("v1-raw-fsync-p99", "raw: one fsync of 4 KiB, p99", fsync_ms.p99, "ms", "neither"),
        Figure("v1-raw-write", "raw: one API write alone, p50", write_ms.p50, "ms", "neither"),
    ]


def prepare_figures(run: PrepareRun) -> Sequence[Figure]:
    """Of the kubelet plugin, under its socket."""
    figures: list[Figure] = []
    for number, waits in run.at_once.items():
        figures += _one_at_once(waits) if number == 1 else _several_at_once(number, waits)
    figures += [
        Figure(f"v1-prepare-batch-{claims}", f"prepare {claims} claims in one call, p50", found.p50, "ms")
        for claims, found in run.batch_ms.items()
    ]
    title = f"memory of the plugin, {max(run.at_once)} devices, after {run.calls:,} calls"
    return [*figures, Figure("v1-memory-busy", title, run.resident_mib, "MiB", reach=80)]


def _one_at_once(waits: Waits) -> Sequence[Figure]:
    title = "prepare 1 claim"
    return [
        *_raw(1, "1 claim", waits),
        Figure("v1-prepare-1-p50", f"{title}, p50", waits.each.p50, "ms"),
        Figure("v1-prepare-1-besides", f"{title}, besides the GET, p50", waits.besides_read.p50, "ms", reach=5),
        Figure("v1-prepare-1-p95", f"{title}, p95", waits.each.p95, "ms"),
        Figure("v1-prepare-1-p99", f"{title}, p99", waits.each.p99, "ms"),
    ]


def _several_at_once(number: int, waits: Waits) -> Sequence[Figure]:
    name, title = f"v1-prepare-{number}", f"prepare {number} claims at once"
    reach = 300 if number == 100 else None
    return [
        *_raw(number, f"{number} claims at once", waits),
        Figure(f"{name}-p50", f"{title}, each, p50", waits.each.p50, "ms"),
        Figure(f"{name}-p99", f"{title}, each, p99", waits.each.p99, "ms"),
        Figure(f"{name}-all", f"{title}, all of them, p50", waits.all.p50, "ms", reach=reach),
        Figure(f"{name}-besides", f"{title}, all of them, besides the GETs, p50", waits.besides_read.p50, "ms"),
    ]


def _raw(number: int, what: str, waits: Waits) -> Sequence[Figure]:
    return [
        Figure(f"v1-raw-get-{number}", f"raw: GET of {what}, p50", waits.read.p50, "ms", "neither"),
        Figure(f"v1-raw-get-{number}-p99", f"raw: GET of {what}, p99", waits.read.p99, "ms", "neither"),
        Figure(f"v1-raw-call-{number}", f"raw: gRPC alone, {what}, p50", waits.echo.p50, "ms", "neither"),
        Figure(f"v1-raw-call-{number}-p99", f"raw: gRPC alone, {what}, p99", waits.echo.p99, "ms", "neither"),
    ]


def publish_figures(run: PublishRun) -> Sequence[Figure]:
    """Of the kubelet plugin's slices."""
    bare = median(start.bare for start in run.starts)
    registered = median(start.registered for start in run.starts)
    first_slice = median(start.first_slice for start in run.starts)
    deleted, changed = run.deleted_ms.greatest, run.changed_ms.greatest
    return [
        Figure("v1-raw-start", "raw: start of Python and gRPC alone", bare, "s", "neither"),
        Figure("v1-start", "plugin: start to registered", registered, "s", reach=1.5),
        Figure("v1-first-slice", "plugin: start to first slice", first_slice, "s", reach=1.5),
        Figure("v1-raw-write-repair", "raw: one API write beside that, p50", run.write_ms.p50, "ms", "neither"),
        Figure("v1-repair-deleted", "a slice is deleted: back after, at most", deleted, "ms", reach=1000),
        Figure("v1-repair-changed", "a slice is changed: repaired after, at most", changed, "ms", reach=1000),
        Figure("v1-memory", f"memory of the plugin, {run.devices} devices, idle", run.resident_mib, "MiB", reach=80),
        Figure("v1-restart-kill", "writes at a restart after SIGKILL", run.after_kill.writes, "", reach=0),
        Figure("v1-restart-stop", "writes at a restart after SIGTERM", run.after_stop.writes, ""),
    ]


def traffic_figures(runs: Sequence[PodTraffic]) -> Sequence[Figure]:
    """Of controller and plugin together."""
    figures: list[Figure] = []
    for run in runs:
        name, title = f"v1-pod-{run.pods}", f"for a pod, {'alone' if run.pods == 1 else f'{run.pods} at once'}"
        figures += [
            Figure(f"{name}-reads", f"reads {title}, until it runs", run.reads_until_running, "", reach=1),
            Figure(f"{name}-writes", f"writes {title}, until it runs", run.writes_until_running, "", reach=2),
            Figure(f"{name}-life-reads", f"reads {title}, until nothing is left of it", run.reads_a_pod, ""),
            Figure(f"{name}-life-writes", f"writes {title}, until nothing is left of it", run.writes_a_pod, ""),
        ]
    return figures

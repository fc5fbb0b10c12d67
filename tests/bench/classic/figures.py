"""Which figures come out of which measurements, with what is to be reached and where the Go driver is."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median

from tests.bench.classic.binding import BindingRun
from tests.bench.classic.footprint import Footprint
from tests.bench.classic.preparing import PrepareRun
from tests.bench.report import Figure
from tests.bench.statistic import Distribution

__all__ = [
    "binding_figures",
    "footprint_figures",
    "prepare_figures",
    "raw_figures",
    "reaction_figures",
    "scale_figures",
    "start_figures",
]

_GROWTH = 1.25
"""Time and requests for a claim may grow by less than a quarter from 100 to 1,000 nodes."""


def raw_figures(fsync_ms: Distribution, write_ms: Distribution) -> Sequence[Figure]:
    """The machine's own costs."""
    return [
        Figure("raw-fsync", "raw: one fsync of 4 KiB, p50", fsync_ms.p50, "ms", "neither"),
        Figure("raw-write", "raw: one API write alone, p50", write_ms.p50, "ms", "neither"),
    ]


def prepare_figures(run: PrepareRun) -> Sequence[Figure]:
    """Of the kubelet plugin."""
    one = run.calls_ms[1]
    figures = [
        Figure("prepare-1-p50", "prepare 1 claim, p50", one.p50, "ms", reach=4, go="17.6"),
        Figure("prepare-1-p95", "prepare 1 claim, p95", one.p95, "ms", go="50"),
        Figure("prepare-1-p99", "prepare 1 claim, p99", one.p99, "ms", reach=15, go="84"),
    ]
    for at_once in sorted(run.calls_ms)[1:]:
        calls, title = run.calls_ms[at_once], f"prepare {at_once} claims at once"
        figures += [
            Figure(f"prepare-{at_once}-{name}", f"{title}, each, {name}", value, "ms")
            for name, value in (("p50", calls.p50), ("p95", calls.p95), ("p99", calls.p99))
        ]
        reach = 250 if at_once == 100 else None
        total = run.rounds_ms[at_once].p50
        figures.append(Figure(f"prepare-{at_once}-all", f"{title}, all of them, p50", total, "ms", reach=reach))
    figures += [
        Figure(
            f"prepare-batch-{claims}",
            f"prepare {claims} claims in one call, p50",
            found.p50,
            "ms",
            go="275" if claims == 8 else "",
        )
        for claims, found in run.batch_ms.items()
    ]
    return [
        *figures,
        Figure("memory-plugin", "memory of the plugin", run.resident_mib, "MiB", reach=64, go="34"),
        Figure("start-plugin", "plugin: start to registered", run.registered_seconds, "s", reach=2, go="about 1"),
    ]


def start_figures(first_allocation_seconds: float) -> Sequence[Figure]:
    """Of a controller that is started while a pod waits."""
    title = "controller: start to first allocation"
    return [Figure("start-controller", title, first_allocation_seconds, "s", reach=2, go="1")]


def binding_figures(runs: Sequence[BindingRun], ceiling: Sequence[BindingRun]) -> Sequence[Figure]:
    """Of the main load, run several times in turn with the stand-in: medians."""
    speed, possible = _median(runs, lambda run: run.pods_a_second), _median(ceiling, lambda run: run.pods_a_second)
    load = f"{runs[0].pods} pods, {runs[0].nodes} nodes"
    return [
        Figure("ceiling", f"raw: ceiling, {load}", possible, "pods/s", "neither"),
        Figure("pods", f"pods bound, {load}", speed, "pods/s", "more", go="2.1"),
        Figure("pods-share", "of the ceiling of the same run", speed / possible, "", "more", reach=0.8),
        Figure("requests", "requests for a claim", _median(runs, _requests), "", reach=6, go="164"),
        Figure("lost", "writes answered 409 or 422", 100 * _median(runs, _lost), "%", reach=3, go="15"),
        Figure("raw-write-load", "raw: one API write under that load, p50", _write(runs), "ms", "neither"),
        Figure("cpu", "CPU of the driver for a pod", 1000 * _median(runs, _cpu), "ms"),
        Figure("memory-controller", "memory of the controller", _median(runs, _memory), "MiB", reach=90, go="45"),
    ]


def reaction_figures(reaction_ms: Distribution, possible_ms: Distribution, write_ms: Distribution) -> Sequence[Figure]:
    """On an idle system; a slow machine is given three of its own API writes and 5 ms."""
    title, slow = "selectedNode to allocation, idle", 3 * write_ms.p50 + 5
    return [
        Figure("reaction-ceiling", f"raw: {title}, the stand-in's p50", possible_ms.p50, "ms", "neither"),
        Figure("reaction-p50", f"{title}, p50", reaction_ms.p50, "ms", reach=max(15.0, slow)),
        Figure("reaction-p99", f"{title}, p99", reaction_ms.p99, "ms", reach=max(50.0, 3 * write_ms.p99 + 5)),
    ]


def scale_figures(
    runs: Mapping[int, Sequence[BindingRun]], ceiling: Mapping[int, Sequence[BindingRun]]
) -> Sequence[Figure]:
    """Of the main load on more and more nodes; medians of each."""
    figures = []
    for nodes, found in runs.items():
        possible = _median(ceiling[nodes], lambda run: run.pods_a_second)
        speed = _median(found, lambda run: run.pods_a_second)
        figures += [
            Figure(f"scale-{nodes}-ceiling", f"raw: ceiling on {nodes} nodes", possible, "pods/s", "neither"),
            Figure(f"scale-{nodes}-pods", f"pods bound on {nodes} nodes", speed, "pods/s", "more"),
            Figure(f"scale-{nodes}-requests", f"requests for a claim on {nodes} nodes", _median(found, _requests), ""),
            Figure(
                f"scale-{nodes}-cpu", f"CPU of the driver for a pod on {nodes} nodes", 1000 * _median(found, _cpu), "ms"
            ),
        ]
    least, most = min(runs), max(runs)
    title = f"from {least} to {most} nodes"
    return [
        *figures,
        Figure(
            "growth-time",
            f"time for a claim, {title}",
            _growth(runs[least], runs[most], _seconds),
            "times",
            reach=_GROWTH,
        ),
        Figure(
            "growth-ceiling",
            f"raw: the ceiling's time, {title}",
            _growth(ceiling[least], ceiling[most], _seconds),
            "times",
            "neither",
        ),
        Figure(
            "growth-requests",
            f"requests for a claim, {title}",
            _growth(runs[least], runs[most], _requests),
            "times",
            reach=_GROWTH,
        ),
    ]


def footprint_figures(footprint: Footprint) -> Sequence[Figure]:
    """Of a controller in a large cluster."""
    where = f"{footprint.nodes:,} nodes, {footprint.claims:,} claims"
    return [
        Figure("memory-large", f"memory of the controller, {where}", footprint.resident_mib, "MiB", reach=200),
        Figure("memory-large-peak", f"its greatest memory, {where}", footprint.greatest_mib, "MiB"),
        Figure("start-large", f"controller: start to ready, {where}", footprint.ready_seconds, "s"),
    ]


def _median(runs: Sequence[BindingRun], value: Callable[[BindingRun], float]) -> float:
    return median(value(run) for run in runs)


def _growth(few: Sequence[BindingRun], many: Sequence[BindingRun], value: Callable[[BindingRun], float]) -> float:
    return _median(many, value) / _median(few, value)


def _write(runs: Sequence[BindingRun]) -> float:
    return _median(runs, lambda run: run.write_ms.p50)


def _requests(run: BindingRun) -> float:
    return run.requests_a_claim


def _lost(run: BindingRun) -> float:
    return run.lost_share


def _cpu(run: BindingRun) -> float:
    return run.cpu_seconds["driver"] / run.pods


def _memory(run: BindingRun) -> float:
    return run.resident_mib


def _seconds(run: BindingRun) -> float:
    return run.seconds / run.pods

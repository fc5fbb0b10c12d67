"""What the chart's Grafana dashboard shows, from top to bottom.

No panel has a line for each node, which would be unreadable at 300 nodes: nodes are added up, or are rows of a table.
Every controller, also one that stands by, shows the state of nodes and claims, so ``max`` picks one; docs/metrics.md
says more.
"""

from collections.abc import Mapping
from typing import Final

from fake_dra_driver.codegen import DashboardRow, Panel, Query, dashboard_json
from fake_dra_driver.packaging.alerts import OURS

__all__ = ["ROWS", "render_dashboard"]

_RATE: Final = "[$__rate_interval]"
_NODE: Final = 'node=~"$node"'
_HALF: Final = 12
_THIRD: Final = 8
_BAD_IF_ANY: Final = ((None, "green"), (1.0, "orange"))
_STATES: Final[Mapping[str, str]] = {
    "free": "green",
    "allocated": "yellow",
    "prepared": "blue",
    "unavailable": "orange",
    "missing": "red",
}


def _devices(states: str = "") -> str:
    """Each device once, however many controllers are seen."""
    matchers = f'{_NODE}, state=~"{states}"' if states else _NODE
    return f"max by (node, model, state) (fake_dra_devices{{{matchers}}})"


def _ready() -> str:
    return f"max by (node) (fake_dra_node_ready{{{_NODE}}})"


def _claims() -> str:
    return f"max by (node) (fake_dra_allocated_claims{{{_NODE}}})"


def _stat(
    title: str, about: str, query: str, unit: str = "short", steps: tuple[tuple[float | None, str], ...] | None = None
) -> Panel:
    steps = steps or ((None, "green"),)
    return Panel(title, about, (Query(query, title),), "stat", unit, width=4, height=4, steps=steps)


def _spread(histogram: str, name: str) -> tuple[Query, ...]:
    """Median and 99th percentile."""
    buckets = f"sum by (le) (rate({histogram}_bucket{_RATE}))"
    return tuple(
        Query(f"histogram_quantile({quantile}, {buckets})", f"{name} {word}")
        for quantile, word in ((0.5, "median"), (0.99, "p99"))
    )


_OVERVIEW: Final = DashboardRow(
    "Overview",
    (
        _stat("Nodes ready", "Nodes that take claims.", f"sum({_ready()})", steps=((None, "red"), (1.0, "green"))),
        _stat(
            "Nodes not ready",
            "Their kubelet plugin is not ready, or their record cannot be read: pods with claims cannot start there.",
            f"count({_ready()} == 0) or vector(0)",
            steps=_BAD_IF_ANY,
        ),
        _stat(
            "Devices in use",
            "Allocated or prepared, of all that nodes have.",
            f"sum({_devices('allocated|prepared')}) / sum({_devices('free|allocated|prepared|unavailable')})",
            "percentunit",
            ((None, "green"), (0.9, "orange"), (1.0, "red")),
        ),
        _stat("Claims with devices", "Claims that hold devices.", f"sum({_claims()})"),
        _stat(
            "Claims waiting",
            "In mode Immediate, or used by a pod that is being scheduled; on all nodes.",
            "max(fake_dra_waiting_claims)",
            steps=_BAD_IF_ANY,
        ),
        _stat(
            "Longest wait",
            "Of the claims that wait now.",
            "max(fake_dra_oldest_waiting_claim_seconds)",
            "s",
            ((None, "green"), (300.0, "orange"), (1800.0, "red")),
        ),
    ),
)

_NODES: Final = DashboardRow(
    "Devices",
    (
        Panel(
            "Devices by state",
            "free: the next claim gets it; allocated: a claim holds it; prepared: ready for containers; unavailable: "
            "on a node that takes no claims; missing: a claim holds it, and the node does not have it.",
            (Query(f"sum by (state) ({_devices()})", "{{state}}"),),
            width=_HALF,
            is_stacked=True,
            colors=_STATES,
        ),
        Panel(
            "Free devices by model",
            "What the next claims can get.",
            (Query(f"sum by (model) ({_devices('free')})", "{{model}}"),),
            width=_HALF,
        ),
        Panel(
            "Nodes",
            "What each node has at this moment.",
            (
                Query(_ready(), "Ready"),
                *(
                    Query(f"sum by (node) ({_devices(state)})", state.capitalize())
                    for state in ("free", "allocated", "prepared", "unavailable", "missing")
                ),
                Query(_claims(), "Claims"),
            ),
            kind="table",
            row_label="node",
            width=24,
            height=9,
        ),
    ),
)

_ALLOCATING: Final = DashboardRow(
    "Claims",
    (
        Panel(
            "Allocations (classic DRA)",
            "Claims that were allocated, by their allocation mode, and claims that were released.",
            (
                Query(
                    f"sum by (mode) (rate(fake_dra_allocation_duration_seconds_count{_RATE}))", "allocated, {{mode}}"
                ),
                Query(f"sum(rate(fake_dra_deallocation_duration_seconds_count{_RATE}))", "released"),
            ),
            unit="ops",
        ),
        Panel(
            "Time to allocate (classic DRA)",
            "From when a node was selected (in mode Immediate: the claim was seen) to the allocation being written.",
            (
                *_spread("fake_dra_allocation_duration_seconds", "allocate"),
                *_spread("fake_dra_deallocation_duration_seconds", "release"),
            ),
            unit="s",
        ),
        Panel(
            "Claims that wait",
            "In mode Immediate, or used by a pod that is being scheduled.",
            (Query("max(fake_dra_waiting_claims)", "waiting"),),
        ),
    ),
)

_PREPARING: Final = DashboardRow(
    "Preparing",
    (
        Panel(
            "Claims prepared and unprepared",
            "By the kubelet plugins of all nodes.",
            (
                Query(f"sum by (result) (rate(fake_dra_prepare_duration_seconds_count{_RATE}))", "prepare, {{result}}"),
                Query(
                    f"sum by (result) (rate(fake_dra_unprepare_duration_seconds_count{_RATE}))",
                    "unprepare, {{result}}",
                ),
            ),
            unit="ops",
        ),
        Panel(
            "Time to prepare",
            "Until everything is durable on the node's disk.",
            (
                *_spread("fake_dra_prepare_duration_seconds", "prepare"),
                *_spread("fake_dra_unprepare_duration_seconds", "unprepare"),
            ),
            unit="s",
        ),
        Panel(
            "Errors returned to kubelets",
            "One for each claim of a call, by reason; the Events of the claims say more.",
            (
                Query(
                    f'sum by (verb, result) (rate(fake_dra_kubelet_answers_total{{result!="success"}}{_RATE}))',
                    "{{verb}}, {{result}}",
                ),
            ),
            unit="ops",
        ),
    ),
)

_LEDGER: Final = DashboardRow(
    "Record, refusals and repairs",
    (
        Panel(
            "Writes to the nodes' records",
            "conflict: another writer was faster, and the write is tried again.",
            (Query(f"sum by (result) (rate(fake_dra_ledger_writes_total{_RATE}))", "{{result}}"),),
            unit="ops",
            colors={"written": "green", "conflict": "orange", "failed": "red"},
        ),
        Panel(
            "Refusals",
            "By the reason of their Events; docs/metrics.md says what to do about each.",
            (Query(f"sum by (reason) (increase(fake_dra_refusals_total{_RATE})) > 0", "{{reason}}"),),
        ),
        Panel(
            "Repairs",
            "By the reason of their Events; claims in dispute (classic DRA) wait for a person.",
            (
                Query(f"sum by (reason) (increase(fake_dra_repairs_total{_RATE})) > 0", "{{reason}}"),
                Query("max(fake_dra_disputed_claims) > 0", "claims in dispute"),
            ),
        ),
    ),
)

_PROGRAMS: Final = DashboardRow(
    "Programs",
    (
        Panel(
            "Requests to the API server",
            "Of all programs of the driver, by the code of the answer.",
            (Query(f"sum by (code) (rate(rest_client_requests_total{_RATE}) {OURS})", "{{code}}"),),
            unit="reqps",
        ),
        Panel(
            "Keys in work queues",
            "A queue that does not become empty means that the driver cannot keep up.",
            (Query(f"max by (controller) (workqueue_depth {OURS})", "{{controller}}"),),
        ),
        Panel(
            "Failed reconciles",
            "They are tried again; the log says why.",
            (
                Query(
                    f"sum by (controller) (rate(controller_runtime_reconcile_errors_total{_RATE}) {OURS})",
                    "{{controller}}",
                ),
            ),
            unit="ops",
        ),
        Panel(
            "Memory",
            "The largest process of each program.",
            (
                Query(
                    "max by (component) (process_resident_memory_bytes * on (job, instance) group_left (component) "
                    "fake_dra_build_info)",
                    "{{component}}",
                ),
            ),
            unit="bytes",
        ),
        Panel(
            "Processor",
            "The busiest process of each program; 1 is a whole core.",
            (
                Query(
                    f"max by (component) (rate(process_cpu_seconds_total{_RATE}) * on (job, instance) "
                    "group_left (component) fake_dra_build_info)",
                    "{{component}}",
                ),
            ),
        ),
        Panel(
            "Leader",
            "The controller that works has 1; the others stand by.",
            (Query('max by (pod) (leader_election_master_status{name="fake-dra-controller"})', "{{pod}}"),),
        ),
    ),
)

ROWS: tuple[DashboardRow, ...] = (_OVERVIEW, _NODES, _ALLOCATING, _PREPARING, _LEDGER, _PROGRAMS)
"""The whole dashboard."""


def render_dashboard(header: str) -> str:
    """The dashboard's JSON, which says in its description where it comes from."""
    about = f"{header} Devices, claims and programs of the fake DRA driver."
    variables = {"node": "label_values(fake_dra_node_ready, node)"}
    return dashboard_json("Fake DRA driver", about, ROWS, variables, tags=("kubernetes", "dra"))

"""Every metric of a driver's programs: the list from which they are made, documented, drawn and alerted on.

The names are without what each driver puts before its own (``DriverNames.metrics``): ``sections`` has them whole.
No label has a value for each claim or pod: ``node`` is the plugin's own node, or one that exists, ``model`` a model of
its devices, and every other label has a fixed set of values. So the number of series grows with the nodes alone.
"""

from dataclasses import dataclass
from typing import Final

from fake_dra_driver.dra.failurereason import FailureReason
from fake_dra_driver.runtime.metricfamily import (
    FAMILIES,
    LIBRARY_FAMILIES,
    CounterFamily,
    Family,
    GaugeFamily,
    HistogramFamily,
)

__all__ = [
    "CLASSIC_CONTROLLER_FAMILIES",
    "CONTROLLER_FAMILIES",
    "PLUGIN_FAMILIES",
    "SHARED_CONTROLLER_FAMILIES",
    "SHARED_FAMILIES",
    "WEBHOOK_FAMILIES",
    "Section",
    "sections",
]

_NODE = ("node", "name of a node that exists")
_OWN_NODE = ("node", "name of the plugin's own node")
_MODEL = ("model", "model of the devices")
_RESULTS = ", ".join(reason.value for reason in FailureReason)

ALLOCATION_BUCKETS: Final = (0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""An allocation is two or three writes to the API server, each a few milliseconds; in a full cluster it takes long."""
PREPARE_BUCKETS: Final = (0.001, 0.002, 0.004, 0.006, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Preparing is two durable files; the kubelet of Kubernetes 1.27 waits 10 s."""
REVIEW_BUCKETS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)
"""A review is reading some JSON, of up to 3 MiB."""

# --- Controller and kubelet plugin

BUILD_INFO = GaugeFamily(
    "build_info",
    "Which release runs.",
    "always 1",
    (("version", "version of the driver"), ("component", "`controller`, `kubelet-plugin` or `webhook`")),
    of_program=True,
)
REFUSALS = CounterFamily(
    "refusals_total",
    "Refusals; each was reported in an Event.",
    "refusals",
    (("reason", "reason of the Event: see the list of events"),),
    of_program=True,
)
REPAIRS = CounterFamily(
    "repairs_total",
    "Repairs; each was reported in an Event.",
    "repairs",
    (("reason", "reason of the Event: see the list of events"),),
    of_program=True,
)

# --- Controller

DEVICES = GaugeFamily(
    "devices",
    "Devices by what they are doing.",
    "devices",
    (
        _NODE,
        _MODEL,
        (
            "state",
            "free; allocated (a claim holds it); prepared (ready for the claim's containers); unavailable (free, on a "
            "node that takes no claims); missing (a claim holds it, and the node does not have it; without a model)",
        ),
    ),
    of_program=True,
)
NODE_READY = GaugeFamily("node_ready", "Whether the node takes claims: 1, or 0.", "0 or 1", (_NODE,), of_program=True)
ALLOCATED_CLAIMS = GaugeFamily(
    "allocated_claims", "Claims that hold devices of the node.", "claims", (_NODE,), of_program=True
)
WAITING_CLAIMS = GaugeFamily(
    "waiting_claims",
    "Claims that wait for devices: in mode Immediate, or used by a pod that is being scheduled.",
    "claims",
    of_program=True,
)
OLDEST_WAITING_CLAIM = GaugeFamily(
    "oldest_waiting_claim_seconds",
    "How long the oldest waiting claim has waited; 0 without one.",
    "seconds",
    of_program=True,
)
DISPUTED_CLAIMS = GaugeFamily(
    "disputed_claims",
    "Allocated claims whose devices are on record for another claim, or unknown; 0 unless the record was edited.",
    "claims",
    of_program=True,
)
ALLOCATION_DURATION = HistogramFamily(
    "allocation_duration_seconds",
    "Seconds from when a node was selected (in mode Immediate: the claim was seen) to the allocation being written.",
    "seconds",
    (("mode", "allocation mode of the claim: WaitForFirstConsumer or Immediate"),),
    ALLOCATION_BUCKETS,
    of_program=True,
)
DEALLOCATION_DURATION = HistogramFamily(
    "deallocation_duration_seconds",
    "Seconds it took to deallocate a claim.",
    "seconds",
    (),
    ALLOCATION_BUCKETS,
    of_program=True,
)
LEDGER_WRITES = CounterFamily(
    "ledger_writes_total",
    "Requests that write allocatedClaims of a node: which claim holds which devices.",
    "requests",
    (("result", "written; conflict (another writer was faster, it is tried again); failed"),),
    of_program=True,
)
LEDGER_CHANGES = CounterFamily(
    "ledger_changes_total",
    "Changes that these requests carried: several claims share a request when a node is busy.",
    "changes",
    of_program=True,
)

# --- Kubelet plugin

PREPARE_DURATION = HistogramFamily(
    "prepare_duration_seconds",
    "Seconds it took to prepare a claim, durably.",
    "seconds",
    (("result", "success, refused, internal (a defect)"),),
    PREPARE_BUCKETS,
    of_program=True,
)
UNPREPARE_DURATION = HistogramFamily(
    "unprepare_duration_seconds",
    "Seconds it took to unprepare a claim, durably.",
    "seconds",
    (("result", "success, refused, internal (a defect)"),),
    PREPARE_BUCKETS,
    of_program=True,
)
KUBELET_ANSWERS = CounterFamily(
    "kubelet_answers_total",
    "Answers to the kubelet, one for each claim of a call.",
    "answers",
    (("verb", "prepare or unprepare"), ("result", f"success, or why not: {_RESULTS}")),
    of_program=True,
)
PREPARED_CLAIMS = GaugeFamily(
    "prepared_claims",
    "Claims that are prepared, by the plugin's checkpoint.",
    "claims",
    (_OWN_NODE,),
    of_program=True,
)
PREPARED_DEVICES = GaugeFamily(
    "prepared_devices",
    "Devices that are prepared as a whole or as children, by the plugin's checkpoint.",
    "devices",
    (_OWN_NODE, _MODEL),
    of_program=True,
)
PLUGIN_READY = GaugeFamily(
    "plugin_ready",
    "Whether the kubelet can use the plugin: 1, or 0.",
    "0 or 1",
    (_OWN_NODE,),
    of_program=True,
)

# --- Admission webhook

REVIEW_DURATION = HistogramFamily(
    "admission_review_duration_seconds",
    "Seconds it took to review a claim or a template of claims.",
    "seconds",
    (
        (
            "result",
            "allowed; refused; ignored (nothing in it that is checked, or an unknown version); invalid (the request "
            "was no review)",
        ),
    ),
    REVIEW_BUCKETS,
    of_program=True,
)

SHARED_FAMILIES: tuple[Family, ...] = (BUILD_INFO, REFUSALS, REPAIRS)
SHARED_CONTROLLER_FAMILIES: tuple[Family, ...] = (
    *(DEVICES, NODE_READY, ALLOCATED_CLAIMS, WAITING_CLAIMS, OLDEST_WAITING_CLAIM),
    *(LEDGER_WRITES, LEDGER_CHANGES),
)
CLASSIC_CONTROLLER_FAMILIES: tuple[Family, ...] = (ALLOCATION_DURATION, DEALLOCATION_DURATION, DISPUTED_CLAIMS)
CONTROLLER_FAMILIES: tuple[Family, ...] = (*SHARED_CONTROLLER_FAMILIES, *CLASSIC_CONTROLLER_FAMILIES)
PLUGIN_FAMILIES: tuple[Family, ...] = (
    *(PREPARE_DURATION, UNPREPARE_DURATION, KUBELET_ANSWERS, PREPARED_CLAIMS, PREPARED_DEVICES, PLUGIN_READY),
)
WEBHOOK_FAMILIES: tuple[Family, ...] = (REVIEW_DURATION,)


@dataclass(frozen=True, slots=True)
class Section:
    """Metrics that belong together."""

    title: str
    about: str
    families: tuple[Family, ...]


def sections(prefix: str) -> tuple[Section, ...]:
    """Every metric of every program of a driver.

    Args:
        prefix: what the names of its own begin with.
    """

    def named(title: str, about: str, families: tuple[Family, ...]) -> Section:
        return Section(title, about, tuple(family.named(prefix) for family in families))

    return (
        named("Controller", "Served by the controller alone.", SHARED_CONTROLLER_FAMILIES),
        named(
            "Controller in classic DRA",
            "Served by the controller where it allocates: on Kubernetes 1.27 to 1.30.",
            CLASSIC_CONTROLLER_FAMILIES,
        ),
        named("Kubelet plugin", "Served by the kubelet plugin of each node.", PLUGIN_FAMILIES),
        named(
            "Admission webhook",
            f"Served by the webhook alone, where it is on, with `{BUILD_INFO.named(prefix).name}`.",
            WEBHOOK_FAMILIES,
        ),
        named("Both", "Served by controller and kubelet plugin.", SHARED_FAMILIES),
        named(
            "Framework",
            "Served by controller and kubelet plugin; names, labels and buckets are those of client-go and "
            "controller-runtime, so that dashboards made for Go programs fit.",
            FAMILIES,
        ),
        named("Process", "Served by every program.", LIBRARY_FAMILIES),
    )

"""How long the allocator takes to decide about a pod, with no cluster around it.

Nodes are gone through as a scheduler does it: from the one after that at which the last pod's search ended, until
enough fit, or none are left. The pod gets the first of these. Enough is one for a scheduler that knows which node it
would like best, such as the embedded one; kube-scheduler compares many (numFeasibleNodesToFind).
"""

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fake_dra_driver.allocation import Allocation, Allocator, Behaviour
from fake_dra_driver.api.resource import v1
from fake_dra_driver.cluster.kinds import Node
from tests.bench.scheduling.workload import DEVICES, Workload
from tests.bench.statistic import Distribution

__all__ = ["Decisions", "decide_all"]

_LEAST_COMPARED: Final = 100
"""minFeasibleNodesToFind."""
_COMPARING_PODS: Final = 100
"""How many pods are decided about as kube-scheduler does it: few, since each is as much work as some hundred others."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """About all pods, one after the other."""

    workload: Workload
    load_seconds: float
    """To take in the cluster: what comes before the first decision."""
    average_ms: float
    placed_ms: Distribution
    """For each pod that got a device, whatever it took on all nodes."""
    refused_ms: Distribution
    """For each that came when no node had one left."""
    compared_ms: Distribution
    """For each of some pods in an empty cluster, with as many nodes that fit as kube-scheduler compares."""


def decide_all(workload: Workload) -> Decisions:
    """Blocks, for seconds."""
    nodes = [Node.from_wire(each) for each in workload.node_objects()]
    claims = [
        v1.ResourceClaim.from_wire({**each, "metadata": {**each["metadata"], "uid": each["metadata"]["name"]}})
        for each in workload.claims()
    ]
    slices = [v1.ResourceSlice.from_wire(each) for each in workload.slices()]
    classes = [v1.DeviceClass.from_wire(workload.device_class())]

    def load() -> Allocator:
        numbers = itertools.count()
        allocator = Allocator(Behaviour(), new_share_id=lambda: str(next(numbers)))
        allocator.replace(slices=slices, classes=classes, claims=claims)
        return allocator

    start = time.thread_time()
    allocator = load()
    loaded = time.thread_time()
    milliseconds = _decide(allocator, claims, nodes, 1)
    wanted = max(_LEAST_COMPARED, len(nodes) * (50 - len(nodes) // 125) // 100)
    compared = _decide(load(), claims[:_COMPARING_PODS], nodes, wanted)
    places = workload.nodes * DEVICES
    return Decisions(
        workload=workload,
        load_seconds=loaded - start,
        average_ms=sum(milliseconds) / len(milliseconds),
        placed_ms=Distribution.of(milliseconds[:places]),
        refused_ms=Distribution.of(milliseconds[places:]),
        compared_ms=Distribution.of(compared),
    )


def _decide(
    allocator: Allocator, claims: Sequence[v1.ResourceClaim], nodes: Sequence[Node], wanted: int
) -> Sequence[float]:
    """CPU time for each claim, in milliseconds: what else the machine has to do does not count."""
    begin = placed = 0
    milliseconds = []
    for claim in claims:
        before = time.thread_time()
        first: Allocation | None = None
        fitting = tried = 0
        while tried < len(nodes) and fitting < wanted:
            answer = allocator.allocate((claim,), nodes[(begin + tried) % len(nodes)])
            tried += 1
            if isinstance(answer, Allocation):
                fitting += 1
                first = first or answer
        begin = (begin + tried) % len(nodes)
        if first is not None:
            allocator.assume(claim, first.results[0])
            placed += 1
        milliseconds.append((time.thread_time() - before) * 1000)
    if placed != min(len(claims), len(nodes) * DEVICES):
        raise RuntimeError(f"{placed} of {len(claims)} pods have a device")
    return milliseconds

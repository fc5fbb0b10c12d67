"""One scheduling cycle as a pure function: from what the caches show to what to do about a pod.

Follows the scheduling cycle of kube-scheduler (PreFilter, Filter, PostFilter, Score) with its plugins for unschedulable
nodes, taints, node affinity and dynamic resources. Of the nodes that fit, a real one takes the best score, and among
equals one at random; here it is the one with the best choice among the alternatives of prioritized lists, else the one
with the fewest pods, else the first by name.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.api.resource.v1 import AllocationResult, ResourceClaim
from fake_dra_driver.cluster.kinds import Node, Pod
from fake_dra_driver.cluster.nodefit import matches, named_nodes
from fake_dra_driver.cluster.reservations import can_be_reserved, is_reserved_for
from fake_dra_driver.cluster.scheduler.diagnosis import NO_NODES, fit_error, preemption_note
from fake_dra_driver.cluster.scheduler.nodefilter import reason_against
from fake_dra_driver.cluster.scheduler.structured.firstfit import Allocation, AllocationError, Refusal

__all__ = ["Cluster", "Decision", "NoFit", "Place", "decide"]

REASON_ELSEWHERE = "resourceclaim not available on the node"

FailureReason = Literal["Unschedulable", "SchedulerError"]
"""Reason of the condition PodScheduled."""


@dataclass(frozen=True, slots=True)
class NoFit:
    """No node takes the pod, or the attempt came to an early end."""

    message: str
    reason: FailureReason = "Unschedulable"
    deallocate: ResourceClaim | None = None
    """An allocated claim to deallocate: it rules out the nodes, and no other pod uses it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Allocate the claims, and bind the pod to the node."""

    node: str
    allocations: tuple[tuple[ResourceClaim, AllocationResult | None], ...]
    """Each claim of the pod, with what was chosen for it; None: it was allocated before."""


Decision = NoFit | Place


class Cluster(Protocol):
    """What a cycle knows of the cluster beside the pod and its claims."""

    @property
    def nodes(self) -> Sequence[Node]:
        """All nodes, by name."""
        ...

    def load(self, node: str) -> int:
        """How many pods a node has."""
        ...

    def has_class(self, name: str) -> bool:
        """Whether there is a DeviceClass of that name."""
        ...

    def is_in_flight(self, claim: UID) -> bool:
        """Whether an allocation of the claim is being written."""
        ...

    def allocate(self, claims: Sequence[ResourceClaim], node: Node) -> Allocation | Refusal:
        """Chooses devices. Raises AllocationError."""
        ...


class _Refused(Exception):  # noqa: N818 - the decision is NoFit
    """The pod's claims rule out all nodes at once."""


def decide(pod: Pod, claims: Sequence[ResourceClaim], cluster: Cluster) -> Decision:
    """What to do about a pod.

    Args:
        pod: a pod without a node.
        claims: its claims, which are all there.
        cluster: everything else.
    """
    if not cluster.nodes:
        return NoFit(NO_NODES)
    try:
        _check_claims(pod, claims, cluster)
    except _Refused as refused:
        return NoFit(fit_error(len(cluster.nodes), everywhere=str(refused), notes=preemption_note(len(cluster.nodes))))
    filtered = _Filtered()
    try:
        filtered.run(pod, claims, cluster)
    except AllocationError as error:
        return NoFit(f'running "DynamicResources" filter plugin: {error}', reason="SchedulerError")
    if not filtered.fitting:
        return _no_fit(pod, claims, filtered, len(cluster.nodes))
    best = min(filtered.fitting, key=lambda each: (-each.score, cluster.load(each.node), each.node))
    results = iter(best.results)
    return Place(best.node, tuple((each, None if each.status.allocation else next(results)) for each in claims))


# --- PreFilter ---------------------------------------------------------------------------------------------------


def _check_claims(pod: Pod, claims: Sequence[ResourceClaim], cluster: Cluster) -> None:
    for claim in claims:
        if claim.status.allocation is not None:
            if not can_be_reserved(claim) and not is_reserved_for(claim, pod):
                raise _Refused("resourceclaim in use")
            continue
        if cluster.is_in_flight(claim.uid):
            raise _Refused(f"resource claim {claim.key} is in the process of being allocated")
        for request, name in _class_names(claim):
            if not cluster.has_class(name):
                raise _Refused(f"request {request}: device class {name} does not exist")


def _class_names(claim: ResourceClaim) -> Sequence[tuple[str, str]]:
    """The requests of a claim, and the alternatives of each, with the classes that they name."""
    named = []
    for request in claim.spec.devices.requests:
        if request.exactly is not None:
            named.append((request.name, request.exactly.device_class_name))
        named += [(f"{request.name}/{each.name}", each.device_class_name) for each in request.first_available]
    return named


# --- Filter ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Filtered:
    """Which nodes are left, and why the others are not."""

    fitting: list[Allocation] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    unavailable: set[int] = field(default_factory=set)
    """Indexes of allocated claims that are not available on some node."""

    def run(self, pod: Pod, claims: Sequence[ResourceClaim], cluster: Cluster) -> None:
        """Looks at all nodes. Raises AllocationError."""
        names = named_nodes(pod.spec)
        pending = [claim for claim in claims if claim.status.allocation is None]
        for node in cluster.nodes:
            reason = reason_against(node, pod, names) or self._reason_elsewhere(claims, node)
            if reason:
                self.reasons.append(reason)
                continue
            answer = cluster.allocate(pending, node) if pending else Allocation(node.metadata.name, ())
            match answer:
                case Allocation():
                    self.fitting.append(answer)
                case Refusal(text=text):
                    self.reasons.append(text)

    def _reason_elsewhere(self, claims: Sequence[ResourceClaim], node: Node) -> str:
        elsewhere = {
            at
            for at, claim in enumerate(claims)
            if claim.status.allocation is not None
            and claim.status.allocation.node_selector is not None
            and not matches(claim.status.allocation.node_selector, node)
        }
        self.unavailable |= elsewhere
        return REASON_ELSEWHERE if elsewhere else ""


# --- PostFilter --------------------------------------------------------------------------------------------------


def _no_fit(pod: Pod, claims: Sequence[ResourceClaim], filtered: _Filtered, nodes: int) -> NoFit:
    for at in sorted(filtered.unavailable):
        claim = claims[at]
        if all(each.uid == pod.uid for each in claim.status.reserved_for):
            notes = f"deallocation of ResourceClaim completed, {preemption_note(nodes)}"
            return NoFit(fit_error(nodes, reasons=filtered.reasons, notes=notes), deallocate=claim)
    return NoFit(fit_error(nodes, reasons=filtered.reasons, notes=preemption_note(nodes)))

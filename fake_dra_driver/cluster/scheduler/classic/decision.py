"""One scheduling cycle as a pure function: from what the caches show to what to do about a pod.

Follows the scheduling cycle of kube-scheduler 1.30 (PreFilter, Filter, PostFilter, PreScore, Reserve) with its plugins
for unschedulable nodes, taints, node affinity, resources and dynamic resources. Where it chooses at random, this one
does not: of the nodes that fit, the one that was selected before, else the one with the most CPU and memory left, else
the one with the fewest pods, else the first by name.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from fake_dra_driver.api.resource.v1alpha2 import (
    MAX_NODES_PER_SCHEDULING_CONTEXT,
    PodSchedulingContext,
    ResourceClaim,
)
from fake_dra_driver.cluster.kinds import Node, Pod
from fake_dra_driver.cluster.nodefit import matches, named_nodes
from fake_dra_driver.cluster.noderesources import NodeResources
from fake_dra_driver.cluster.podresources import Requests, requests_of
from fake_dra_driver.cluster.scheduler.classic.podclaims import PodClaim, answers
from fake_dra_driver.cluster.scheduler.diagnosis import fit_error, preemption_note
from fake_dra_driver.cluster.scheduler.nodefilter import reason_against, shortage_reason
from fake_dra_driver.cluster.scheduler.room import Demand

__all__ = ["Bind", "Decision", "Negotiate", "NoFit", "Room", "decide", "refuse"]

REASON_UNSUITABLE = "resourceclaim cannot be allocated for the node (unsuitable)"
REASON_ELSEWHERE = "resourceclaim not available on the node"
REASON_CLASS = "excluded by resource class node filter"


@dataclass(frozen=True, slots=True)
class NoFit:
    """No node takes the pod."""

    message: str
    release: ResourceClaim | None = None
    """An allocated claim to deallocate: it rules out the nodes, and no other pod uses it."""
    demand: Demand | None = None
    """What some node has too little room for; None: room is not what is missing."""


@dataclass(frozen=True, slots=True)
class Negotiate:
    """It is a driver's turn: publish what has changed, and wait."""

    message: str
    selected_node: str | None = None
    """The node to allocate for; None: as it was."""
    potential_nodes: tuple[str, ...] | None = None
    """The nodes for drivers to judge; None: as they were."""

    @property
    def changes(self) -> bool:
        """Whether there is anything to publish."""
        return self.selected_node is not None or self.potential_nodes is not None


@dataclass(frozen=True, slots=True)
class Bind:
    """Reserve the claims, and bind the pod to the node."""

    node: str
    requests: Requests
    """What the pod asks of the node."""


Decision = NoFit | Negotiate | Bind


@dataclass(frozen=True, slots=True)
class Room:
    """How full the nodes are."""

    resources: NodeResources
    load: Callable[[str], int]
    """How many pods a node has, with those that are on their way to it."""


def refuse(reason: str, nodes: int) -> NoFit:
    """The decision when the pod's claims rule out all nodes at once."""
    notes = f"no new claims to deallocate, {preemption_note(nodes)}"
    return NoFit(fit_error(nodes, everywhere=reason, notes=notes))


def decide(
    pod: Pod,
    claims: Sequence[PodClaim],
    context: PodSchedulingContext | None,
    nodes: Sequence[Node],
    room: Room,
) -> Decision:
    """What to do about a pod.

    Args:
        pod: a pod without a node.
        claims: its claims, checked.
        context: its own PodSchedulingContext.
        nodes: all nodes; there is at least one.
        room: how full they are.
    """
    requests = requests_of(pod.spec)
    filtered = _Filtered.run(pod, claims, context, nodes, Demand(requests), room.resources)
    if not filtered.fitting:
        return _no_fit(pod, claims, filtered, len(nodes))
    selected = context.spec.selected_node if context is not None else ""
    ranked = sorted(
        filtered.fitting,
        key=lambda name: (name != selected, -room.resources.score(name, requests), room.load(name), name),
    )
    pending = [each for each in claims if each.is_pending]
    if not pending:
        return Bind(ranked[0], requests)
    return _negotiate(ranked, pending, context)


# --- Filter ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Filtered:
    """Which nodes are left, and why the others are not."""

    fitting: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    unavailable: set[int] = field(default_factory=set)
    """Indexes of allocated claims that are not available on some node and that could be allocated again."""
    full: int = 0
    """How many nodes have too little of a resource left."""
    demand: Demand | None = None
    """What they have too little room for."""

    @classmethod
    def run(
        cls,
        pod: Pod,
        claims: Sequence[PodClaim],
        context: PodSchedulingContext | None,
        nodes: Sequence[Node],
        demand: Demand,
        resources: NodeResources,
    ) -> "_Filtered":
        filtered = cls()
        names, ruled_out = named_nodes(pod.spec), answers(context)
        for node in nodes:
            reason = reason_against(node, pod, names, names_taints=True)
            shortages = () if reason else resources.shortages(node.metadata.name, demand.requests)
            if shortages:
                filtered.full += 1
                filtered.demand = demand
                filtered.reasons += map(shortage_reason, shortages)
                continue
            reason = reason or filtered._claims_reason(claims, ruled_out, node)
            if reason:
                filtered.reasons.append(reason)
            else:
                filtered.fitting.append(node.metadata.name)
        return filtered

    def _claims_reason(self, claims: Sequence[PodClaim], ruled_out: Mapping[str, frozenset[str]], node: Node) -> str:
        elsewhere = False
        for at, each in enumerate(claims):
            selected = each.selector is None or matches(each.selector, node)
            if not each.is_pending:
                elsewhere |= not selected
                if not selected and each.is_delayed:
                    self.unavailable.add(at)
            elif not selected:
                return REASON_CLASS
            elif node.metadata.name in ruled_out.get(each.name, ()):
                return REASON_UNSUITABLE
        return REASON_ELSEWHERE if elsewhere else ""


# --- PostFilter --------------------------------------------------------------------------------------------------


def _no_fit(pod: Pod, claims: Sequence[PodClaim], filtered: _Filtered, nodes: int) -> NoFit:
    for at in sorted(filtered.unavailable):
        claim = claims[at].claim
        if all(each.uid == pod.uid for each in claim.status.reserved_for):
            return NoFit(fit_error(nodes, reasons=filtered.reasons), claim, filtered.demand)
    nothing = "still not schedulable" if claims else "no new claims to deallocate"
    notes = f"{nothing}, {preemption_note(nodes, resolvable=filtered.full)}"
    return NoFit(fit_error(nodes, reasons=filtered.reasons, notes=notes), demand=filtered.demand)


# --- PreScore and Reserve ----------------------------------------------------------------------------------------


def _negotiate(ranked: Sequence[str], pending: Sequence[PodClaim], context: PodSchedulingContext | None) -> Negotiate:
    """With one claim that waits, a node is selected at once; with several, once there is an answer for each."""
    node, known = ranked[0], frozenset(context.spec.potential_nodes) if context is not None else frozenset()
    potential = None
    if not known.issuperset(ranked):
        wanted = tuple(sorted(ranked[:MAX_NODES_PER_SCHEDULING_CONTEXT]))
        potential = wanted if known != frozenset(wanted) else None
    answered = answers(context)
    is_informed = len(pending) == 1 or all(each.name in answered for each in pending)
    selected = node if is_informed and (context is None or context.spec.selected_node != node) else None
    decision = Negotiate("waiting for resource driver", selected, potential)
    if decision.changes:
        return decision
    return Negotiate(fit_error(1, reasons=["waiting for resource driver to provide information"]))

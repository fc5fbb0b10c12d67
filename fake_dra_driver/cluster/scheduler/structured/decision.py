"""One scheduling cycle as a pure function: from what the caches show to what to do about a pod.

Follows the scheduling cycle of kube-scheduler (PreFilter, Filter, PostFilter, Score) with its plugins for unschedulable
nodes, taints, node affinity, resources and dynamic resources. Of the nodes that fit, a real one takes that with the
best score, and among equals one at random; here it is the one with the best choice among the alternatives of
prioritized lists, else the one with the most CPU and memory left, else the one with the fewest pods, else the first by
name.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, Protocol

from fake_dra_driver.allocation.allocator import DEFAULT_MAX_STEPS, Budget
from fake_dra_driver.allocation.decision import Allocation, Refusal
from fake_dra_driver.allocation.errors import AllocationError, SearchTooLongError
from fake_dra_driver.api.kube.meta import UID, ObjectMeta
from fake_dra_driver.api.resource.v1 import (
    AllocationResult,
    DeviceClaim,
    DeviceClass,
    ResourceClaim,
    ResourceClaimSpec,
)
from fake_dra_driver.cluster.extendedresources import (
    ANNOTATION,
    ExtendedRequests,
    Mappings,
    allocatable,
    is_extended,
    plan_requests,
)
from fake_dra_driver.cluster.kinds import Node, Pod
from fake_dra_driver.cluster.nodefit import matches, named_nodes
from fake_dra_driver.cluster.noderesources import NodeResources
from fake_dra_driver.cluster.owners import controlled_by
from fake_dra_driver.cluster.podresources import Requests, requests_of
from fake_dra_driver.cluster.scheduler.diagnosis import NO_NODES, fit_error, preemption_note
from fake_dra_driver.cluster.scheduler.nodefilter import reason_against, shortage_reason
from fake_dra_driver.cluster.scheduler.room import Demand
from fake_dra_driver.cluster.scheduler.structured.bindingconditions import BindingFailedError, deadline, is_ready
from fake_dra_driver.cluster.scheduler.structured.features import Features

__all__ = ["Assignment", "Cluster", "Decision", "FailureReason", "NoFit", "Place", "cycle"]

REASON_ELSEWHERE: Final = "resourceclaim not available on the node"
REASON_STALE: Final = "cannot schedule extended resource claim"
_ALL_NODES_BELOW: Final = 100
"""minFeasibleNodesToFind: in a cluster with fewer nodes a real scheduler looks at each of them."""
_BEST_ALTERNATIVE: Final = 8
"""What the first alternative of a prioritized list adds to the score of a node."""

_MAX_STEPS: Final = 10 * DEFAULT_MAX_STEPS
"""For the searches on all nodes together. A real scheduler searches on 16 nodes at a time, for 10 s at most on each."""

FailureReason = Literal["Unschedulable", "SchedulerError"]
"""Reason of the condition PodScheduled."""


@dataclass(frozen=True, slots=True)
class NoFit:
    """No node takes the pod, or the attempt came to an early end."""

    message: str
    reason: FailureReason = "Unschedulable"
    deallocate: ResourceClaim | None = None
    """An allocated claim to deallocate: it rules out the nodes, and no other pod uses it."""
    delete: ResourceClaim | None = None
    """A claim for extended resources to delete, which an attempt before has left over."""
    demand: Demand | None = None
    """What some node has too little room for; None: room is not what is missing."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a claim of the pod gets."""

    claim: ResourceClaim
    allocation: AllocationResult | None
    """None: it was allocated before."""
    mappings: Mappings = ()
    """Not empty: the claim stands for extended resources, and is yet to be made."""


@dataclass(frozen=True, slots=True)
class Place:
    """Allocate the claims, and bind the pod to the node."""

    node: str
    requests: Requests
    """What the pod asks of the node."""
    assignments: tuple[Assignment, ...]
    """For each claim of the pod, in the order in which they are written."""


Decision = NoFit | Place


class Cluster(Protocol):
    """What a cycle knows of the cluster beside the pod and its claims."""

    @property
    def nodes(self) -> Sequence[Node]:
        """All nodes, by name."""
        ...

    @property
    def resources(self) -> NodeResources:
        """What each node has room for."""
        ...

    def load(self, node: str) -> int:
        """How many pods a node has."""
        ...

    def has_class(self, name: str) -> bool:
        """Whether there is a DeviceClass of that name."""
        ...

    def class_for(self, resource: str) -> DeviceClass | None:
        """The class that stands for an extended resource."""
        ...

    def extended_claim(self, pod: UID) -> ResourceClaim | None:
        """The claim that was made for the pod's extended resources."""
        ...

    def is_in_flight(self, claim: UID) -> bool:
        """Whether an allocation of the claim is being written."""
        ...

    def allocate(self, claims: Sequence[ResourceClaim], node: Node, budget: Budget) -> Allocation | Refusal:
        """Chooses devices. Raises AllocationError."""
        ...

    @property
    def helpful_changes(self) -> int:
        """Counts the changes after which there may be what was not there before."""
        ...

    def known_refusal(self, asked: str) -> NoFit | None:
        """Why no node had what was asked for, if nothing has changed since that may help; None: not known."""
        ...

    def remember_refusal(self, asked: str, refusal: NoFit, *, as_of: int) -> None:
        """Notes why no node has what is asked for, or had when there had been so many helpful changes."""
        ...


class _Refused(Exception):  # noqa: N818 - the decision is NoFit
    """The pod's claims rule out all nodes at once."""


def cycle(
    pod: Pod,
    claims: Sequence[ResourceClaim],
    cluster: Cluster,
    features: Features,
    now: datetime,
    *,
    max_steps: int = _MAX_STEPS,
) -> Generator[None, None, Decision]:
    """Finds out what to do about a pod. Yields between nodes, where the cluster may change.

    Args:
        pod: a pod without a node.
        claims: its claims, which are all there.
        cluster: everything else.
        features: what differs between releases.
        now: the time of day.
        max_steps: the most candidates to look at on all nodes together.
    """
    if not cluster.nodes:
        return NoFit(NO_NODES)
    count = len(cluster.nodes)
    try:
        _check_claims(claims, cluster, features)
    except _Refused as refused:
        return NoFit(fit_error(count, everywhere=str(refused), notes=_notes(features, (), preemption_note(count))))
    requests = requests_of(pod.spec)
    asked = _asked(pod, claims, requests)
    known = cluster.known_refusal(asked) if asked else None
    if known is not None:
        return known
    search = _Search(pod, requests, claims, cluster, features, now, Budget(max_steps))
    as_of = cluster.helpful_changes
    try:
        yield from search.run()
    except AllocationError as error:
        return NoFit(f'running "DynamicResources" filter plugin: {error}', reason="SchedulerError")
    if not search.found:
        refusal = _no_fit(search)
        if asked and not search.was_cut:
            cluster.remember_refusal(asked, refusal, as_of=as_of)
        return refusal
    best = min(search.found, key=search.rank)
    return Place(best.node, requests, best.assignments)


def _asked(pod: Pod, claims: Sequence[ResourceClaim], requests: Requests) -> str:
    """Everything about the pod that decides whether a node takes it: the same for pods that are alike.

    Empty where more decides, such as what became of a claim that is allocated.
    """
    is_special = any(is_extended(name) for name, _ in requests.amounts)
    if is_special or any(claim.status.allocation is not None for claim in claims):
        return ""
    spec = pod.spec.model_dump_json(include={"node_selector", "affinity", "tolerations"})
    return "\n".join([spec, repr(requests.amounts), *(claim.spec.model_dump_json() for claim in claims)])


# --- PreFilter ---------------------------------------------------------------------------------------------------


def _check_claims(claims: Sequence[ResourceClaim], cluster: Cluster, features: Features) -> None:
    for claim in claims:
        if claim.status.allocation is not None:
            continue
        if cluster.is_in_flight(claim.uid):
            raise _Refused(f"resource claim {claim.key} is in the process of being allocated")
        for request in claim.spec.devices.requests:
            if request.exactly is not None:
                named = {request.name: request.exactly.device_class_name}
            elif features.prioritized_list:
                named = {f"{request.name}/{each.name}": each.device_class_name for each in request.first_available}
            else:
                words = "has subrequests, but the DRAPrioritizedList feature is disabled"
                raise _Refused(f"resource claim {claim.key}, request {request.name}: {words}")
            for name, class_name in named.items():
                if not cluster.has_class(class_name):
                    raise _Refused(f"request {name}: device class {class_name} does not exist")


# --- Filter and Score --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A node that takes the pod, and what the claims get there."""

    node: str
    assignments: tuple[Assignment, ...]
    score: int


@dataclass(slots=True)
class _Search:
    """Which nodes take the pod, and why the others do not."""

    pod: Pod
    requests: Requests
    claims: Sequence[ResourceClaim]
    cluster: Cluster
    features: Features
    now: datetime
    budget: Budget
    found: list[_Candidate] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    lacks_room: bool = False
    """Whether some node has too little of a resource left."""
    resolvable: int = 0
    """How many nodes are refused for reasons that the end of other pods would remove."""
    unavailable: set[int] = field(default_factory=set)
    """Indexes of allocated claims that are not available on some node."""
    was_cut: bool = False
    """Whether a search took too long: the next attempt may come further, since it knows more of the devices."""
    stale: ResourceClaim | None = None
    """A claim for the pod's extended resources that is there already."""
    _pending: list[ResourceClaim] = field(default_factory=list)
    _from_devices: Mapping[str, DeviceClass] = field(default_factory=dict)
    """Those of the pod's extended resources that a class stands for."""
    _extended: dict[frozenset[str], tuple[ResourceClaim, ExtendedRequests]] = field(default_factory=dict)
    """By the resources that are to come from devices on a node: the same for nodes that are alike."""

    def run(self) -> Iterator[None]:
        """Looks at as many nodes as are needed for the decision; yields after each. Raises AllocationError."""
        self._pending = [claim for claim in self.claims if claim.status.allocation is None]
        if self.features.extended_resources:
            extended = [name for name, _ in self.requests.amounts if is_extended(name)]
            classes = {name: self.cluster.class_for(name) for name in extended}
            self._from_devices = {name: each for name, each in classes.items() if each is not None}
        if self._from_devices:
            self.stale = self.cluster.extended_claim(self.pod.uid)
        names = named_nodes(self.pod.spec)
        nodes = self._in_order()
        for node in nodes:
            takes_pod = self._look_at(node, names)
            if takes_pod and len(nodes) >= _ALL_NODES_BELOW and self.found[-1].score == self._best_score():
                return
            yield

    def _in_order(self) -> Sequence[Node]:
        """All nodes. Where not all need be looked at, those come first that would be chosen first."""
        if len(self.cluster.nodes) < _ALL_NODES_BELOW:
            return self.cluster.nodes
        return sorted(self.cluster.nodes, key=lambda node: self._emptiness(node.metadata.name))

    def _emptiness(self, node: str) -> tuple[int, int]:
        """Sort key of nodes, whatever the pod asks for."""
        return -self.cluster.resources.score(node), self.cluster.load(node)

    def rank(self, candidate: "_Candidate") -> tuple[int, int, int, str]:
        """Sort key that puts the node first that the pod is to have."""
        node = candidate.node
        room = self.cluster.resources.score(node, self.requests)
        return -candidate.score, -room, self.cluster.load(node), node

    @property
    def demand(self) -> Demand | None:
        """What it takes room for; None: room is not what is missing."""
        return Demand(self.requests, frozenset(self._from_devices)) if self.lacks_room else None

    def _best_score(self) -> int:
        lists = sum(bool(each.first_available) for claim in self._pending for each in claim.spec.devices.requests)
        return _BEST_ALTERNATIVE * lists

    def _look_at(self, node: Node, names: frozenset[str] | None) -> bool:
        """Whether the node takes the pod."""
        names_taints = self.features.names_untolerated_taints
        reason = reason_against(node, self.pod, names, names_taints=names_taints)
        if not reason and self._is_full(node):
            return False
        if not reason:
            answer = self._with_devices(node)
            if isinstance(answer, _Candidate):
                self.found.append(answer)
                return True
            reason = answer
        self.reasons.append(reason)
        return False

    def _is_full(self, node: Node) -> bool:
        """Whether the node has too little of a resource left; says of which."""
        resources = self.cluster.resources
        shortages = resources.shortages(node.metadata.name, self.requests, from_devices=self._from_devices)
        if shortages:
            self.lacks_room = True
            self.reasons += map(shortage_reason, shortages)
            self.resolvable += all(each.is_resolvable for each in shortages)
        return bool(shortages)

    def _with_devices(self, node: Node) -> _Candidate | str:
        """The node with what the claims get there, or why it does not take the pod."""
        name = node.metadata.name
        if self.stale is not None:
            return REASON_STALE
        extended = self._extended_claim(node)
        if not self.claims and extended is None:
            return _Candidate(name, (), 0)
        unavailable = [at for at, claim in enumerate(self.claims) if not self._is_available(claim, node)]
        pending = [*self._pending, *((extended[0],) if extended is not None else ())]
        allocation = Allocation(name, (), 0)
        if pending:
            answer = self._allocate(pending, node)
            if isinstance(answer, Refusal):
                return answer.text
            allocation = answer
        if unavailable:
            self.unavailable.update(unavailable)
            return REASON_ELSEWHERE
        results = iter(allocation.results)
        assignments = [
            Assignment(claim, next(results) if claim.status.allocation is None else None) for claim in self.claims
        ]
        if extended is not None:
            assignments.append(Assignment(extended[0], next(results), extended[1].mappings))
        return _Candidate(name, tuple(assignments), allocation.score)

    def _allocate(self, claims: Sequence[ResourceClaim], node: Node) -> Allocation | Refusal:
        try:
            return self.cluster.allocate(claims, node, self.budget)
        except SearchTooLongError:
            self.was_cut = True
            if self.features.long_search_is_error:
                raise
            return Refusal(node.metadata.name, "timed out trying to allocate devices")

    def _is_available(self, claim: ResourceClaim, node: Node) -> bool:
        """Whether an allocated claim can be used on the node."""
        allocation = claim.status.allocation
        if allocation is None:
            return True
        if allocation.node_selector is not None and not matches(allocation.node_selector, node):
            return False
        if not self.features.binding_conditions:
            return True
        try:
            until = deadline(claim)
            return is_ready(claim) or until is None or self.now <= until
        except BindingFailedError:
            return False

    def _extended_claim(self, node: Node) -> tuple[ResourceClaim, ExtendedRequests] | None:
        """The claim that stands for the resources which the node does not have by itself; None: there are none."""
        wanted = frozenset(name for name in self._from_devices if allocatable(node, name) == 0)
        if not wanted:
            return None
        if wanted not in self._extended:
            planned = plan_requests(self.pod, {name: self._from_devices[name] for name in sorted(wanted)})
            self._extended[wanted] = _claim_for(self.pod, planned, self.features), planned
        return self._extended[wanted]


def _claim_for(pod: Pod, planned: ExtendedRequests, features: Features) -> ResourceClaim:
    metadata = ObjectMeta(
        generate_name=f"{pod.metadata.name}-extended-resources-",
        namespace=pod.metadata.namespace,
        # Until the claim is made: what is decided about it has to be known by something.
        uid=UID(f"extended-resources-of-{pod.uid}"),
        annotations={ANNOTATION: "true"},
        owner_references=(controlled_by(pod, blocks=False),),
    )
    spec = ResourceClaimSpec(devices=DeviceClaim(requests=planned.requests))
    return features.claims(metadata=metadata, spec=spec)


# --- PostFilter --------------------------------------------------------------------------------------------------


def _no_fit(search: _Search) -> NoFit:
    nodes = len(search.cluster.nodes)
    note, claims = preemption_note(nodes, resolvable=search.resolvable), search.claims
    for at in sorted(search.unavailable):
        claim = claims[at]
        if all(each.uid == search.pod.uid for each in claim.status.reserved_for):
            notes = f"deallocation of ResourceClaim completed, {note}"
            message = fit_error(nodes, reasons=search.reasons, notes=notes)
            return NoFit(message, deallocate=claim, demand=search.demand)
    if search.stale is not None:
        notes = f"deletion of ResourceClaim completed, {note}"
        return NoFit(fit_error(nodes, reasons=search.reasons, notes=notes), delete=search.stale, demand=search.demand)
    message = fit_error(nodes, reasons=search.reasons, notes=_notes(search.features, claims, note))
    return NoFit(message, demand=search.demand)


def _notes(features: Features, claims: Sequence[ResourceClaim], preemption: str) -> str:
    if not features.says_nothing_to_deallocate:
        return preemption
    return f"{'still not schedulable' if claims else 'no new claims to deallocate'}, {preemption}"

"""What a scheduling cycle knows of the cluster.

Kept up to date by the informers' handlers, so that nothing is rebuilt for a pod.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from fake_dra_driver.allocation.allocator import Allocator, Budget
from fake_dra_driver.allocation.decision import Allocation, Refusal
from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.api.resource.v1 import (
    AllocationResult,
    DeviceClass,
    DeviceTaintRule,
    ResourceClaim,
    ResourceSlice,
)
from fake_dra_driver.cluster.extendedresources import ANNOTATION, Classes
from fake_dra_driver.cluster.kinds import Node, Pod
from fake_dra_driver.cluster.noderesources import NodeResources
from fake_dra_driver.cluster.owners import controller_of
from fake_dra_driver.cluster.podresources import Requests
from fake_dra_driver.cluster.scheduler.load import Load
from fake_dra_driver.cluster.scheduler.structured.decision import NoFit
from fake_dra_driver.cluster.scheduler.waiting import changes_node_fit
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.runtime.store import Change

__all__ = ["ClusterView", "SchedulerCaches", "frees_devices"]

_EXTENDED_BY_POD: Final = "extended resources"
"""Index of the cache of claims: those for extended resources, by the UID of the pod that they were made for."""

_MAX_REFUSALS: Final = 100
"""A cluster has that many sorts of pods at most times."""


@dataclass(frozen=True, slots=True)
class SchedulerCaches:
    """Everything that a scheduling cycle reads."""

    pods: Informer[Pod]
    nodes: Informer[Node]
    claims: Informer[ResourceClaim]
    classes: Informer[DeviceClass]
    slices: Informer[ResourceSlice]
    taint_rules: Informer[DeviceTaintRule] | None
    """None: the cluster has none."""


class ClusterView:
    """What ``decision.Cluster`` asks for."""

    def __init__(self, caches: SchedulerCaches, allocator: Allocator, load: Load) -> None:
        self._caches = caches
        self._allocator = allocator
        self._load = load
        self._in_flight: set[UID] = set()
        """Claims whose allocation is being written."""
        self._nodes: Sequence[Node] | None = None
        """All nodes; None: to be read again."""
        self._classes: Classes | None = None
        """The same for what classes stand for."""
        self.resources = NodeResources()
        """What each node has room for."""
        self.helpful_changes = 0
        """Counts the changes after which there may be what was not there before."""
        self._refusals: dict[str, NoFit] = {}
        """Why no node has what pods asked for, since something has changed that may help. What others get meanwhile
        cannot."""
        caches.claims.add_index(_EXTENDED_BY_POD, _pod_of_extended_claim)
        caches.pods.subscribe(self.resources.on_pod)
        caches.nodes.subscribe(self.resources.on_node)
        caches.nodes.subscribe(self._on_node)
        self.resources.subscribe(lambda _: self._something_may_help())
        caches.claims.subscribe(self._on_claim)
        caches.classes.subscribe(self._on_class)
        caches.slices.subscribe(self._on_slice)
        if caches.taint_rules is not None:
            caches.taint_rules.subscribe(self._on_taint_rule)

    # --- what a decision reads ---

    @property
    def nodes(self) -> Sequence[Node]:
        """All nodes, by name. There are many cycles between two changes of a node."""
        if self._nodes is None:
            self._nodes = self._caches.nodes.list()
        return self._nodes

    def load(self, node: str) -> int:
        """How many pods a node has."""
        return self._load.of(node)

    def has_class(self, name: str) -> bool:
        """Whether there is a DeviceClass of that name."""
        return self._caches.classes.get(NamespacedName("", name)) is not None

    def class_for(self, resource: str) -> DeviceClass | None:
        """The class that stands for an extended resource."""
        if self._classes is None:
            self._classes = Classes(self._caches.classes.list())
        return self._classes.get(resource)

    def extended_claim(self, pod: UID) -> ResourceClaim | None:
        """The claim that was made for the pod's extended resources."""
        return next(iter(self._caches.claims.by_index(_EXTENDED_BY_POD, pod)), None)

    def is_in_flight(self, claim: UID) -> bool:
        """Whether an allocation of the claim is being written."""
        return claim in self._in_flight

    def allocate(self, claims: Sequence[ResourceClaim], node: Node, budget: Budget) -> Allocation | Refusal:
        """Chooses devices. Raises AllocationError."""
        return self._allocator.allocate(claims, node, budget=budget)

    def known_refusal(self, asked: str) -> NoFit | None:
        """Why no node had what was asked for, if nothing has changed since that may help; None: not known."""
        return self._refusals.get(asked)

    def remember_refusal(self, asked: str, refusal: NoFit, *, as_of: int) -> None:
        """Notes why no node has what is asked for, or had when there had been so many helpful changes."""
        if as_of == self.helpful_changes:
            if len(self._refusals) >= _MAX_REFUSALS:
                self._refusals.clear()
            self._refusals[asked] = refusal

    # --- what it is told ---

    def assume_pod(self, pod: Pod, node: str, requests: Requests) -> None:
        """Counts a pod on the node that was chosen for it."""
        self._load.choose(pod.uid, node)
        self.resources.assume(pod.uid, node, requests)

    def bound(self, pod: Pod) -> None:
        """Notes that the pod's binding was accepted."""
        self._load.assume(pod.uid)

    def is_bound(self, pod: UID) -> bool:
        """Whether the pod was bound, though the cache does not show it."""
        return self._load.is_assumed(pod)

    def forget_pod(self, pod: Pod) -> None:
        """Ends that: the pod could not be bound."""
        self._load.release(pod.uid)
        self.resources.release(pod.uid)

    def assume(self, claim: ResourceClaim, allocation: AllocationResult) -> None:
        """Counts the devices of an allocation as in use that is about to be written."""
        self._in_flight.add(claim.uid)
        self._allocator.assume(claim, allocation)

    def forget(self, claim: ResourceClaim) -> None:
        """Ends that: the cache shows the allocation, or it could not be written."""
        if claim.uid in self._in_flight:
            self._in_flight.discard(claim.uid)
            self._allocator.forget(claim)
            found = self._caches.claims.get(claim.key)
            if found is None or found.status.allocation is None:
                self._something_may_help()

    def _something_may_help(self) -> None:
        self.helpful_changes += 1
        self._refusals.clear()

    def _on_node(self, change: Change[Node]) -> None:
        self._nodes = None
        if change.new is None or changes_node_fit(change):
            self._something_may_help()

    def _on_claim(self, change: Change[ResourceClaim]) -> None:
        if frees_devices(change):
            self._something_may_help()
        if change.new is not None:
            self._allocator.put_claim(change.new)
        elif change.old is not None:
            self._allocator.drop_claim(change.old)

    def _on_class(self, change: Change[DeviceClass]) -> None:
        self._something_may_help()
        self._classes = None
        if change.new is not None:
            self._allocator.put_class(change.new)
        else:
            self._allocator.drop_class(change.key.name)

    def _on_slice(self, change: Change[ResourceSlice]) -> None:
        self._something_may_help()
        if change.new is not None:
            self._allocator.put_slice(change.new)
        else:
            self._allocator.drop_slice(change.key.name)

    def _on_taint_rule(self, change: Change[DeviceTaintRule]) -> None:
        self._something_may_help()
        if change.new is not None:
            self._allocator.put_taint_rule(change.new)
        else:
            self._allocator.drop_taint_rule(change.key.name)


def frees_devices(change: Change[ResourceClaim]) -> bool:
    """Whether devices that were in use are not any more."""
    was_allocated = change.old is not None and change.old.status.allocation is not None
    return was_allocated and (change.new is None or change.new.status.allocation is None)


def _pod_of_extended_claim(claim: ResourceClaim) -> Iterable[str]:
    owner = controller_of(claim)
    if owner is None or claim.metadata.annotations.get(ANNOTATION) != "true":
        return ()
    return (owner.uid,)

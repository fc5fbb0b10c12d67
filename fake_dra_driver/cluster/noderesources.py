"""Whether a node has room for a pod: what it has, less what the pods on it ask for.

Follows the plugin NodeResourcesFit of kube-scheduler (fit.go, least_allocated.go), which kubelets use as well to admit
pods. Kept up to date by whoever learns of nodes and pods, so that a look at a node costs no more on a full one.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.cluster.kinds import Node, Pod
from fake_dra_driver.cluster.podresources import (
    CPU,
    EPHEMERAL_STORAGE,
    MEMORY,
    PODS,
    Amounts,
    Requests,
    allocatable_of,
    requests_of,
)
from fake_dra_driver.runtime.store import Change

__all__ = ["NodeResources", "Shortage"]

_FIRST: Final = (CPU, MEMORY, EPHEMERAL_STORAGE)
"""What is looked at first, in this order."""
_MAX_SCORE: Final = 100
_NOTHING: Final = Requests((), (0, 0))


@dataclass(frozen=True, slots=True)
class Shortage:
    """A resource of which a node has too little left; ``pods``: it has as many of them as it takes."""

    resource: str
    requested: int
    used: int
    capacity: int

    @property
    def is_resolvable(self) -> bool:
        """Whether there would be enough if other pods ended."""
        return self.resource == PODS or self.requested <= self.capacity


@dataclass(slots=True)
class _Node:
    """What is known of one node."""

    allocatable: Amounts = field(default_factory=dict)
    pods: int = 0
    used: Counter[str] = field(default_factory=Counter)
    """Sums of what its pods ask for."""
    scored_cpu: int = 0
    scored_memory: int = 0

    def count(self, requests: Requests, sign: int) -> None:
        """Adds a pod, or takes it away."""
        self.pods += sign
        self.scored_cpu += sign * requests.scored[0]
        self.scored_memory += sign * requests.scored[1]
        for name, amount in requests.amounts:
            self.used[name] += sign * amount


@dataclass(frozen=True, slots=True)
class _Place:
    node: str
    requests: Requests
    is_bound: bool


class NodeResources:
    """The resources of all nodes, or of one. Fed by handlers of informers, and by who decides on a pod's node."""

    def __init__(self) -> None:
        self._nodes: dict[str, _Node] = {}
        self._places: dict[UID, _Place] = {}
        self._listeners: list[Callable[[str], None]] = []
        self.releases = 0
        """Counts the times at which a node got more room because a pod left it."""

    def subscribe(self, released: Callable[[str], None]) -> None:
        """Has a function called with the name of each node that a pod has left."""
        self._listeners.append(released)

    # --- what it is told ---

    def on_node(self, change: Change[Node]) -> None:
        """Handler for nodes."""
        if change.new is None:
            self._of(change.key.name).allocatable = {}
            self._drop_empty(change.key.name)
        elif change.old is None or change.old.status.allocatable != change.new.status.allocatable:
            self._of(change.key.name).allocatable = allocatable_of(change.new)

    def on_pod(self, change: Change[Pod]) -> None:
        """Handler for pods: one that is bound counts on its node until it has ended."""
        pod = change.new or change.old
        if pod is None:
            return
        if change.new is None or change.new.is_finished:
            self._move(pod.uid, None)
        elif pod.spec.node_name:
            place = self._places.get(pod.uid)
            if place is None or not place.is_bound:
                self._move(pod.uid, _Place(pod.spec.node_name, requests_of(pod.spec), is_bound=True))

    def assume(self, uid: UID, node: str, requests: Requests) -> None:
        """Counts a pod on the node that was chosen for it, before it is bound."""
        place = self._places.get(uid)
        if place is None or not place.is_bound:
            self._move(uid, _Place(node, requests, is_bound=False))

    def release(self, uid: UID) -> None:
        """Ends that: the pod was not bound."""
        place = self._places.get(uid)
        if place is not None and not place.is_bound:
            self._move(uid, None)

    def _move(self, uid: UID, place: _Place | None) -> None:
        before = self._places.pop(uid, None)
        if before is not None:
            self._of(before.node).count(before.requests, -1)
            self._drop_empty(before.node)
        if place is not None:
            self._places[uid] = place
            self._of(place.node).count(place.requests, 1)
        if before is not None and (place is None or place.node != before.node):
            self.releases += 1
            for listener in self._listeners:
                listener(before.node)

    def _of(self, node: str) -> _Node:
        found = self._nodes.get(node)
        if found is None:
            found = self._nodes[node] = _Node()
        return found

    def _drop_empty(self, node: str) -> None:
        """Forgets a node that is gone, with the last of its pods: there may be any number of names in time."""
        found = self._nodes.get(node)
        if found is not None and not found.pods and not found.allocatable:
            del self._nodes[node]

    # --- what it answers ---

    @property
    def known_nodes(self) -> frozenset[str]:
        """The nodes that are there, or have pods still."""
        return frozenset(self._nodes)

    def shortages(self, node: str, requests: Requests, *, from_devices: Collection[str] = ()) -> Sequence[Shortage]:
        """What the node has too little of for the pod, in the order of kube-scheduler; empty: it has room.

        Args:
            node: name of the node.
            requests: what the pod asks for.
            from_devices: resources that devices stand for, where the node has none of them by itself.
        """
        here = self._nodes.get(node) or _Node()
        found = []
        limit = here.allocatable.get(PODS, 0)
        if here.pods >= limit:
            found.append(Shortage(PODS, 1, here.pods, limit))
        for name, amount in requests.amounts:
            capacity, used = here.allocatable.get(name, 0), here.used[name]
            if amount > capacity - used and not (name in from_devices and capacity == 0):
                found.append(Shortage(name, amount, used, capacity))
        return sorted(found, key=_order) if len(found) > 1 else found

    def score(self, node: str, requests: Requests = _NOTHING) -> int:
        """How much of its CPU and memory the node has left with the pod: 0 to 100 (LeastAllocated)."""
        here = self._nodes.get(node) or _Node()
        scores = [
            max(capacity - used - asked, 0) * _MAX_SCORE // capacity
            for capacity, used, asked in (
                (here.allocatable.get(CPU, 0), here.scored_cpu, requests.scored[0]),
                (here.allocatable.get(MEMORY, 0), here.scored_memory, requests.scored[1]),
            )
            if capacity
        ]
        return sum(scores) // len(scores) if scores else 0


def _order(shortage: Shortage) -> tuple[int, str]:
    name = shortage.resource
    if name == PODS:
        return -1, name
    return (_FIRST.index(name) if name in _FIRST else len(_FIRST)), name

"""Pods that wait for room on a node: which of them another try may help, once pods have left one.

Follows the queueing hints of NodeResourcesFit of kube-scheduler (EventsToRegister). Pods that are alike are looked at
together, and only those are woken for which the node has enough, so that a node which empties is no work for the rest.
"""

from collections.abc import Callable
from dataclasses import dataclass

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.cluster.noderesources import NodeResources
from fake_dra_driver.cluster.podresources import Requests

__all__ = ["Demand", "RoomQueue"]


@dataclass(frozen=True, slots=True)
class Demand:
    """What a pod needs on a node. Equal for pods that are alike."""

    requests: Requests
    from_devices: frozenset[str] = frozenset()
    """Resources that devices stand for, where a node has none by itself."""


class RoomQueue:
    """Pods that some node had too little room for.

    Args:
        resources: of the nodes.
        wake: has a pod tried again.
    """

    def __init__(self, resources: NodeResources, wake: Callable[[NamespacedName], None]) -> None:
        self._resources = resources
        self._wake = wake
        self._waiting: dict[Demand, dict[NamespacedName, None]] = {}
        """Pods by what they need, in the order in which they came."""
        self._demands: dict[NamespacedName, Demand] = {}
        resources.subscribe(self._on_release)

    def add(self, pod: NamespacedName, demand: Demand, *, since: int) -> None:
        """From now on the pod is woken when there is room.

        Args:
            pod: the pod.
            demand: what it needs.
            since: ``NodeResources.releases`` when it was last looked for room.
        """
        if self._resources.releases != since:
            self._wake(pod)
            return
        self.remove(pod)
        self._demands[pod] = demand
        self._waiting.setdefault(demand, {})[pod] = None

    def remove(self, pod: NamespacedName) -> None:
        """The pod does not wait for room any more."""
        demand = self._demands.pop(pod, None)
        if demand is not None:
            pods = self._waiting[demand]
            del pods[pod]
            if not pods:
                del self._waiting[demand]

    def _on_release(self, node: str) -> None:
        for demand, pods in list(self._waiting.items()):
            if not self._resources.shortages(node, demand.requests, from_devices=demand.from_devices):
                for pod in list(pods):
                    self.remove(pod)
                    self._wake(pod)

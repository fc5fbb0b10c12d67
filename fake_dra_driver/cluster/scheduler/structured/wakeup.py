"""Which changes may help a waiting pod, and so wake it for another attempt.

Follows the queueing hints of kube-scheduler (EventsToRegister of its plugins). A change that cannot help must not wake
a pod: an attempt costs writes, and a pod would be woken by its own failures for ever.
"""

from collections.abc import Iterable
from typing import Any, Final

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource.podclaims import claim_keys
from fake_dra_driver.api.resource.v1 import ResourceClaim
from fake_dra_driver.cluster.extendedresources import requested
from fake_dra_driver.cluster.kinds import Node, Pod
from fake_dra_driver.cluster.scheduler.gathering import Gathering
from fake_dra_driver.cluster.scheduler.structured.view import SchedulerCaches, frees_devices
from fake_dra_driver.cluster.scheduler.waiting import changes_node_fit, concerns_scheduling, is_waiting
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.store import Change

__all__ = ["Wakeup"]

_WAITING: Final = "waiting"
"""Index of the pod cache, with one value: pods that the scheduler has to find a node for."""
_WANTING: Final = "wanting devices"
"""The same for those that need devices."""
_BY_CLAIM: Final = "claim"
"""Index of the pod cache: the claims that a pod uses, by ``namespace/name``."""


class Wakeup:
    """Sets up the controller's watches."""

    def __init__(self, scheduler_name: str, caches: SchedulerCaches) -> None:
        self._scheduler_name = scheduler_name
        self._caches = caches
        caches.pods.add_index(_WAITING, lambda pod: ("yes",) if is_waiting(pod, scheduler_name) else ())
        caches.pods.add_index(_WANTING, lambda pod: ("yes",) if is_waiting(pod, scheduler_name) and _wants(pod) else ())
        caches.pods.add_index(_BY_CLAIM, lambda pod: [str(key) for key in claim_keys(pod)])

    def watch(self, controller: Controller) -> None:
        """Subscribes the controller to the changes."""
        caches = self._caches
        controller.watch(caches.pods, predicate=concerns_scheduling)
        controller.watch(caches.claims, self._pods_of_claim, predicate=_changes_claim)
        waiting = Gathering(lambda: self._keys(_WAITING), controller.enqueue)
        wanting = Gathering(lambda: self._keys(_WANTING), controller.enqueue)

        def on_node(change: Change[Node]) -> None:
            if changes_node_fit(change):
                waiting.ask()

        def on_devices(change: Change[Any]) -> None:
            if change.new is not None:
                wanting.ask()

        def on_claim(change: Change[ResourceClaim]) -> None:
            if frees_devices(change):
                wanting.ask()

        caches.nodes.subscribe(on_node)
        caches.classes.subscribe(on_devices)
        caches.slices.subscribe(on_devices)
        caches.claims.subscribe(on_claim)
        # Part of the slices, as kube-scheduler sees them: a change of a rule is one of the slices that it is about.
        if caches.taint_rules is not None:
            caches.taint_rules.subscribe(lambda _: wanting.ask())

    def _keys(self, index: str) -> Iterable[NamespacedName]:
        return [pod.key for pod in self._caches.pods.by_index(index, "yes")]

    def _pods_of_claim(self, change: Change[ResourceClaim]) -> Iterable[NamespacedName]:
        users = self._caches.pods.by_index(_BY_CLAIM, str(change.key))
        return [pod.key for pod in users if is_waiting(pod, self._scheduler_name)]


def _wants(pod: Pod) -> bool:
    """Whether the pod needs devices."""
    return bool(pod.spec.resource_claims) or bool(requested(pod))


def _changes_claim(change: Change[ResourceClaim]) -> bool:
    """Whether it is more than a finalizer: that alone does not concern pods."""
    if change.new is None or change.old is None:
        return True
    return change.old.status != change.new.status

"""Which changes may help a waiting pod, and so wake it for another attempt.

Follows the queueing hints of kube-scheduler 1.30 (EventsToRegister of its plugins). A change that cannot help must not
wake a pod: an attempt costs writes, and a pod would be woken by its own failures for ever.
"""

from collections.abc import Iterable
from typing import Any, Final

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource.podclaims import claim_key, claim_keys
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim
from fake_dra_driver.cluster.kinds import Node, Pod, ResourceClass
from fake_dra_driver.cluster.scheduler.classic.scheduler import SchedulerCaches
from fake_dra_driver.cluster.scheduler.gathering import Gathering
from fake_dra_driver.cluster.scheduler.waiting import changes_node_fit, concerns_scheduling, is_waiting
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.store import Change

__all__ = ["Wakeup"]

_WAITING: Final = "waiting"
"""Index of the pod cache, with one value: pods that the scheduler has to find a node for."""
_BY_CLAIM: Final = "claim"
"""Index of the pod cache: the claims that a pod uses, by ``namespace/name``."""


class Wakeup:
    """Sets up the controller's watches."""

    def __init__(self, scheduler_name: str, caches: SchedulerCaches) -> None:
        self._scheduler_name = scheduler_name
        self._caches = caches
        caches.pods.add_index(_WAITING, lambda pod: ("yes",) if is_waiting(pod, scheduler_name) else ())
        caches.pods.add_index(_BY_CLAIM, lambda pod: [str(key) for key in claim_keys(pod)])

    def watch(self, controller: Controller) -> None:
        """Subscribes the controller to the changes."""
        caches = self._caches
        controller.watch(caches.pods, predicate=concerns_scheduling)
        waiting = Gathering(self._waiting, controller.enqueue)

        def on_node(change: Change[Node]) -> None:
            if changes_node_fit(change):
                waiting.ask()

        caches.nodes.subscribe(on_node)
        controller.watch(caches.classes, self._pods_of_class, predicate=_is_addition_or_update)
        controller.watch(caches.claims, self._pods_of_claim, predicate=_changes_status)
        controller.watch(caches.contexts, self._pod_of_context, predicate=_is_addition_or_update)

    def _waiting(self) -> Iterable[NamespacedName]:
        return [pod.key for pod in self._caches.pods.by_index(_WAITING, "yes")]

    def _pods_of_class(self, _: Change[ResourceClass]) -> Iterable[NamespacedName]:
        return [pod.key for pod in self._caches.pods.by_index(_WAITING, "yes") if pod.spec.resource_claims]

    def _pods_of_claim(self, change: Change[ResourceClaim]) -> Iterable[NamespacedName]:
        users = self._caches.pods.by_index(_BY_CLAIM, str(change.key))
        return [pod.key for pod in users if is_waiting(pod, self._scheduler_name)]

    def _pod_of_context(self, change: Change[PodSchedulingContext]) -> Iterable[NamespacedName]:
        pod = self._caches.pods.get(change.key)
        return [change.key] if pod is not None and self._is_worth_an_attempt(pod, change) else []

    def _is_worth_an_attempt(self, pod: Pod, change: Change[PodSchedulingContext]) -> bool:
        old, new = change.old, change.new
        if new is None:
            return False
        answered = {each.name for each in new.status.resource_claims}
        if self._has_open_questions(pod, answered):
            return False
        if old is None or len(old.status.resource_claims) < len(new.status.resource_claims):
            return True
        selected = new.spec.selected_node
        if selected and any(selected in each.unsuitable_nodes for each in new.status.resource_claims):
            return True
        # Only what the scheduler itself has written.
        return old.spec == new.spec or old.status != new.status

    def _has_open_questions(self, pod: Pod, answered: set[str]) -> bool:
        """Whether a claim of the pod still waits for a driver's answer."""
        for entry in pod.spec.resource_claims:
            key = claim_key(pod, entry)
            claim = self._caches.claims.get(key) if key is not None else None
            if claim is not None and claim.status.allocation is None and entry.name not in answered:
                return True
        return False


def _is_addition_or_update(change: Change[Any]) -> bool:
    return change.new is not None


def _changes_status(change: Change[ResourceClaim]) -> bool:
    """Whether the status has changed: a driver's finalizer alone does not concern pods."""
    if change.new is None:
        return False
    return change.old is None or change.old.status != change.new.status

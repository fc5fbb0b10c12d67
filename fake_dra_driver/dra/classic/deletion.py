"""The moment that a claim which has outlived its pod is given to be deleted, before its devices are taken from it.

The controller manager of Kubernetes 1.27 to 1.30 asks for the deallocation of such a claim and deletes it some
milliseconds later (pkg/controller/resourceclaim). Released once it is being deleted, it costs one write; released in
between, it costs two, of which one often fails because the deletion was faster.

No pod waits for it: there is no such moment where a pod uses the claim or lacks devices of its node, and it is over as
soon as that is the case. Nothing of it has to survive a restart, which only begins it again.
"""

from collections.abc import Iterable
from typing import Final

from fake_dra_driver.api.kube.core import Pod
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim
from fake_dra_driver.dra.classic.caches import ClassicCaches, is_waiting_immediate, refused_nodes
from fake_dra_driver.dra.classic.observer import Stopwatch
from fake_dra_driver.runtime.cache import Change
from fake_dra_driver.runtime.clock import loop_time

__all__ = ["DELETION_GRACE_SECONDS", "DeletionGrace"]

DELETION_GRACE_SECONDS: Final = 1.0
"""How long a claim may wait for its deletion; one that is not deleted after all is released then.

The deletion has been seen to come 7 to 50 ms after the request, later when many pods end at once."""
_ENDED: Final = ("Succeeded", "Failed")
"""Phases of a pod that does not run any more."""


class DeletionGrace:
    """Says how long a claim whose deallocation is requested may wait for its deletion, and what ends that wait."""

    def __init__(self, caches: ClassicCaches) -> None:
        self._caches = caches
        self._requested = Stopwatch(caches.claims, _requests_deallocation)

    def seconds_left(self, claim: ResourceClaim) -> float:
        """How much longer to wait; 0 or less: not at all."""
        if claim.is_deleting or self._is_used(claim) or self._is_missed(claim):
            return 0.0
        return self._requested.since(claim.key) + DELETION_GRACE_SECONDS - loop_time()

    def missed_by_pod(self, change: Change[PodSchedulingContext]) -> Iterable[NamespacedName]:
        """The claims to deallocate on nodes that were just found to be too full for a pod."""
        before = refused_nodes(change.old) if change.old is not None else set[str]()
        refused = refused_nodes(change.new) - before if change.new is not None else ()
        return [claim.key for claim in self._caches.claims_to_deallocate() if self._caches.node_of(claim) in refused]

    def missed_by_claim(self, change: Change[ResourceClaim]) -> Iterable[NamespacedName]:
        """Every claim to deallocate, when one in mode Immediate waits, for which any node would do."""
        waits = change.new is not None and is_waiting_immediate(change.new)
        return [claim.key for claim in self._caches.claims_to_deallocate()] if waits else ()

    def _is_used(self, claim: ResourceClaim) -> bool:
        """Whether it was not made for a pod, or a pod (its own, or another that names it) uses it or is to use it."""
        is_made = any(owner.controller and owner.kind == "Pod" for owner in claim.metadata.owner_references)
        return not is_made or any(map(_runs, self._caches.pods_of_claim(claim.key)))

    def _is_missed(self, claim: ResourceClaim) -> bool:
        """Whether a pod or a claim waits for devices and might get those of this claim."""
        if self._caches.waiting_immediate_claims():
            return True
        node = self._caches.node_of(claim)
        return node is None or bool(self._caches.contexts_refusing(node))


def _runs(pod: Pod) -> bool:
    """Whether the pod runs, or is yet to run."""
    return not pod.is_deleting and pod.status.phase not in _ENDED


def _requests_deallocation(claim: ResourceClaim) -> str:
    return claim.uid if claim.status.deallocation_requested else ""

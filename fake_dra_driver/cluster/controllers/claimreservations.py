"""Removes reservations of pods that are gone or finished, and requests deallocation of claims that no pod uses.

The claim's half of kube-controller-manager's resource claim controller (pkg/controller/resourceclaim, syncClaim).
"""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource.podclaims import claim_keys
from fake_dra_driver.api.resource.v1alpha2 import ConsumerReference, ResourceClaim
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.cluster.owners import controller_of
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import NotFoundError
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result
from fake_dra_driver.runtime.store import Change

__all__ = ["ClaimReservationReconciler", "claim_reservation_controller"]

log = logger.bind(component="resource-claim-controller")

_WORKERS: Final = 10


@dataclass(frozen=True, slots=True)
class _Caches:
    pods: Informer[Pod]
    claims: Informer[ResourceClaim]


class ClaimReservationReconciler(Reconciler):
    """Reconciles ``status.reservedFor`` of one claim."""

    def __init__(self, client: Client, caches: _Caches) -> None:
        self._client = client
        self._caches = caches

    @override
    async def reconcile(self, request: Request) -> Result:
        claim = self._caches.claims.get(request)
        if claim is None:
            return Result()
        present = claim.status.reserved_for
        valid = tuple([each for each in present if await self._is_in_use(claim, each)])
        if len(valid) < len(present):
            requested = not valid and claim.spec.allocation_mode == "WaitForFirstConsumer"
            changes = {"reserved_for": valid, **({"deallocation_requested": True} if requested else {})}
            status = claim.status.model_copy(update=changes)
            # A conflict ends the pass: a reservation that was added meanwhile must not be undone.
            await self._client.update_status(claim.model_copy(update={"status": status}))
            log.info("reservations removed", claim=str(claim.key), left=len(valid), deallocation_requested=requested)
        if not valid and not claim.is_deleting and self._is_left_over(claim):
            with contextlib.suppress(NotFoundError):
                await self._client.delete(ResourceClaim, claim.key, uid=claim.uid)
            log.info("unused claim deleted", claim=str(claim.key))
        return Result()

    async def _is_in_use(self, claim: ResourceClaim, consumer: ConsumerReference) -> bool:
        """Whether the consumer may still need the claim. Only pods are known to end; other consumers are left alone."""
        if consumer.api_group or consumer.resource != "pods":
            return True
        if self._caches.pods.was_deleted(consumer.uid):
            return False
        key = NamespacedName(claim.metadata.namespace, consumer.name)
        pod = self._caches.pods.get(key)
        if pod is None:
            # The scheduler may know a pod that this cache does not: its reservation must stay.
            with contextlib.suppress(NotFoundError):
                pod = await self._client.get(Pod, key)
        return pod is not None and pod.uid == consumer.uid and not _is_done(pod)

    def _is_left_over(self, claim: ResourceClaim) -> bool:
        """Whether the claim was made for a pod that will not run. If the pod is gone, it is garbage collected."""
        owner = controller_of(claim)
        if owner is None or owner.kind != "Pod" or owner.api_version != "v1":
            return False
        pod = self._caches.pods.get(NamespacedName(claim.metadata.namespace, owner.name))
        return pod is not None and (pod.uid != owner.uid or _is_done(pod))


def _is_done(pod: Pod) -> bool:
    """Whether it is certain that none of the pod's containers runs or will ever run."""
    return pod.is_finished or (pod.is_deleting and not pod.spec.node_name)


def claim_reservation_controller(client: Client, cache: Cache) -> Controller:
    """The controller of reservations."""
    caches = _Caches(cache.informer(Pod), cache.informer(ResourceClaim))
    controller = Controller("resource-claim", ClaimReservationReconciler(client, caches), workers=_WORKERS)
    controller.watch(caches.claims, predicate=_changes_status)
    controller.watch(caches.pods, _claims_let_go)
    return controller


def _claims_let_go(change: Change[Pod]) -> Iterable[NamespacedName]:
    """The claims of a pod that no longer needs them."""
    if change.new is not None and not _is_done(change.new):
        return []
    pod = change.new or change.old
    return claim_keys(pod) if pod is not None else []


def _changes_status(change: Change[ResourceClaim]) -> bool:
    old, new = change.old, change.new
    return new is not None and (old is None or old.status != new.status)

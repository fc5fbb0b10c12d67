"""Removes reservations of pods that are gone or finished, and has claims deallocated that no pod uses.

The claim's half of kube-controller-manager's resource claim controller (pkg/controller/resourceclaim, syncClaim).
"""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource import v1alpha2
from fake_dra_driver.api.resource.podclaims import claim_keys, extended_claim_key
from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.cluster.controllers.deallocation import (
    Claim,
    ClassicDeallocation,
    Consumer,
    Deallocation,
    StructuredDeallocation,
)
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.cluster.owners import controller_of
from fake_dra_driver.cluster.releases import Release
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
    claims: Informer[Any]
    """Of ``Claim``."""


class ClaimReservationReconciler(Reconciler):
    """Reconciles ``status.reservedFor`` of one claim."""

    def __init__(self, client: Client, caches: _Caches, deallocation: Deallocation) -> None:
        self._client = client
        self._caches = caches
        self._deallocation = deallocation

    @override
    async def reconcile(self, request: Request) -> Result:
        claim: Claim | None = self._caches.claims.get(request)
        if claim is None:
            return Result()
        valid = [each for each in claim.status.reserved_for if await self._is_in_use(claim, each)]
        await self._deallocation.reserve_for(claim, valid)
        if not valid and not claim.is_deleting and self._is_left_over(claim):
            with contextlib.suppress(NotFoundError):
                await self._client.delete(type(claim), claim.key, uid=claim.uid)
            log.info("unused claim deleted", claim=str(claim.key))
        return Result()

    async def _is_in_use(self, claim: Claim, consumer: Consumer) -> bool:
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

    def _is_left_over(self, claim: Claim) -> bool:
        """Whether the claim was made for a pod that will not run. If the pod is gone, it is garbage collected."""
        owner = controller_of(claim)
        if owner is None or owner.kind != "Pod" or owner.api_version != "v1":
            return False
        pod = self._caches.pods.get(NamespacedName(claim.metadata.namespace, owner.name))
        return pod is not None and (pod.uid != owner.uid or _is_done(pod))


def _is_done(pod: Pod) -> bool:
    """Whether it is certain that none of the pod's containers runs or will ever run."""
    return pod.is_finished or (pod.is_deleting and not pod.spec.node_name)


def claim_reservation_controller(client: Client, cache: Cache, release: Release) -> Controller:
    """The controller of reservations."""
    deallocation: Deallocation
    if release.structured_version:
        caches = _Caches(cache.informer(Pod), cache.informer(RESOURCE_APIS[release.structured_version].claims))
        deallocation = StructuredDeallocation(client)
    else:
        caches = _Caches(cache.informer(Pod), cache.informer(v1alpha2.ResourceClaim))
        deallocation = ClassicDeallocation(client)
    reconciler = ClaimReservationReconciler(client, caches, deallocation)
    controller = Controller("resource-claim", reconciler, workers=_WORKERS)
    controller.watch(caches.claims, predicate=_is_of_interest)
    with_extended = release.releases_extended_claims
    controller.watch(caches.pods, lambda change: _claims_let_go(change, with_extended=with_extended))
    return controller


def _claims_let_go(change: Change[Pod], *, with_extended: bool) -> Iterable[NamespacedName]:
    """The claims of a pod that no longer needs them."""
    old, new = change.old, change.new
    leaving = [new] if new is not None and _is_done(new) else []
    leaving += [old] if old is not None and (new is None or new.uid != old.uid) else []
    return [key for pod in leaving for key in claim_keys(pod) if with_extended or key != extended_claim_key(pod)]


def _is_of_interest(change: Change[Claim]) -> bool:
    """Whether the status has changed, or the claim is being deleted."""
    old, new = change.old, change.new
    return new is not None and (old is None or old.status != new.status or old.is_deleting != new.is_deleting)

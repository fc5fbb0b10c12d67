"""Helps pods that were bound without the scheduler: reserves their claims, and in classic DRA has them allocated.

Part of kube-controller-manager's resource claim controller (pkg/controller/resourceclaim, syncPod).
"""

from typing import Protocol

from typing_extensions import override

from fake_dra_driver.api.kube.meta import ObjectMeta
from fake_dra_driver.api.resource import v1, v1alpha2
from fake_dra_driver.api.resource.podclaims import claim_key, claim_keys, is_made_for
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, PodSchedulingContextSpec
from fake_dra_driver.cluster import reservations
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.cluster.owners import controlled_by, controller_of, is_controlled_by
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.runtime.client import Client

__all__ = ["BoundPods", "ClassicBoundPods", "StructuredBoundPods"]


class BoundPods(Protocol):
    """What is done for a pod that has a node."""

    async def help(self, pod: Pod) -> None:
        """Has the claims of the pod reserved for it, as far as that is possible now."""
        ...


class ClassicBoundPods(BoundPods):
    """Classic DRA: a claim that is not allocated is negotiated for the pod's node alone."""

    def __init__(
        self,
        client: Client,
        claims: Informer[v1alpha2.ResourceClaim],
        contexts: Informer[PodSchedulingContext],
    ) -> None:
        self._client = client
        self._claims = claims
        self._contexts = contexts

    @override
    async def help(self, pod: Pod) -> None:
        for key in claim_keys(pod):
            claim = self._claims.get(key)
            owner = controller_of(claim) if claim is not None else None
            if claim is None or claim.is_deleting or (owner is not None and owner.uid != pod.uid):
                return
            if claim.status.allocation is None:
                if claim.spec.allocation_mode == "WaitForFirstConsumer":
                    await self._ensure_context(pod)
                    return
            elif not reservations.is_reserved_for(claim, pod) and reservations.can_be_reserved(claim):
                reserved = (*claim.status.reserved_for, reservations.reservation_of(pod))
                status = claim.status.model_copy(update={"reserved_for": reserved})
                await self._client.update_status(claim.model_copy(update={"status": status}))

    async def _ensure_context(self, pod: Pod) -> None:
        """Asks the driver to allocate on the pod's node: there is nothing left to negotiate."""
        context = self._contexts.get(pod.key)
        node = pod.spec.node_name
        if context is None:
            metadata = ObjectMeta(
                name=pod.metadata.name, namespace=pod.metadata.namespace, owner_references=(controlled_by(pod),)
            )
            spec = PodSchedulingContextSpec(selected_node=node)
            await self._client.create(PodSchedulingContext(metadata=metadata, spec=spec))
        elif context.spec.selected_node != node and is_controlled_by(context, pod.uid):
            spec = context.spec.model_copy(update={"selected_node": node})
            await self._client.update(context.model_copy(update={"spec": spec}))


class StructuredBoundPods(BoundPods):
    """Structured DRA: a claim that is not allocated stays so, since only the scheduler allocates."""

    def __init__(self, client: Client, claims: Informer[v1.ResourceClaim]) -> None:
        self._client = client
        self._claims = claims

    @override
    async def help(self, pod: Pod) -> None:
        for entry in pod.spec.resource_claims:
            key = claim_key(pod, entry)
            if key is None:
                continue
            claim = self._claims.get(key)
            if claim is None or claim.is_deleting or (entry.template_name and not is_made_for(claim, pod)):
                return
            if not reservations.is_reserved_for(claim, pod) and reservations.can_be_reserved(claim):
                consumer = v1.ConsumerReference(resource="pods", name=pod.metadata.name, uid=pod.uid)
                status = claim.status.model_copy(update={"reserved_for": (*claim.status.reserved_for, consumer)})
                await self._client.update_status(claim.model_copy(update={"status": status}))

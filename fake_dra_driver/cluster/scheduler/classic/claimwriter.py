"""What the scheduler writes to negotiate with drivers: PodSchedulingContexts, and the reservations of claims.

Reservations are appended and removed one at a time, as kube-scheduler's strategic merge patches do it, so that pods
which share a claim do not get in each other's way.
"""

import contextlib
from typing import Any, Final

from fake_dra_driver.api.kube.meta import ObjectMeta
from fake_dra_driver.api.resource.v1alpha2 import (
    PodSchedulingContext,
    PodSchedulingContextSpec,
    ResourceClaim,
)
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.cluster.owners import controlled_by
from fake_dra_driver.cluster.reservations import reservation_of
from fake_dra_driver.cluster.scheduler.classic.decision import Negotiate
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.errors import NotFoundError
from fake_dra_driver.runtime.patch import add, remove, test

__all__ = ["ClaimWriter"]

_RESERVED_FOR: Final = "/status/reservedFor"


class ClaimWriter:
    """Writes contexts and claims. Every method raises what the client's calls raise."""

    def __init__(self, client: Client) -> None:
        self._client = client

    # --- contexts ---

    async def publish(self, pod: Pod, context: PodSchedulingContext | None, decision: Negotiate) -> None:
        """Creates the pod's context, or updates the scheduler's part of it."""
        selected, potential = decision.selected_node, decision.potential_nodes
        if context is None:
            spec = {
                **({"selected_node": selected} if selected else {}),
                **({"potential_nodes": potential} if potential is not None else {}),
            }
            metadata = ObjectMeta(
                name=pod.metadata.name, namespace=pod.metadata.namespace, owner_references=(controlled_by(pod),)
            )
            await self._client.create(PodSchedulingContext(metadata=metadata, spec=PodSchedulingContextSpec(**spec)))
            return
        changes: dict[str, Any] = {}
        if selected is not None:
            changes["selectedNode"] = selected
        if potential is not None:
            changes["potentialNodes"] = list(potential)
        await self._patch_context(context, changes)

    async def clear_selection(self, context: PodSchedulingContext) -> None:
        """Tells drivers to stop allocating for the pod."""
        if context.spec.selected_node:
            await self._patch_context(context, {"selectedNode": None})

    async def _patch_context(self, context: PodSchedulingContext, changes: dict[str, Any]) -> None:
        # Without a resourceVersion: only the scheduler writes these fields, and a driver's answer may come in between.
        patch = {"metadata": {"uid": context.uid}, "spec": changes}
        await self._client.merge_patch(PodSchedulingContext, context.key, patch)

    async def delete_context(self, context: PodSchedulingContext) -> None:
        """Deletes the context of a pod that no longer needs it."""
        with contextlib.suppress(NotFoundError):
            await self._client.delete(PodSchedulingContext, context.key, uid=context.uid)

    # --- claims ---

    async def reserve(self, claim: ResourceClaim, pod: Pod) -> None:
        """Lets the pod use the claim. Raises PatchTestFailedError when another writer was faster."""
        consumer = reservation_of(pod).to_wire()
        if claim.status.reserved_for:
            change = [add(f"{_RESERVED_FOR}/-", consumer)]
        else:
            change = [test(_RESERVED_FOR, None), add(_RESERVED_FOR, [consumer])]
        await self._patch_claim(claim, change)

    async def unreserve(self, claim: ResourceClaim, pod: Pod) -> None:
        """Removes the pod's reservation, if it has one."""
        for at, consumer in enumerate(claim.status.reserved_for):
            if consumer.uid == pod.uid:
                path = f"{_RESERVED_FOR}/{at}"
                await self._patch_claim(claim, [test(f"{path}/uid", pod.uid), remove(path)])

    async def _patch_claim(self, claim: ResourceClaim, change: list[Any]) -> None:
        operations = [test("/metadata/uid", claim.uid), *change]
        await self._client.json_patch(ResourceClaim, claim.key, operations, subresource="status")

    async def request_deallocation(self, claim: ResourceClaim) -> None:
        """Requests the claim's deallocation by its driver. Raises ConflictError when the claim has changed."""
        status = claim.status.model_copy(update={"reserved_for": (), "deallocation_requested": True})
        await self._client.update_status(claim.model_copy(update={"status": status}))

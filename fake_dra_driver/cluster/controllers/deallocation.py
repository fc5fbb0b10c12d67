"""What becomes of a claim's reservations and allocation when pods no longer use it.

Part of kube-controller-manager's resource claim controller (pkg/controller/resourceclaim, syncClaim). A conflict ends a
pass: a reservation that was added meanwhile must not be undone.
"""

from collections.abc import Sequence
from typing import Protocol

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.resource import v1, v1alpha2
from fake_dra_driver.runtime.client import Client

__all__ = ["Claim", "ClassicDeallocation", "Consumer", "Deallocation", "StructuredDeallocation"]

log = logger.bind(component="resource-claim-controller")

Claim = v1alpha2.ResourceClaim | v1.ResourceClaim
Consumer = v1alpha2.ConsumerReference | v1.ConsumerReference


class Deallocation(Protocol):
    """How the claims of a protocol are let go."""

    async def reserve_for(self, claim: Claim, valid: Sequence[Consumer]) -> None:
        """Leaves these of the claim's reservations, and does what is to be done when there are none."""
        ...


class ClassicDeallocation(Deallocation):
    """Classic DRA: the driver is asked to deallocate."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @override
    async def reserve_for(self, claim: Claim, valid: Sequence[Consumer]) -> None:
        if not isinstance(claim, v1alpha2.ResourceClaim) or len(valid) == len(claim.status.reserved_for):
            return
        requested = not valid and claim.spec.allocation_mode == "WaitForFirstConsumer"
        changes = {"reserved_for": tuple(valid), **({"deallocation_requested": True} if requested else {})}
        status = claim.status.model_copy(update=changes)
        await self._client.update_status(claim.model_copy(update={"status": status}))
        log.info("reservations removed", claim=str(claim.key), left=len(valid), deallocation_requested=requested)


class StructuredDeallocation(Deallocation):
    """Structured DRA: the allocation is removed with the last reservation, then the scheduler's finalizer."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @override
    async def reserve_for(self, claim: Claim, valid: Sequence[Consumer]) -> None:
        if not isinstance(claim, v1.ResourceClaim):
            return
        is_finalized = v1.CLAIM_FINALIZER in claim.metadata.finalizers
        is_released = len(valid) < len(claim.status.reserved_for)
        is_over = is_finalized and not valid and (is_released or claim.is_deleting)
        if is_released or (is_over and claim.status.allocation is not None):
            changes = {"reserved_for": tuple(valid), **({"allocation": None} if is_over else {})}
            status = claim.status.model_copy(update=changes)
            claim = await self._client.update_status(claim.model_copy(update={"status": status}))
            log.info("reservations removed", claim=str(claim.key), left=len(valid), deallocated=is_over)
        if is_over:
            left = tuple(each for each in claim.metadata.finalizers if each != v1.CLAIM_FINALIZER)
            metadata = claim.metadata.model_copy(update={"finalizers": left})
            await self._client.update(claim.model_copy(update={"metadata": metadata}))

"""What the scheduler writes to claims: allocations with their reservations, and the way back.

Follows bindClaim, Unreserve and PostFilter of kube-scheduler's dynamic resources plugin. A watcher sees a claim
pending, then with the scheduler's finalizer, then allocated and reserved at once.
"""

import contextlib
from collections.abc import Iterator

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.api.resource import v1
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.cluster.scheduler.structured.features import Features
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.clock import WallClock
from fake_dra_driver.runtime.errors import (
    ApiError,
    ConflictError,
    NotFoundError,
    PatchTestFailedError,
    RuntimeLayerError,
)
from fake_dra_driver.runtime.patch import remove, test

__all__ = ["BindingError", "ClaimWriter", "said_by"]

_TRIES = 5
"""retry.DefaultRetry: so often a claim is written that others write to at the same time."""


class BindingError(Exception):
    """A claim could not be bound to the pod; the text says why, in kube-scheduler's words."""


class _Outdated(Exception):  # noqa: N818 - it is settled here, by reading the claim again
    """The claim has changed since it was read."""


class ClaimWriter:
    """Writes claims.

    Args:
        client: writes.
        now: the clock of allocation timestamps.
        features: what differs between releases.
    """

    def __init__(self, client: Client, now: WallClock, features: Features) -> None:
        self._client = client
        self._now = now
        self._features = features

    async def bind(self, claim: v1.ResourceClaim, pod: Pod, allocation: v1.AllocationResult | None) -> v1.ResourceClaim:
        """Allocates the claim where it is to be, and reserves it for the pod. Returns what it has become.

        Args:
            claim: as it was when the pod's node was chosen.
            pod: the pod.
            allocation: what was chosen for the claim; None: it was allocated before.

        Raises:
            BindingError: the claim is not what it was any more, or the API server does not take it.
        """
        tries = _TRIES
        while True:
            try:
                return await self._write(claim, pod, allocation)
            except _Outdated as outdated:
                tries -= 1
                if not tries:
                    raise BindingError(str(outdated)) from outdated
            claim = await self._read_again(claim)

    async def create(self, claim: v1.ResourceClaim) -> v1.ResourceClaim:
        """Makes a claim for the extended resources of a pod. Raises BindingError."""
        metadata = claim.metadata.model_copy(update={"uid": UID("")})
        try:
            return await self._client.create(claim.model_copy(update={"metadata": metadata}))
        except RuntimeLayerError as error:
            raise BindingError(f"create claim for extended resources {claim.key}: {said_by(error)}") from error

    async def _read_again(self, claim: v1.ResourceClaim) -> v1.ResourceClaim:
        try:
            return await self._client.get(type(claim), claim.key)
        except RuntimeLayerError as error:
            raise BindingError(f"get updated claim {claim.key} after conflict: {said_by(error)}") from error

    async def _write(
        self, claim: v1.ResourceClaim, pod: Pod, allocation: v1.AllocationResult | None
    ) -> v1.ResourceClaim:
        if claim.is_deleting:
            raise BindingError(f"claim {claim.key} got deleted in the meantime")
        if allocation is not None:
            if claim.status.allocation is not None:
                raise BindingError(f"claim {claim.key} got allocated elsewhere in the meantime")
            claim = await self._with_finalizer(claim)
        elif claim.status.allocation is None:
            raise BindingError(f"claim {claim.key} got deallocated elsewhere in the meantime")
        wanted = self._stamped(allocation or claim.status.allocation)
        consumer = v1.ConsumerReference(resource="pods", name=pod.metadata.name, uid=pod.uid)
        changes = {"allocation": wanted, "reserved_for": (*claim.status.reserved_for, consumer)}
        status = claim.status.model_copy(update=changes)
        with _explained(f"add {'reservation' if allocation is None else 'allocation and reservation'} to", claim):
            return await self._client.update_status(claim.model_copy(update={"status": status}))

    async def _with_finalizer(self, claim: v1.ResourceClaim) -> v1.ResourceClaim:
        if v1.CLAIM_FINALIZER in claim.metadata.finalizers:
            return claim
        finalizers = (*claim.metadata.finalizers, v1.CLAIM_FINALIZER)
        metadata = claim.metadata.model_copy(update={"finalizers": finalizers})
        with _explained("add finalizer to", claim):
            return await self._client.update(claim.model_copy(update={"metadata": metadata}))

    def _stamped(self, allocation: v1.AllocationResult | None) -> v1.AllocationResult | None:
        if allocation is None or allocation.allocation_timestamp is not None or not self._features.binding_conditions:
            return allocation
        # Until then the devices may become ready.
        return allocation.model_copy(update={"allocation_timestamp": self._now().replace(microsecond=0)})

    async def unreserve(self, claim: v1.ResourceClaim, pod: Pod) -> None:
        """Removes the pod's reservation, if it has one; the allocation stays. Raises what the client's calls raise."""
        while at := _place_of(pod, claim):
            path = f"/status/reservedFor/{at - 1}"
            operations = [test("/metadata/uid", claim.uid), test(f"{path}/uid", pod.uid), remove(path)]
            try:
                await self._client.json_patch(type(claim), claim.key, operations, subresource="status")
                return
            except PatchTestFailedError:
                # Others reserve the claim, and release it, at the same time.
                claim = await self._client.get(type(claim), claim.key)
            except NotFoundError:
                return

    async def deallocate(self, claim: v1.ResourceClaim) -> None:
        """Frees the claim's devices. Raises ConflictError when the claim has changed."""
        status = claim.status.model_copy(update={"allocation": None, "reserved_for": (), "devices": ()})
        await self._client.update_status(claim.model_copy(update={"status": status}))

    async def delete(self, claim: v1.ResourceClaim) -> None:
        """Deletes a claim that was made for extended resources. Raises ConflictError when it has changed."""
        with contextlib.suppress(NotFoundError):
            finalizers = tuple(each for each in claim.metadata.finalizers if each != v1.CLAIM_FINALIZER)
            if finalizers != claim.metadata.finalizers:
                metadata = claim.metadata.model_copy(update={"finalizers": finalizers})
                await self._client.update(claim.model_copy(update={"metadata": metadata}))
            await self._client.delete(type(claim), claim.key, uid=claim.uid)


def said_by(error: RuntimeLayerError) -> str:
    """What the API server said, as client-go repeats it; else the error itself."""
    return error.message if isinstance(error, ApiError) and error.message else str(error)


def _place_of(pod: Pod, claim: v1.ResourceClaim) -> int:
    """The place of the pod's reservation, counted from 1; 0: there is none."""
    return next((at for at, each in enumerate(claim.status.reserved_for, 1) if each.uid == pod.uid), 0)


@contextlib.contextmanager
def _explained(tried: str, claim: v1.ResourceClaim) -> Iterator[None]:
    """Says what was tried when a write in the block fails."""
    try:
        yield
    except ConflictError as error:
        raise _Outdated(f"{tried} claim {claim.key}: {said_by(error)}") from error
    except RuntimeLayerError as error:
        raise BindingError(f"{tried} claim {claim.key}: {said_by(error)}") from error

"""The writes to a ResourceClaim, in the one order that is safe with several writers and a stop at any moment.

Every write names the resourceVersion of the claim that the decision was made on, so it fails with ConflictError when
anybody else was faster. Design rules kept here (the ledger keeps the others):

2. Order: finalizer, the driver's record, claim status. The status write names the resourceVersion the claim had
   *before* the record was written.
4. The record of a claim that still exists is taken out only after fencing it: a write that names a resourceVersion at
   which the claim was not allocated there. Whoever was about to allocate it by an older version fails from then on.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from fake_dra_driver.api.meta import UID, NamespacedName
from fake_dra_driver.api.resource_v1alpha2 import AllocationResult, ConsumerReference, ResourceClaim
from fake_dra_driver.dra.driver import ControllerDriver
from fake_dra_driver.dra.observer import AllocationObserver
from fake_dra_driver.runtime.clock import loop_time
from fake_dra_driver.runtime.errors import NotFoundError

__all__ = ["ClaimClient", "ClaimWriter"]


class ClaimClient(Protocol):
    """What is needed of ``runtime.client.Client``."""

    async def get(self, kind: type[ResourceClaim], key: NamespacedName) -> ResourceClaim:
        """Reads the claim from the API server."""
        ...

    async def merge_patch(
        self,
        kind: type[ResourceClaim],
        key: NamespacedName,
        patch: Mapping[str, Any],
        *,
        subresource: str | None = None,
    ) -> ResourceClaim:
        """Applies a merge patch (RFC 7386)."""
        ...


@dataclass(slots=True)
class _Lock:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0
    """How many hold the lock or wait for it; forgotten when nobody does."""


class ClaimWriter:
    """Writes to claims on behalf of all reconcilers of a process, which share its locks."""

    def __init__(self, client: ClaimClient, driver: ControllerDriver[Any], observer: AllocationObserver) -> None:
        self._client = client
        self._driver = driver
        self._observer = observer
        self._locks: dict[UID, _Lock] = {}

    @asynccontextmanager
    async def lock(self, uids: Iterable[UID]) -> AsyncIterator[None]:
        """No two reconcilers of this process work on the same claim. Read it from the cache after this, not before."""
        async with AsyncExitStack() as stack:
            for uid in sorted(set(uids)):
                await stack.enter_async_context(self._lock(uid))
            yield

    @asynccontextmanager
    async def _lock(self, uid: UID) -> AsyncIterator[None]:
        entry = self._locks.setdefault(uid, _Lock())
        entry.users += 1
        try:
            async with entry.lock:
                yield
        finally:
            entry.users -= 1
            if not entry.users:
                del self._locks[uid]

    async def add_finalizer(self, claim: ResourceClaim) -> ResourceClaim:
        """Makes sure that the claim stays in existence while it may hold devices. One write, or none."""
        if self._driver.finalizer in claim.metadata.finalizers:
            return claim
        return await self._patch(
            claim, {"metadata": {"finalizers": [*claim.metadata.finalizers, self._driver.finalizer]}}
        )

    async def allocate(
        self, claim: ResourceClaim, allocation: AllocationResult, consumer: ConsumerReference | None
    ) -> ResourceClaim:
        """Writes the allocation, and the pod that it was made for, into the claim's status.

        ``claim`` is the version with the finalizer, as it was before the driver's record was written (rule 2).
        """
        status: dict[str, Any] = {"driverName": self._driver.name, "allocation": allocation.to_wire()}
        if consumer is not None:
            status["reservedFor"] = [entry.to_wire() for entry in (*claim.status.reserved_for, consumer)]
        return await self._patch(claim, {"status": status}, "status")

    async def release(self, claim: ResourceClaim) -> None:
        """Takes everything from a claim that nobody uses any more: allocation, finalizer, the driver's records.

        One write to a claim that is being deleted, two where it lives on, and the driver's record. A stop in between
        leaves what the next pass finds and finishes.

        Raises:
            ConflictError: somebody else was faster with the claim or with a record.
        """
        begun = loop_time()
        finalizer = self._driver.finalizer
        nodes = list(self._driver.recorded_nodes(claim.uid))
        marks = self._driver.mark(nodes)
        others = [entry for entry in claim.metadata.finalizers if entry != finalizer]
        allocated_by_us = claim.status.allocation is not None and claim.status.driver_name == self._driver.name
        if claim.is_deleting and not others:
            pass  # taking the last finalizer off takes the claim away, status and all
        elif allocated_by_us or claim.status.deallocation_requested:
            cleared = {"allocation": None, "driverName": None, "deallocationRequested": None}
            claim = await self._patch(claim, {"status": cleared}, "status")
        elif nodes and finalizer not in claim.metadata.finalizers and not claim.is_deleting:
            # Nothing to take off, so nothing that would fence: put the finalizer on, and taking it off does.
            claim = await self.add_finalizer(claim)
        if finalizer in claim.metadata.finalizers:
            await self._patch(claim, {"metadata": {"finalizers": others}})
        # A claim that is being deleted cannot get a finalizer again, so nobody can allocate it from here on.
        await self._driver.forget(claim.uid, nodes, None if claim.is_deleting else marks)
        self._observer.deallocated(loop_time() - begun)

    async def forget_elsewhere(self, claim: ResourceClaim, node: str) -> Sequence[str]:
        """Takes out records on other nodes of a claim that is allocated on ``node``; returns those nodes.

        A live read that says so, made after the records were marked, takes the fence's place: an allocation cannot be
        changed, only cleared, and clearing it is up to whoever takes out the record on ``node``.
        """
        nodes = [other for other in self._driver.recorded_nodes(claim.uid) if other != node]
        if not nodes:
            return ()
        marks = self._driver.mark(nodes)
        try:
            live = await self._client.get(ResourceClaim, claim.key)
        except NotFoundError:
            return ()
        if live.uid == claim.uid and live.status.allocation and self._driver.node_of(live.status.allocation) == node:
            await self._driver.forget(claim.uid, nodes, marks)
            return nodes
        return ()

    async def _patch(
        self, claim: ResourceClaim, patch: Mapping[str, Any], subresource: str | None = None
    ) -> ResourceClaim:
        metadata = {**patch.get("metadata", {}), "uid": claim.uid, "resourceVersion": claim.metadata.resource_version}
        return await self._client.merge_patch(
            ResourceClaim, claim.key, {**patch, "metadata": metadata}, subresource=subresource
        )

"""Carries out what ``protocol`` says is to be done to a ResourceClaim: the writes, each a call to the API server.

Every write names the resourceVersion of the claim that the decision was made on, so it fails with ConflictError when
another writer was faster.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar

from typing_extensions import override

from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import UID, KubeObject, NamespacedName
from fake_dra_driver.api.resource.v1alpha2 import AllocationResult, ConsumerReference, ResourceClaim
from fake_dra_driver.dra.classic import protocol
from fake_dra_driver.dra.classic.allocation import Hold
from fake_dra_driver.dra.classic.allocationresult import node_of
from fake_dra_driver.dra.classic.driver import AnyControllerDriver
from fake_dra_driver.dra.classic.ledger import Ledger
from fake_dra_driver.dra.classic.observer import AllocationObserver
from fake_dra_driver.dra.classic.protocol import Claim, Marks
from fake_dra_driver.runtime.clock import loop_time
from fake_dra_driver.runtime.errors import NotFoundError
from fake_dra_driver.runtime.keyedlock import KeyedLock

__all__ = ["ClaimClient", "ClaimWriter"]

K = TypeVar("K", bound=KubeObject)


class ClaimClient(Protocol):
    """What is needed of ``runtime.client.Client``."""

    async def get(self, kind: type[K], key: NamespacedName) -> K:
        """Reads an object from the API server."""
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


class ClaimWriter:
    """Writes to claims on behalf of all reconcilers of a process, which share its locks.

    Args:
        on_unused_hold: called with the node when a hold has ended without an allocation. What it kept from other
            claims is free again, and no record changes that would tell them.
    """

    def __init__(
        self,
        client: ClaimClient,
        driver: AnyControllerDriver,
        ledger: Ledger[Any, Any],
        observer: AllocationObserver,
        on_unused_hold: Callable[[str], None],
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._on_unused_hold = on_unused_hold
        self._effects = _ClaimEffects(client, driver, ledger)
        self._observer = observer
        self._locks = KeyedLock[UID]()

    def lock(self, uids: Iterable[UID]) -> AbstractAsyncContextManager[None]:
        """No two reconcilers of this process work on the same claim. Read it from the cache after this, not before."""
        return self._locks.hold(*uids)

    def view(self, claim: ResourceClaim) -> Claim[ResourceClaim]:
        """The claim as the protocol looks at it."""
        return self._effects.view(claim)

    def recorded_nodes(self, claim: ResourceClaim) -> Sequence[str]:
        """The nodes on which the claim is on record."""
        return self._ledger.nodes_of(claim.uid)

    async def allocate(
        self,
        claims: Sequence[ResourceClaim],
        hold: Hold[Any],
        consumer: ConsumerReference | None,
    ) -> None:
        """Allocates what is held for the claims, and reserves them for the pod that it was held for.

        Raises:
            ConflictError: another writer was faster with a claim or a record.
        """
        try:
            with hold as held:
                effects = _AllocationEffects(self._effects, held, consumer)
                await protocol.allocate(effects, [self.view(claim) for claim in claims])
        except BaseException:
            self._on_unused_hold(hold.node)
            raise

    async def release(self, claim: ResourceClaim) -> None:
        """Takes everything from a claim that is not used any more: allocation, finalizer, the driver's records.

        Raises:
            ConflictError: another writer was faster with the claim or with a record.
        """
        begun = loop_time()
        await protocol.release(self._effects, self.view(claim), self._ledger.nodes_of(claim.uid))
        self._observer.deallocated(loop_time() - begun)

    async def release_from_gone_node(self, claim: ResourceClaim, node: str) -> bool:
        """Releases a claim from its node if there is no such node, which is asked for live: a cache may lag.

        Raises as ``release``, and what the API call raises.
        """
        try:
            await self._client.get(Node, NamespacedName("", node))
        except NotFoundError:
            await self.release(claim)
            return True
        return False

    async def forget_elsewhere(self, claim: ResourceClaim, node: str) -> Sequence[str]:
        """Takes out records on other nodes of a claim that is allocated on ``node``; returns those nodes.

        Raises as ``release``.
        """
        nodes = [other for other in self._ledger.nodes_of(claim.uid) if other != node]
        has_forgotten = bool(nodes) and await protocol.forget_elsewhere(self._effects, self.view(claim), nodes)
        return nodes if has_forgotten else ()

    async def restore(
        self, claim: ResourceClaim, node: str, record: Callable[[ResourceClaim, Marks], Awaitable[None]]
    ) -> bool:
        """Calls ``record``, which writes the claim's record, if the claim still is allocated on the node."""
        return await protocol.restore(self._effects, self.view(claim), node, record)


class _ClaimEffects(protocol.Effects[ResourceClaim]):
    """Of one process, for all claims."""

    def __init__(self, client: ClaimClient, driver: AnyControllerDriver, ledger: Ledger[Any, Any]) -> None:
        self._client = client
        self._driver = driver
        self._ledger = ledger

    def view(self, claim: ResourceClaim) -> Claim[ResourceClaim]:
        """The claim as the protocol looks at it."""
        status, finalizers = claim.status, claim.metadata.finalizers
        return Claim(
            source=claim,
            uid=claim.uid,
            is_protected=self._driver.finalizer in finalizers,
            is_protected_by_others=any(entry != self._driver.finalizer for entry in finalizers),
            is_deleting=claim.is_deleting,
            is_deallocation_requested=status.deallocation_requested,
            is_reserved=bool(status.reserved_for),
            is_ours=status.driver_name == self._driver.name,
            is_allocated=status.allocation is not None,
            node=None if status.allocation is None else node_of(status.allocation),
        )

    @override
    async def protect(self, claim: Claim[ResourceClaim]) -> Claim[ResourceClaim]:
        if claim.is_protected:
            return claim
        finalizers = [*claim.source.metadata.finalizers, self._driver.finalizer]
        return await self._patch(claim, {"metadata": {"finalizers": finalizers}})

    @override
    async def unprotect(self, claim: Claim[ResourceClaim]) -> None:
        others = [entry for entry in claim.source.metadata.finalizers if entry != self._driver.finalizer]
        await self._patch(claim, {"metadata": {"finalizers": others}})

    @override
    async def clear(self, claim: Claim[ResourceClaim]) -> Claim[ResourceClaim]:
        cleared = {"allocation": None, "driverName": None, "deallocationRequested": None}
        return await self._patch(claim, {"status": cleared}, "status")

    async def write_allocation(
        self, claim: Claim[ResourceClaim], allocation: AllocationResult, consumer: ConsumerReference | None
    ) -> None:
        """Writes the allocation, and the pod that it was made for, into the claim's status."""
        status: dict[str, Any] = {"driverName": self._driver.name, "allocation": allocation.to_wire()}
        if consumer is not None:
            reserved = (*claim.source.status.reserved_for, consumer)
            status["reservedFor"] = [entry.to_wire() for entry in reserved]
        await self._patch(claim, {"status": status}, "status")

    @override
    async def read(self, claim: Claim[ResourceClaim]) -> Claim[ResourceClaim] | None:
        try:
            live = await self._client.get(ResourceClaim, claim.source.key)
        except NotFoundError:
            return None
        return self.view(live) if live.uid == claim.uid else None

    @override
    def mark(self, nodes: Sequence[str]) -> Marks:
        return self._ledger.marks(nodes)

    @override
    async def forget(self, uid: UID, nodes: Sequence[str], marks: Marks | None) -> None:
        await self._ledger.forget(uid, nodes, marks)

    async def _patch(
        self, claim: Claim[ResourceClaim], patch: Mapping[str, Any], subresource: str | None = None
    ) -> Claim[ResourceClaim]:
        condition = {"uid": claim.uid, "resourceVersion": claim.source.metadata.resource_version}
        metadata = {**patch.get("metadata", {}), **condition}
        written = await self._client.merge_patch(
            ResourceClaim, claim.source.key, {**patch, "metadata": metadata}, subresource=subresource
        )
        return self.view(written)


class _AllocationEffects(protocol.AllocationEffects[ResourceClaim, Mapping[UID, AllocationResult]]):
    """For the claims that a hold is for."""

    def __init__(self, effects: _ClaimEffects, held: Hold[Any], consumer: ConsumerReference | None) -> None:
        self._effects = effects
        self._held = held
        self._consumer = consumer

    @override
    async def protect(self, claims: Sequence[Claim[ResourceClaim]]) -> Sequence[Claim[ResourceClaim]]:
        return await _all(self._effects.protect(claim) for claim in claims)

    @override
    async def record(self) -> Mapping[UID, AllocationResult]:
        return await self._held.record()

    @override
    async def write_status(
        self, claims: Sequence[Claim[ResourceClaim]], records: Mapping[UID, AllocationResult]
    ) -> None:
        await _all(self._effects.write_allocation(claim, records[claim.uid], self._consumer) for claim in claims)


_T = TypeVar("_T")


async def _all(calls: Iterable[Coroutine[Any, Any, _T]]) -> list[_T]:
    """The results of all calls, which run concurrently; the first error is raised once every call has ended."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]

"""The ResourceClaim reconciler: Immediate allocation, deallocation, claims whose node is gone, and leftovers of a stop.

Claims that wait for their first consumer are allocated by ``scheduling``; here they, and their pods, only get a warning
when their parameters cannot be used, and they are freed of a record that no pod wants any more.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim, ResourceClass
from fake_dra_driver.dra.classic.allocation import Allocator, OutdatedRecord, PendingClaim, Shortage
from fake_dra_driver.dra.classic.caches import ClassicCaches, is_waiting_immediate
from fake_dra_driver.dra.classic.deletion import DeletionGrace
from fake_dra_driver.dra.classic.driver import ParametersError
from fake_dra_driver.dra.classic.observer import AllocationObserver, Stopwatch
from fake_dra_driver.dra.classic.protocol import Duty, duty_of
from fake_dra_driver.dra.classic.refusal import grace_left, reason_of
from fake_dra_driver.dra.classic.waitingevents import PAUSE_SECONDS, WaitingEvents
from fake_dra_driver.dra.classic.writer import ClaimWriter
from fake_dra_driver.dra.reason import INSUFFICIENT_DEVICES, RECORD_DROPPED, RELEASED_FROM_GONE_NODE
from fake_dra_driver.runtime.clock import loop_time
from fake_dra_driver.runtime.events import EventSink
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result

__all__ = ["ResourceClaimReconciler"]

RequestT = TypeVar("RequestT")


log = logger.bind(component="claims")


class ResourceClaimReconciler(Reconciler, Generic[RequestT]):
    """Reconciles one ResourceClaim.

    Args:
        now: the wall clock, for the age of a claim.
        observer: is told of allocations.
    """

    def __init__(
        self,
        allocator: Allocator[RequestT, Any, Any, Any],
        writer: ClaimWriter,
        caches: ClassicCaches,
        events: EventSink,
        now: Callable[[], datetime],
        observer: AllocationObserver,
    ) -> None:
        self._allocator = allocator
        self._writer = writer
        self._caches = caches
        self._events = events
        self._now = now
        self._observer = observer
        self._asked = Stopwatch(caches.claims, _asks_for_allocation)
        self.grace = DeletionGrace(caches)
        self.waiting = WaitingEvents(caches, events)

    @override
    async def reconcile(self, request: Request) -> Result:
        claim = self._caches.claims.get(request)
        if claim is None:
            return Result()
        async with self._writer.lock([claim.uid]):
            claim = self._caches.claims.get(request)
            return Result() if claim is None else await self._reconcile(claim)

    async def _reconcile(self, claim: ResourceClaim) -> Result:
        seen = self._writer.view(claim)
        records = self._writer.recorded_nodes(claim)
        match duty_of(seen, records, lambda node: self._is_wanted(claim, node)):
            case Duty.NOTHING:
                return Result()
            case Duty.RELEASE:
                if (seconds := self.grace.seconds_left(claim)) > 0:
                    return Result(requeue_after=seconds)
                await self._writer.release(claim)
                log.info("Claim released", claim=str(claim.key), claim_uid=claim.uid)
                return Result()
            case Duty.DROP:
                await self._writer.release(claim)
                log.info("Claim had a record that no pod wants", claim=str(claim.key), claim_uid=claim.uid)
                self._tell_dropped(claim, records, "no pod that uses it wants to run there")
                return Result()
            case Duty.KEEP:
                await self._keep(claim, seen.node)
                return Result()
            case Duty.ALLOCATE:
                return await self._settle_unallocated(claim)

    async def _keep(self, claim: ResourceClaim, node: str | None) -> None:
        if node is None:
            return
        may_be_gone = self._caches.nodes.get(NamespacedName("", node)) is None
        # The API takes an allocation away only once nothing reserves the claim.
        if may_be_gone and not claim.status.reserved_for and await self._writer.release_from_gone_node(claim, node):
            log.info("Claim released from a node that is gone", claim=str(claim.key), claim_uid=claim.uid, node=node)
            message = f"node {node}, on which the claim was allocated, no longer exists: it can be allocated elsewhere"
            RELEASED_FROM_GONE_NODE.tell(self._events, claim, message)
        elif elsewhere := await self._writer.forget_elsewhere(claim, node):
            self._tell_dropped(claim, elsewhere, f"it is allocated on node {node}")

    async def _settle_unallocated(self, claim: ResourceClaim) -> Result:
        resource_class = self._class_of(claim)
        if resource_class is None:
            return Result()
        try:
            pending = self._allocator.pending(claim, resource_class)
        except ParametersError as error:
            if (seconds := grace_left(claim, error, self._now())) > 0:
                return Result(requeue_after=seconds)
            message = str(error)
            return self.waiting.tell(claim, reason_of(error), lambda: message)
        if claim.spec.allocation_mode == "Immediate":
            return await self._allocate(pending)
        self.waiting.forget(claim)
        return Result()

    def _class_of(self, claim: ResourceClaim) -> ResourceClass | None:
        """The claim's class, if it is one of this driver's."""
        found = self._caches.classes.get(NamespacedName("", claim.spec.resource_class_name))
        return found if found is not None and found.driver_name == self._caches.driver else None

    def _is_wanted(self, claim: ResourceClaim, node: str) -> bool:
        """Whether a record on the node is about to be used: by ``_allocate``, or by ``scheduling`` when a pod that uses
        the claim has the node selected."""
        if claim.spec.allocation_mode == "Immediate" and self._class_of(claim) is not None:
            return True
        contexts = (self._caches.contexts.get(pod.key) for pod in self._caches.pods_of_claim(claim.key))
        return any(context is not None and context.spec.selected_node == node for context in contexts)

    def _tell_dropped(self, claim: ResourceClaim, nodes: Sequence[str], why: str) -> None:
        message = f"devices on {_nodes(nodes)} were on record for the claim, and are free again: {why}"
        RECORD_DROPPED.tell(self._events, claim, message)

    async def _allocate(self, pending: PendingClaim[RequestT]) -> Result:
        """Allocates a claim in mode Immediate. A claim that fits nowhere waits for a node that gains room."""
        claim = pending.claim
        match self._allocator.hold_anywhere(pending):
            case OutdatedRecord(_, nodes, why):
                await self._writer.release(claim)  # which changes the claim, and so leads back here
                self._tell_dropped(claim, nodes, why)
            case Shortage(unsuitable):
                return self.waiting.tell(
                    claim,
                    INSUFFICIENT_DEVICES,
                    lambda: self._allocator.describe_shortage([pending], unsuitable),
                    pause_seconds=PAUSE_SECONDS,
                )
            case hold:
                asked_at = self._asked.since(claim.key)
                await self._writer.allocate([claim], hold, None)
                self._observer.allocated("Immediate", loop_time() - asked_at)
                log.info("Claim allocated", claim=str(claim.key), claim_uid=claim.uid, node=hold.node)
        return Result()


def _nodes(names: Sequence[str]) -> str:
    return f"node{'s' if len(names) > 1 else ''} {', '.join(sorted(names))}"


def _asks_for_allocation(claim: ResourceClaim) -> str:
    return claim.uid if is_waiting_immediate(claim) else ""

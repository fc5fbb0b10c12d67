"""The PodSchedulingContext reconciler: negotiates a node with the scheduler, and allocates on the one it selected.

With one claim that waits, the scheduler selects a node at once; with several it waits until every claim has an answer
in ``status.resourceClaims``. The status is written only when a node has to be ruled out or an answer is waited for: the
common case of one claim that fits costs no write here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.kube.core import Pod, PodResourceClaim
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource.podclaims import claim_key, is_made_for
from fake_dra_driver.api.resource.v1alpha2 import (
    MAX_NODES_PER_SCHEDULING_CONTEXT,
    ConsumerReference,
    PodSchedulingContext,
    ResourceClaim,
    ResourceClaimSchedulingStatus,
)
from fake_dra_driver.dra.classic.allocation import Allocator, OutdatedRecord, PendingClaim
from fake_dra_driver.dra.classic.caches import ClassicCaches
from fake_dra_driver.dra.classic.driver import ParametersError, Unsuitable
from fake_dra_driver.dra.classic.observer import AllocationObserver, Stopwatch
from fake_dra_driver.dra.classic.writer import ClaimWriter
from fake_dra_driver.dra.reason import INSUFFICIENT_DEVICES, RECORD_DROPPED
from fake_dra_driver.runtime.clock import loop_time
from fake_dra_driver.runtime.events import EventSink
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result

__all__ = ["PodSchedulingContextReconciler", "SchedulingClient"]

RequestT = TypeVar("RequestT")

log = logger.bind(component="scheduling")


class SchedulingClient(Protocol):
    """What is needed of ``runtime.client.Client`` beside the claim's writes."""

    async def merge_patch(
        self,
        kind: type[PodSchedulingContext],
        key: NamespacedName,
        patch: Mapping[str, Any],
        *,
        subresource: str | None = None,
    ) -> PodSchedulingContext:
        """Applies a merge patch (RFC 7386)."""
        ...


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[RequestT]):
    """A pod's claims that wait for this driver."""

    names: tuple[str, ...] = ()
    """Of the entries in the pod's spec, in the order of ``claims``."""
    claims: tuple[PendingClaim[RequestT], ...] = ()
    blocked: bool = False
    """Whether another claim of the pod cannot be judged yet, since its parameters cannot be used."""


class PodSchedulingContextReconciler(Reconciler, Generic[RequestT]):
    """Reconciles one PodSchedulingContext, which has the name of its pod."""

    def __init__(
        self,
        allocator: Allocator[RequestT, Any, Any, Any],
        writer: ClaimWriter,
        caches: ClassicCaches,
        client: SchedulingClient,
        events: EventSink,
        observer: AllocationObserver,
    ) -> None:
        self._allocator = allocator
        self._writer = writer
        self._caches = caches
        self._client = client
        self._events = events
        self._observer = observer
        self._selected = Stopwatch(caches.contexts, lambda context: context.spec.selected_node)

    @override
    async def reconcile(self, request: Request) -> Result:
        context = self._caches.contexts.get(request)
        if context is None or context.is_deleting:
            return Result()
        selected, potential = context.spec.selected_node, context.spec.potential_nodes
        pod = self._caches.pods.get(request)
        if not (selected or potential) or pod is None or pod.is_deleting or not _belongs_to(context, pod):
            return Result()
        waiting = self._waiting_claims(pod)
        if not waiting.claims or waiting.blocked:
            return Result()
        refusals: dict[str, Unsuitable] = {}
        if selected:
            refusal = await self._allocate(pod, waiting.claims, selected)
            if refusal is None:
                return Result()
            refusals[selected] = refusal
        # Judged only now: most pods select a node that fits, and the others do not matter to them.
        others = sorted({*potential} - {selected})
        refusals.update(self._allocator.unsuitable_nodes(waiting.claims, others))
        await self._answer(context, pod, waiting, refusals)
        return Result()

    def _waiting_claims(self, pod: Pod) -> _Waiting[RequestT]:
        """What the pod still waits for. Whatever is missing in the caches comes with an event that leads back here."""
        names: list[str] = []
        claims: list[PendingClaim[RequestT]] = []
        blocked = False
        for entry in pod.spec.resource_claims:
            claim = self._unallocated(pod, entry)
            resource_class = None if claim is None else self._caches.classes.get(_class_key(claim))
            if claim is None or resource_class is None or resource_class.driver_name != self._caches.driver:
                continue
            try:
                claims.append(self._allocator.pending(claim, resource_class))
            except ParametersError as error:
                log.debug("Claim cannot be judged yet", claim=str(claim.key), claim_uid=claim.uid, why=str(error))
                blocked = True
            else:
                names.append(entry.name)
        return _Waiting(tuple(names), tuple(claims), blocked)

    def _unallocated(self, pod: Pod, entry: PodResourceClaim) -> ResourceClaim | None:
        key = claim_key(pod, entry)
        claim = None if key is None else self._caches.claims.get(key)
        if claim is None or (entry.claim_name is None and not is_made_for(claim, pod)):
            return None
        waits = (
            claim.status.allocation is None
            and not claim.is_deleting
            and not claim.status.deallocation_requested
            and claim.spec.allocation_mode == "WaitForFirstConsumer"
        )
        return claim if waits else None

    async def _allocate(self, pod: Pod, pending: Sequence[PendingClaim[RequestT]], node: str) -> Unsuitable | None:
        """Allocates all of the claims on the node, or says why the node cannot take them.

        None also when a change of a claim is under way that leads back here.
        """
        selected_at = self._selected.since(pod.key)
        claims = [waiting.claim for waiting in pending]
        async with self._writer.lock(claim.uid for claim in claims):
            if any(self._has_changed(claim) for claim in claims):
                return None  # another pass wrote to a claim while this one waited for the lock
            match self._allocator.hold(pending, node):
                case Unsuitable() as refusal:
                    return refusal
                case OutdatedRecord(claim):
                    log.info("Claim has an outdated record", claim=str(claim.key), claim_uid=claim.uid)
                    await self._writer.release(claim)
                    message = f"devices were on record for the claim, and are free again: pod {pod.key} runs on {node}"
                    RECORD_DROPPED.tell(self._events, claim, message)
                    return None
                case hold:
                    consumer = ConsumerReference(resource="pods", name=pod.metadata.name, uid=pod.uid)
                    await self._writer.allocate(claims, hold, consumer)
        seconds = loop_time() - selected_at
        for claim in claims:
            self._observer.allocated("WaitForFirstConsumer", seconds)
            log.info("Claim allocated", claim=str(claim.key), claim_uid=claim.uid, node=node, pod=str(pod.key))
        return None

    def _has_changed(self, claim: ResourceClaim) -> bool:
        now = self._caches.claims.get(claim.key)
        return now is None or now.metadata.resource_version != claim.metadata.resource_version

    async def _answer(
        self,
        context: PodSchedulingContext,
        pod: Pod,
        waiting: _Waiting[RequestT],
        unsuitable: Mapping[str, Unsuitable],
    ) -> None:
        """Writes ``status.resourceClaims`` where it says something new; entries of other drivers stay as they are."""
        nodes = _shortened(sorted(unsuitable), context.spec.selected_node)
        answers = {name: ResourceClaimSchedulingStatus(name=name, unsuitable_nodes=nodes) for name in waiting.names}
        there = {entry.name: entry for entry in context.status.resource_claims}
        if all(there[name].unsuitable_nodes == nodes if name in there else not nodes for name in answers) and (
            len(pod.spec.resource_claims) == 1 or answers.keys() <= there.keys()
        ):
            return
        wanted = [answers.pop(name, entry) for name, entry in there.items()] + list(answers.values())
        await self._client.merge_patch(
            PodSchedulingContext,
            context.key,
            {
                "metadata": {"uid": context.uid, "resourceVersion": context.metadata.resource_version},
                "status": {"resourceClaims": [entry.to_wire() for entry in wanted]},
            },
            subresource="status",
        )
        log.debug("Answered the scheduler", unsuitable_nodes=len(nodes))
        if context.spec.potential_nodes and unsuitable.keys() >= set(context.spec.potential_nodes):
            message = self._allocator.describe_shortage(waiting.claims, unsuitable)
            for about in (pod, *(claim.claim for claim in waiting.claims)):
                INSUFFICIENT_DEVICES.tell(self._events, about, message)


def _belongs_to(context: PodSchedulingContext, pod: Pod) -> bool:
    return any(owner.uid == pod.uid and owner.controller for owner in context.metadata.owner_references)


def _class_key(claim: ResourceClaim) -> NamespacedName:
    return NamespacedName("", claim.spec.resource_class_name)


def _shortened(nodes: Sequence[str], selected: str) -> tuple[str, ...]:
    """At most as many nodes as the API takes; the selected one is the last to be left out."""
    if len(nodes) <= MAX_NODES_PER_SCHEDULING_CONTEXT:
        return tuple(nodes)
    kept = list(nodes[:MAX_NODES_PER_SCHEDULING_CONTEXT])
    if selected in nodes and selected not in kept:
        kept[-1] = selected
    return tuple(kept)

"""The reconciler that finds a node for each pod that has none."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim
from fake_dra_driver.cluster.kinds import Node, Pod, ResourceClass
from fake_dra_driver.cluster.noderesources import NodeResources
from fake_dra_driver.cluster.owners import is_controlled_by
from fake_dra_driver.cluster.reservations import is_reserved_for
from fake_dra_driver.cluster.scheduler.attempts import LEFTOVER_SECONDS, Attempts
from fake_dra_driver.cluster.scheduler.classic.claimwriter import ClaimWriter
from fake_dra_driver.cluster.scheduler.classic.decision import Bind, Decision, Negotiate, NoFit, Room, decide, refuse
from fake_dra_driver.cluster.scheduler.classic.podclaims import (
    ClaimNotReady,
    PodClaim,
    check_claims,
    find_claims,
)
from fake_dra_driver.cluster.scheduler.diagnosis import NO_NODES
from fake_dra_driver.cluster.scheduler.load import Load
from fake_dra_driver.cluster.scheduler.podwriter import PodWriter
from fake_dra_driver.cluster.scheduler.room import RoomQueue
from fake_dra_driver.cluster.scheduler.waiting import is_waiting
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.runtime.errors import RetryError, RuntimeLayerError
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result
from fake_dra_driver.runtime.store import Change

__all__ = ["PodScheduler", "SchedulerCaches"]

log = logger.bind(component="scheduler")


@dataclass(frozen=True, slots=True)
class SchedulerCaches:
    """Everything that a scheduling cycle reads."""

    pods: Informer[Pod]
    nodes: Informer[Node]
    claims: Informer[ResourceClaim]
    classes: Informer[ResourceClass]
    contexts: Informer[PodSchedulingContext]


class PodScheduler(Reconciler):
    """Reconciles pods.

    A cycle reads the caches and decides without an await, so no cycle sees half of another; the decisions are then
    written concurrently. A pod counts on its chosen node from the decision on (``Load``).
    """

    def __init__(
        self,
        name: str,
        caches: SchedulerCaches,
        claims: ClaimWriter,
        pods: PodWriter,
        load: Load,
        attempts: Attempts,
    ) -> None:
        self._name = name
        self._caches = caches
        self._claims = claims
        self._pods = pods
        self._load = load
        self._attempts = attempts
        self._resources = NodeResources()
        caches.pods.subscribe(self._resources.on_pod)
        caches.nodes.subscribe(self._resources.on_node)
        self._room = RoomQueue(self._resources, lambda pod: self._wake(pod))
        self._wake: Callable[[Request], None] = lambda _: None
        self._nodes: Sequence[Node] | None = None
        """All nodes; None: to be read again."""

    @override
    async def reconcile(self, request: Request) -> Result:
        pod = self._caches.pods.get(request)
        if pod is None or not is_waiting(pod, self._name):
            return await self._clean_up(pod)
        if self._load.is_assumed(pod.uid):
            return Result()
        try:
            claims = find_claims(pod, self._caches.claims)
        except ClaimNotReady as reason:
            # PreEnqueue: not worth an attempt, and not worth an event. The claim's change leads back here.
            log.debug("pod waits for its claims", pod=str(pod.key), why=str(reason))
            return Result()
        pause = self._attempts.pause(pod.uid)
        if pause > 0:
            return Result(requeue_after=pause)
        context = self._context(pod, claims)
        decision = self._decide(pod, claims, context)
        await self._carry_out(pod, claims, context, decision)
        return Result() if isinstance(decision, Bind) else Result(requeue_after=LEFTOVER_SECONDS)

    def wake_by(self, wake: Callable[[Request], None]) -> None:
        """From now on pods that wait for room on a node are woken by this function."""
        self._wake = wake

    def forget(self, change: Change[Pod]) -> None:
        """Handler for pods: a pod that has a node, or is gone, needs no attempts."""
        pod = change.new or change.old
        if pod is not None and (change.new is None or pod.spec.node_name):
            self._attempts.forget(pod.uid)
            self._room.remove(pod.key)

    async def _clean_up(self, pod: Pod | None) -> Result:
        """Deletes the context of a bound pod, which is left over when the program ends just after the binding.

        The context stays while a claim waits for its driver: pods that were bound without the scheduler have one, too.
        """
        context = self._caches.contexts.get(pod.key) if pod is not None and pod.spec.node_name else None
        if pod is not None and context is not None and is_controlled_by(context, pod.uid):
            try:
                claims = find_claims(pod, self._caches.claims)
            except ClaimNotReady:
                return Result()
            if not any(each.is_pending for each in claims):
                await self._claims.delete_context(context)
        return Result()

    def _context(self, pod: Pod, claims: Sequence[PodClaim]) -> PodSchedulingContext | None:
        context = self._caches.contexts.get(pod.key) if claims else None
        if context is not None and not is_controlled_by(context, pod.uid):
            raise RetryError(f"the PodSchedulingContext of an earlier pod {pod.key} is still there")
        return context

    def _decide(self, pod: Pod, claims: Sequence[PodClaim], context: PodSchedulingContext | None) -> Decision:
        nodes = self._all_nodes()
        if not nodes:
            return NoFit(NO_NODES)
        try:
            checked = check_claims(pod, claims, self._caches.classes)
        except ClaimNotReady as reason:
            return refuse(str(reason), len(nodes))
        decision = decide(pod, checked, context, nodes, Room(self._resources, self._load.of))
        if isinstance(decision, NoFit) and decision.demand is not None:
            self._room.add(pod.key, decision.demand, since=self._resources.releases)
        return decision

    def _all_nodes(self) -> Sequence[Node]:
        """All nodes, sorted by name. There are many cycles between two changes of a node."""
        if self._nodes is None:
            self._nodes = self._caches.nodes.list()
        return self._nodes

    def on_node(self, _: Change[Node]) -> None:
        """Handler for nodes."""
        self._nodes = None

    async def _carry_out(
        self, pod: Pod, claims: Sequence[PodClaim], context: PodSchedulingContext | None, decision: Decision
    ) -> None:
        match decision:
            case Bind():
                await self._bind(pod, claims, decision)
                if context is not None:
                    await self._claims.delete_context(context)
            case Negotiate():
                if decision.selected_node:
                    self._load.choose(pod.uid, decision.selected_node)
                if decision.changes:
                    await self._claims.publish(pod, context, decision)
                await self._unreserve(pod, [each for each in claims if is_reserved_for(each.claim, pod)])
                await self._pods.report_failure(pod, decision.message)
                self._attempts.failed(pod.uid, waits=True)
            case NoFit():
                if decision.release is not None:
                    await self._release(context, decision.release)
                await self._pods.report_failure(pod, decision.message)
                self._attempts.failed(pod.uid)

    async def _release(self, context: PodSchedulingContext | None, claim: ResourceClaim) -> None:
        # In this order: a driver that still sees the selected node would allocate there again.
        if context is not None:
            await self._claims.clear_selection(context)
        await self._claims.request_deallocation(claim)
        log.info("deallocation requested", claim=str(claim.key), claim_uid=claim.uid)

    async def _bind(self, pod: Pod, claims: Sequence[PodClaim], decision: Bind) -> None:
        node = decision.node
        self._load.choose(pod.uid, node)
        self._resources.assume(pod.uid, node, decision.requests)
        reserved: list[PodClaim] = []
        try:
            for each in claims:
                if not is_reserved_for(each.claim, pod):
                    await self._claims.reserve(each.claim, pod)
                reserved.append(each)
            await self._pods.bind(pod, node)
        except RuntimeLayerError:
            self._load.release(pod.uid)
            self._resources.release(pod.uid)
            await self._unreserve(pod, reserved)
            raise
        self._load.assume(pod.uid)
        log.info("pod scheduled", pod=str(pod.key), node=node)

    async def _unreserve(self, pod: Pod, reserved: Sequence[PodClaim]) -> None:
        """Removes the pod's reservations, so that other pods can use the claims while this one waits.

        Only those that this cycle saw: a driver that allocates meanwhile reserves for the pod itself.
        """
        for each in reserved:
            claim = self._caches.claims.by_uid(each.claim.uid)
            if claim is not None and is_reserved_for(claim, pod):
                await self._claims.unreserve(claim, pod)

"""The reconciler that finds a node for each pod that has none, and devices for its claims."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.api.resource.v1 import AllocationResult, DeviceClass, ResourceClaim, ResourceSlice
from fake_dra_driver.cluster.kinds import Node, Pod
from fake_dra_driver.cluster.podclaims import ClaimNotReady, find_claims
from fake_dra_driver.cluster.reservations import is_reserved_for
from fake_dra_driver.cluster.scheduler.attempts import LEFTOVER_SECONDS, Attempts
from fake_dra_driver.cluster.scheduler.load import Load
from fake_dra_driver.cluster.scheduler.podwriter import PodWriter
from fake_dra_driver.cluster.scheduler.structured.claimwriter import BindingError, ClaimWriter
from fake_dra_driver.cluster.scheduler.structured.decision import Decision, NoFit, Place, decide
from fake_dra_driver.cluster.scheduler.structured.firstfit import Allocation, Allocator, Refusal
from fake_dra_driver.cluster.scheduler.waiting import is_waiting
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.runtime.errors import RuntimeLayerError
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result
from fake_dra_driver.runtime.store import Change

__all__ = ["ClusterView", "PodScheduler", "SchedulerCaches"]

log = logger.bind(component="scheduler")


@dataclass(frozen=True, slots=True)
class SchedulerCaches:
    """Everything that a scheduling cycle reads."""

    pods: Informer[Pod]
    nodes: Informer[Node]
    claims: Informer[ResourceClaim]
    classes: Informer[DeviceClass]
    slices: Informer[ResourceSlice]


class ClusterView:
    """What a cycle knows of the cluster (``decision.Cluster``). Kept up to date by the informers' handlers."""

    def __init__(self, caches: SchedulerCaches, allocator: Allocator, load: Load) -> None:
        self._caches = caches
        self._allocator = allocator
        self._load = load
        self._in_flight: set[UID] = set()
        """Claims whose allocation is being written."""
        self._nodes: Sequence[Node] | None = None
        """All nodes; None: to be read again."""
        caches.nodes.subscribe(self._on_node)
        caches.claims.subscribe(self._on_claim)
        caches.classes.subscribe(self._on_class)
        caches.slices.subscribe(self._on_slice)

    # --- what a decision reads ---

    @property
    def nodes(self) -> Sequence[Node]:
        """All nodes, by name. There are many cycles between two changes of a node."""
        if self._nodes is None:
            self._nodes = self._caches.nodes.list()
        return self._nodes

    def load(self, node: str) -> int:
        """How many pods a node has."""
        return self._load.of(node)

    def has_class(self, name: str) -> bool:
        """Whether there is a DeviceClass of that name."""
        return self._caches.classes.get(NamespacedName("", name)) is not None

    def is_in_flight(self, claim: UID) -> bool:
        """Whether an allocation of the claim is being written."""
        return claim in self._in_flight

    def allocate(self, claims: Sequence[ResourceClaim], node: Node) -> Allocation | Refusal:
        """Chooses devices. Raises AllocationError."""
        return self._allocator.allocate(claims, node)

    # --- what it is told ---

    def assume(self, claim: ResourceClaim, allocation: AllocationResult) -> None:
        """Counts the devices of an allocation as in use that is about to be written."""
        self._in_flight.add(claim.uid)
        self._allocator.assume(claim, allocation)

    def forget(self, claim: ResourceClaim) -> None:
        """Ends that: the cache shows the allocation, or it could not be written."""
        self._in_flight.discard(claim.uid)
        self._allocator.forget(claim)

    def _on_node(self, _: Change[Node]) -> None:
        self._nodes = None

    def _on_claim(self, change: Change[ResourceClaim]) -> None:
        if change.new is not None:
            self._allocator.put_claim(change.new)
        elif change.old is not None:
            self._allocator.drop_claim(change.old)

    def _on_class(self, change: Change[DeviceClass]) -> None:
        if change.new is not None:
            self._allocator.put_class(change.new)
        else:
            self._allocator.drop_class(change.key.name)

    def _on_slice(self, change: Change[ResourceSlice]) -> None:
        if change.new is not None:
            self._allocator.put_slice(change.new)
        else:
            self._allocator.drop_slice(change.key.name)


@dataclass(slots=True)
class _Binding:
    """What was done to bind a pod, to be undone if it comes to nothing."""

    place: Place
    claims: list[ResourceClaim] = field(default_factory=list)
    """The pod's claims as they are now; those that the pod has not reserved are left out."""


class PodScheduler(Reconciler):
    """Reconciles pods.

    A cycle reads the caches and decides without an await, so no cycle sees half of another; the decisions are then
    written concurrently. What was decided counts from then on: the pod on its node, the devices in use.
    """

    def __init__(
        self,
        name: str,
        caches: SchedulerCaches,
        cluster: ClusterView,
        claims: ClaimWriter,
        pods: PodWriter,
        load: Load,
    ) -> None:
        self._name = name
        self._caches = caches
        self._cluster = cluster
        self._claims = claims
        self._pods = pods
        self._load = load
        self._attempts = Attempts()

    @override
    async def reconcile(self, request: Request) -> Result:
        pod = self._caches.pods.get(request)
        if pod is None or not is_waiting(pod, self._name) or self._load.is_assumed(pod.uid):
            return Result()
        try:
            claims = find_claims(pod, self._caches.claims.get)
        except ClaimNotReady as reason:
            # PreEnqueue: not worth an attempt, and not worth an event. The claim's change leads back here.
            log.debug("pod waits for its claims", pod=str(pod.key), why=str(reason))
            return Result()
        pause = self._attempts.pause(pod.uid)
        if pause > 0:
            return Result(requeue_after=pause)
        return await self._carry_out(pod, decide(pod, claims, self._cluster))

    def forget(self, change: Change[Pod]) -> None:
        """Handler for pods: a pod that has a node, or is gone, needs no attempts."""
        pod = change.new or change.old
        if pod is not None and (change.new is None or pod.spec.node_name):
            self._attempts.forget(pod.uid)

    async def _carry_out(self, pod: Pod, decision: Decision) -> Result:
        if isinstance(decision, Place):
            try:
                await self._bind(pod, decision)
            except BindingError as error:
                decision = NoFit(str(error), reason="SchedulerError")
            else:
                return Result()
        self._attempts.failed(pod.uid, waits=False)
        if decision.deallocate is not None:
            await self._claims.deallocate(decision.deallocate)
            log.info("claim deallocated", claim=str(decision.deallocate.key), claim_uid=decision.deallocate.uid)
        await self._pods.report_failure(pod, decision.message, decision.reason)
        # After an error the pod is tried again by itself, otherwise when something has changed that may help.
        is_error = decision.reason == "SchedulerError"
        return Result(requeue_after=self._attempts.pause(pod.uid) if is_error else LEFTOVER_SECONDS)

    # --- Reserve, PreBind, Bind, Unreserve ---

    async def _bind(self, pod: Pod, place: Place) -> None:
        """Allocates and reserves the claims, and binds the pod. What fails is undone. Raises BindingError."""
        binding = _Binding(place)
        self._load.choose(pod.uid, place.node)
        for claim, allocation in place.allocations:
            if allocation is not None:
                self._cluster.assume(claim, allocation)
        try:
            await self._write(pod, binding)
        except BaseException:
            self._load.release(pod.uid)
            await self._unreserve(pod, binding)
            raise
        finally:
            # The client's cache has seen the answers to all writes by now.
            for claim, _ in place.allocations:
                self._cluster.forget(claim)
        self._load.assume(pod.uid)
        log.info("pod scheduled", pod=str(pod.key), node=place.node)

    async def _write(self, pod: Pod, binding: _Binding) -> None:
        for claim, allocation in binding.place.allocations:
            if is_reserved_for(claim, pod):
                binding.claims.append(claim)
                continue
            try:
                binding.claims.append(await self._claims.bind(claim, pod, allocation))
            except BindingError as error:
                raise BindingError(f'running PreBind plugin "DynamicResources": {error}') from error
        try:
            await self._pods.bind(pod, binding.place.node)
        except RuntimeLayerError as error:
            raise BindingError(f'running Bind plugin "DefaultBinder": {error}') from error

    async def _unreserve(self, pod: Pod, binding: _Binding) -> None:
        """Removes the pod's reservations, so that other pods can use the claims while this one waits."""
        for claim in binding.claims:
            try:
                await self._claims.unreserve(claim, pod)
            except RuntimeLayerError as error:
                # The next attempt finds the claim reserved, or the claim controller sees that the pod is gone.
                log.warning("claim not unreserved", claim=str(claim.key), error=str(error))

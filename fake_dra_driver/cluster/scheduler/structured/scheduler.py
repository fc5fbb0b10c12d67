"""The reconciler that finds a node for each pod that has none, and devices for its claims."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.kube.core import PodExtendedResourceClaimStatus
from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.api.resource.v1 import ResourceClaim
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.cluster.podclaims import ClaimNotReady, find_claims
from fake_dra_driver.cluster.reservations import is_reserved_for
from fake_dra_driver.cluster.scheduler.attempts import LEFTOVER_SECONDS, Attempts
from fake_dra_driver.cluster.scheduler.podwriter import PodWriter
from fake_dra_driver.cluster.scheduler.room import RoomQueue
from fake_dra_driver.cluster.scheduler.structured.bindingconditions import (
    BINDING_TIMEOUT,
    BindingFailedError,
    deadline,
    has_conditions,
    is_ready,
)
from fake_dra_driver.cluster.scheduler.structured.claimwriter import BindingError, ClaimWriter, said_by
from fake_dra_driver.cluster.scheduler.structured.decision import Assignment, Decision, NoFit, Place, cycle
from fake_dra_driver.cluster.scheduler.structured.features import Features
from fake_dra_driver.cluster.scheduler.structured.view import ClusterView, SchedulerCaches
from fake_dra_driver.cluster.scheduler.waiting import is_waiting
from fake_dra_driver.runtime.clock import WallClock
from fake_dra_driver.runtime.errors import RuntimeLayerError
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result
from fake_dra_driver.runtime.store import Change

__all__ = ["PodScheduler", "Writers"]

log = logger.bind(component="scheduler")

_MAX_SECONDS_AT_A_TIME = 0.02
"""API server, kubelets and controllers of the embedded cluster run on the same event loop."""

_PRE_BIND = 'running PreBind plugin "DynamicResources"'
_BIND = 'running Bind plugin "DefaultBinder"'


@dataclass(frozen=True, slots=True)
class Writers:
    """What the scheduler writes through."""

    claims: ClaimWriter
    pods: PodWriter


@dataclass(slots=True)
class _Binding:
    """A pod that is on its way to a node, and what was written for it, to be undone if it comes to nothing."""

    pod: Pod
    node: str
    claims: list[ResourceClaim] = field(default_factory=list)
    """The pod's claims that are reserved for it, as they were last seen."""
    made: ResourceClaim | None = None
    """The claim that was made for its extended resources."""
    given_up_at: datetime | None = None
    """Until when its devices may become ready; None: it does not wait for them. Whether it waits is decided once, since
    a claim that loses its devices meanwhile has nothing left that says so."""


class PodScheduler(Reconciler):
    """Reconciles pods.

    One cycle runs at a time, so that none sees half of another; the decisions are then written concurrently. What was
    decided counts from then on: the pod on its node, the devices in use. What others change while a long cycle runs is
    seen by the nodes that come later, and makes a write fail if it contradicts the decision.
    """

    def __init__(
        self,
        name: str,
        caches: SchedulerCaches,
        cluster: ClusterView,
        writers: Writers,
        features: Features,
        now: WallClock,
    ) -> None:
        self._name = name
        self._caches = caches
        self._cluster = cluster
        self._claims = writers.claims
        self._pods = writers.pods
        self._features = features
        self._now = now
        self._attempts = Attempts()
        self._cycles = asyncio.Lock()
        self._is_idle: Callable[[], bool] = lambda: False
        self._room = RoomQueue(cluster.resources, lambda pod: self._wake(pod))
        self._wake: Callable[[Request], None] = lambda _: None
        self._bindings: dict[UID, _Binding] = {}
        """Pods that wait until their devices are ready, with everything written but the binding itself."""

    def wake_by(self, wake: Callable[[Request], None]) -> None:
        """From now on pods that wait for room on a node are woken by this function."""
        self._wake = wake

    def retry_when(self, is_idle: Callable[[], bool]) -> None:
        """From now on pods that something may help are tried at once while that holds."""
        self._is_idle = is_idle

    @override
    async def reconcile(self, request: Request) -> Result:
        pod = self._find_waiting(request)
        if pod is None:
            return Result()
        binding = self._bindings.get(pod.uid)
        if binding is not None:
            return await self._go_on(pod, binding)
        async with self._cycles:
            decided = await self._decide(request)
        if isinstance(decided, Result):
            return decided
        pod, decision = decided
        if isinstance(decision, NoFit):
            return await self._fail(pod, decision)
        return await self._place(pod, decision)

    def forget(self, change: Change[Pod]) -> None:
        """Handler for pods: a pod that has a node, or is gone, needs no attempts."""
        pod = change.new or change.old
        if pod is not None and (change.new is None or pod.spec.node_name):
            self._attempts.forget(pod.uid)
            self._room.remove(pod.key)
            # What it has reserved is released by the claim controller.
            self._bindings.pop(pod.uid, None)

    def _find_waiting(self, request: Request) -> Pod | None:
        pod = self._caches.pods.get(request)
        is_done = pod is None or not is_waiting(pod, self._name) or self._cluster.is_bound(pod.uid)
        return None if is_done else pod

    async def _decide(self, request: Request) -> tuple[Pod, Decision] | Result:
        """One cycle. What is decided counts from then on."""
        # Other cycles may have run since this one's turn was asked for.
        pod = self._find_waiting(request)
        if pod is None:
            return Result()
        try:
            claims = find_claims(pod, self._caches.claims.get)
        except ClaimNotReady as reason:
            # PreEnqueue: not worth an attempt, and not worth an event. The claim's change leads back here.
            log.debug("pod waits for its claims", pod=str(pod.key), why=str(reason))
            return Result()
        pause = self._attempts.pause(pod.uid, is_idle=self._is_idle())
        if pause > 0:
            return Result(requeue_after=pause)
        releases = self._cluster.resources.releases
        decision = await _at_intervals(cycle(pod, claims, self._cluster, self._features, self._now()))
        if isinstance(decision, Place):
            self._assume(pod, decision)
        elif decision.demand is not None:
            self._room.add(pod.key, decision.demand, since=releases)
        return pod, decision

    def _assume(self, pod: Pod, place: Place) -> None:
        """What was decided counts from now on."""
        self._cluster.assume_pod(pod, place.node, place.requests)
        for each in place.assignments:
            if each.allocation is not None:
                self._cluster.assume(each.claim, each.allocation)

    async def _fail(self, pod: Pod, reason: NoFit) -> Result:
        """PostFilter, and what follows a failed attempt in any case."""
        is_error = reason.reason == "SchedulerError"
        self._attempts.failed(pod.uid, is_error=is_error)
        if reason.deallocate is not None:
            await self._claims.deallocate(reason.deallocate)
            log.info("claim deallocated", claim=str(reason.deallocate.key), claim_uid=reason.deallocate.uid)
        if reason.delete is not None:
            await self._claims.delete(reason.delete)
        await self._pods.report_failure(pod, reason.message, reason.reason)
        # After an error the pod is tried again by itself, otherwise when something has changed that may help.
        return Result(requeue_after=self._attempts.pause(pod.uid) if is_error else LEFTOVER_SECONDS)

    # --- Reserve, PreBind, Bind ---

    async def _place(self, pod: Pod, place: Place) -> Result:
        """Allocates and reserves the claims, and binds the pod. What fails is undone."""
        binding = _Binding(pod, place.node)
        try:
            try:
                for each in place.assignments:
                    await self._assign(binding, each)
            finally:
                # The cache has seen the answers to all writes by now.
                for each in place.assignments:
                    self._cluster.forget(each.claim)
            return await self._bind_when_ready(binding, is_first=True)
        except BindingError as error:
            return await self._undo(binding, error)

    async def _go_on(self, pod: Pod, binding: _Binding) -> Result:
        """Binds a pod whose devices may have become ready."""
        binding.pod = pod
        try:
            return await self._bind_when_ready(binding)
        except BindingError as error:
            del self._bindings[pod.uid]
            return await self._undo(binding, error)

    async def _assign(self, binding: _Binding, assignment: Assignment) -> None:
        """Writes what one claim gets. Raises BindingError."""
        claim, pod = assignment.claim, binding.pod
        if is_reserved_for(claim, pod):
            binding.claims.append(claim)
            return
        try:
            if assignment.mappings:
                claim = binding.made = await self._claims.create(claim)
            claim = await self._claims.bind(claim, pod, assignment.allocation)
            binding.claims.append(claim)
            if assignment.mappings:
                binding.made = claim
                status = PodExtendedResourceClaimStatus(
                    resource_claim_name=claim.metadata.name, request_mappings=assignment.mappings
                )
                await self._pods.name_extended_claim(pod, status)
        except BindingError as error:
            raise BindingError(f"{_PRE_BIND}: {error}") from error
        except RuntimeLayerError as error:
            failed = f"update pod {pod.key} ExtendedResourceClaimStatus"
            raise BindingError(f"{_PRE_BIND}: {failed}: {said_by(error)}") from error

    async def _bind_when_ready(self, binding: _Binding, *, is_first: bool = False) -> Result:
        """Binds the pod, or waits until its devices are ready. Raises BindingError."""
        pod = binding.pod
        if is_first and self._features.binding_conditions and any(map(has_conditions, binding.claims)):
            self._pods.report_waiting(pod, binding.node)
            binding.given_up_at = self._now() + BINDING_TIMEOUT
        if binding.given_up_at is not None:
            until = self._deadline(binding, binding.given_up_at)
            if until is not None:
                self._bindings[pod.uid] = binding
                return Result(requeue_after=max((until - self._now()).total_seconds(), 0) + 1)
        try:
            await self._pods.bind(pod, binding.node)
        except RuntimeLayerError as error:
            raise BindingError(f"{_BIND}: {said_by(error)}") from error
        self._bindings.pop(pod.uid, None)
        self._cluster.bound(pod)
        log.info("pod scheduled", pod=str(pod.key), node=binding.node)
        return Result()

    def _deadline(self, binding: _Binding, given_up_at: datetime) -> datetime | None:
        """Until when the pod has to wait at most; None: all devices are ready. Raises BindingError."""
        for at, claim in enumerate(binding.claims):
            found = self._caches.claims.get(claim.key)
            if found is None:
                raise BindingError(f'{_PRE_BIND}: could not find ResourceClaim "{claim.key}"')
            binding.claims[at] = found
            try:
                if is_ready(found):
                    continue
            except BindingFailedError as failed:
                raise BindingError(f"{_PRE_BIND}: {self._words(failed)}") from failed
            until = deadline(found)
            if until is not None and until < self._now():
                raise BindingError(f"{_PRE_BIND}: {self._time_out_words(found)}")
            if given_up_at < self._now():
                kind = "device binding timeout: " if self._features.tells_binding_errors_apart else ""
                raise BindingError(f"{_PRE_BIND}: {kind}context deadline exceeded")
            return given_up_at if until is None else min(until, given_up_at)
        return None

    def _words(self, failed: BindingFailedError) -> str:
        if self._features.tells_binding_errors_apart:
            return f'device binding failed: claim={failed.claim}, reason={failed.reason}, message="{failed.message}"'
        return f'claim {failed.claim} binding failed: reason={failed.reason}, message="{failed.message}"'

    def _time_out_words(self, claim: ResourceClaim) -> str:
        if self._features.tells_binding_errors_apart:
            return f"device binding timeout: claim={claim.metadata.name}"
        return f"claim {claim.metadata.name} binding timeout"

    # --- Unreserve ---

    async def _undo(self, binding: _Binding, error: BindingError) -> Result:
        """Lets other pods use the claims while this one waits, and says why it does."""
        self._cluster.forget_pod(binding.pod)
        for claim in binding.claims:
            if claim is not binding.made:
                await self._try("reservation not removed", claim, self._claims.unreserve(claim, binding.pod))
        if binding.made is not None:
            await self._try("claim not deleted", binding.made, self._claims.delete(binding.made))
        return await self._fail(binding.pod, NoFit(str(error), reason="SchedulerError"))

    async def _try(self, failure: str, claim: ResourceClaim, work: Awaitable[None]) -> None:
        """The next attempt finds what could not be undone, or the claim controller does once the pod is gone."""
        try:
            await work
        except RuntimeLayerError as error:
            log.warning(failure, claim=str(claim.key), error=str(error))


async def _at_intervals(steps: Generator[None, None, Decision]) -> Decision:
    """Runs a cycle; lets others run between nodes if it takes long."""
    since = perf_counter()
    while True:
        try:
            next(steps)
        except StopIteration as stopped:
            decision: Decision = stopped.value
            return decision
        if perf_counter() - since > _MAX_SECONDS_AT_A_TIME:
            await asyncio.sleep(0)
            since = perf_counter()

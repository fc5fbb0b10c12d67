"""Brings one pod on the node in line with its object, from its first container to its last file.

Follows k8s.io/kubernetes/pkg/kubelet (pod_workers.go, SyncPod, SyncTerminatingPod, SyncTerminatedPod) of 1.30. There is
one worker for each pod, not a pool on a queue: a pass may wait for a plugin, a hook or a grace period for minutes.
A pass is level-triggered: it reads the pod and what the runtime has, and takes the next steps. A worker is woken by a
change of the pod other than of its status, by the start or end of a container, by a probe, and by time.

The stages, which only ever advance:

- living: claims prepared, volumes, sandbox, init containers, containers, restarts;
- ending, once the pod is deleted, gone, finished or overdue: containers stopped, then claims unprepared. Only then the
  API server is told: a driver may reclaim the claims' devices as soon as it sees that the pod is over;
- over: the last status is written, and the pod is removed from the API server if its deletion waits for that; once it
  is gone there, its files are removed.

When the kubelet stops, workers are cancelled, and containers keep running. Unlike a real kubelet of 1.27 to 1.30, which
prepares claims only when it sets a pod up, a restarted one prepares them again for running pods.
"""

import asyncio
import contextlib
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from loguru import logger

from fake_dra_driver.cluster.kubelet.containerruntime.container import Container as RunningContainer
from fake_dra_driver.cluster.kubelet.containerruntime.container import PodReference
from fake_dra_driver.cluster.kubelet.containerruntime.runtime import ProcessRuntime
from fake_dra_driver.cluster.kubelet.containersetup.locality import Locality
from fake_dra_driver.cluster.kubelet.containersetup.starter import ContainerStarter
from fake_dra_driver.cluster.kubelet.containersetup.volumes import VolumeError, Volumes
from fake_dra_driver.cluster.kubelet.dra.claimmanager import ClaimManager
from fake_dra_driver.cluster.kubelet.dra.claimstate import DraError
from fake_dra_driver.cluster.kubelet.dra.devicehealth import DeviceHealths, resources_status
from fake_dra_driver.cluster.kubelet.pod import Container, Pod
from fake_dra_driver.cluster.kubelet.pods.admission import Admission, Rejection
from fake_dra_driver.cluster.kubelet.pods.handlers import HandlerTarget
from fake_dra_driver.cluster.kubelet.pods.launcher import Launcher, Timing, restarts
from fake_dra_driver.cluster.kubelet.pods.plan import Observation, Outcome, Plan, make_plan
from fake_dra_driver.cluster.kubelet.pods.podevents import PodEvents
from fake_dra_driver.cluster.kubelet.pods.probes import PodProbes
from fake_dra_driver.cluster.kubelet.pods.restarts import RestartBackoff
from fake_dra_driver.cluster.kubelet.pods.status import Draft, PodView, pod_status, rejected_status
from fake_dra_driver.cluster.kubelet.pods.statuswriter import StatusWriter
from fake_dra_driver.cluster.kubelet.pods.stopping import ContainerStopper
from fake_dra_driver.cluster.releases import Release
from fake_dra_driver.inthread import in_thread
from fake_dra_driver.runtime.clock import WallClock, utc_now
from fake_dra_driver.runtime.errors import RuntimeLayerError

__all__ = ["PodServices", "PodWorker"]

log = logger.bind(component="podworker")

_GONE_GRACE_SECONDS = 1
"""For the containers of a pod that the API server no longer has (minimum of a real kubelet)."""


@dataclass(frozen=True, slots=True)
class PodServices:
    """What the workers of a node share."""

    release: Release
    address: str
    runtime: ProcessRuntime
    claims: ClaimManager
    healths: DeviceHealths
    volumes: Volumes
    starter: ContainerStarter
    statuses: StatusWriter
    admission: Admission
    events: PodEvents
    backoff: RestartBackoff
    timing: Timing
    now: WallClock = utc_now


class PodWorker:
    """One pod on the node. When ``run`` returns, nothing of the pod is left here.

    Args:
        services: what it works with.
        reference: the pod.
        pod: its object; None: the API server does not have it, and what is left of it here has to go.
        rejection: why it is not to run here; None: it is.
    """

    def __init__(
        self, services: PodServices, reference: PodReference, pod: Pod | None, rejection: Rejection | None = None
    ) -> None:
        self.reference = reference
        self._services = services
        self._pod = pod
        self._rejection = rejection
        self._is_gone = pod is None
        # Whether the API server no longer has it.
        self._is_ending = False
        self._is_over = False
        self._keeps_status = False
        # Whether an earlier kubelet has already written the last status.
        self._is_prepared = False
        self._started_at: datetime | None = None
        self._plan = Plan()
        # As the last pass has made it.
        self._outcome: Outcome | None = None
        self._folders: Mapping[str, Path] | None = None
        # Of its volumes, once they are there.
        self._launcher = Launcher(services.starter, services.events, services.backoff, services.timing, services.now)
        self._probes = PodProbes(services.events, self.wake)
        self._stopper = ContainerStopper(services.events)
        self._woken = asyncio.Event()
        self._pass: asyncio.Task[float | None] | None = None
        self._group: asyncio.TaskGroup | None = None

    # --- News ----------------------------------------------------------------------------------------------------

    def update(self, pod: Pod) -> None:
        """The pod's object has changed, perhaps only its status."""
        before, self._pod = self._pod, pod
        if before is None or _is_news(before, pod):
            self.wake()
        if before is not None and _end_seconds(pod) < _end_seconds(before):
            self._interrupt()

    def remove(self) -> None:
        """The API server no longer has the pod."""
        self._is_gone = True
        self.wake()
        self._interrupt()

    def wake(self) -> None:
        """Something on the node has changed."""
        self._woken.set()

    def _interrupt(self) -> None:
        """Cancels a pass that does what is no longer wanted, such as to prepare, or to wait for too long."""
        if self._pass is not None and not self._is_over:
            self._pass.cancel()

    # --- Passes --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Works until nothing of the pod is left."""
        async with asyncio.TaskGroup() as self._group:
            while True:
                self._woken.clear()
                self._pass = self._group.create_task(self._attempt(), name=f"pod {self.reference.name}")
                await asyncio.wait((self._pass,))
                delay = 0.0 if self._pass.cancelled() else self._pass.result()
                if delay is None:
                    break
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(None if math.isinf(delay) else delay):
                        await self._woken.wait()
            self._probes.cancel()

    async def _attempt(self) -> float | None:
        """One pass. Returns the seconds until the next one, and None after the last."""
        with logger.contextualize(pod=f"{self.reference.namespace}/{self.reference.name}"):
            try:
                self._follow_probes()
                return await self._step()
            except RuntimeLayerError as error:
                log.warning("Pod not synced, trying again", error=str(error))
            except Exception as error:  # noqa: BLE001 - like a controller's loop: the other pods go on
                log.opt(exception=error).error("Pod not synced, trying again", error=repr(error))
            return self._services.timing.retry()

    async def _step(self) -> float | None:
        pod = self._pod
        if pod is None or self._is_gone:
            await self._stop_all(None, self._pod)
            if (delay := await self._release(None)) is None:
                await self._clean_up()
            return delay
        if self._is_over:
            return math.inf
        if self._rejection is not None:
            return self._reject(pod, self._rejection)
        if pod.is_finished and not self._is_ending:
            self._keeps_status = True
        if self._is_ending or pod.is_deleting or pod.is_finished:
            return await self._end(pod)
        return await self._live(pod)

    def _reject(self, pod: Pod, rejection: Rejection) -> float:
        """Says that the pod has failed: nothing of it was ever here."""
        services = self._services
        services.events.of_pod(pod, "Warning", rejection.reason, rejection.message)
        services.statuses.put(pod, rejected_status(rejection.reason, rejection.message, services.now()))
        self._is_over = True
        return math.inf

    # --- Living --------------------------------------------------------------------------------------------------

    async def _live(self, pod: Pod) -> float:
        services = self._services
        self._started_at = self._started_at or pod.status.start_time or services.now()
        left = self._active_seconds(pod, self._started_at)
        self._plan = make_plan(pod, self._observe())
        if left <= 0:
            message = "Pod was active on the node longer than the specified deadline"
            self._outcome = Outcome("Failed", "DeadlineExceeded", message)
        elif self._plan.outcome is not None:
            self._outcome = self._plan.outcome
        if self._outcome is not None:
            return await self._end(pod)
        self._publish(pod)
        if not self._is_prepared:
            try:
                await services.claims.prepare(pod)
            except DraError as error:
                message = f"Failed to prepare dynamic resources: {error}"
                services.events.of_pod(pod, "Warning", "FailedPrepareDynamicResources", message)
                return min(left, services.timing.resync())
            self._is_prepared = True
        if self._folders is None:
            try:
                self._folders = await services.volumes.set_up(pod)
            except VolumeError as error:
                services.events.of_pod(pod, "Warning", "FailedMount", str(error))
                return min(left, services.timing.retry())
        return min(left, await self._run_containers(pod, self._folders))

    async def _run_containers(self, pod: Pod, folders: Mapping[str, Path]) -> float:
        services = self._services
        services.runtime.create_sandbox(pod.reference)
        await self._stop_some(pod)
        self._plan = make_plan(pod, self._observe())
        delay = services.timing.resync()
        for spec in self._plan.start:
            container, seconds = await self._launcher.start(pod, spec, self._observe(), folders)
            delay = min(delay, seconds)
            if container is not None and spec.lifecycle.post_start is not None:
                target = self._target(container)
                result = await target.run(spec.lifecycle.post_start, _grace_seconds(pod))
                if not result.success:
                    message = f"PostStartHook failed: {result.text}"
                    services.events.of_container(pod, spec, "Warning", "FailedPostStartHook", message)
                    await self._stopper.stop(pod, target, _grace_seconds(pod), "FailedPostStartHook")
        self._follow_probes()
        self._publish(pod)
        return delay

    def _follow_probes(self) -> None:
        if self._pod is not None and self._group is not None:
            self._probes.follow(self._group, self._pod, self._targets())

    async def _stop_some(self, pod: Pod) -> None:
        """Stops the containers that a probe condemns, and those whose spec has changed."""
        failed = self._probes.failed()
        for target in self._targets():
            name, grace = target.spec.name, _grace_seconds(pod)
            if (probes := failed.get(target.container.id)) is not None:
                probe = probes.failed_probe
                if probe is not None and probe.termination_grace_period_seconds is not None:
                    grace = probe.termination_grace_period_seconds
                message = f"Container {name} failed {probes.failed} probe, will be restarted"
                await self._stopper.stop(pod, target, grace, message)
            elif any(container is target.container for container in self._plan.stop):
                message = f"Container {name} definition changed, will be restarted"
                await self._stopper.stop(pod, target, grace, message)

    def _active_seconds(self, pod: Pod, started_at: datetime) -> float:
        """How long the pod may still be active."""
        if pod.spec.active_deadline_seconds is None:
            return math.inf
        return pod.spec.active_deadline_seconds - (self._services.now() - started_at).total_seconds()

    # --- Ending --------------------------------------------------------------------------------------------------

    async def _end(self, pod: Pod) -> float:
        self._is_ending = True
        self._probes.end()
        self._publish(pod)
        await self._stop_all(pod, pod)
        if (delay := await self._release(pod)) is not None:
            return delay
        if self._outcome is None:
            ends = [self._observe().latest(spec.name) for spec in pod.spec.containers]
            is_success = all(end is not None and end.exit_code == 0 for end in ends)
            self._outcome = Outcome("Succeeded" if is_success else "Failed")
        self._is_over = True
        self._publish(pod)
        return math.inf

    async def _stop_all(self, known: Pod | None, pod: Pod | None) -> None:
        """Stops all containers; those of a pod that is gone are stopped quickly, without their hooks."""
        grace = _GONE_GRACE_SECONDS if known is None or pod is None else _grace_seconds(pod)
        tell = (lambda: None) if known is None else (lambda: self._publish(known))
        await self._stopper.stop_all(known, self._targets(), grace, tell)

    async def _release(self, known: Pod | None) -> float | None:
        """Has the claims unprepared. Returns None when they are, else the seconds until the next try."""
        services = self._services
        try:
            await services.claims.unprepare(self.reference.uid)
        except DraError as error:
            log.warning("Claims of a pod that ends are not unprepared, trying again", error=str(error))
            if known is not None:
                message = f"Failed to unprepare dynamic resources: {error}"
                services.events.of_pod(known, "Warning", "FailedUnprepareDynamicResources", message)
            return services.timing.retry()
        return None

    async def _clean_up(self) -> None:
        """Removes what is left of a pod that the API server no longer has."""
        services, uid = self._services, self.reference.uid
        self._is_over = True
        await services.runtime.remove_pod(uid)
        await in_thread(shutil.rmtree, services.volumes.folder_of(uid), ignore_errors=True)
        services.backoff.forget(uid)
        services.statuses.forget(uid)

    # --- What there is -------------------------------------------------------------------------------------------

    def _observe(self) -> Observation:
        containers: dict[str, list[RunningContainer]] = {}
        for container in self._services.runtime.containers(self.reference.uid):
            containers.setdefault(container.config.name, []).append(container)
        return Observation(self._services.runtime.sandbox(self.reference.uid), containers, self._probes.started)

    def _targets(self) -> Sequence[HandlerTarget]:
        """The containers that have not ended."""
        containers = self._services.runtime.containers(self.reference.uid)
        return [self._target(container) for container in containers if container.state != "exited"]

    def target(self, name: str) -> HandlerTarget | None:
        """The container of that name, if it runs."""
        running = (each for each in self._targets() if each.container.state == "running")
        return next((each for each in running if each.spec.name == name), None)

    def _target(self, container: RunningContainer) -> HandlerTarget:
        spec = self._pod.container(container.config.name) if self._pod is not None else None
        spec = spec or Container(name=container.config.name)
        here = Locality.of(spec, self._folders or {}, environment=container.config.env)
        return HandlerTarget(self._services.runtime, container, spec, here)

    def _publish(self, pod: Pod) -> None:
        services = self._services
        if self._keeps_status:
            if self._is_over:
                services.statuses.put(pod, Draft({}, (), services.now(), is_final=True))
            return
        observed = self._observe()
        view = PodView(
            observed,
            waiting=self._launcher.waiting,
            ready=self._probes.ready,
            restarts={
                spec.name: restarts(pod, spec, observed) for spec in (*pod.spec.init_containers, *pod.spec.containers)
            },
            is_initialized=self._plan.is_initialized or not pod.spec.init_containers,
            resources=self._resources(pod),
            started_at=self._started_at,
            outcome=self._outcome if self._is_over else None,
            is_ending=self._is_ending,
        )
        draft = pod_status(pod, view, address=services.address, release=services.release, now=services.now())
        services.statuses.put(pod, draft)

    def _resources(self, pod: Pod) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """By container name, ``allocatedResourcesStatus``: what drivers say about the health of its devices."""
        services = self._services
        if not services.release.is_enabled("ResourceHealthStatus"):
            return {}
        with_messages = services.release.is_enabled("ResourceHealthStatusMessage")
        return {
            spec.name: resources_status(
                services.claims.claims_of(pod, spec), services.healths, with_messages=with_messages
            )
            for spec in pod.spec.containers
        }


def _is_news(before: Pod, after: Pod) -> bool:
    """Whether a worker has to run a pass: not for what the kubelet itself has written."""
    old, new = before.metadata, after.metadata
    if (old.labels, old.annotations) != (new.labels, new.annotations) or before.spec != after.spec:
        return True
    if _end_seconds(before) != _end_seconds(after):
        return True
    gates = {gate["conditionType"] for gate in after.spec.readiness_gates}
    return any(before.condition(gate) != after.condition(gate) for gate in gates)


def _end_seconds(pod: Pod) -> float:
    """How long the pod has to end, once its deletion is requested."""
    return _grace_seconds(pod) if pod.is_deleting else math.inf


def _grace_seconds(pod: Pod) -> int:
    """How long the pod's containers may take to end; the deletion's grace period counts before that of the spec."""
    asked = pod.deletion_grace_seconds
    return max(pod.spec.termination_grace_period_seconds if asked is None else asked, 0)

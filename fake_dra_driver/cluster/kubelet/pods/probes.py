"""Asks a running container whether it has started, is alive, and is ready, as often as its spec says.

Follows k8s.io/kubernetes/pkg/kubelet/prober: liveness and readiness wait until the startup probe has succeeded; a
container without a probe of a kind passes it; one with a readiness probe is not ready before that has succeeded, and is
asked more often until then (UpdatePodStatus triggers a probe each time the pod is synced). The pod's worker
decides what a failure leads to.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal

from fake_dra_driver.cluster.kubelet.pod import Container, Pod, Probe
from fake_dra_driver.cluster.kubelet.pods.handlers import HandlerTarget
from fake_dra_driver.cluster.kubelet.pods.podevents import PodEvents
from fake_dra_driver.cluster.kubelet.pods.status import container_id
from fake_dra_driver.runtime.clock import WallClock, utc_now

__all__ = ["ContainerProbes", "PodProbes", "ProbeEvent"]

Kind = Literal["Startup", "Liveness", "Readiness"]

_UNREADY_SECONDS = 1.0
"""Between two readiness probes of a container that is not ready; a pod that starts is synced about as often."""

ProbeEvent = Callable[[Kind, str], None]
"""Gets each failed try, with the output."""


class ContainerProbes:
    """The probes of one running container; ``run`` it until the container ends.

    Args:
        target: the container.
        on_change: called when one of the results below has changed.
        on_failure: called for each try that failed.
        now: the time, for initial delays.
    """

    def __init__(
        self,
        target: HandlerTarget,
        *,
        on_change: Callable[[], None],
        on_failure: ProbeEvent,
        now: WallClock = utc_now,
    ) -> None:
        self._target = target
        self._on_change = on_change
        self._on_failure = on_failure
        self._now = now
        self.is_started = target.spec.startup_probe is None
        """Whether the startup probe, if there is one, has succeeded."""
        self._is_ready = target.spec.readiness_probe is None
        self.is_terminating = False
        """Set when the pod ends: from then on only readiness matters."""
        self.failed: Literal["", "startup", "liveness"] = ""
        """The kind of probe because of which the container has to be killed."""

    def take_over(self, pod: Pod) -> None:
        """Begins with what the pod's status says of this very container, which an earlier kubelet has probed."""
        identity = container_id(self._target.container)
        for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
            if status.container_id == identity:
                self.is_started = self.is_started or bool(status.started)
                self._is_ready = self._is_ready or status.ready

    @property
    def is_ready(self) -> bool:
        """Whether it has started and is ready."""
        return self.is_started and self._is_ready

    @property
    def failed_probe(self) -> Probe | None:
        """The probe because of which the container has to be killed."""
        spec = self._target.spec
        return spec.startup_probe if self.failed == "startup" else spec.liveness_probe if self.failed else None

    async def run(self) -> None:
        """Probes until cancelled, or until the container has to be killed."""
        spec = self._target.spec
        if spec.startup_probe is not None and not self.is_started:
            await self._watch("Startup", spec.startup_probe, self._on_startup)
            if not self.is_started:
                return
        async with asyncio.TaskGroup() as group:
            if spec.readiness_probe is not None:
                group.create_task(
                    self._watch("Readiness", spec.readiness_probe, self._on_readiness), name="readiness probe"
                )
            if spec.liveness_probe is not None:
                group.create_task(
                    self._watch("Liveness", spec.liveness_probe, self._on_liveness), name="liveness probe"
                )

    async def _watch(self, kind: Kind, probe: Probe, report: Callable[[bool], bool]) -> None:
        """Probes until ``report``, which gets each result past its threshold, returns that this was the last."""
        started_at = self._target.container.started_at or self._now()
        age = (self._now() - started_at).total_seconds()
        if probe.initial_delay_seconds > age:
            await asyncio.sleep(probe.initial_delay_seconds - age)
        last, streak = False, 0
        while True:
            if kind == "Readiness" or not self.is_terminating:
                result = await self._target.run(probe, probe.timeout_seconds)
                if not result.success:
                    self._on_failure(kind, result.text)
                streak = streak + 1 if streak and result.success is last else 1
                last = result.success
                needed = probe.success_threshold if last else probe.failure_threshold
                if streak >= needed and report(last):
                    return
            hurry = kind == "Readiness" and not self._is_ready
            await asyncio.sleep(min(probe.period_seconds, _UNREADY_SECONDS) if hurry else probe.period_seconds)

    def _on_startup(self, success: bool) -> bool:
        self.is_started = success
        if not success:
            self.failed = "startup"
        self._on_change()
        return True

    def _on_liveness(self, success: bool) -> bool:
        if success or self.is_terminating:
            return False
        self.failed = "liveness"
        self._on_change()
        return True

    def _on_readiness(self, success: bool) -> bool:
        if self._is_ready is not success:
            self._is_ready = success
            self._on_change()
        return False


class PodProbes:
    """The probes of the running containers of one pod.

    Args:
        events: reports failures.
        on_change: called when a result has changed.
    """

    def __init__(self, events: PodEvents, on_change: Callable[[], None]) -> None:
        self._events = events
        self._on_change = on_change
        self._probes: dict[str, tuple[ContainerProbes, asyncio.Task[None]]] = {}
        # By ID of the container.

    def follow(self, group: asyncio.TaskGroup, pod: Pod, targets: Sequence[HandlerTarget]) -> None:
        """Probes these containers from now on, and no others."""
        running = {target.container.id: target for target in targets}
        for identity in [each for each in self._probes if each not in running]:
            self._probes.pop(identity)[1].cancel()
        for identity, target in running.items():
            if identity not in self._probes:
                probes = ContainerProbes(
                    target,
                    on_change=self._on_change,
                    on_failure=partial(self._tell, pod, target.spec),
                )
                probes.take_over(pod)
                task = group.create_task(probes.run(), name=f"probes of {target.spec.name}")
                self._probes[identity] = (probes, task)

    def _tell(self, pod: Pod, spec: Container, kind: Kind, text: str) -> None:
        self._events.of_container(pod, spec, "Warning", "Unhealthy", f"{kind} probe failed: {text}")

    def end(self) -> None:
        """The pod ends: from now on only readiness matters."""
        for probes, _ in self._probes.values():
            probes.is_terminating = True

    def cancel(self) -> None:
        """Stops all probes."""
        for _, task in self._probes.values():
            task.cancel()
        self._probes.clear()

    @property
    def started(self) -> frozenset[str]:
        """IDs of the containers that have started."""
        return frozenset(identity for identity, (probes, _) in self._probes.items() if probes.is_started)

    @property
    def ready(self) -> frozenset[str]:
        """IDs of the containers that are ready."""
        return frozenset(identity for identity, (probes, _) in self._probes.items() if probes.is_ready)

    def failed(self) -> Mapping[str, ContainerProbes]:
        """The probes because of which containers have to be killed, by the containers' IDs."""
        return {identity: probes for identity, (probes, _) in self._probes.items() if probes.failed}

"""Starts the containers of one pod as their backoff allows, and knows why the missing ones are missing.

Follows kuberuntime_manager.go (doBackOff, startContainer) of k8s.io/kubernetes/pkg/kubelet.
"""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fake_dra_driver.cluster.kubelet.containerruntime.container import Container as RunningContainer
from fake_dra_driver.cluster.kubelet.containersetup.starter import ContainerStarter, StartFailure
from fake_dra_driver.cluster.kubelet.pod import Container, Pod
from fake_dra_driver.cluster.kubelet.pods.plan import Observation
from fake_dra_driver.cluster.kubelet.pods.podevents import PodEvents
from fake_dra_driver.cluster.kubelet.pods.restarts import INITIAL_SECONDS, RestartBackoff
from fake_dra_driver.runtime.clock import WallClock, utc_now

__all__ = ["Launcher", "Timing", "restarts"]


@dataclass(frozen=True, slots=True)
class Timing:
    """When a pod is synced again without a change, and its containers are restarted."""

    resync_seconds: float = 60.0
    """After a pass that went well or could not prepare claims, plus half of that at most (syncFrequency)."""
    retry_seconds: float = 10.0
    """After any other failure, plus half of that at most (backOffPeriod)."""
    restart_seconds: float = INITIAL_SECONDS
    """Before a container is restarted for the second time; doubled each time after that."""
    rng: random.Random = field(default_factory=random.Random)

    def resync(self) -> float:
        """Seconds until the next sync."""
        return self.resync_seconds * (1 + self.rng.random() / 2)

    def retry(self) -> float:
        """Seconds until the next try."""
        return self.retry_seconds * (1 + self.rng.random() / 2)


class Launcher:
    """For one pod.

    Args:
        starter: starts containers.
        events: reports Events.
        backoff: of all containers of the node.
        timing: for what failed.
        now: the time.
    """

    def __init__(
        self,
        starter: ContainerStarter,
        events: PodEvents,
        backoff: RestartBackoff,
        timing: Timing,
        now: WallClock = utc_now,
    ) -> None:
        self._starter = starter
        self._events = events
        self._backoff = backoff
        self._timing = timing
        self._now = now
        self.waiting: dict[str, tuple[str, str]] = {}
        """By container name, why it does not run: reason and message, as in ``state.waiting``."""

    async def start(
        self, pod: Pod, spec: Container, observed: Observation, folders: Mapping[str, Path]
    ) -> tuple[RunningContainer | None, float]:
        """Starts a container, unless it has to wait or cannot be started.

        Returns:
            The container if it runs, and the seconds until the next sync is due.
        """
        latest = observed.latest(spec.name)
        if latest is not None and latest.finished_at is not None:
            pause = self._backoff.pause(pod.uid, spec.name, latest.finished_at)
            left = pause - (self._now() - latest.finished_at).total_seconds()
            if left > 0:
                self._pause(pod, spec, pause)
                return None, left
            self._backoff.restart(pod.uid, spec.name, latest.finished_at, self._now())
        attempt = restarts(pod, spec, observed) + 1 if _has_been(pod, spec, observed) else 0
        try:
            container = await self._starter.start(pod, spec, attempt, folders)
        except StartFailure as failure:
            self._fail(pod, spec, failure)
            return None, self._timing.retry()
        if container.config.sleeps:
            does = "ends at once" if container.config.ends_at_once else "sleeps"
            pulled = f'Container image "{spec.image}" is not known to this cluster: the container {does}'
        elif self._starter.images.is_known(spec):
            pulled = f'Container image "{spec.image}" already present on machine'
        else:
            pulled = f'Container image "{spec.image}" is not needed: the command runs as a process of this machine'
        self._events.of_container(pod, spec, "Normal", "Pulled", pulled)
        self._events.of_container(pod, spec, "Normal", "Created", f"Created container {spec.name}")
        if container.reason == "StartError":
            self.waiting[spec.name] = ("RunContainerError", container.message)
            self._events.of_container(pod, spec, "Warning", "Failed", f"Error: {container.message}")
            return None, 0.0
        self.waiting.pop(spec.name, None)
        self._events.of_container(pod, spec, "Normal", "Started", f"Started container {spec.name}")
        return container, math.inf

    def _pause(self, pod: Pod, spec: Container, seconds: float) -> None:
        name = f"{pod.metadata.name}_{pod.metadata.namespace}({pod.uid})"
        message = f"back-off {_go_duration(seconds)} restarting failed container={spec.name} pod={name}"
        if self.waiting.get(spec.name) != ("CrashLoopBackOff", message):
            self.waiting[spec.name] = ("CrashLoopBackOff", message)
            said = f"Back-off restarting failed container {spec.name} in pod {name}"
            self._events.of_container(pod, spec, "Warning", "BackOff", said)

    def _fail(self, pod: Pod, spec: Container, failure: StartFailure) -> None:
        reason = failure.reason
        if reason == "ErrImagePull":
            if spec.name in self.waiting:
                reason = "ImagePullBackOff"
                self._events.of_container(pod, spec, "Normal", "BackOff", f'Back-off pulling image "{spec.image}"')
            else:
                message = f'Failed to pull image "{spec.image}": {failure.message}'
                self._events.of_container(pod, spec, "Warning", "Failed", message)
            self._events.of_container(pod, spec, "Warning", "Failed", f"Error: {reason}")
        else:
            self._events.of_container(pod, spec, "Warning", "Failed", f"Error: {failure.message}")
        self.waiting[spec.name] = (reason, failure.message)


def restarts(pod: Pod, spec: Container, observed: Observation) -> int:
    """How often a container was restarted; from the pod's status if the runtime has been reset."""
    latest = observed.latest(spec.name)
    if latest is not None:
        return latest.config.attempt
    statuses = (*pod.status.init_container_statuses, *pod.status.container_statuses)
    return next((status.restart_count for status in statuses if status.name == spec.name), 0)


def _has_been(pod: Pod, spec: Container, observed: Observation) -> bool:
    statuses = (*pod.status.init_container_statuses, *pod.status.container_statuses)
    by_status = any(status.name == spec.name and status.container_id for status in statuses)
    return by_status or observed.latest(spec.name) is not None


def _go_duration(seconds: float) -> str:
    """A duration of whole seconds as Go prints it: 10s, 1m20s, 5m0s."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"

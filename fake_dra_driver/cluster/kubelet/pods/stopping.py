"""Stops containers: hook, SIGTERM, grace period, SIGKILL.

Follows killContainer of k8s.io/kubernetes/pkg/kubelet/kuberuntime: the preStop hook is part of the grace period, and
leaves at least two seconds of it for SIGTERM; sidecars end after the others, the last one first (KEP-753).
"""

import asyncio
from collections.abc import Callable, Sequence

from fake_dra_driver.cluster.kubelet.pod import Pod
from fake_dra_driver.cluster.kubelet.pods.handlers import HandlerTarget
from fake_dra_driver.cluster.kubelet.pods.podevents import PodEvents
from fake_dra_driver.runtime.clock import loop_time

__all__ = ["ContainerStopper"]

_MIN_SECONDS = 2.0
"""minimumGracePeriodInSeconds: what SIGTERM gets, however long the hook took."""


class ContainerStopper:
    """Stops the containers of one pod."""

    def __init__(self, events: PodEvents) -> None:
        self._events = events
        self._hooked: set[str] = set()
        # IDs of the containers whose hook has started: it does not run again when the grace period is shortened.

    async def stop(self, pod: Pod | None, target: HandlerTarget, grace_seconds: float, message: str) -> None:
        """Stops one container, and returns once it has ended.

        Args:
            pod: for hooks and events; None: the pod is no longer known.
            target: the container.
            grace_seconds: how long it may take.
            message: of the event.
        """
        container = target.container
        if container.state == "exited":
            return
        deadline = loop_time() + grace_seconds
        if pod is not None and container.id not in self._hooked:
            self._hooked.add(container.id)
            self._events.of_container(pod, target.spec, "Normal", "Killing", message)
            hook = target.spec.lifecycle.pre_stop
            if hook is not None and grace_seconds > 0 and container.state == "running":
                result = await target.run(hook, grace_seconds)
                if not result.success:
                    self._events.of_container(
                        pod, target.spec, "Warning", "FailedPreStopHook", f"PreStopHook failed: {result.text}"
                    )
        left = deadline - loop_time()
        await target.runtime.stop(container, max(left, min(grace_seconds, _MIN_SECONDS)))

    async def stop_all(
        self,
        pod: Pod | None,
        targets: Sequence[HandlerTarget],
        grace_seconds: float,
        on_end: Callable[[], None],
    ) -> None:
        """Stops all of these at the same time; sidecars after the others, in reverse order.

        Args:
            pod: as for ``stop``.
            targets: the containers.
            grace_seconds: how long all of it may take.
            on_end: called after the end of each.
        """
        deadline = loop_time() + grace_seconds

        async def stop(target: HandlerTarget) -> None:
            left = max(deadline - loop_time(), min(grace_seconds, _MIN_SECONDS))
            await self.stop(pod, target, left, f"Stopping container {target.spec.name}")
            on_end()

        async with asyncio.TaskGroup() as group:
            for target in targets:
                if not target.spec.is_sidecar:
                    group.create_task(stop(target), name=f"stop {target.spec.name}")
        for target in reversed([target for target in targets if target.spec.is_sidecar]):
            await stop(target)

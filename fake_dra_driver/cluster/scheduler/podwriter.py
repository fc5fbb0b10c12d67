"""What the scheduler writes to pods: where they run, or why they do not."""

import contextlib

from fake_dra_driver.api.kube.core import PodExtendedResourceClaimStatus
from fake_dra_driver.cluster.conditions import condition_patch
from fake_dra_driver.cluster.kinds import Condition, Pod
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.clock import WallClock, utc_now
from fake_dra_driver.runtime.errors import NotFoundError
from fake_dra_driver.runtime.events import EventRecorder

__all__ = ["PodWriter"]


class PodWriter:
    """Writes to pods, and reports Events. Every method raises what the client's calls raise."""

    def __init__(self, client: Client, events: EventRecorder, *, now: WallClock = utc_now) -> None:
        self._client = client
        self._events = events
        self._now = now

    async def bind(self, pod: Pod, node: str) -> None:
        """Assigns the pod to the node. Raises ConflictError when it has one, or is being deleted."""
        metadata = {"name": pod.metadata.name, "namespace": pod.metadata.namespace, "uid": pod.uid}
        target = {"kind": "Node", "name": node}
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": metadata, "target": target}
        await self._client.create_subresource(Pod, pod.key, "binding", binding)
        self._events.event(pod, "Normal", "Scheduled", f"Successfully assigned {pod.key} to {node}")

    async def report_failure(self, pod: Pod, message: str, reason: str = "Unschedulable") -> None:
        """Says on the pod why it is not scheduled. Raises PatchTestFailedError when its conditions have changed.

        Args:
            pod: the pod.
            message: why.
            reason: of the condition; ``SchedulerError``: the attempt failed, whatever the cluster has.
        """
        condition = Condition(type="PodScheduled", status="False", reason=reason, message=message)
        operations = condition_patch(pod.uid, pod.status.conditions, condition, self._now())
        with contextlib.suppress(NotFoundError):
            if operations:
                await self._client.json_patch(Pod, pod.key, operations, subresource="status")
            self._events.event(pod, "Warning", "FailedScheduling", message)

    def report_waiting(self, pod: Pod, node: str) -> None:
        """Says on the pod that its devices are not ready yet."""
        text = f"waiting for binding conditions for device on node {node}"
        self._events.event(pod, "Normal", "BindingConditionsPending", text)

    async def name_extended_claim(self, pod: Pod, status: PodExtendedResourceClaimStatus) -> None:
        """Says on the pod which claim stands for its extended resources."""
        patch = {"metadata": {"uid": pod.uid}, "status": {"extendedResourceClaimStatus": status.to_wire()}}
        await self._client.merge_patch(Pod, pod.key, patch, subresource="status")

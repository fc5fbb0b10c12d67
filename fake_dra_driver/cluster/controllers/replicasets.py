"""Keeps as many pods as each ReplicaSet asks for.

Follows k8s.io/kubernetes/pkg/controller/replicaset.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from loguru import logger
from typing_extensions import override

from fake_dra_driver.cluster.controllers.adoption import Adoption
from fake_dra_driver.cluster.controllers.mapping import watch_pods
from fake_dra_driver.cluster.controllers.podcontrol import (
    BY_CONTROLLER,
    PodControl,
    controller_uid,
    counted,
    deletion_rank,
    is_active,
    is_ready,
    seconds_to_available,
)
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.cluster.workloadkinds import ReplicaSet
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.clock import WallClock
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.events import EventSink
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result

__all__ = ["ReplicaSetReconciler", "replicaset_controller"]

log = logger.bind(component="replicaset-controller")

_BURST: Final = 50
"""Most pods created or deleted in one pass; burstReplicas is 500, for a bigger API server."""
_WORKERS: Final = 5


class ReplicaSetReconciler(Reconciler):
    """Reconciles one ReplicaSet."""

    def __init__(
        self, client: Client, sets: Informer[ReplicaSet], pods: Informer[Pod], control: PodControl, now: WallClock
    ) -> None:
        self._client = client
        self._sets = sets
        self._pods = pods
        self._adoption = Adoption(client, Pod, pods)
        self._control = control
        self._now = now

    @override
    async def reconcile(self, request: Request) -> Result:
        owner = self._sets.get(request)
        if owner is None:
            return Result()
        if not owner.is_deleting:
            await self._adoption.adopt(owner, owner.spec, is_active)
            await self._scale(owner, self._active(owner))
        return await self._write_status(owner)

    def _active(self, owner: ReplicaSet) -> Sequence[Pod]:
        return [pod for pod in self._pods.by_index(BY_CONTROLLER, owner.uid) if is_active(pod)]

    async def _scale(self, owner: ReplicaSet, pods: Sequence[Pod]) -> None:
        missing = owner.spec.replicas - len(pods)
        if missing > 0:
            # One alone first: what the API server refuses once it would refuse every time.
            await self._control.create(owner, owner.spec.template)
        async with asyncio.TaskGroup() as group:
            for _ in range(min(missing - 1, _BURST)):
                group.create_task(self._control.create(owner, owner.spec.template), name="create pod")
            surplus = sorted(pods, key=deletion_rank)[: min(-missing, _BURST)] if missing < 0 else ()
            for pod in surplus:
                group.create_task(self._control.delete(owner, pod), name="delete pod")
        if missing:
            log.info("scaled", replicaset=str(owner.key), had=len(pods), wanted=owner.spec.replicas)

    async def _write_status(self, owner: ReplicaSet) -> Result:
        """Writes the status. Comes back when a ready pod becomes available just by the passing of time."""
        pods, labels = self._active(owner), owner.spec.template.metadata.labels
        waits = [seconds_to_available(pod, owner.spec.min_ready_seconds, self._now()) for pod in pods]
        counts = {
            "replicas": len(pods),
            "fully_labeled_replicas": sum(labels.items() <= dict(pod.metadata.labels).items() for pod in pods),
            "ready_replicas": sum(map(is_ready, pods)),
            "available_replicas": sum(wait == 0 for wait in waits),
            "observed_generation": owner.metadata.generation,
        }
        status = counted(owner.status, counts, always=("replicas",))
        if status.to_wire() != owner.status.to_wire():
            await self._client.update_status(owner.model_copy(update={"status": status}))
        soon = [wait for wait in waits if wait]
        return Result(requeue_after=min(soon)) if soon else Result()


def replicaset_controller(client: Client, cache: Cache, events: EventSink, now: WallClock) -> Controller:
    """The controller of ReplicaSets."""
    sets, pods = cache.informer(ReplicaSet), cache.informer(Pod)
    pods.add_index(BY_CONTROLLER, controller_uid)
    reconciler = ReplicaSetReconciler(client, sets, pods, PodControl(client, events), now)
    controller = Controller("replicaset", reconciler, workers=_WORKERS)
    controller.watch(sets, predicate=lambda change: change.new is not None)
    watch_pods(controller, pods, ReplicaSet)
    return controller

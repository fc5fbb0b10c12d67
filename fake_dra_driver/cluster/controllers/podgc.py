"""Deletes pods whose node is gone: no kubelet is left to stop them.

Follows k8s.io/kubernetes/pkg/controller/podgc (gcOrphaned). Not done: a limit on the number of pods that have ended.
"""

from datetime import datetime
from typing import Final

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.cluster.conditions import with_condition
from fake_dra_driver.cluster.controllers.mapping import PODS_BY_NODE, pods_by_node
from fake_dra_driver.cluster.kinds import Condition, Node, Pod
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.clock import WallClock, loop_time
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import NotFoundError
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result
from fake_dra_driver.runtime.store import Change

__all__ = ["QUARANTINE_SECONDS", "PodCollector", "delete_orphan", "pod_garbage_collector"]

log = logger.bind(component="pod-garbage-collector")

QUARANTINE_SECONDS: Final = 40.0
"""quarantineTime: a node of that name may come back."""
_WORKERS: Final = 4


class PodCollector(Reconciler):
    """Reconciles one pod with the existence of its node."""

    def __init__(self, client: Client, pods: Informer[Pod], nodes: Informer[Node], now: WallClock) -> None:
        self._client = client
        self._pods = pods
        self._nodes = nodes
        self._now = now
        self._missing_since: dict[UID, float] = {}
        """Loop time since when a pod's node is missing, by the pod's UID."""

    @override
    async def reconcile(self, request: Request) -> Result:
        pod = self._pods.get(request)
        if pod is None or not pod.spec.node_name:
            return Result()
        node = NamespacedName("", pod.spec.node_name)
        if self._nodes.get(node) is not None:
            self._missing_since.pop(pod.uid, None)
            return Result()
        left = self._missing_since.setdefault(pod.uid, loop_time()) + QUARANTINE_SECONDS - loop_time()
        if left > 0:
            return Result(requeue_after=left)
        try:
            await self._client.get(Node, node)
        except NotFoundError:
            await delete_orphan(self._client, pod, self._now())
        return Result()

    def forget(self, change: Change[Pod]) -> None:
        """Handler for pods: forgets one that is gone."""
        if change.new is None and change.old is not None:
            self._missing_since.pop(change.old.uid, None)


async def delete_orphan(client: Client, pod: Pod, now: datetime) -> None:
    """Deletes a pod that no kubelet will stop any more; first it is marked as failed. It may be gone already."""
    try:
        if not pod.is_finished:
            message = "PodGC: node no longer exists"
            target = Condition(type="DisruptionTarget", status="True", reason="DeletionByPodGC", message=message)
            conditions = with_condition(pod.status.conditions, target, now)
            status = pod.status.model_copy(update={"phase": "Failed", "conditions": conditions})
            await client.update_status(pod.model_copy(update={"status": status}))
        await client.delete(Pod, pod.key, uid=pod.uid, grace_period_seconds=0)
    except NotFoundError:
        return
    log.info("orphaned pod deleted", pod=str(pod.key), node=pod.spec.node_name)


def pod_garbage_collector(client: Client, cache: Cache, now: WallClock) -> Controller:
    """The controller of pods whose node is gone."""
    pods, nodes = cache.informer(Pod), cache.informer(Node)
    pods.add_index(PODS_BY_NODE, pods_by_node)
    collector = PodCollector(client, pods, nodes, now)
    pods.subscribe(collector.forget)
    controller = Controller("pod-garbage-collector", collector, workers=_WORKERS)
    controller.watch(pods, predicate=_is_bound_now)
    controller.watch(
        nodes,
        lambda change: [pod.key for pod in pods.by_index(PODS_BY_NODE, change.key.name)],
        predicate=lambda change: change.old is None or change.new is None,
    )
    return controller


def _is_bound_now(change: Change[Pod]) -> bool:
    before = change.old.spec.node_name if change.old is not None else ""
    return change.new is not None and before != change.new.spec.node_name

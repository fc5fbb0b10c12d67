"""Deletes pods from nodes whose NoExecute taints they do not tolerate, or no longer.

Follows k8s.io/kubernetes/pkg/controller/tainteviction. How long a pod has tolerated a taint is counted
from when that was first seen here, as upstream does it; a restart starts over.
"""

from typing import Final

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.cluster.conditions import condition_patch
from fake_dra_driver.cluster.controllers.mapping import PODS_BY_NODE, pods_by_node
from fake_dra_driver.cluster.kinds import Condition, Node, Pod
from fake_dra_driver.cluster.nodefit import tolerates
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.clock import WallClock, loop_time
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import NotFoundError
from fake_dra_driver.runtime.events import EventSink
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result
from fake_dra_driver.runtime.store import Change

__all__ = ["TaintEvictionReconciler", "taint_eviction_controller"]

log = logger.bind(component="taint-eviction-controller")

_REASON: Final = "TaintManagerEviction"
_WORKERS: Final = 8
"""UpdateWorkerSize."""


class TaintEvictionReconciler(Reconciler):
    """Reconciles one pod with the taints of its node."""

    def __init__(
        self, client: Client, pods: Informer[Pod], nodes: Informer[Node], events: EventSink, now: WallClock
    ) -> None:
        self._client = client
        self._pods = pods
        self._nodes = nodes
        self._events = events
        self._now = now
        self._since: dict[UID, float] = {}
        """Loop time since when a pod is tolerating taints for a time, by its UID."""

    @override
    async def reconcile(self, request: Request) -> Result:
        pod = self._pods.get(request)
        if pod is None or pod.is_deleting or pod.is_finished or not pod.spec.node_name:
            return Result()
        seconds = self._seconds_tolerated(pod)
        if seconds is None:
            if self._since.pop(pod.uid, None) is not None:
                self._events.event(pod, "Normal", _REASON, f"Cancelling deletion of Pod {pod.key}")
            return Result()
        left = self._since.setdefault(pod.uid, loop_time()) + seconds - loop_time()
        if left > 0:
            return Result(requeue_after=left)
        await self._evict(pod)
        return Result()

    def forget(self, change: Change[Pod]) -> None:
        """Handler for pods: forgets one that is gone."""
        if change.new is None and change.old is not None:
            self._since.pop(change.old.uid, None)

    def _seconds_tolerated(self, pod: Pod) -> float | None:
        """How long the pod may stay; 0: not at all, None: for ever."""
        node = self._nodes.get(NamespacedName("", pod.spec.node_name))
        taints = [each for each in node.spec.taints if each.effect == "NoExecute"] if node is not None else []
        limits: list[int] = []
        for taint in taints:
            toleration = next((each for each in pod.spec.tolerations if tolerates(each, taint)), None)
            if toleration is None:
                return 0.0
            if toleration.toleration_seconds is not None:
                limits.append(toleration.toleration_seconds)
        return float(max(min(limits), 0)) if limits else None

    async def _evict(self, pod: Pod) -> None:
        self._events.event(pod, "Normal", _REASON, f"Marking for deletion Pod {pod.key}")
        message = "Taint manager: deleting due to NoExecute taint"
        target = Condition(type="DisruptionTarget", status="True", reason="DeletionByTaintManager", message=message)
        operations = condition_patch(pod.uid, pod.status.conditions, target, self._now())
        try:
            if operations:
                await self._client.json_patch(Pod, pod.key, operations, subresource="status")
            await self._client.delete(Pod, pod.key, uid=pod.uid)
        except NotFoundError:
            return
        log.info("pod evicted", pod=str(pod.key), node=pod.spec.node_name)


def taint_eviction_controller(client: Client, cache: Cache, events: EventSink, now: WallClock) -> Controller:
    """The controller of pods on tainted nodes."""
    pods, nodes = cache.informer(Pod), cache.informer(Node)
    pods.add_index(PODS_BY_NODE, pods_by_node)
    reconciler = TaintEvictionReconciler(client, pods, nodes, events, now)
    pods.subscribe(reconciler.forget)
    controller = Controller("taint-eviction", reconciler, workers=_WORKERS)

    def pods_on(change: Change[Node]) -> list[Request]:
        return [pod.key for pod in pods.by_index(PODS_BY_NODE, change.key.name)]

    def changes_taints(change: Change[Node]) -> bool:
        before = change.old.spec.taints if change.old is not None else ()
        return change.new is not None and before != change.new.spec.taints

    controller.watch(pods, predicate=_may_have_to_go)
    controller.watch(nodes, pods_on, predicate=changes_taints)
    return controller


def _may_have_to_go(change: Change[Pod]) -> bool:
    """Whether a pod has got a node, or tolerates other taints than before."""
    old, new = change.old, change.new
    if new is None or not new.spec.node_name:
        return False
    before = (old.spec.node_name, old.spec.tolerations) if old is not None else None
    return before != (new.spec.node_name, new.spec.tolerations)

"""Notices nodes that have fallen silent, and keeps the taints that show the state of nodes.

Follows k8s.io/kubernetes/pkg/controller/nodelifecycle. A sign of life is a change of the node's Lease or
status: what counts is when that was seen here, not what the node's clock says. Not done: zones, and restraint when all
nodes of a zone are gone; here, an outage of the only node is one that was asked for.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.kube.coordination import Lease
from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.cluster.conditions import condition_patch, with_condition
from fake_dra_driver.cluster.controllers.mapping import PODS_BY_NODE, pods_by_node
from fake_dra_driver.cluster.kinds import Condition, Node, Pod, Taint
from fake_dra_driver.cluster.nodefit import TAINT_UNSCHEDULABLE
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.clock import WallClock, loop_time
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import NotFoundError
from fake_dra_driver.runtime.events import EventSink
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result

__all__ = ["GRACE_SECONDS", "STARTUP_SECONDS", "NodeLifecycleReconciler", "node_lifecycle_controller"]

log = logger.bind(component="node-lifecycle-controller")

GRACE_SECONDS: Final = 40.0
"""NodeMonitorGracePeriod of 1.27 to 1.31: a node that is silent for longer is no longer ready."""
STARTUP_SECONDS: Final = 60.0
"""NodeStartupGracePeriod: the same for a node that has said nothing yet."""
LEASES: Final = "kube-node-lease"
_WORKERS: Final = 8
"""UpdateWorkerSize."""
_NOT_READY: Final = "node.kubernetes.io/not-ready"
_UNREACHABLE: Final = "node.kubernetes.io/unreachable"
_PRESSURES: Final = {
    "MemoryPressure": "node.kubernetes.io/memory-pressure",
    "DiskPressure": "node.kubernetes.io/disk-pressure",
    "PIDPressure": "node.kubernetes.io/pid-pressure",
    "NetworkUnavailable": "node.kubernetes.io/network-unavailable",
}
"""Taint for a condition that is True."""
_MANAGED: Final = frozenset({_NOT_READY, _UNREACHABLE, TAINT_UNSCHEDULABLE, *_PRESSURES.values()})
_REPORTED: Final = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
"""Conditions that a kubelet reports; they become Unknown once it is silent."""


@dataclass(frozen=True, slots=True)
class _Sign:
    """The last sign of life of a node."""

    content: Any
    at: float
    """Loop time at which it was seen."""


class NodeLifecycleReconciler(Reconciler):
    """Reconciles the state of one node."""

    def __init__(
        self,
        client: Client,
        nodes: Informer[Node],
        leases: Informer[Lease],
        pods: Informer[Pod],
        events: EventSink,
        now: WallClock,
    ) -> None:
        self._client = client
        self._nodes = nodes
        self._leases = leases
        self._pods = pods
        self._events = events
        self._now = now
        self._signs: dict[UID, _Sign] = {}

    @override
    async def reconcile(self, request: Request) -> Result:
        node = self._nodes.get(request)
        if node is None:
            self._forget()
            return Result()
        ready = _condition(node, "Ready")
        silent = loop_time() - self._sign(node).at
        grace = GRACE_SECONDS if ready is not None else STARTUP_SECONDS
        if silent >= grace and (ready is None or ready.status != "Unknown"):
            node = await self._declare_unknown(node, never=ready is None)
            ready = _condition(node, "Ready")
        await self._keep_taints(node)
        if ready is not None and ready.status != "True":
            await self._mark_pods(node)
        return Result(requeue_after=grace - silent) if silent < grace else Result()

    def _sign(self, node: Node) -> _Sign:
        content, known = self._content(node), self._signs.get(node.uid)
        if known is None or known.content != content:
            known = self._signs[node.uid] = _Sign(content, loop_time())
        return known

    def _content(self, node: Node) -> Any:
        """What changes with each report of the node's kubelet."""
        ready = _condition(node, "Ready")
        lease = self._leases.get(NamespacedName(LEASES, node.metadata.name))
        heartbeat = (ready.model_extra or {}).get("lastHeartbeatTime") if ready is not None else None
        return (lease and lease.spec.renew_time, ready and ready.status, heartbeat)

    def _forget(self) -> None:
        for uid in [uid for uid in self._signs if self._nodes.by_uid(uid) is None]:
            del self._signs[uid]

    async def _declare_unknown(self, node: Node, *, never: bool) -> Node:
        reason = "NodeStatusNeverUpdated" if never else "NodeStatusUnknown"
        message = "Kubelet never posted node status." if never else "Kubelet stopped posting node status."
        conditions: Sequence[Condition] = node.status.conditions
        for type_ in _REPORTED:
            unknown = Condition(type=type_, status="Unknown", reason=reason, message=message)
            before = _condition(node, type_)
            if before is not None:
                unknown = before.model_copy(update={"status": "Unknown", "reason": reason, "message": message})
            conditions = with_condition(conditions, unknown, self._now())
        status = node.status.model_copy(update={"conditions": tuple(conditions)})
        written = await self._client.update_status(node.model_copy(update={"status": status}))
        name = node.metadata.name
        self._events.event(node, "Normal", "NodeNotReady", f"Node {name} status is now: NodeNotReady")
        log.info("node is silent", node=name)
        return written

    async def _keep_taints(self, node: Node) -> None:
        wanted = {(each.key, each.effect): each for each in _taints(node, self._now())}
        present = {(each.key, each.effect): each for each in node.spec.taints if each.key in _MANAGED}
        if wanted.keys() == present.keys():
            return
        others = [each for each in node.spec.taints if each.key not in _MANAGED]
        taints = [*others, *(present.get(place, each) for place, each in wanted.items())]
        patch = {
            "metadata": {"resourceVersion": node.metadata.resource_version},
            "spec": {"taints": [each.to_wire() for each in taints] or None},
        }
        await self._client.merge_patch(Node, node.key, patch)

    async def _mark_pods(self, node: Node) -> None:
        """Marks the pods of a node that is not ready as not ready, whatever its kubelet has reported last."""
        for pod in self._pods.by_index(PODS_BY_NODE, node.metadata.name):
            ready = pod.condition("Ready")
            if ready is None or ready.status != "True" or pod.is_finished:
                continue
            unready = ready.model_copy(update={"status": "False"})
            operations = condition_patch(pod.uid, pod.status.conditions, unready, self._now())
            try:
                await self._client.json_patch(Pod, pod.key, operations, subresource="status")
            except NotFoundError:
                continue
            self._events.event(pod, "Warning", "NodeNotReady", "Node is not ready")


def _condition(node: Node, type_: str) -> Condition | None:
    return next((each for each in node.status.conditions if each.type == type_), None)


def _taints(node: Node, now: datetime) -> Iterable[Taint]:
    """The taints for a node's conditions. A node that has reported nothing yet is not ready."""
    at = now.replace(microsecond=0)
    ready = _condition(node, "Ready")
    if ready is None:
        yield Taint(key=_NOT_READY, effect="NoSchedule", time_added=at)
    elif ready.status != "True":
        key = _NOT_READY if ready.status == "False" else _UNREACHABLE
        yield Taint(key=key, effect="NoSchedule", time_added=at)
        yield Taint(key=key, effect="NoExecute", time_added=at)
    for each in node.status.conditions:
        if each.type in _PRESSURES and each.status == "True":
            yield Taint(key=_PRESSURES[each.type], effect="NoSchedule", time_added=at)
    if node.spec.unschedulable:
        yield Taint(key=TAINT_UNSCHEDULABLE, effect="NoSchedule", time_added=at)


def node_lifecycle_controller(client: Client, cache: Cache, events: EventSink, now: WallClock) -> Controller:
    """The controller of nodes' readiness and taints."""
    nodes, pods = cache.informer(Node), cache.informer(Pod)
    leases = cache.informer(Lease)
    pods.add_index(PODS_BY_NODE, pods_by_node)
    reconciler = NodeLifecycleReconciler(client, nodes, leases, pods, events, now)
    controller = Controller("node-lifecycle", reconciler, workers=_WORKERS)
    controller.watch(nodes)
    controller.watch(
        leases,
        lambda change: [NamespacedName("", change.key.name)],
        predicate=lambda change: change.key.namespace == LEASES,
    )
    return controller

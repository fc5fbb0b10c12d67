"""Lets pods on nodes without a kubelet seem to run."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from typing_extensions import override

from fake_dra_driver.cluster.kinds import Node, Pod
from fake_dra_driver.cluster.kwok import stages
from fake_dra_driver.cluster.kwok.addresses import AddressPool
from fake_dra_driver.cluster.kwok.nodes import NodeStages
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.clock import WallClock
from fake_dra_driver.runtime.errors import NotFoundError, RuntimeLayerError
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result
from fake_dra_driver.runtime.store import Change

__all__ = ["PodStages"]

_BY_NODE: Final = "kwok node"
"""Index of the cache of pods: the node that a pod is bound to."""


class PodStages(Reconciler):
    """Reconciles one pod.

    Args:
        client: writes.
        pods: all pods.
        nodes: says which nodes are taken care of.
        now: the clock for timestamps.
    """

    def __init__(self, client: Client, pods: Informer[Pod], nodes: NodeStages, now: WallClock) -> None:
        self._client = client
        self._pods = pods
        self._nodes = nodes
        self._now = now
        self._addresses = AddressPool()
        self._wake: Callable[[Request], None] = lambda _: None
        pods.add_index(_BY_NODE, _node_of)

    def wake_by(self, wake: Callable[[Request], None]) -> None:
        """From now on pods of nodes that are taken over are woken by this function."""
        self._wake = wake

    def wake_pods_of(self, node: str) -> None:
        """The node is taken care of from now on."""
        for pod in self._pods.by_index(_BY_NODE, node):
            self._wake(pod.key)

    def concerns(self, change: Change[Pod]) -> bool:
        """Whether a pod may have reached another stage."""
        pod = change.new
        return pod is not None and bool(pod.spec.node_name) and self._nodes.managed(pod.spec.node_name) is not None

    def on_pod(self, change: Change[Pod]) -> None:
        """Handler for pods: keeps account of their addresses."""
        old = change.old.status.pod_ip if change.old is not None and _has_own_address(change.old) else ""
        new = change.new.status.pod_ip if change.new is not None and _has_own_address(change.new) else ""
        if old != new and old:
            self._addresses.give_back(old)
        if old != new and new:
            self._addresses.use(new)

    @override
    async def reconcile(self, request: Request) -> Result:
        pod = self._pods.get(request)
        node = self._nodes.managed(pod.spec.node_name) if pod is not None and pod.spec.node_name else None
        if pod is None or node is None:
            return Result()
        try:
            if pod.is_deleting:
                await self._delete(pod)
            elif not pod.status.pod_ip and not pod.is_finished:
                await self._run(pod, node)
            elif pod.status.phase == "Running" and any(each.kind == "Job" for each in pod.metadata.owner_references):
                await self._write(pod, stages.completed(pod, self._now()))
        except NotFoundError:
            pass  # it has gone meanwhile
        return Result()

    async def _delete(self, pod: Pod) -> None:
        if pod.metadata.finalizers:
            await self._client.merge_patch(Pod, pod.key, {"metadata": {"uid": pod.uid, "finalizers": None}})
        await self._client.delete(Pod, pod.key, uid=pod.uid, grace_period_seconds=0)

    async def _run(self, pod: Pod, node: Node) -> None:
        host = _address_of(node)
        address = host if pod.spec.host_network else self._addresses.take()
        try:
            await self._write(pod, stages.running(pod, host, address, self._now()))
        except RuntimeLayerError:
            if not pod.spec.host_network:
                self._addresses.give_back(address)
            raise

    async def _write(self, pod: Pod, status: dict[str, Any]) -> None:
        # For this very version: the list of conditions is written as a whole, and has other writers, too.
        metadata = {"uid": pod.uid, "resourceVersion": pod.metadata.resource_version}
        await self._client.merge_patch(Pod, pod.key, {"metadata": metadata, "status": status}, subresource="status")


def _node_of(pod: Pod) -> Iterable[str]:
    return (pod.spec.node_name,) if pod.spec.node_name else ()


def _has_own_address(pod: Pod) -> bool:
    return bool(pod.status.pod_ip) and not pod.spec.host_network


def _address_of(node: Node) -> str:
    addresses = (node.status.model_extra or {}).get("addresses") or ()
    internal = (str(each["address"]) for each in addresses if each.get("type") == "InternalIP")
    return next(internal, stages.NODE_ADDRESS)

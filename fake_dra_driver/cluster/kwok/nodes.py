"""Keeps nodes without a kubelet Ready."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.kube.coordination import Lease, LeaseSpec
from fake_dra_driver.api.kube.meta import UID, NamespacedName, ObjectMeta, OwnerReference
from fake_dra_driver.cluster.kinds import Node
from fake_dra_driver.cluster.kwok import stages
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.clock import WallClock, loop_time
from fake_dra_driver.runtime.errors import NotFoundError
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result
from fake_dra_driver.runtime.store import Change

__all__ = ["ANNOTATION", "HOLDER", "LEASE_SECONDS", "RENEW_SECONDS", "NodeStages", "is_selected"]

log = logger.bind(component="kwok")

ANNOTATION: Final = ("kwok.x-k8s.io/node", "fake")
"""manageNodesWithAnnotationSelector, as KWOK is usually installed."""
HOLDER: Final = "kwok"
"""Holder of the Leases."""
LEASE_NAMESPACE: Final = "kube-node-lease"
LEASE_SECONDS: Final = 40
"""nodeLeaseDurationSeconds; a node that is silent for that long is not ready any more."""
RENEW_SECONDS: Final = 20.0
"""Half of that. KWOK renews after a quarter, which is twice the work for thousands of nodes."""
_SHORTEST_SECONDS: Final = 0.1
"""A timer may be a little early, and is not set again for the rest."""
_HEARTBEAT_SECONDS: Final = 600.0
_HEARTBEAT_JITTER_SECONDS: Final = 10.0


@dataclass(slots=True)
class _Life:
    """When something is next to be written for a node, in loop time."""

    renew_at: float
    beat_at: float


class NodeStages(Reconciler):
    """Reconciles one Node.

    Args:
        client: writes.
        nodes: all Nodes.
        leases: all Leases.
        now: the clock for timestamps.
    """

    def __init__(self, client: Client, nodes: Informer[Node], leases: Informer[Lease], now: WallClock) -> None:
        self._client = client
        self._nodes = nodes
        self._leases = leases
        self._now = now
        self._lives: dict[UID, _Life] = {}
        """Of the nodes whose Lease is held."""
        self._uids: dict[str, UID] = {}
        """Of the same nodes, by name."""
        self._seen: dict[str, float] = {}
        """By name of a node: the loop time at which another holder's Lease was last seen to change."""
        self._taken: Callable[[str], None] = lambda _: None

    def on_taken(self, tell: Callable[[str], None]) -> None:
        """From now on this function is called with the name of each node that is taken care of from then on."""
        self._taken = tell

    def managed(self, name: str) -> Node | None:
        """The node, if it is taken care of here."""
        node = self._nodes.get(NamespacedName("", name))
        return node if node is not None and node.uid in self._lives else None

    def on_lease(self, change: Change[Lease]) -> None:
        """Handler for Leases: notes when others were last alive."""
        name = change.key.name
        if change.key.namespace != LEASE_NAMESPACE:
            return
        if change.new is None:
            self._seen.pop(name, None)
        elif change.new.spec.holder_identity not in (HOLDER, None, ""):
            self._seen[name] = loop_time()

    @override
    async def reconcile(self, request: Request) -> Result:
        node = self._nodes.get(request)
        if node is None or node.is_deleting or not is_selected(node):
            self._forget(request.name)
            return Result()
        lease = self._leases.get(NamespacedName(LEASE_NAMESPACE, request.name))
        until = self._held_by_other(lease)
        if until > 0:
            self._forget(request.name)
            return Result(requeue_after=until)
        try:
            await self._keep(node, lease)
        except NotFoundError:
            return Result()  # the node has gone meanwhile
        left = self._lives[node.uid].renew_at - loop_time()
        return Result(requeue_after=max(left, _SHORTEST_SECONDS))

    def _held_by_other(self, lease: Lease | None) -> float:
        """For how many seconds another process may still hold the Lease; 0: it does not."""
        if lease is None or lease.spec.holder_identity in (HOLDER, None, ""):
            return 0.0
        seen = self._seen.setdefault(lease.metadata.name, loop_time())
        return max(seen + (lease.spec.lease_duration_seconds or LEASE_SECONDS) - loop_time(), 0.0)

    async def _keep(self, node: Node, lease: Lease | None) -> None:
        """Renews the Lease, and writes the status, as far as it is time to. Raises what the client's calls raise."""
        at, life = loop_time(), self._lives.get(node.uid)
        is_new = life is None
        if life is None:
            life = _Life(renew_at=at, beat_at=at + _heartbeat_seconds())
        if lease is None or at >= life.renew_at:
            await self._renew(node, lease)
            # Nodes that come together do not stay together.
            life.renew_at = at + RENEW_SECONDS * (random.uniform(0.5, 1) if is_new else 1)  # noqa: S311
        status = stages.initialized if not stages.is_ready(node) else stages.heartbeat if at >= life.beat_at else None
        if status is not None:
            await self._write(node, status(node, self._now()))
            life.beat_at = at + _heartbeat_seconds()
        if is_new:
            self._forget(node.metadata.name)  # one of the same name, which is gone
        self._lives[node.uid] = life
        self._uids[node.metadata.name] = node.uid
        if is_new:
            self._taken(node.metadata.name)

    async def _renew(self, node: Node, lease: Lease | None) -> None:
        now, name = self._now(), node.metadata.name
        spec = LeaseSpec(holder_identity=HOLDER, lease_duration_seconds=LEASE_SECONDS, renew_time=now)
        if lease is not None:
            renewed = LeaseSpec(renew_time=now) if lease.spec.holder_identity == HOLDER else spec
            await self._client.merge_patch(Lease, lease.key, {"spec": renewed.to_wire()})
            return
        owner = OwnerReference(api_version="v1", kind="Node", name=name, uid=node.uid)
        metadata = ObjectMeta(name=name, namespace=LEASE_NAMESPACE, owner_references=(owner,))
        await self._client.create(Lease(metadata=metadata, spec=spec))

    async def _write(self, node: Node, status: stages.Wire) -> None:
        # For this very version: the list of conditions is written as a whole, and has other writers, too.
        metadata = {"uid": node.uid, "resourceVersion": node.metadata.resource_version}
        await self._client.merge_patch(Node, node.key, {"metadata": metadata, "status": status}, subresource="status")

    def _forget(self, name: str) -> None:
        uid = self._uids.pop(name, None)
        if uid is not None:
            self._lives.pop(uid, None)


def _heartbeat_seconds() -> float:
    return _HEARTBEAT_SECONDS + random.uniform(0, _HEARTBEAT_JITTER_SECONDS)  # noqa: S311 - spreads work


def is_selected(node: Node) -> bool:
    """Whether the Node has KWOK's annotation."""
    key, value = ANNOTATION
    return node.metadata.annotations.get(key) == value

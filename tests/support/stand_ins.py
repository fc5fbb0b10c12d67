"""Stand-ins for a DRA driver and for kubelets, just good enough to let a whole control plane run.

The driver has so many devices on each node, and gives one to each claim. The kubelets run every pod that is bound and
whose claims are reserved for it, end every pod that is deleted, and renew the leases of their nodes.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

from fake_dra_driver.api.kube.coordination import Lease, LeaseSpec
from fake_dra_driver.api.kube.meta import NamespacedName, ObjectMeta
from fake_dra_driver.api.resource.podclaims import claim_key, claim_keys
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim
from fake_dra_driver.cluster.kinds import Node, Pod
from fake_dra_driver.cluster.reservations import is_reserved_for, reservation_of
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.clock import WallClock
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import NotFoundError
from fake_dra_driver.runtime.reconcile import Request, Result
from fake_dra_driver.runtime.store import Change

__all__ = ["make_driver", "make_kubelets"]

DRIVER = "driver.example.com"
FINALIZER = f"{DRIVER}/deletion-protection"


class _Driver:
    def __init__(self, client: Client, cache: Cache, devices: int) -> None:
        self.client = client
        self.devices = devices
        self.pods = cache.informer(Pod)
        self.claims = cache.informer(ResourceClaim)
        self.contexts = cache.informer(PodSchedulingContext)
        self.claims.add_index("node", lambda claim: [node] if (node := _node_of(claim)) else [])
        self.lock = asyncio.Lock()

    def free(self, node: str) -> int:
        return self.devices - len(self.claims.by_index("node", node))

    async def negotiate(self, request: Request) -> Result:
        context, pod = self.contexts.get(request), self.pods.get(request)
        if context is None or pod is None:
            return Result()
        async with self.lock:
            pending = self._pending(pod)
            if not pending:
                return Result()
            names, claims = [name for name, _ in pending], [claim for _, claim in pending]
            selected = context.spec.selected_node
            if selected and self.free(selected) >= len(claims):
                for claim in claims:
                    await self._allocate(claim, selected, pod)
                return Result()
            nodes = {*context.spec.potential_nodes, *([selected] if selected else [])}
            await self._answer(context, names, sorted(node for node in nodes if self.free(node) < len(claims)))
        return Result()

    def _pending(self, pod: Pod) -> list[tuple[str, ResourceClaim]]:
        found: list[tuple[str, ResourceClaim]] = []
        for entry in pod.spec.resource_claims:
            key = claim_key(pod, entry)
            claim = self.claims.get(key) if key is not None else None
            if claim is not None and claim.status.allocation is None and not claim.is_deleting:
                found.append((entry.name, claim))
        return found

    async def _allocate(self, claim: ResourceClaim, node: str, pod: Pod) -> None:
        finalizers = {"metadata": {"finalizers": [*claim.metadata.finalizers, FINALIZER]}}
        if FINALIZER not in claim.metadata.finalizers:
            await self.client.merge_patch(ResourceClaim, claim.key, finalizers)
        names = [{"key": "metadata.name", "operator": "In", "values": [node]}]
        allocation = {
            "resourceHandles": [{"driverName": DRIVER, "data": node}],
            "availableOnNodes": {"nodeSelectorTerms": [{"matchFields": names}]},
            "shareable": True,
        }
        status = {"driverName": DRIVER, "allocation": allocation, "reservedFor": [reservation_of(pod).to_wire()]}
        await self.client.merge_patch(ResourceClaim, claim.key, {"status": status}, subresource="status")

    async def _answer(self, context: PodSchedulingContext, names: Sequence[str], nodes: Sequence[str]) -> None:
        entries = [{"name": name, "unsuitableNodes": list(nodes)} for name in names]
        patch = {"status": {"resourceClaims": entries}}
        await self.client.merge_patch(PodSchedulingContext, context.key, patch, subresource="status")

    async def release(self, request: Request) -> Result:
        claim = self.claims.get(request)
        if claim is None or claim.status.reserved_for:
            return Result()
        if claim.is_deleting and FINALIZER in claim.metadata.finalizers:
            kept = [each for each in claim.metadata.finalizers if each != FINALIZER]
            await self.client.merge_patch(ResourceClaim, claim.key, {"metadata": {"finalizers": kept}})
        elif claim.status.deallocation_requested:
            status = {"allocation": None, "driverName": None, "deallocationRequested": None}
            await self.client.merge_patch(ResourceClaim, claim.key, {"status": status}, subresource="status")
        return Result()


class _Kubelets:
    def __init__(self, client: Client, cache: Cache, now: WallClock) -> None:
        self.client = client
        self.now = now
        self.nodes = cache.informer(Node)
        self.leases = cache.informer(Lease, namespace="kube-node-lease")
        self.pods = cache.informer(Pod)
        self.claims = cache.informer(ResourceClaim)

    async def reconcile(self, request: Request) -> Result:
        pod = self.pods.get(request)
        if pod is None or not pod.spec.node_name:
            return Result()
        with contextlib.suppress(NotFoundError):
            if pod.is_deleting:
                await self.client.delete(Pod, pod.key, uid=pod.uid, grace_period_seconds=0)
            elif pod.status.phase == "Pending" and self._may_run(pod):
                ready = {"type": "Ready", "status": "True"}
                kept = [each.to_wire() for each in pod.status.conditions if each.type != "Ready"]
                status = {"phase": "Running", "conditions": [*kept, ready]}
                await self.client.merge_patch(Pod, pod.key, {"status": status}, subresource="status")
        return Result()

    def _may_run(self, pod: Pod) -> bool:
        claims = [self.claims.get(key) for key in claim_keys(pod)]
        return all(claim is not None and is_reserved_for(claim, pod) for claim in claims)

    async def heartbeat(self, request: Request) -> Result:
        """Renews the lease of a node, every 10 s."""
        if self.nodes.get(request) is None:
            return Result()
        key = NamespacedName("kube-node-lease", request.name)
        spec = LeaseSpec(holder_identity=request.name, renew_time=self.now())
        known = self.leases.get(key)
        if known is None:
            await self.client.create(Lease(metadata=ObjectMeta(name=key.name, namespace=key.namespace), spec=spec))
        else:
            await self.client.update(known.model_copy(update={"spec": spec}))
        return Result(requeue_after=10)


class _Function:
    """A reconciler from a function."""

    def __init__(self, function: Any) -> None:
        self._function = function

    async def reconcile(self, request: Request) -> Result:
        result: Result = await self._function(request)
        return result


def _node_of(claim: ResourceClaim) -> str | None:
    allocation = claim.status.allocation
    return allocation.resource_handles[0].data if allocation is not None else None


def make_driver(client: Client, cache: Cache, devices: int) -> Sequence[Controller]:
    """A driver with that many devices on each node."""
    driver = _Driver(client, cache, devices)
    contexts = Controller("stand-in-contexts", _Function(driver.negotiate), workers=8)
    claims = Controller("stand-in-claims", _Function(driver.release), workers=8)

    def waiting(_: object) -> list[NamespacedName]:
        return [each.key for each in driver.contexts.list()]

    contexts.watch(driver.contexts, predicate=lambda change: change.new is not None)
    # The context may be seen before the pod, before the names of its claims, or before these: each has its own watch.
    contexts.watch(driver.pods, predicate=lambda change: change.new is not None)
    contexts.watch(driver.claims, waiting, predicate=lambda change: not _held(change.new))
    claims.watch(driver.claims, predicate=lambda change: change.new is not None)
    return (contexts, claims)


def _held(claim: ResourceClaim | None) -> bool:
    return claim is not None and claim.status.allocation is not None


def make_kubelets(client: Client, cache: Cache, now: WallClock) -> Sequence[Controller]:
    """All kubelets in one."""
    kubelets = _Kubelets(client, cache, now)
    pods = Controller("stand-in-kubelets", kubelets, workers=8)
    nodes = Controller("stand-in-heartbeats", _Function(kubelets.heartbeat), workers=8)

    def users(change: Change[ResourceClaim]) -> list[NamespacedName]:
        reserved = change.new.status.reserved_for if change.new is not None else ()
        return [NamespacedName(change.key.namespace, each.name) for each in reserved]

    pods.watch(kubelets.pods)
    pods.watch(kubelets.claims, users)
    nodes.watch(kubelets.nodes, predicate=lambda change: change.old is None)
    return (pods, nodes)

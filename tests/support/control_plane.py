"""An API server in this process, in simulated time, with whatever of controllers and scheduler a test wants to run.

Time goes on only while no task has anything to do (looptime), and the wall clock goes with it. What a test waits for
is looked at after each change that its own cache sees.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from fake_dra_driver.api.kube.core import Event
from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim
from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.cluster.kinds import Node, Pod, ResourceClass
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.events import EventRecorder
from fake_dra_driver.runtime.manager import Manager

__all__ = ["NAMESPACE", "ROOMY", "ControlPlane", "Make", "control_plane", "ref"]

K = TypeVar("K", bound=KubeObject)
NAMESPACE = "default"
ROOMY: Mapping[str, str] = {"cpu": "64", "memory": "256Gi", "pods": "110"}
"""What nodes have unless a test says something else."""
_EPOCH = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_PATIENCE_SECONDS = 3600.0
"""Simulated: what has not happened then never will."""

# pydantic looks for plugins on disk when the first model is used: here, and not in the event loop.
Pod.from_wire({})

Make = Callable[["ControlPlane", Any, Cache, EventRecorder], Sequence[Controller]]
"""Makes controllers: gets the control plane, a client, a cache on it, and where to report events."""


def ref(name: str, namespace: str = NAMESPACE) -> NamespacedName:
    """The key of an object."""
    return NamespacedName(namespace, name)


class ControlPlane:
    """The API server, and a test's own view of it."""

    def __init__(self, kinds: Sequence[type[KubeObject]], *, kubernetes_version: str = "1.30") -> None:
        self.server = ApiServer(now=self.now, seed=7, kubernetes_version=kubernetes_version, in_threads=False)
        self.client = self.server.client("tests")
        self.cache = Cache(self.client)
        self._changed = asyncio.Event()
        for kind in kinds:
            self.cache.informer(kind).subscribe(lambda _: self._changed.set())

    def now(self) -> datetime:
        """The wall clock."""
        return _EPOCH + timedelta(seconds=asyncio.get_running_loop().time())

    # --- reads ---

    def get(self, kind: type[K], key: NamespacedName) -> K:
        """An object that is there."""
        found = self.cache.informer(kind).get(key)
        assert found is not None, f"there is no {kind.resource.kind} {key}"
        return found

    def find(self, kind: type[K], key: NamespacedName) -> K | None:
        """An object that may be there."""
        return self.cache.informer(kind).get(key)

    def list(self, kind: type[K], namespace: str | None = None) -> Sequence[K]:
        """The objects of a kind, sorted."""
        return self.cache.informer(kind).list(namespace)

    async def until(self, condition: Callable[[], Any], within: float = _PATIENCE_SECONDS) -> None:
        """Waits until the condition holds, which is asked again after each change."""
        async with asyncio.timeout(within):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def until_gone(self, kind: type[KubeObject], key: NamespacedName) -> None:
        """Waits until there is no such object."""
        await self.until(lambda: self.find(kind, key) is None)

    async def pass_time(self, seconds: float) -> None:
        """Lets everybody do what there is to do, and time go on."""
        await asyncio.sleep(seconds)

    def events(self, name: str) -> Sequence[tuple[str, str]]:
        """Reason and message of the events about objects of that name, in the order in which they came up."""
        about = [each for each in self.list(Event) if each.involved_object.name == name]
        about.sort(key=lambda each: (each.metadata.creation_timestamp, int(each.metadata.resource_version)))
        return [(each.reason, each.message) for each in about]

    def attempts(self, pod: str) -> int:
        """How often a pod could not be scheduled, as its events say."""
        found = [each for each in self.list(Event) if each.involved_object.name == pod]
        return sum(each.count for each in found if each.reason == "FailedScheduling")

    def seconds(self) -> float:
        """Simulated time."""
        return asyncio.get_running_loop().time()

    # --- writes ---

    async def create(self, kind: type[K], name: str, *, namespace: str | None = None, **fields: Any) -> K:
        """Creates an object; ``metadata`` is merged with its name."""
        metadata = {"name": name, **fields.pop("metadata", {})}
        if kind.resource.namespaced:
            metadata["namespace"] = namespace or NAMESPACE
        return await self.client.create(kind.from_wire({"metadata": metadata, **fields}))

    async def node(self, name: str, *, allocatable: Mapping[str, str] = ROOMY, **metadata: Any) -> Node:
        """A node that is ready and takes pods."""
        created = await self.create(Node, name, metadata=metadata)
        await self.client.merge_patch(Node, created.key, {"spec": {"taints": None}})
        ready = [
            {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}
        ]
        status = {"conditions": ready, "allocatable": dict(allocatable), "capacity": dict(allocatable)}
        return await self.client.merge_patch(Node, created.key, {"status": status}, subresource="status")

    async def pod(self, name: str, *, claims: Mapping[str, str] | None = None, **spec: Any) -> Pod:
        """A pod that uses claims: name of the entry to name of the claim."""
        entries = [{"name": entry, "source": {"resourceClaimName": claim}} for entry, claim in (claims or {}).items()]
        metadata = spec.pop("metadata", {})
        containers = [{"name": "ctr0", "image": "busybox"}]
        whole = {"containers": containers, **({"resourceClaims": entries} if entries else {}), **spec}
        return await self.create(Pod, name, metadata=metadata, spec=whole)

    async def resource_class(self, name: str = "class", **fields: Any) -> ResourceClass:
        """A class of claims."""
        return await self.create(ResourceClass, name, driverName="driver.example.com", **fields)

    async def claim(self, name: str, *, mode: str = "WaitForFirstConsumer", **fields: Any) -> ResourceClaim:
        """A claim of that class."""
        spec = {"resourceClassName": "class", "allocationMode": mode}
        return await self.create(ResourceClaim, name, spec=spec, **fields)

    async def patch(
        self, kind: type[K], key: NamespacedName, patch: Mapping[str, Any], subresource: str | None = None
    ) -> K:
        """A merge patch."""
        return await self.client.merge_patch(kind, key, patch, subresource=subresource)

    async def delete(self, kind: type[KubeObject], key: NamespacedName, **options: Any) -> None:
        """Deletes an object."""
        await self.client.delete(kind, key, **options)

    async def finish(self, name: str, phase: str = "Succeeded") -> Pod:
        """What a kubelet says of a pod that has ended."""
        return await self.patch(Pod, ref(name), {"status": {"phase": phase}}, "status")

    # --- what a driver does ---

    async def allocate(self, claim: str, node: str | None, *pods: Pod, shareable: bool = False) -> ResourceClaim:
        """Allocates a claim, on a node or (None) everywhere, for these pods."""
        allocation: dict[str, Any] = {"resourceHandles": [{"driverName": "driver.example.com"}], "shareable": shareable}
        if node is not None:
            names = [{"key": "metadata.name", "operator": "In", "values": [node]}]
            allocation["availableOnNodes"] = {"nodeSelectorTerms": [{"matchFields": names}]}
        reserved = [{"resource": "pods", "name": pod.metadata.name, "uid": pod.uid} for pod in pods]
        status = {"driverName": "driver.example.com", "allocation": allocation, "reservedFor": reserved or None}
        return await self.patch(ResourceClaim, ref(claim), {"status": status}, "status")

    async def deallocate(self, claim: str) -> ResourceClaim:
        """Does what deallocationRequested asks for."""
        status = {"allocation": None, "driverName": None, "deallocationRequested": None}
        return await self.patch(ResourceClaim, ref(claim), {"status": status}, "status")

    async def answer(self, pod: str, unsuitable: Mapping[str, Sequence[str]]) -> PodSchedulingContext:
        """The unsuitable nodes of each entry of a pod."""
        entries = [{"name": name, "unsuitableNodes": list(nodes)} for name, nodes in unsuitable.items()]
        return await self.patch(PodSchedulingContext, ref(pod), {"status": {"resourceClaims": entries}}, "status")


@asynccontextmanager
async def control_plane(
    make: Mapping[str, Make], kinds: Sequence[type[KubeObject]], *, kubernetes_version: str = "1.30"
) -> AsyncIterator[ControlPlane]:
    """Runs what ``make`` makes, each entry with a client and a manager of its own, until it is left."""
    plane = ControlPlane([Event, *kinds], kubernetes_version=kubernetes_version)
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(plane.cache.run(), name="cache of the test")
        managers = [_manager(plane, name, each) for name, each in make.items()]
        running = [group.create_task(manager.run()) for manager in managers]
        await plane.cache.wait_for_sync()
        try:
            yield plane
        finally:
            for manager in managers:
                manager.stop()
            await asyncio.wait(running)
            watching.cancel()
    await plane.client.close()


def _manager(plane: ControlPlane, name: str, make: Make) -> Manager:
    client = plane.server.client(name)
    cache, events = Cache(client), EventRecorder(client, name, now=plane.now)
    manager = Manager(client, cache, events=events, signals=())
    for controller in make(plane, client, cache, events):
        manager.add_controller(controller)
    return manager

"""A cluster with structured DRA, and a stand-in for its driver: what people do in it, and what they see."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fake_dra_driver.api.kube.core import Event
from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import RESOURCE_APIS, ResourceApi
from fake_dra_driver.cluster import Cluster, Timing
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.cluster.releases import Release
from fake_dra_driver.runtime.errors import NotFoundError
from tests.unit.cluster.kubelet.standin import StandInPlugin

__all__ = ["DRIVER", "NODE", "World", "world_of"]

DRIVER = "driver.example.com"
NODE = "node-0"


class World:
    """The cluster, and what people and the driver do in it."""

    def __init__(self, cluster: Cluster, api: ResourceApi) -> None:
        self.cluster = cluster
        self.api = api

    async def create(self, kind: type[KubeObject], name: str, spec: Any, namespace: str = "default") -> None:
        """An object, whose spec is that of v1."""
        model = next(base for base in kind.__mro__ if base.__module__ in (v1.__name__, Pod.__module__))
        metadata = {"name": name, **({"namespace": namespace} if kind.resource.namespaced else {})}
        read = model.from_wire({"metadata": metadata, "spec": spec})  # type: ignore[attr-defined] # a model of the API
        await self.cluster.client.create(kind.model_validate(read.model_dump(exclude_unset=True)))

    async def publish(self, *names: str, driver: str = DRIVER) -> None:
        """What a driver has on the node."""
        spec = {
            "driver": driver,
            "nodeName": NODE,
            "pool": {"name": NODE, "generation": 1, "resourceSliceCount": 1},
            "devices": [{"name": name, "attributes": {"model": {"string": f"model-{name}"}}} for name in names],
        }
        await self.create(self.api.slices, f"slice-{len(names)}", spec)

    async def slices(self) -> Sequence[v1.ResourceSlice]:
        """All slices."""
        return (await self.cluster.client.list(self.api.slices)).items

    async def pod(self, name: str, *entries: Any, uses: Sequence[Any] = (), **spec: Any) -> None:
        """A pod that goes on printing its environment, with these claims."""
        container = {
            "name": "main",
            "image": "busybox:1.37",
            "command": ["sh", "-c", "export; exec sleep 1000"],
            "resources": {"claims": list(uses) or [{"name": each["name"]} for each in entries]},
        }
        whole = {"containers": [container], "resourceClaims": list(entries), "terminationGracePeriodSeconds": 5, **spec}
        await self.create(Pod, name, whole)

    async def claim(self, name: str, *requests: Any) -> None:
        """A claim; without requests: for one device."""
        asked = list(requests) or [{"name": "req", "exactly": {"deviceClassName": "class"}}]
        await self.create(self.api.claims, name, {"devices": {"requests": asked}})

    async def environment(self, pod: str, container: str = "main") -> str:
        """What a container of the pod has printed, once it runs."""

        uid = (await self.cluster.client.get(Pod, NamespacedName("default", pod))).uid
        file = self.cluster.node_root() / f"var/log/pods/default_{pod}_{uid}/{container}/0.log"

        async def printed() -> str:
            text = await asyncio.to_thread(file.read_text) if await asyncio.to_thread(file.exists) else ""
            return text if "PATH" in text else ""

        return await self.cluster.wait_until(f"{pod} has printed its environment", printed)

    async def until_health(self, pod: str, health: str, message: str) -> None:
        """Waits until the pod shows that of its only device."""
        wanted = {"resourceID": f"{DRIVER}/dev=c", "health": health, **({"message": message} if message else {})}

        async def shown() -> bool:
            found = await self.cluster.client.get(Pod, NamespacedName("default", pod))
            status = found.status.container_statuses[0].to_wire().get("allocatedResourcesStatus")
            return status == [{"name": "claim:entry", "resources": [wanted]}]

        await self.cluster.wait_until(f"{pod} shows that its device is {health}", shown)

    async def read_claim(self, name: str) -> v1.ResourceClaim:
        """The claim as it is now."""
        return await self.cluster.client.get(self.api.claims, NamespacedName("default", name))

    async def is_deallocated(self, name: str) -> bool:
        """Whether the claim has no devices."""
        return (await self.read_claim(name)).status.allocation is None

    async def until_gone(self, kind: type[KubeObject], name: str) -> None:
        """Waits until there is no such object."""

        async def gone() -> bool:
            try:
                await self.cluster.client.get(kind, NamespacedName("default", name))
            except NotFoundError:
                return True
            return False

        await self.cluster.wait_until(f"{name} is gone", gone)

    async def until_event(self, about: str, reason: str, words: str) -> None:
        """Waits for an event."""

        async def seen() -> bool:
            events = (await self.cluster.client.list(Event)).items
            return any(
                (each.involved_object.name, each.reason) == (about, reason) and words in each.message for each in events
            )

        await self.cluster.wait_until(f"there is an event {reason} about {about} with {words!r}", seen)

    @asynccontextmanager
    async def plugin(self, *versions: str, **options: Any) -> AsyncIterator[StandInPlugin]:
        """The driver's plugin, registered with the versions that it serves."""
        serves = versions or (self.api.version if self.api.version == "v1beta1" else "v1",)
        plugin = StandInPlugin(self.cluster.node_root(), name=DRIVER, serves=serves, **options)
        plugin.versions = ["v1.DRAResourceHealth" if each == "health" else f"{each}.DRAPlugin" for each in serves]
        async with plugin.running():
            await plugin.registered()
            yield plugin


@asynccontextmanager
async def world_of(release: Release) -> AsyncIterator[World]:
    """A cluster with a node and a class of devices."""
    timing = Timing(resync_seconds=1, retry_seconds=0.1)
    async with Cluster(nodes=(NODE,), kubernetes_version=release.name, timing=timing) as cluster:
        world = World(cluster, RESOURCE_APIS[release.structured_version])
        selectors = [{"cel": {"expression": f'device.driver == "{DRIVER}"'}}]
        await world.create(world.api.classes, "class", {"selectors": selectors})
        yield world

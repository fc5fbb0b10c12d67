"""A running scheduler of a release with structured DRA; tests are the users, the drivers and the other controllers."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import RESOURCE_APIS, ResourceApi
from fake_dra_driver.cluster.kinds import Condition, Node, Pod
from fake_dra_driver.cluster.releases import RELEASES
from fake_dra_driver.cluster.scheduler import make_scheduler
from tests.support.control_plane import ControlPlane, control_plane, ref

DRIVER = "driver.example.com"


class World:
    """The control plane, and what people and drivers do in it."""

    def __init__(self, plane: ControlPlane, api: ResourceApi) -> None:
        self.plane = plane
        self.api = api

    async def create(self, kind: type[Any], name: str, *, metadata: Any = None, **fields: Any) -> Any:
        """An object, whose fields are those of v1."""
        model: Any = next(base for base in kind.__mro__ if base.__module__ == v1.__name__)
        namespace = {"namespace": "default"} if kind.resource.namespaced else {}
        read = model.from_wire({"metadata": {"name": name, **namespace, **(metadata or {})}, **fields})
        return await self.plane.client.create(kind.model_validate(read.model_dump(exclude_unset=True)))

    async def device_class(self, name: str = "class", **spec: Any) -> None:
        """A class of all devices."""
        await self.create(self.api.classes, name, spec=spec)

    async def publish(self, node: str, *devices: Any) -> None:
        """What the driver has on a node: devices, or their names."""
        spec = {
            "driver": DRIVER,
            "nodeName": node,
            "pool": {"name": node, "generation": 1, "resourceSliceCount": 1},
            "devices": [{"name": each} if isinstance(each, str) else each for each in devices],
        }
        await self.create(self.api.slices, f"{node}-{len(devices)}", spec=spec)

    async def claim(self, name: str, *requests: Any, **devices: Any) -> v1.ResourceClaim:
        """A claim; without requests: for one device."""
        asked = list(requests) or [{"name": "req", "exactly": {"deviceClassName": "class"}}]
        created: v1.ResourceClaim = await self.create(
            self.api.claims, name, spec={"devices": {"requests": asked, **devices}}
        )
        return created

    async def pod(self, name: str, *claims: str, **spec: Any) -> Pod:
        """A pod with claims."""
        entries = [{"name": f"entry-{at}", "resourceClaimName": claim} for at, claim in enumerate(claims)]
        containers = [{"name": "main", "image": "busybox"}]
        return await self.plane.create(Pod, name, spec={"containers": containers, "resourceClaims": entries, **spec})

    # --- what has become of it ---

    def claim_now(self, name: str) -> v1.ResourceClaim:
        """A claim as the test's cache shows it."""
        return self.plane.get(self.api.claims, ref(name))

    def devices_of(self, claim: str) -> Sequence[tuple[str, str]]:
        """Request and device of each result."""
        allocation = self.claim_now(claim).status.allocation
        return [(each.request, each.device) for each in allocation.devices.results] if allocation is not None else []

    def node_of(self, pod: str) -> str:
        """Where a pod was bound; empty: nowhere yet."""
        return self.plane.get(Pod, ref(pod)).spec.node_name

    async def until_bound(self, pod: str) -> str:
        """Waits until a pod is bound, and returns where."""
        await self.plane.until(lambda: self.node_of(pod))
        return self.node_of(pod)

    async def until_refused(self, pod: str) -> Condition:
        """Waits until the scheduler says why a pod is not scheduled."""

        def refused() -> Condition | None:
            return self.plane.get(Pod, ref(pod)).condition("PodScheduled")

        await self.plane.until(refused)
        condition = refused()
        assert condition is not None
        return condition

    async def report(self, claim: str, device: str, **conditions: str) -> None:
        """What a driver says about a device of a claim."""
        found = await self.plane.client.get(self.api.claims, NamespacedName("default", claim))
        assert found.status.allocation is not None
        pool = found.status.allocation.devices.results[0].pool
        at = "2026-01-02T03:04:05Z"
        listed = [
            {"type": name, "status": status, "reason": "Told", "message": "by the driver", "lastTransitionTime": at}
            for name, status in conditions.items()
        ]
        entry = {"driver": DRIVER, "pool": pool, "device": device, "conditions": listed}
        await self.plane.patch(self.api.claims, found.key, {"status": {"devices": [entry]}}, "status")


@asynccontextmanager
async def world_of(version: str, nodes: Sequence[str] = ("node-a",), **gates: bool) -> AsyncIterator[World]:
    """A scheduler of that release, a class of all devices, and nodes."""
    release = RELEASES[version].with_gates(gates)
    api = RESOURCE_APIS[release.structured_version]
    make = {"default-scheduler": lambda plane, *parts: make_scheduler(*parts, release=release, now=plane.now)}
    kinds = (Node, Pod, api.claims, api.classes, api.slices)
    async with control_plane(make, kinds, kubernetes_version=version) as plane:
        world = World(plane, api)
        await world.device_class()
        for name in nodes:
            await plane.node(name)
        yield world


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """One node of the latest release."""
    async with world_of("1.37") as world:
        yield world

"""An API server with nodes, and the controllers that look after DeviceProfiles and DeviceFaults."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from fake_dra_driver.api.condition import ObjectCondition
from fake_dra_driver.api.devicefault import DeviceFault
from fake_dra_driver.api.deviceprofile import DeviceProfile, DeviceProfileStatus
from fake_dra_driver.api.fake import DRIVER_NAME, NodeAllocationState
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.cluster.kinds import CustomResourceDefinition, Namespace
from fake_dra_driver.driver.objectstatus.setup import ObjectStatus
from fake_dra_driver.runtime import Cache

__all__ = ["StatusWorld"]

CRDS = Path(__file__).parents[4] / "crds"
NAMESPACE = "fake-system"
MIDNIGHT = datetime(2026, 1, 2, tzinfo=UTC)
SOON_SECONDS = 0.9
"""For what is done at once, once changes have been collected."""


class StatusWorld:
    """What is there, and what is said of it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.server = ApiServer(seed=1, now=self.now, kubernetes_version="1.37")
        self.admin = self.server.client("admin")
        self.writes = 0
        """Of the controllers."""

    def now(self) -> datetime:
        # The API server asks in other threads, too.
        return MIDNIGHT + timedelta(seconds=self._loop.time())

    async def furnish(self) -> None:
        """Installs the driver's kinds that are looked at."""
        for kind in (DeviceFault, DeviceProfile, NodeAllocationState):
            path = CRDS / f"{kind.resource.group}_{kind.resource.plural}.yaml"
            await self.admin.create(CustomResourceDefinition.from_wire(yaml.safe_load(path.read_text())))
        await self.admin.create(Namespace.from_wire({"metadata": {"name": NAMESPACE}}))

    @asynccontextmanager
    async def controller(self, driver: str = DRIVER_NAME) -> AsyncIterator[ObjectStatus]:
        """One process, which leads."""
        client = self.server.client("controller")
        client.add_write_observer(self._count)
        cache = Cache(client)
        status = ObjectStatus(client, cache, driver, namespace=NAMESPACE, now=self.now)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(cache.run())]
            tasks += [group.create_task(controller.run()) for controller in status.controllers]
            await self.settle()
            yield status
            for task in tasks:
                task.cancel()

    def _count(self, *_: object) -> None:
        self.writes += 1

    async def settle(self) -> None:
        """Gives the controllers time for what they do at once."""
        await asyncio.sleep(SOON_SECONDS)

    async def node(self, name: str, *models: str, **labels: str) -> None:
        """A node with devices of these models."""
        await self.admin.create(Node.from_wire({"metadata": {"name": name, "labels": labels}}))
        devices = [{"fake": {"uuid": f"FAKE-{name}-{at}", "name": model}} for at, model in enumerate(models)]
        wire = {
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"allocatableDevice": devices},
            "status": "Ready",
        }
        await self.admin.create(NodeAllocationState.from_wire(wire))

    async def fault(self, name: str = "f", **spec: Any) -> None:
        """A DeviceFault; time enough has passed for what follows at once."""
        whole = {"effects": {"vanish": True}, **spec}
        await self.admin.create(DeviceFault.from_wire({"metadata": {"name": name}, "spec": whole}))
        await self.settle()

    async def plugin_says(self, node: str, **entry: Any) -> None:
        """What a plugin says about the fault ``f``."""
        status = {"nodes": [{"node": node, **entry}]}
        await self.admin.apply(
            DeviceFault,
            NamespacedName("", "f"),
            {"status": status},
            field_manager=node,
            force=True,
            subresource="status",
        )
        await self.settle()

    async def active(self, name: str = "f") -> tuple[str, str, str]:
        """Status, reason and message of the only condition of a fault."""
        fault = await self.admin.get(DeviceFault, NamespacedName("", name))
        assert fault.status is not None
        assert fault.status.observed_generation == fault.metadata.generation
        (condition,) = fault.status.conditions
        return condition.status, condition.reason, condition.message

    async def profile(self, name: str, **spec: Any) -> None:
        """A DeviceProfile; time enough has passed for what follows at once."""
        await self.admin.create(DeviceProfile.from_wire({"metadata": {"name": name}, "spec": spec}))
        await self.settle()

    async def judged(self, name: str) -> tuple[DeviceProfileStatus, Mapping[str, ObjectCondition]]:
        """What is said of a profile, and its conditions by their types."""
        profile = await self.admin.get(DeviceProfile, NamespacedName("", name))
        return profile.status, {each.type: each for each in profile.status.conditions}

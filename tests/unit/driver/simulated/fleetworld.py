"""A fleet of Nodes without plugins, on an API server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fake_dra_driver.api.devicefault import DeviceFault
from fake_dra_driver.api.deviceprofile import DeviceProfile
from fake_dra_driver.api.fake import DRIVER_NAME
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.driver.objectstatus.setup import ObjectStatus
from fake_dra_driver.driver.simulated.faults import FleetFaults
from fake_dra_driver.driver.simulated.faultstatus import FleetFaultStatus
from fake_dra_driver.driver.simulated.fleet import FleetDependencies, SimulatedFleet
from fake_dra_driver.driver.simulated.selector import SimulatedNodes, parse_selector
from fake_dra_driver.runtime import Cache
from tests.unit.driver.objectstatus.statusworld import NAMESPACE, StatusWorld

__all__ = ["KWOK", "FleetWorld"]

KWOK = {"kwok.x-k8s.io/node": "fake"}
SELECTED = SimulatedNodes(annotations=parse_selector("kwok.x-k8s.io/node=fake"), labels=parse_selector("mock=true"))


class FleetWorld(StatusWorld):
    """What there is, and what subscribers were told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []
        """Names of nodes, in order; ``news`` empties it."""
        self.served: set[str] = set()
        self.holders: dict[str, set[NamespacedName]] = {}

    @asynccontextmanager
    async def fleet(self, *, is_classic: bool = False) -> AsyncIterator[tuple[SimulatedFleet, FleetFaults]]:
        """One process, which leads."""
        client = self.server.client("controller")
        client.add_write_observer(self._count)
        cache = Cache(client)
        status = ObjectStatus(client, cache, DRIVER_NAME, namespace=NAMESPACE, now=self.now)
        others = FleetDependencies(self.served.__contains__, lambda _: self.holders, is_classic, self.now)
        fleet = SimulatedFleet(status.catalog, SELECTED, others)
        fault_status = FleetFaultStatus(client, status.catalog, fleet, others, status.judge_fault)
        faults = FleetFaults(fleet, status.catalog, fault_status, others)
        status.count_beside(fault_status.entries_of)
        fleet.subscribe(self.told.append)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(cache.run())]
            controllers = (*status.controllers, faults.controller, fault_status.controller)
            tasks += [group.create_task(controller.run()) for controller in controllers]
            await self.settle()
            yield fleet, faults
            for task in tasks:
                task.cancel()

    async def news(self) -> list[str]:
        """Names of the nodes of which subscribers were told since the last time, sorted."""
        await self.settle()
        found, self.told[:] = sorted(self.told), []
        return found

    async def bare_node(self, name: str, *, annotations: dict[str, str] = KWOK, **labels: str) -> None:
        """A Node, without a NodeAllocationState."""
        metadata = {"name": name, "labels": labels, "annotations": annotations}
        await self.admin.create(Node.from_wire({"metadata": metadata}))

    async def change_node(self, name: str, **metadata: Any) -> None:
        """Merges this into the metadata of a Node."""
        await self.admin.merge_patch(Node, NamespacedName("", name), {"metadata": metadata})

    async def change_profile(self, name: str, **spec: Any) -> None:
        """Merges this into the spec of a DeviceProfile."""
        await self.admin.merge_patch(DeviceProfile, NamespacedName("", name), {"spec": spec})

    async def fault_on(self, name: str = "f") -> dict[str, tuple[int, tuple[str, ...]]]:
        """By node: how many devices a fault hits, and which, as its status says."""
        found = await self.admin.get(DeviceFault, NamespacedName("", name))
        nodes = () if found.status is None else found.status.nodes
        return {entry.node: (entry.device_count, entry.devices) for entry in nodes}

"""What a plugin says of DeviceFaults beside the plugin of another driver on its node."""

import asyncio
from pathlib import Path

import pytest

from fake_dra_driver.api.devicefault import DeviceFault
from fake_dra_driver.api.fake import DRIVER_NAME
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.driver.fault.evaluation import FaultHit
from fake_dra_driver.driver.live.failurecounts import FailureCounts
from fake_dra_driver.driver.live.faultstatus import FaultStatusWriter
from fake_dra_driver.runtime import Cache
from tests.unit.driver.objectstatus.statusworld import StatusWorld

pytestmark = pytest.mark.looptime(noop_cycles=1)

NODE = "node-0"
OTHER_DRIVER = "other.example.com"


async def test_only_the_driver_that_is_meant_says_what_a_fault_does(tmp_path: Path) -> None:
    world = StatusWorld()
    await world.furnish()
    cache = Cache(world.server.client("plugin"))
    faults = cache.informer(DeviceFault)
    drivers = (DRIVER_NAME, OTHER_DRIVER)
    clients = {driver: world.server.client(driver) for driver in drivers}
    writes = []
    clients[OTHER_DRIVER].add_write_observer(lambda *write: writes.append(write))
    writers = {
        driver: FaultStatusWriter(clients[driver], faults, NODE, driver, FailureCounts(tmp_path / driver), world.now)
        for driver in drivers
    }
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(cache.run())]
        tasks += [group.create_task(writer.controller.run()) for writer in writers.values()]
        await world.fault()
        writers[DRIVER_NAME].report({"f": FaultHit(("fake-0",))})
        await asyncio.sleep(30)
        for task in tasks:
            task.cancel()
    found = await world.admin.get(DeviceFault, NamespacedName("", "f"))
    assert found.status is not None
    assert [(entry.node, entry.devices) for entry in found.status.nodes] == [(NODE, ("fake-0",))]
    assert writes == []

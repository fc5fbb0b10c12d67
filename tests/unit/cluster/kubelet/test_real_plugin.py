"""The kubelet with this project's plugin parts in the place of the stand-in: sockets, both gRPC versions, CDI files."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from fake_dra_driver.device.inventory import make_inventory
from fake_dra_driver.dra.node.cdi import CdiFolder
from fake_dra_driver.dra.node.classic import ClassicClaim
from fake_dra_driver.dra.node.driver import ReadyDevice
from fake_dra_driver.dra.node.files import DiskFiles
from fake_dra_driver.dra.node.interface import CLASSIC
from fake_dra_driver.dra.node.kubeletplugin import KubeletPlugin
from fake_dra_driver.dra.node.pluginsockets import PluginSockets
from fake_dra_driver.dra.node.prepared import PreparedClaim
from fake_dra_driver.driver.node.prepared import FakePreparedDevice
from fake_dra_driver.driver.node.preparedmodel import FakePreparedModel
from tests.unit.cluster.kubelet.waiting import until
from tests.unit.cluster.kubelet.world import DRIVER, FOREVER, NODE, World, container, pod

DEVICES = make_inventory(NODE, 8, ["MODEL"])


class _Driver:
    """Gives a claim the devices whose numbers its handle names, and writes their CDI file."""

    def __init__(self, root: Path) -> None:
        self._model = FakePreparedModel(NODE)
        self._cdi = CdiFolder(DiskFiles(), root / "var/run/cdi", self._model)
        self.prepared: set[str] = set()

    async def start(self) -> None:
        await self._cdi.write_common()

    async def prepare(self, claim: ClassicClaim) -> Sequence[ReadyDevice]:
        chosen = [DEVICES[int(number)] for number in claim.resource_handle.split(",")]
        devices = tuple(FakePreparedDevice(device.uuid, device.model) for device in chosen)
        prepared = PreparedClaim(claim.uid, claim.namespace, claim.name, devices)
        await self._cdi.write(prepared)
        self.prepared.add(claim.name)
        return [ReadyDevice(NODE, "all", tuple(self._model.device_names(prepared)))]

    async def unprepare(self, claim: ClassicClaim) -> None:
        await self._cdi.remove(claim.uid)
        self.prepared.discard(claim.name)


@contextlib.asynccontextmanager
async def running_plugin(world: World, driver: _Driver) -> AsyncIterator[KubeletPlugin[ClassicClaim]]:
    folder = world.root / "var/lib/kubelet"
    sockets = PluginSockets.of(DRIVER, registry_folder=folder / "plugins_registry", plugins_folder=folder / "plugins")
    plugin = KubeletPlugin(DRIVER, sockets, CLASSIC, driver, start=driver.start)
    task = asyncio.create_task(plugin.run())
    try:
        yield plugin
    finally:
        task.cancel()
        await asyncio.wait((task,))


@pytest.mark.parametrize("release", ["1.27", "1.30"])
async def test_claims_reach_containers_through_the_projects_own_plugin(world: World, release: str) -> None:
    await world.start(kubernetes_version=release)
    driver = _Driver(world.root)
    async with running_plugin(world, driver) as plugin:
        await until(lambda: plugin.not_ready_reason() is None)
        created = await world.create(pod("pod0", container(f"export; echo done; {FOREVER}"), claims=["one", "two"]))
        await world.allocate("one", created, handles={DRIVER: "3"})
        await world.allocate("two", created, handles={DRIVER: "5,6"})
        await world.until_ready("pod0")
        log = await world.log_until("pod0", "done\n")
        assert f"export FAKE_NODE_NAME='{NODE}'" in log
        # Both claims define FAKE_DEVICE_0: the later wins.
        assert f"export FAKE_DEVICE_0='{DEVICES[5].uuid}'" in log
        assert f"export FAKE_DEVICE_1='{DEVICES[6].uuid}'" in log
        assert f"_DEVICE_0='{DEVICES[3].uuid}'" in log
        assert driver.prepared == {"one", "two"}
        await world.delete("pod0")
        await world.until_gone("pod0")
        assert driver.prepared == set()
        assert len(list((world.root / "var/run/cdi").iterdir())) == 1
    await until(lambda: world.kubelet.plugins.drivers() == [])

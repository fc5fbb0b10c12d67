"""The mock devices of a node, for the kubelet plugin."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from typing_extensions import override

from fake_dra_driver.api.fake import AllocatedDevices, NodeAllocationState
from fake_dra_driver.device.inventory import Device, make_inventory
from fake_dra_driver.dra import DriverNames
from fake_dra_driver.dra.nodestate import Restore
from fake_dra_driver.dra.program import REASONS, NodeAccess, PluginDevices, run_kubelet_plugin
from fake_dra_driver.dra.structured import PoolDevices
from fake_dra_driver.driver.classic.helddevices import FakeHeldDevices
from fake_dra_driver.driver.live.devices import MockDevices
from fake_dra_driver.driver.live.livenode import LiveNode
from fake_dra_driver.driver.names import names_of
from fake_dra_driver.driver.node.planning import FakePlanner
from fake_dra_driver.driver.node.prepared import FakePreparedClaim, FakePreparedDevice
from fake_dra_driver.driver.node.preparedmodel import FakePreparedModel
from fake_dra_driver.driver.node.published import restored_by
from fake_dra_driver.driver.profile.fakes import fake_node
from fake_dra_driver.driver.programs.settings import KubeletPluginSettings
from fake_dra_driver.driver.reason import MOCK_REASONS
from fake_dra_driver.driver.statelayout import FakeStateLayout

__all__ = ["run"]

CLAIM_FILES: Final = "claim-files"
"""In the plugin's folder, which container runtimes see under the same path."""

Prepared = Callable[[], Mapping[str, FakePreparedClaim]]


class FakeDevices(PluginDevices[NodeAllocationState, Device, AllocatedDevices, FakePreparedDevice]):
    """They are what a DeviceProfile says, or what the settings say where none is for the node.

    Args:
        node: its name.
        devices: those that it has by the settings.
        names: of the driver.
        plugin_dir: the plugin's folder.
    """

    reasons = (*REASONS, *MOCK_REASONS)

    def __init__(self, node: str, devices: Sequence[Device], names: DriverNames, plugin_dir: Path) -> None:
        self.names = names
        self.layout = FakeStateLayout()
        self._node = LiveNode(fake_node(node, devices))
        self.live = self._devices = MockDevices(self._node, names.driver, plugin_dir)
        calls = self._devices.faults.calls
        self.model = FakePreparedModel(node, names, files_folder=plugin_dir / CLAIM_FILES, calls=calls)

    @override
    async def connect(self, access: NodeAccess[FakePreparedDevice]) -> None:
        await self._devices.connect(access)

    @override
    def inventory(self) -> Sequence[Device]:
        return self._node.devices

    @override
    def restore(self, prepared: Prepared) -> Restore[NodeAllocationState, FakePreparedDevice]:
        return restored_by(self._planner(prepared))

    @override
    def held(self, prepared: Prepared) -> FakeHeldDevices:
        return FakeHeldDevices(self._planner(prepared))

    @override
    def pool(self, prepared: Prepared) -> PoolDevices[FakePreparedDevice]:
        from fake_dra_driver.driver.structured.pool import FakePool

        return FakePool(self._node, self._planner(prepared), self.names.driver)

    @override
    def annotations(self) -> Mapping[str, str]:
        return self._devices.annotations()

    @override
    def is_withheld(self) -> bool:
        return self._node.effects.deregistered

    @override
    def doing(self, claim_uid: str) -> str:
        return self._devices.faults.calls.doing(claim_uid)

    def _planner(self, prepared: Prepared) -> FakePlanner:
        return FakePlanner(lambda: self._node.present, prepared)


async def run(settings: KubeletPluginSettings) -> int:
    """Serves the mock devices of a node. Returns the exit status."""
    devices = make_inventory(settings.node_name, settings.device_count, settings.device_models)
    names = names_of(settings.driver_name)
    return await run_kubelet_plugin(settings, FakeDevices(settings.node_name, devices, names, settings.plugin_dir))

"""The devices of an author's driver, for the kubelet plugin."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from typing_extensions import override

from fake_dra_driver.dra.driver.calls import AuthorCalls
from fake_dra_driver.dra.driver.device import Device
from fake_dra_driver.dra.driver.driver import Driver
from fake_dra_driver.dra.driver.helddevices import DriverHeldDevices
from fake_dra_driver.dra.driver.inventory import DriverStartError, Inventory
from fake_dra_driver.dra.driver.node import DriverPreparedModel
from fake_dra_driver.dra.driver.prepared import DriverPreparedDevice
from fake_dra_driver.dra.driver.state import DriverStateLayout
from fake_dra_driver.dra.drivernames import DriverNames
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.driver import PrepareError
from fake_dra_driver.dra.node.prepared import PreparedClaim
from fake_dra_driver.dra.node.reason import BAD_DEVICES
from fake_dra_driver.dra.nodestate.kind import ClaimEntry, NodeState
from fake_dra_driver.dra.nodestate.published import Restore
from fake_dra_driver.dra.program.kubeletplugin import PluginDevices
from fake_dra_driver.dra.program.reasons import REASONS
from fake_dra_driver.dra.program.settings import KubeletPluginSettings
from fake_dra_driver.dra.structured.pooldevices import PoolDevices

__all__ = ["DriverDevices"]

Prepared = Callable[[], Mapping[str, PreparedClaim[DriverPreparedDevice]]]


class DriverDevices(PluginDevices[NodeState, Device, ClaimEntry, DriverPreparedDevice]):
    """They may change at any time.

    Args:
        driver: of the author.
        settings: of the program, with those that the author has added.
    """

    def __init__(self, driver: Driver[Any], settings: KubeletPluginSettings) -> None:
        self._driver = driver
        self._settings = settings
        self._node = settings.node_name
        self._calls = AuthorCalls(driver)
        self.names = DriverNames.of(driver.name)
        self.reasons = (*REASONS, BAD_DEVICES)
        self.layout = DriverStateLayout(driver.name)
        self.live = self._inventory = Inventory(self._calls, self._node)
        self.model = DriverPreparedModel(self._calls, self.names, self._inventory.get)

    @override
    async def start(self) -> None:
        if isinstance(self._settings, self._driver.settings or ()):
            try:
                await self._calls.configure(self._settings)
            except PrepareError as error:
                raise DriverStartError(str(error)) from error
        await self._inventory.start()

    @override
    def inventory(self) -> Sequence[Device]:
        return self._inventory.devices

    @override
    def restore(self, prepared: Prepared) -> Restore[NodeState, DriverPreparedDevice]:
        def restore(claim: NodeClaim, state: NodeState) -> Sequence[DriverPreparedDevice]:
            return self.layout.restored(claim.uid, state)

        return restore

    @override
    def held(self, prepared: Prepared) -> DriverHeldDevices:
        return DriverHeldDevices(self._node, self._inventory.get, prepared)

    @override
    def pool(self, prepared: Prepared) -> PoolDevices[DriverPreparedDevice]:
        from fake_dra_driver.dra.driver.structured import DriverPool
        from fake_dra_driver.dra.driver.structuredconfig import DriverConfigs

        return DriverPool(self.names.driver, self._node, self._inventory, DriverConfigs(self._calls))

    @override
    def doing(self, claim_uid: str) -> str:
        return self._calls.doing(claim_uid)

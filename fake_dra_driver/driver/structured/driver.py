"""The Fake devices behind the controller's seam of structured DRA."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from typing_extensions import override

from fake_dra_driver.api.fake import AllocatedDevices, NodeAllocationState
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.dra.structured import AllocatedClaim, EntryMaker, StructuredDriver
from fake_dra_driver.driver.names import NAMES
from fake_dra_driver.driver.profile.containers import FAKE_CLAIM_PARAMETERS
from fake_dra_driver.driver.statelayout import FakeStateLayout
from fake_dra_driver.driver.structured.entry import entry_of
from fake_dra_driver.driver.structured.inventory import devices_by_name
from fake_dra_driver.driver.structured.parameters import Kinds, MockConfigs, claims_of
from fake_dra_driver.driver.structured.wanted import wanted_devices

__all__ = ["FakeStructuredDriver"]


class FakeStructuredDriver(StructuredDriver[NodeAllocationState, Device, AllocatedDevices]):
    """Devices of a node are those that its NodeAllocationState lists.

    Args:
        driver: name of the driver.
        kinds: of configuration, those that are accepted on any node.
    """

    layout = FakeStateLayout()

    def __init__(self, driver: str = NAMES.driver, kinds: Kinds = lambda: (FAKE_CLAIM_PARAMETERS,)) -> None:
        self._configs = MockConfigs(driver, kinds)
        self.check = self._configs.check
        self.claims = claims_of(driver)

    @override
    def entry_maker(self, inventory: Sequence[Device]) -> EntryMaker[AllocatedDevices]:
        return partial(entry_of, devices=devices_by_name(inventory), configs=self._configs)

    @override
    def check_allocation(self, allocated: AllocatedClaim, inventory: Sequence[Device]) -> None:
        # The object of a node does not tell the types of its devices; the node itself compares them.
        devices = {name: replace(device, type="") for name, device in devices_by_name(inventory).items()}
        wanted_devices(allocated, devices, self._configs)

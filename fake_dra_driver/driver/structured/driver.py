"""The Fake devices behind the controller's seam of structured DRA."""

from collections.abc import Sequence
from functools import partial

from typing_extensions import override

from fake_dra_driver.api.fake import AllocatedDevices, NodeAllocationState
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.dra.structured import AllocatedClaim, EntryMaker, StructuredDriver
from fake_dra_driver.driver.names import NAMES
from fake_dra_driver.driver.statelayout import FakeStateLayout
from fake_dra_driver.driver.structured.entry import entry_of
from fake_dra_driver.driver.structured.inventory import devices_by_name
from fake_dra_driver.driver.structured.parameters import claims_of, config_check
from fake_dra_driver.driver.structured.wanted import wanted_devices

__all__ = ["FakeStructuredDriver"]


class FakeStructuredDriver(StructuredDriver[NodeAllocationState, Device, AllocatedDevices]):
    """Devices of a node are named after their places in its inventory.

    Args:
        driver: name of the driver.
    """

    layout = FakeStateLayout()

    def __init__(self, driver: str = NAMES.driver) -> None:
        self.check = config_check(driver)
        self.claims = claims_of(driver)

    @override
    def entry_maker(self, inventory: Sequence[Device]) -> EntryMaker[AllocatedDevices]:
        return partial(entry_of, devices=devices_by_name(inventory))

    @override
    def check_allocation(self, allocated: AllocatedClaim, inventory: Sequence[Device]) -> None:
        wanted_devices(allocated, devices_by_name(inventory))

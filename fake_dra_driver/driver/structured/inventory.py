"""The devices of a node under the names that structured DRA has for them. They are one pool, of the node's name."""

from collections.abc import Mapping, Sequence

from fake_dra_driver.device.inventory import Device
from fake_dra_driver.driver.profile.fakes import device_name

__all__ = ["devices_by_name"]


def devices_by_name(inventory: Sequence[Device]) -> Mapping[str, Device]:
    """The devices of a node, as its NodeAllocationState lists them, under the names that allocations have for them."""
    return {device.name or device_name(index): device for index, device in enumerate(inventory)}

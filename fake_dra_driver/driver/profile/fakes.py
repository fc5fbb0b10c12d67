"""The devices of a node that no DeviceProfile describes: those of the quickstart, as the program's settings have them.

A device is named after its place in the inventory. That is as stable as its UUID, which is a function of the same two
things, node and place.
"""

from collections.abc import Sequence
from typing import Final

from fake_dra_driver import __version__
from fake_dra_driver.api.resource import v1
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.driver.profile.containers import FAKE_CLAIM_PARAMETERS
from fake_dra_driver.driver.profile.mocknode import MockDevice, MockNode, ProfileName

__all__ = ["device_name", "fake_node"]

DEVICE_PREFIX: Final = "fake-"


def device_name(index: int) -> str:
    """The name of the device at this place of the inventory: ``fake-0``, ``fake-1`` and so on."""
    return f"{DEVICE_PREFIX}{index}"


def fake_node(node: str, inventory: Sequence[Device]) -> MockNode:
    """A node with these devices, in their order: that is the order in which they are allocated."""
    return MockNode(
        node,
        ProfileName(),
        tuple(MockDevice(device, _published(index, device), index=index) for index, device in enumerate(inventory)),
        configs=(FAKE_CLAIM_PARAMETERS,),
    )


def _published(index: int, device: Device) -> v1.Device:
    return v1.Device(
        name=device_name(index),
        attributes={
            "driverVersion": v1.DeviceAttribute(version=__version__),
            "index": v1.DeviceAttribute(int_value=index),
            "model": v1.DeviceAttribute(string=device.model),
            "type": v1.DeviceAttribute(string=device.type),
            "uuid": v1.DeviceAttribute(string=device.uuid),
        },
    )

"""The devices of a node as structured DRA has them: under which names, and with which attributes for selectors.

A node's devices are one pool, which has the name of the node. A device is named after its place in the inventory. That
is as stable as its UUID, which is a function of the same two things, node and place.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from fake_dra_driver import __version__
from fake_dra_driver.api.resource import v1
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.dra import DeviceHealth, Health

__all__ = ["device_name", "devices_by_name", "healthy_devices", "slice_devices"]

DEVICE_PREFIX: Final = "fake-"


def device_name(index: int) -> str:
    """The name of the device at this place of the inventory: ``fake-0``, ``fake-1`` and so on."""
    return f"{DEVICE_PREFIX}{index}"


def devices_by_name(inventory: Sequence[Device]) -> Mapping[str, Device]:
    """The devices of a node under the names that allocations have for them."""
    return {device_name(index): device for index, device in enumerate(inventory)}


def slice_devices(inventory: Sequence[Device]) -> tuple[v1.Device, ...]:
    """The devices of a node for its ResourceSlices, in their order: that is the order in which they are allocated."""
    return tuple(
        v1.Device(
            name=device_name(index),
            attributes={
                "driverVersion": v1.DeviceAttribute(version=__version__),
                "index": v1.DeviceAttribute(int_value=index),
                "model": v1.DeviceAttribute(string=device.model),
                "type": v1.DeviceAttribute(string=device.type),
                "uuid": v1.DeviceAttribute(string=device.uuid),
            },
        )
        for index, device in enumerate(inventory)
    )


def healthy_devices(node: str, inventory: Sequence[Device], since: datetime) -> tuple[DeviceHealth, ...]:
    """What the kubelet is told about the devices of a node: nothing is ever wrong with them."""
    return tuple(DeviceHealth(node, device_name(index), Health.HEALTHY, since=since) for index in range(len(inventory)))

"""The Fake devices of a node behind the node's seam of structured DRA."""

from collections.abc import Mapping, Sequence
from typing import Any

from typing_extensions import override

from fake_dra_driver.api.resource import v1
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.dra import DeviceHealth
from fake_dra_driver.dra.structured import AllocatedClaim, PoolDevices
from fake_dra_driver.driver.node.planning import FakePlanner
from fake_dra_driver.driver.node.prepared import FakePreparedClaim, FakePreparedDevice
from fake_dra_driver.driver.structured.inventory import devices_by_name, healthy_devices, slice_devices
from fake_dra_driver.driver.structured.wanted import wanted_devices
from fake_dra_driver.runtime import utc_now

__all__ = ["FakePool"]


class FakePool(PoolDevices[FakePreparedDevice]):
    """The devices are what they are for as long as the plugin runs.

    Args:
        node: its name.
        inventory: its devices.
        planner: of the same node.
    """

    def __init__(self, node: str, inventory: Sequence[Device], planner: FakePlanner) -> None:
        self._devices = devices_by_name(inventory)
        self._slice_devices = slice_devices(inventory)
        self._attributes = {device.name: device.attributes for device in self._slice_devices}
        self._health = healthy_devices(node, inventory, utc_now())
        self._planner = planner

    @override
    def slice_devices(self) -> Sequence[v1.Device]:
        return self._slice_devices

    @override
    def health(self) -> Sequence[DeviceHealth]:
        return self._health

    @override
    def attributes(self, name: str) -> Mapping[str, v1.DeviceAttribute]:
        return self._attributes.get(name, {})

    @override
    def key_of(self, name: str) -> str | None:
        device = self._devices.get(name)
        return None if device is None else device.uuid

    @override
    def prepared(self, allocated: AllocatedClaim, before: FakePreparedClaim | None) -> Sequence[FakePreparedDevice]:
        own = {} if before is None else _devices_of(before)
        return self._planner.devices(allocated.identity, wanted_devices(allocated, {**own, **self._devices}))

    @override
    def status_data(self, devices: Sequence[FakePreparedDevice]) -> Mapping[str, Any]:
        # In the words of the node's NodeAllocationState and of the CRDs.
        first = devices[0]
        data = {"uuid": first.key, "model": first.model}
        return data if first.parent_uuid is None else {**data, "children": [device.uuid for device in devices]}


def _devices_of(prepared: FakePreparedClaim) -> Mapping[str, Device]:
    """The whole devices of a prepared claim, by the names that its allocation has for them."""
    return {
        device.result.device: Device(device.key, device.model)
        for device in prepared.devices
        if device.result is not None
    }

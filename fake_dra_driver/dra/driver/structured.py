"""The devices of any driver behind the seams of structured DRA (Kubernetes 1.32 and later).

``DriverPool`` is the node's, ``DriverStructured`` the controller's. What their admission webhook checks is the
``check`` of ``structuredconfig.DriverConfigs``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Generic, Protocol

from typing_extensions import override

from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.driver.allocated import ConfigT
from fake_dra_driver.dra.driver.device import Device
from fake_dra_driver.dra.driver.prepared import DriverPreparedDevice, prepared_device
from fake_dra_driver.dra.driver.slicedevices import attribute_values, slice_device
from fake_dra_driver.dra.driver.state import DriverStateLayout, claim_entry
from fake_dra_driver.dra.driver.structuredconfig import Choice, DriverConfigs
from fake_dra_driver.dra.node.deviceerror import DeviceMissingError
from fake_dra_driver.dra.node.health import DeviceHealth, Health
from fake_dra_driver.dra.node.prepared import PreparedClaim
from fake_dra_driver.dra.nodestate.kind import ClaimEntry, NodeState
from fake_dra_driver.dra.structured.claims import AllocatedClaim, request_result
from fake_dra_driver.dra.structured.controllerdriver import EntryMaker, StructuredDriver
from fake_dra_driver.dra.structured.featuregates import DroppedFields
from fake_dra_driver.dra.structured.pooldevices import PoolDevices
from fake_dra_driver.dra.structured.waiting import DriverClaims
from fake_dra_driver.runtime.clock import utc_now

__all__ = ["DriverPool", "DriverStructured", "NodeInventory"]

_TAINTS: Final = "devices[].taints"


class NodeInventory(Protocol):
    """What is needed of ``inventory.Inventory``."""

    @property
    def devices(self) -> Sequence[Device]:
        """In the order in which they are to be taken."""
        ...

    def get(self, name: str) -> Device | None:
        """The device of that name; None when the node does not have it."""
        ...


class DriverPool(PoolDevices[DriverPreparedDevice], Generic[ConfigT]):
    """The devices of one node, as they are at each moment.

    Args:
        driver: its name.
        node: the name of the node.
        inventory: the devices of the node.
        configs: reads what claims say about them.
        now: the time, for the health of devices.
    """

    def __init__(
        self,
        driver: str,
        node: str,
        inventory: NodeInventory,
        configs: DriverConfigs[ConfigT],
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._driver = driver
        self._node = node
        self._inventory = inventory
        self._configs = configs
        self._now = now
        self._health: Mapping[str, DeviceHealth] = {}
        """By device: what was last said."""
        self._has_taints = True
        """Whether the API server keeps taints, as far as is known."""

    @override
    def slice_devices(self) -> Sequence[v1.Device]:
        devices = self._inventory.devices
        if not self._has_taints:
            # Nothing else keeps new claims from a device that is not healthy. Those that have it keep it: an allocation
            # stays when the device is in no slice any more.
            devices = tuple(device for device in devices if device.health is Health.HEALTHY)
        return [slice_device(self._driver, device) for device in devices]

    @override
    def fields_dropped(self, dropped: DroppedFields) -> bool:
        had_taints, self._has_taints = self._has_taints, self._has_taints and _TAINTS not in dropped.fields
        return had_taints is not self._has_taints

    @override
    def health(self) -> Sequence[DeviceHealth]:
        self._health = {device.name: self._health_of(device) for device in self._inventory.devices}
        return tuple(self._health.values())

    @override
    def attributes(self, name: str) -> Mapping[str, v1.DeviceAttribute]:
        device = self._inventory.get(name)
        return {} if device is None else attribute_values(device)

    @override
    def key_of(self, name: str) -> str:
        return name

    @override
    def prepared(
        self, allocated: AllocatedClaim, before: PreparedClaim[DriverPreparedDevice] | None
    ) -> Sequence[DriverPreparedDevice]:
        allocated.check_for_repeats()
        choices = self._configs.choices(allocated)
        own = set() if before is None else {_share(device) for device in before.devices}
        new = [choice for choice in choices if (choice.result.device, choice.result.share_id) not in own]
        for choice in new:
            if self._inventory.get(choice.result.device) is None:
                raise DeviceMissingError(
                    f"claim {allocated.claim.key}: this node has no device {choice.result.device}, which was allocated "
                    f"for request {choice.result.request}; it may have been removed since"
                )
        self._configs.check_fit(allocated, new, self._inventory.get)
        return _prepared(choices)

    @override
    def status_data(self, devices: Sequence[DriverPreparedDevice]) -> Mapping[str, Any]:
        (device,) = devices  # a result is one device of a claim
        found = self._inventory.get(device.name)
        data: dict[str, Any] = {}
        if found is not None and found.attributes:
            data["attributes"] = dict(found.attributes)
        if device.capacity:
            data["capacity"] = dict(device.capacity)
        return data

    def _health_of(self, device: Device) -> DeviceHealth:
        before = self._health.get(device.name)
        if before is not None and (before.health, before.message) == (device.health, device.message):
            return before
        return DeviceHealth(self._node, device.name, device.health, since=self._now(), message=device.message)


class DriverStructured(StructuredDriver[NodeState, Device, ClaimEntry], Generic[ConfigT]):
    """What the controller shows of claims, and checks.

    Args:
        configs: reads what claims say.
        layout: of the objects of nodes.
    """

    def __init__(self, configs: DriverConfigs[ConfigT], layout: DriverStateLayout) -> None:
        self._configs = configs
        self.check = configs.check
        # The chart's own class has the name of the driver.
        self.claims = DriverClaims(configs.check.driver, (configs.check.driver,))
        self.layout = layout

    @override
    def entry_maker(self, inventory: Sequence[Device]) -> EntryMaker[ClaimEntry]:
        return lambda allocated: claim_entry(_prepared(self._configs.shown(allocated)))

    @override
    def check_allocation(self, allocated: AllocatedClaim, inventory: Sequence[Device]) -> None:
        devices = {device.name: device for device in inventory}
        self._configs.check_fit(allocated, self._configs.choices(allocated), devices.get)


def _prepared(choices: Iterable[Choice[ConfigT]]) -> Sequence[DriverPreparedDevice]:
    return [
        prepared_device(
            choice.result.device, index, choice.config, choice.result.consumed_capacity, request_result(choice.result)
        )
        for index, choice in enumerate(choices)
    ]


def _share(device: DriverPreparedDevice) -> tuple[str, str | None]:
    return device.name, None if device.result is None else device.result.share_id

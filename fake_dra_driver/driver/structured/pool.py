"""The mock devices of a node behind the node's seam of structured DRA: as its profile has them, with their faults."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from typing_extensions import override

from fake_dra_driver.api.resource import v1
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.dra import DeviceHealth, Health
from fake_dra_driver.dra.structured import AllocatedClaim, DroppedFields, PoolDevices, request_result
from fake_dra_driver.driver.fault.effects import HealthFault
from fake_dra_driver.driver.fault.offer import offered_devices
from fake_dra_driver.driver.live.source import MockNodeSource
from fake_dra_driver.driver.names import NAMES
from fake_dra_driver.driver.node.planning import FakePlanner
from fake_dra_driver.driver.node.prepared import FakePreparedClaim, FakePreparedDevice
from fake_dra_driver.driver.profile.mocknode import MockDevice, MockNode
from fake_dra_driver.driver.structured.parameters import MockConfigs
from fake_dra_driver.driver.structured.wanted import wanted_devices
from fake_dra_driver.runtime import utc_now

__all__ = ["FakePool"]

_HEALTHY: Final = HealthFault(Health.HEALTHY)
_CONSUMPTION: Final = "devices[].consumesCounters"


class FakePool(PoolDevices[FakePreparedDevice]):
    """What is asked at one time is answered for that time.

    Args:
        source: the devices, and what is wrong with them.
        planner: of the same node.
        driver: its name.
        now: the wall clock.
    """

    def __init__(
        self,
        source: MockNodeSource,
        planner: FakePlanner,
        driver: str = NAMES.driver,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._source = source
        self._planner = planner
        self._configs = MockConfigs(driver, lambda: source.current.configs)
        self._now = now
        self._is_counted = True
        """Whether the API server keeps what devices use up in common."""
        self._health: dict[str, tuple[HealthFault, datetime]] = {}
        """By device: how it was when it was last asked, and since when."""
        self._read: MockNode | None = None
        self._by_name: Mapping[str, MockDevice] = {}
        """The devices of ``_read``, by name."""

    @override
    def slice_devices(self) -> Sequence[v1.Device]:
        self._take_over()
        return offered_devices(self._source.current, self._source.effects, with_counters=self._is_counted)

    @override
    def counter_sets(self) -> Sequence[v1.CounterSet]:
        self._take_over()
        return self._source.current.counter_sets if self._is_counted else ()

    @override
    def fields_dropped(self, dropped: DroppedFields) -> bool:
        # Without them the scheduler would give away a device together with its parts.
        if _CONSUMPTION not in dropped.fields or not self._is_counted:
            return False
        self._is_counted = False
        self._source.leave_out_parts()
        return any(device.parent for device in self._source.current.devices)

    @override
    def health(self) -> Sequence[DeviceHealth]:
        node, now, before = self._source.current.node, self._now(), self._health
        self._health = {}
        for device in self._present():
            state, since = before.get(device.name, (None, now))
            current = self._source.effects.health.get(device.name, _HEALTHY)
            self._health[device.name] = (current, since if state == current else now)
        return [
            DeviceHealth(node, name, fault.health, since=since, message=fault.message)
            for name, (fault, since) in self._health.items()
        ]

    @override
    def trouble(self, devices: Sequence[FakePreparedDevice]) -> v1.StatusCondition | None:
        name = next((device.result.device for device in devices if device.result is not None), "")
        there = self._devices().get(name)
        if there is None or there.device.uuid != devices[0].key:
            return _not_ready("Removed", "the node's profile does not have the device any more")
        if name in self._source.effects.vanished:
            return _not_ready("Vanished", "the device has vanished from its node")
        fault = self._source.effects.health.get(name, _HEALTHY)
        if fault.health is Health.UNHEALTHY:
            return _not_ready("Unhealthy", fault.message or "the device is unhealthy")
        return None

    @override
    def attributes(self, name: str) -> Mapping[str, v1.DeviceAttribute]:
        device = self._devices().get(name)
        return {} if device is None else device.published.attributes

    @override
    def key_of(self, name: str) -> str | None:
        device = self._devices().get(name)
        return None if device is None or name in self._source.effects.vanished else device.device.uuid

    @override
    def prepared(self, allocated: AllocatedClaim, before: FakePreparedClaim | None) -> Sequence[FakePreparedDevice]:
        if before is not None and _holds_exactly(before, allocated):
            # Its configuration is not read again: the profile may have another schema by now, or not list the kind.
            return list(before.devices)
        there = {device.name: device.device for device in self._present()}
        # Another profile may have another device of the same name.
        own = {} if before is None else _devices_of(before)
        return self._planner.devices(allocated.identity, wanted_devices(allocated, {**there, **own}, self._configs))

    @override
    def status_data(self, devices: Sequence[FakePreparedDevice]) -> Mapping[str, Any]:
        # In the words of the node's NodeAllocationState and of the CRDs.
        first = devices[0]
        data = {"uuid": first.key, "model": first.model}
        return data if first.parent_uuid is None else {**data, "children": [device.uuid for device in devices]}

    def _devices(self) -> Mapping[str, MockDevice]:
        """By name, those that have vanished included."""
        self._take_over()
        return self._by_name

    def _take_over(self) -> None:
        """Another state of the node is looked at, and offered, as a whole: gates may be on that were off before."""
        if self._read is not self._source.current:
            self._read = self._source.current
            self._is_counted = True
            self._by_name = {device.name: device for device in self._read.devices}

    def _present(self) -> Sequence[MockDevice]:
        vanished = self._source.effects.vanished
        return [device for name, device in self._devices().items() if name not in vanished]


def _not_ready(reason: str, message: str) -> v1.StatusCondition:
    return v1.StatusCondition(type="Ready", status="False", reason=reason, message=message)


def _holds_exactly(prepared: FakePreparedClaim, allocated: AllocatedClaim) -> bool:
    """Whether a claim is prepared with what it holds, in this order."""
    results = dict.fromkeys(device.result for device in prepared.devices)
    return list(results) == [request_result(result) for result in allocated.results]


def _devices_of(prepared: FakePreparedClaim) -> Mapping[str, Device]:
    """The whole devices of a prepared claim, by the names that its allocation has for them."""
    return {
        device.result.device: Device(device.key, device.model, type="")
        for device in prepared.devices
        if device.result is not None
    }

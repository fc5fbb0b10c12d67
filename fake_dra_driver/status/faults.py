"""What DeviceFaults do to the devices of a driver, as their status says.

They are not in every cluster, and not for everybody to read: a report is possible without.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from fake_dra_driver.api.devicefault import ACTIVE, CallEffect, DeviceFault, Effects, FaultOnNode, duration_of
from fake_dra_driver.naturalorder import natural_order
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.status.report import FaultOnNodeReport, FaultReport

__all__ = ["FAULTS_HIDDEN", "Availability", "Faults", "NodeFaults", "fault_report"]

Availability = Literal["readable", "hidden", "absent"]
"""Whether objects of a kind can be read, must not be, or cannot be as there is no such kind."""

FAULTS_HIDDEN: Final = (
    "DeviceFault objects may not be listed, so it is not known which devices fail on purpose: see Permissions in "
    "docs/status.md"
)


@dataclass(frozen=True, slots=True)
class NodeFaults:
    """What faults do on one node."""

    names: tuple[str, ...]
    """Of the faults that hit devices of the node at the moment."""
    by_device: Mapping[str, tuple[str, ...]]
    """By name of each device, as far as the status of faults names devices: the faults that hit it."""
    health: Mapping[str, str]
    """By name of a device that is not healthy: how it is, and what is wrong with it."""


class Faults:
    """Answers from a cache.

    Args:
        informer: of DeviceFaults; None where they are not read.
        driver: the driver whose faults count.
        is_hidden: whether they are not read because that is not allowed.
    """

    def __init__(self, informer: Informer[DeviceFault] | None, driver: str, *, is_hidden: bool = False) -> None:
        self.informer = informer
        self._driver = driver
        self.notes = (FAULTS_HIDDEN,) if is_hidden else ()

    @classmethod
    def of(cls, cache: Cache, driver: str, availability: Availability) -> "Faults":
        """Asks ``cache`` for what is needed."""
        if availability == "readable":
            return cls(cache.informer(DeviceFault), driver)
        return cls(None, driver, is_hidden=availability == "hidden")

    def reports(self) -> Sequence[FaultReport]:
        """All faults of the driver, by name."""
        return [fault_report(fault) for fault in self._list()]

    def on(self, node: str) -> NodeFaults:
        """What faults do on a node."""
        names: list[str] = []
        by_device: dict[str, list[str]] = {}
        health: dict[str, str] = {}
        for fault in self._list():
            for found in _hits(fault):
                if found.node != node:
                    continue
                names.append(fault.metadata.name)
                for device in found.devices:
                    by_device.setdefault(device, []).append(fault.metadata.name)
                    if effect := fault.spec.effects.health:
                        health.setdefault(device, _said(effect.state, effect.message))
        return NodeFaults(tuple(names), {name: tuple(found) for name, found in by_device.items()}, health)

    def _list(self) -> Sequence[DeviceFault]:
        found = [] if self.informer is None else self.informer.list()
        ours = [fault for fault in found if fault.spec.driver_name == self._driver]
        return sorted(ours, key=lambda fault: natural_order(fault.metadata.name))


def _hits(fault: DeviceFault) -> Iterator[FaultOnNode]:
    """The nodes on which it hits devices at the moment."""
    for found in fault.status.nodes if fault.status is not None else ():
        if found.device_count:
            yield found


def fault_report(fault: DeviceFault) -> FaultReport:
    """What a fault does, as its status says."""
    status, created = fault.status, fault.metadata.creation_timestamp
    conditions = () if status is None else status.conditions
    active = next((condition for condition in conditions if condition.type == ACTIVE), None)
    until = created + duration_of(fault.spec.duration) if created is not None and fault.spec.duration else None
    return FaultReport(
        name=fault.metadata.name,
        effects=tuple(_effects(fault.spec.effects)),
        reason="" if active is None else active.reason,
        message="" if active is None else active.message,
        since=created,
        until=until,
        nodes=tuple(
            FaultOnNodeReport(
                name=found.node,
                devices=found.devices,
                device_count=found.device_count,
                since=found.since,
                failed_calls=found.times,
                message=found.message,
            )
            for found in sorted(status.nodes if status is not None else (), key=lambda each: natural_order(each.node))
        ),
    )


def _effects(effects: Effects) -> Iterator[str]:
    """Each effect in some words."""
    if health := effects.health:
        yield _said(health.state, health.message)
    if taint := effects.taint:
        yield f"taint {taint.key}{f'={taint.value}' if taint.value else ''}:{taint.effect}"
    if effects.vanish:
        yield "vanished"
    for name, call in (("preparing", effects.prepare), ("unpreparing", effects.unprepare)):
        if call is not None:
            yield from _call(name, call)
    if binding := effects.binding:
        if binding.failure is not None:
            yield _said("binding fails", binding.failure)
        if binding.delay_seconds is not None:
            yield f"binding takes {binding.delay_seconds:g} s longer"
    if effects.slices_lost:
        yield "ResourceSlices lost"
    if effects.deregister:
        yield "plugin not registered"


def _call(name: str, call: CallEffect) -> Iterator[str]:
    if call.fail is not None:
        often = "" if call.fail.times is None else f" {call.fail.times} times" if call.fail.times > 1 else " once"
        yield _said(f"{name} fails{often}", call.fail.message)
    if call.delay_seconds is not None:
        yield f"{name} takes {call.delay_seconds:g} s longer"


def _said(what: str, message: str | None) -> str:
    return f"{what} ({message})" if message else what

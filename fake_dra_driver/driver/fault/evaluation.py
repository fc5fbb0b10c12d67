"""What all DeviceFaults together do to a node at a moment, and when that changes by itself. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from fake_dra_driver.api.devicefault import CallEffect, DeviceFault, HealthEffect, TaintEffect, duration_of
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.dra import Health
from fake_dra_driver.driver.fault.effects import BindingFault, CallFault, FaultEffects, HealthFault
from fake_dra_driver.driver.fault.randomfailures import FailureTimes
from fake_dra_driver.driver.fault.target import Place, find_devices, is_about_node

if TYPE_CHECKING:
    from fake_dra_driver.api.resource import v1

__all__ = ["Evaluation", "FaultHit", "effects_of", "end_of", "is_about"]

_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""For an object that no API server has seen."""
_HEALTH: Final = {"Unhealthy": Health.UNHEALTHY, "Unknown": Health.UNKNOWN}
_WORST_FIRST: Final = (Health.UNHEALTHY, Health.UNKNOWN, Health.HEALTHY)


@dataclass(frozen=True, slots=True)
class FaultHit:
    """What one fault does to a node."""

    devices: tuple[str, ...] = ()
    """Those that it hits at this moment."""
    whole_node: bool = False
    """Whether it hits the node's plugin or slices."""
    problem: str = ""
    """What is wrong with the fault itself."""

    @property
    def does_something(self) -> bool:
        """Whether anything is hit."""
        return self.whole_node or bool(self.devices)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The state of a node."""

    effects: FaultEffects
    hits: Mapping[str, FaultHit]
    """By name of the fault: of all that are about the node and have not ended, also those that hit nothing now."""
    next_change: datetime | None
    """When this has to be looked at again, if no object changes before; None: not at all."""


def effects_of(faults: Iterable[DeviceFault], place: Place, now: datetime) -> Evaluation:
    """What is wrong with a node at this moment."""
    merged = _Merged()
    hits: dict[str, FaultHit] = {}
    changes: list[datetime] = []
    for fault in sorted(faults, key=lambda each: (_start_of(each), each.metadata.name)):
        if not is_about(fault, place.driver, place.node.node, place.labels) or _has_ended(fault, now):
            continue
        if (end := end_of(fault)) is not None:
            changes.append(end)
        hit, change = _hit(fault, place, now, merged)
        hits[fault.metadata.name] = hit
        changes += [] if change is None else [change]
    return Evaluation(merged.effects(), hits, min(changes, default=None))


def end_of(fault: DeviceFault) -> datetime | None:
    """When it ends by itself; None: it does not."""
    return None if fault.spec.duration is None else _start_of(fault) + duration_of(fault.spec.duration)


def is_about(fault: DeviceFault, driver: str, node: str, labels: Mapping[str, str]) -> bool:
    """Whether a fault may hit devices of a driver's node."""
    return fault.spec.driver_name == driver and not fault.is_deleting and is_about_node(fault.spec.target, node, labels)


def _start_of(fault: DeviceFault) -> datetime:
    return fault.metadata.creation_timestamp or _LONG_AGO


def _has_ended(fault: DeviceFault, now: datetime) -> bool:
    end = end_of(fault)
    return end is not None and now >= end


def _hit(fault: DeviceFault, place: Place, now: datetime, merged: "_Merged") -> tuple[FaultHit, datetime | None]:
    found = find_devices(fault.spec.target, place)
    is_failed = _Failures(fault, place.node.node, now)
    devices = tuple(name for name in found.devices if is_failed(name))
    effects, target = fault.spec.effects, fault.spec.target
    if effects.health is not None:
        merged.add_health(devices, effects.health, fault)
    if effects.taint is not None:
        merged.add_taint(devices, effects.taint)
    if effects.vanish:
        merged.vanished.update(devices)
    claim = None if target.claim is None else NamespacedName(target.claim.namespace, target.claim.name)
    called = devices if claim is None else tuple(name for name in found.any_claim if is_failed(name))
    for calls, effect in ((merged.prepare, effects.prepare), (merged.unprepare, effects.unprepare)):
        if effect is not None:
            _add_calls(calls, called, _call_fault(effect, fault, claim))
    if effects.binding is not None:
        merged.add_binding(devices, fault)
    if effects.prepare is not None and found.called:
        # The claim does not hold them while its calls fail, and is hit all the same.
        hit = {*devices, *filter(is_failed, found.called)}
        devices = tuple(name for name in found.any_claim if name in hit)
    of_node = effects.slices_lost or effects.deregister
    whole_node = of_node and bool(found.devices or not _names_devices(fault)) and is_failed("")
    merged.slices_lost |= whole_node and effects.slices_lost
    merged.deregistered |= whole_node and effects.deregister
    return FaultHit(devices, whole_node, found.problem), is_failed.next_change


def _names_devices(fault: DeviceFault) -> bool:
    target = fault.spec.target
    return bool(target.devices or target.models or target.claim or target.cel)


class _Failures:
    """Which devices are failed, of those that a fault means: all, or those whose turn it is by chance."""

    def __init__(self, fault: DeviceFault, node: str, now: datetime) -> None:
        chance = fault.spec.random
        self._times = None
        if chance is not None:
            self._times = FailureTimes(
                chance.seed,
                _start_of(fault),
                duration_of(chance.mean_time_between_failures),
                duration_of(chance.mean_time_to_repair),
            )
        self._node = node
        self._now = now
        self.next_change: datetime | None = None
        """When this changes for one of those that were asked for."""

    def __call__(self, device: str) -> bool:
        """Whether it is failed. An empty name stands for the node itself."""
        if self._times is None:
            return True
        state = self._times.state(self._node, device, self._now)
        self.next_change = state.until if self.next_change is None else min(self.next_change, state.until)
        return state.failed


class _Merged:
    """What faults do together: of two that say different things of a device, what is worse; of two alike, the older."""

    def __init__(self) -> None:
        self._health: dict[str, HealthFault] = {}
        self._taints: defaultdict[str, dict[tuple[str, str], v1.DeviceTaint]] = defaultdict(dict)
        self._binding: dict[str, BindingFault] = {}
        self.vanished: set[str] = set()
        self.prepare: defaultdict[str, list[CallFault]] = defaultdict(list)
        self.unprepare: defaultdict[str, list[CallFault]] = defaultdict(list)
        self.slices_lost = False
        self.deregistered = False

    def add_health(self, devices: Iterable[str], effect: HealthEffect, fault: DeviceFault) -> None:
        found = HealthFault(_HEALTH[effect.state], effect.message or f"DeviceFault {fault.metadata.name}")
        for name in devices:
            before = self._health.setdefault(name, found)
            if _WORST_FIRST.index(found.health) < _WORST_FIRST.index(before.health):
                self._health[name] = found

    def add_taint(self, devices: Iterable[str], effect: TaintEffect) -> None:
        # Only where there are taints: in classic DRA a node does without these models.
        from fake_dra_driver.api.resource import v1

        taint = v1.DeviceTaint(key=effect.key, value=effect.value, effect=effect.effect)
        for name in devices:
            self._taints[name].setdefault((effect.key, effect.effect), taint)

    def add_binding(self, devices: Iterable[str], fault: DeviceFault) -> None:
        effect = fault.spec.effects.binding
        if effect is None:
            return
        found = BindingFault(fault.metadata.name, effect.delay_seconds or 0.0, effect.failure or "")
        for name in devices:
            before = self._binding.setdefault(name, found)
            if found.failure and not before.failure:
                self._binding[name] = found

    def effects(self) -> FaultEffects:
        return FaultEffects(
            health=self._health,
            taints={name: tuple(taints.values()) for name, taints in self._taints.items()},
            vanished=frozenset(self.vanished),
            prepare={name: tuple(calls) for name, calls in self.prepare.items()},
            unprepare={name: tuple(calls) for name, calls in self.unprepare.items()},
            binding=self._binding,
            slices_lost=self.slices_lost,
            deregistered=self.deregistered,
        )


def _add_calls(calls: defaultdict[str, list[CallFault]], devices: Iterable[str], call: CallFault) -> None:
    for name in devices:
        calls[name].append(call)


def _call_fault(effect: CallEffect, fault: DeviceFault, claim: NamespacedName | None) -> CallFault:
    return CallFault(
        fault=fault.metadata.name,
        uid=fault.uid,
        message="" if effect.fail is None else effect.fail.message,
        times=None if effect.fail is None else effect.fail.times,
        delay_seconds=effect.delay_seconds or 0.0,
        claim=claim,
    )

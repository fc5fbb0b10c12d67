"""Devices in the form in which decisions look at them: read from a slice once, and kept as long as that stays."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple
from weakref import WeakValueDictionary

from fake_dra_driver.allocation.behaviour import Behaviour
from fake_dra_driver.allocation.capacity import CapacityError, CapacityRequest, Demand, demand_on
from fake_dra_driver.allocation.identity import DeviceId
from fake_dra_driver.allocation.selectors import CelCostError, CelError, DeviceView, Selector
from fake_dra_driver.api.resource.v1 import Device, DeviceAttribute, DeviceTaint, DeviceTaintRule, ResourceSlice
from fake_dra_driver.quantity import Quantity

__all__ = ["AppliedTaint", "Candidate", "CandidateReader", "CounterName", "Kind"]

_REPELLING: Final = frozenset({"NoSchedule", "NoExecute"})
"""Effects that keep claims away. ``None`` does not, and effects of the future are ignored."""


_MAX_REMEMBERED: Final = 100
"""Of expressions and amounts for each kind of devices. Most clusters have a few dozen; programs can write a number into
each claim."""


class CounterName(NamedTuple):
    """A counter of a pool."""

    counter_set: str
    counter: str


class AppliedTaint(NamedTuple):
    """A taint of a device that may keep claims away."""

    taint: DeviceTaint
    rule: str | None
    """The DeviceTaintRule that it comes from; None: the slice has it."""


class Kind:
    """What equal devices of a driver have in common: everything that selectors and requests for capacity look at.

    What was found out about one of them holds for all, and is found out once.
    """

    __slots__ = ("__weakref__", "_demands", "_device", "_driver", "_verdicts", "_view")

    def __init__(self, driver: str, device: Device) -> None:
        """Nothing is found out yet.

        Args:
            driver: whose devices these are.
            device: one of them.
        """
        self._driver = driver
        self._device = device
        self._view: DeviceView | None = None
        self._verdicts: dict[str, bool | CelError | CelCostError] = {}
        self._demands: dict[CapacityRequest, Demand | CapacityError] = {}

    def verdict_of(self, selector: Selector, spend: Callable[[int], None]) -> bool | CelError | CelCostError:
        """Whether the selector holds, or why it cannot be evaluated; ``spend`` is told what it cost to find out."""
        verdict = self._verdicts.get(selector.expression)
        if verdict is None:
            if len(self._verdicts) >= _MAX_REMEMBERED:
                self._verdicts.clear()
            verdict = self._verdicts[selector.expression] = self._evaluate(selector, spend)
        return verdict

    def demand_of(self, asked: CapacityRequest, behaviour: Behaviour) -> Demand | CapacityError:
        """What a request consumes of such a device, or why that cannot be reckoned."""
        demand = self._demands.get(asked)
        if demand is None:
            try:
                demand = demand_on(self._device.capacity, asked, behaviour)
            except CapacityError as error:
                demand = error.with_traceback(None)
            if len(self._demands) >= _MAX_REMEMBERED:
                self._demands.clear()
            self._demands[asked] = demand
        return demand

    def _evaluate(self, selector: Selector, spend: Callable[[int], None]) -> bool | CelError | CelCostError:
        try:
            if self._view is None:
                self._view = DeviceView(self._driver, self._device)
            return selector.accepts(self._view, spend)
        except (CelError, CelCostError) as error:
            # Kept for long: without the frames of the evaluation.
            return error.with_traceback(None)


class Candidate:
    """A device that can be tried."""

    __slots__ = ("consumes", "device", "id", "kind", "resource_slice", "taints")

    def __init__(
        self, resource_slice: ResourceSlice, device: Device, kind: Kind, taints: tuple[AppliedTaint, ...]
    ) -> None:
        spec = resource_slice.spec
        self.id = DeviceId(spec.driver, spec.pool.name, device.name)
        self.device = device
        self.resource_slice = resource_slice
        self.kind = kind
        self.taints = taints
        self.consumes = _consumption(device)

    @property
    def is_shareable(self) -> bool:
        """Whether several claims may have it at a time, if the feature is on."""
        return bool(self.device.allow_multiple_allocations)


class CandidateReader:
    """Reads devices from slices, and finds those that are of one kind."""

    def __init__(self) -> None:
        """Knows no kinds yet."""
        self._kinds: WeakValueDictionary[object, Kind] = WeakValueDictionary()
        """Of the devices that there are."""

    def read(self, resource_slice: ResourceSlice, rules: Iterable[DeviceTaintRule]) -> tuple[Candidate, ...]:
        """The devices of a slice, in their order, with the taints that these rules give them."""
        spec = resource_slice.spec
        fitting = tuple(rules)
        return tuple(
            Candidate(
                resource_slice,
                device,
                self._kind_of(spec.driver, device),
                _taints(spec.driver, spec.pool.name, device, fitting),
            )
            for device in spec.devices
        )

    def _kind_of(self, driver: str, device: Device) -> Kind:
        key = (
            driver,
            bool(device.allow_multiple_allocations),
            tuple((name, *_values_of(each)) for name, each in device.attributes.items()),
            tuple(
                (name, each.value, None if each.request_policy is None else repr(each.request_policy))
                for name, each in device.capacity.items()
            ),
        )
        kind = self._kinds.get(key)
        if kind is None:
            kind = self._kinds[key] = Kind(driver, device)
        return kind


def _values_of(attribute: DeviceAttribute) -> tuple[object, ...]:
    lists = (attribute.ints, attribute.bools, attribute.strings, attribute.versions)
    return (attribute.int_value, attribute.bool_value, attribute.string, attribute.version, *lists)


def _taints(driver: str, pool: str, device: Device, rules: tuple[DeviceTaintRule, ...]) -> tuple[AppliedTaint, ...]:
    own = (AppliedTaint(taint, None) for taint in device.taints)
    given = (
        AppliedTaint(rule.spec.taint, rule.metadata.name)
        for rule in rules
        if rule.spec.applies_to(driver, pool, device.name)
    )
    return tuple(each for each in (*own, *given) if each.taint.effect in _REPELLING)


def _consumption(device: Device) -> Mapping[CounterName, Quantity]:
    found: dict[CounterName, Quantity] = {}
    for consumption in device.consumes_counters:
        for counter, amount in consumption.counters.items():
            name, needed = CounterName(consumption.counter_set, counter), Quantity.parse(amount.value)
            before = found.get(name)
            found[name] = needed if before is None else Quantity(before.nanos + needed.nanos, needed.form)
    return found

"""What a request consumes of a device's capacities, and whether that is left.

Follows consumable_capacity.go of k8s.io/dynamic-resource-allocation (KEP-5075). A request policy rounds what is asked
for up to what can be had. Of a device that is for one claim alone nothing is consumed, but it has to be large enough.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from fake_dra_driver.allocation.behaviour import Behaviour
from fake_dra_driver.api.resource.v1 import CapacityRequestPolicyRange, DeviceCapacity
from fake_dra_driver.quantity import Quantity

__all__ = ["CapacityError", "CapacityRequest", "Demand", "demand_on"]

CapacityRequest = frozenset[tuple[str, Quantity]]
"""How much is asked for, by name of the capacity."""

_NANOS: Final = 10**9
_MILLI: Final = 10**6
_MAX_INT64: Final = 2**63 - 1
_UNREPRESENTABLE: Final = "capacity request cannot be represented in the device's range arithmetic"


class CapacityError(ValueError):
    """The amount cannot be reckoned with; a scheduler aborts the pod's cycle."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a request consumes of each capacity of a device, by name in alphabetical order."""

    consumed: Mapping[str, Quantity]
    totals: Mapping[str, Quantity]
    """What the device has."""
    unknown: str | None
    """A capacity that is asked for, and that the device does not have."""
    refused: str | None
    """A capacity of which as much cannot be had, as its policy says."""
    fits_alone: bool
    """Whether the device has enough for one."""

    def find_short(self, consumed: Iterable[Mapping[str, int]]) -> str | None:
        """The first capacity of which not enough is left after what others have consumed, in billionths."""
        others = list(consumed)
        for name, amount in self.consumed.items():
            if amount.nanos + sum(each.get(name, 0) for each in others) > self.totals[name].nanos:
                return name
        return None


def demand_on(capacities: Mapping[str, DeviceCapacity], asked: CapacityRequest, behaviour: Behaviour) -> Demand:
    """What a request consumes of a device.

    Args:
        capacities: those of the device.
        asked: what the request asks for.
        behaviour: that of the release.

    Raises CapacityError.
    """
    wanted = dict(asked)
    totals = {name: Quantity.parse(capacities[name].value) for name in sorted(capacities)}
    if unknown := sorted(wanted.keys() - capacities.keys()):
        return Demand({}, totals, unknown[0], None, fits_alone=False)
    consumed = {name: _consumed(name, wanted.get(name), capacities[name], behaviour) for name in totals}
    refused = next((name for name in totals if _violates_policy(consumed[name], capacities[name], behaviour)), None)
    fits_alone = all(amount.nanos <= totals[name].nanos for name, amount in consumed.items())
    return Demand(consumed, totals, None, refused, fits_alone=fits_alone)


def _consumed(name: str, asked: Quantity | None, capacity: DeviceCapacity, behaviour: Behaviour) -> Quantity:
    policy = capacity.request_policy
    if asked is None:
        amount = Quantity.parse(capacity.value if policy is None or policy.default is None else policy.default)
    elif policy is None:
        amount = asked
    elif policy.valid_range is not None and policy.valid_range.min is not None:
        amount = _rounded_up(name, asked, policy.valid_range, behaviour)
    else:
        values = map(Quantity.parse, policy.valid_values)
        amount = next((value for value in values if asked.nanos <= value.nanos), asked)
    if amount.nanos < 0:
        raise CapacityError(f'capacity "{name}": capacity value is negative')
    return amount


def _rounded_up(name: str, asked: Quantity, valid: CapacityRequestPolicyRange, behaviour: Behaviour) -> Quantity:
    lowest = Quantity.parse(valid.min or "0")
    if asked.nanos < lowest.nanos:
        return lowest
    if valid.step is None:
        return asked
    step = Quantity.parse(valid.step)
    unit = _unit(valid, behaviour)
    if unit == _MILLI and (asked.nanos % _MILLI or asked.nanos // _MILLI > _MAX_INT64):
        raise CapacityError(
            f'capacity "{name}": {_UNREPRESENTABLE}: request {asked} is not a representable milli value'
        )
    if unit == _NANOS and asked.nanos > _MAX_INT64 * _NANOS:
        raise CapacityError(f'capacity "{name}": {_UNREPRESENTABLE}: request {asked} exceeds MaxInt64')
    first, width = _units(lowest, unit), _units(step, unit)
    rounded = first - (first - _units(asked, unit)) // width * width
    if rounded > _MAX_INT64:
        passes = "passes the milli-value range" if unit == _MILLI else "passes MaxInt64"
        raise CapacityError(
            f'capacity "{name}": {_UNREPRESENTABLE}: rounding request {asked} up to the next step {passes}'
        )
    return Quantity(rounded * unit, "binary" if behaviour.binary_amounts else step.form)


def _violates_policy(amount: Quantity, capacity: DeviceCapacity, behaviour: Behaviour) -> bool:
    policy = capacity.request_policy
    if policy is None or (policy.default is not None and amount == Quantity.parse(policy.default)):
        return False
    valid = policy.valid_range
    if valid is None:
        return bool(policy.valid_values) and amount.nanos not in [
            Quantity.parse(each).nanos for each in policy.valid_values
        ]
    if valid.max is not None and amount.nanos > Quantity.parse(valid.max).nanos:
        return True
    if valid.step is None:
        return False
    unit = _unit(valid, behaviour)
    if unit == _MILLI and amount.nanos % _MILLI:
        return True
    above = _units(amount, unit) - _units(Quantity.parse(valid.min or "0"), unit)
    return above % _units(Quantity.parse(valid.step), unit) != 0


def _unit(valid: CapacityRequestPolicyRange, behaviour: Behaviour) -> int:
    """In what the steps of a range are counted: thousandths where the feature is on and all its figures are such."""
    figures = [Quantity.parse(each).nanos for each in (valid.min, valid.max, valid.step) if each is not None]
    fit = all(each % _MILLI == 0 and each // _MILLI <= _MAX_INT64 for each in figures)
    return _MILLI if behaviour.fractional_capacity and fit else _NANOS


def _units(amount: Quantity, unit: int) -> int:
    """In whole units, rounded up as Quantity.Value and Quantity.MilliValue do."""
    return -(-amount.nanos // unit)

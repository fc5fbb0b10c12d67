"""What an API server would refuse of a request policy: how much of a capacity one claim may consume.

Follows validateRequestPolicy of pkg/apis/resource/validation, Kubernetes 1.37.
"""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Final

from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.fieldlimits import quantity_problems, repeated
from fake_dra_driver.quantity import Quantity

__all__ = ["policy_problems"]

_MAX_VALUES: Final = 10
"""CapacityRequestPolicyDiscreteMaxOptions."""


def policy_problems(path: str, capacity: v1.DeviceCapacity, policy: v1.CapacityRequestPolicy) -> Iterator[str]:
    """What is wrong with the policy of a capacity, each as its field and what is allowed."""
    within = policy.valid_range
    if policy.valid_values and within is not None:
        yield f"{path}: validValues or validRange, not both"
        return
    wrong = [*_unreadable(path, policy)]
    yield from wrong
    if wrong or [*quantity_problems("", capacity.value)] or not (policy.valid_values or within):
        return
    if policy.default is None:
        yield f"{path}.default: must be set where validValues or validRange is"
    elif within is None:
        yield from _value_problems(f"{path}.validValues", policy.default, policy.valid_values, capacity.value)
    else:
        yield from _range_problems(path, policy.default, within, capacity.value)


def _unreadable(path: str, policy: v1.CapacityRequestPolicy) -> Iterator[str]:
    within = policy.valid_range or v1.CapacityRequestPolicyRange()
    amounts = {
        "default": policy.default,
        **{f"validValues[{number}]": value for number, value in enumerate(policy.valid_values)},
        **{f"validRange.{name}": value for name, value in _ends(within).items()},
    }
    for name, amount in amounts.items():
        if amount is not None:
            yield from quantity_problems(f"{path}.{name}", amount)


def _ends(within: v1.CapacityRequestPolicyRange) -> Mapping[str, str | None]:
    return {"min": within.min, "max": within.max, "step": within.step}


def _value_problems(path: str, default: str, values: tuple[str, ...], most: str) -> Iterator[str]:
    if len(values) > _MAX_VALUES:
        yield f"{path}: at most {_MAX_VALUES}, are {len(values)}"
    for number, (one, other) in enumerate(pairwise(values), 1):
        if _nanos(one) > _nanos(other):
            yield f"{path}[{number}]: must not be less than the one before, {one}, is {other}"
    for value in repeated(str(Quantity.parse(value)) for value in values):
        yield f"{path}: {value} is there twice"
    for number, value in enumerate(values):
        if _nanos(value) > _nanos(most):
            yield f"{path}[{number}]: at most what the device has, {most}, is {value}"
    if _nanos(default) not in map(_nanos, values):
        yield f"{path}: the default, {default}, must be one of them"


def _range_problems(path: str, default: str, within: v1.CapacityRequestPolicyRange, most: str) -> Iterator[str]:
    if within.min is None:
        yield f"{path}.validRange.min: must be set"
        return
    for name, amount in (("min", within.min), ("max", within.max)):
        if amount is not None and _nanos(amount) > _nanos(most):
            yield f"{path}.validRange.{name}: at most what the device has, {most}, is {amount}"
    if within.max is not None and _nanos(within.min) > _nanos(within.max):
        yield f"{path}.validRange.max: at least min, {within.min}, is {within.max}"
    if _nanos(default) < _nanos(within.min):
        yield f"{path}.default: at least min, {within.min}, is {default}"
    if within.max is not None and _nanos(default) > _nanos(within.max):
        yield f"{path}.default: at most max, {within.max}, is {default}"
    if within.step is not None:
        if _nanos(within.min) + _nanos(within.step) > _nanos(most):
            yield f"{path}.validRange.step: min and one step are at most what the device has, {most}, is {within.step}"
        yield from _step_problems(path, {"default": default, "validRange.max": within.max}, within.min, within.step)


def _step_problems(path: str, amounts: Mapping[str, str | None], least: str, step: str) -> Iterator[str]:
    if _nanos(step) <= 0:
        yield f"{path}.validRange.step: must be more than 0, is {step}"
        return
    for name, amount in amounts.items():
        if amount is not None and (_nanos(amount) - _nanos(least)) % _nanos(step):
            yield f"{path}.{name}: must be min, {least}, and a whole number of steps of {step}, is {amount}"


def _nanos(amount: str) -> int:
    return Quantity.parse(amount).nanos

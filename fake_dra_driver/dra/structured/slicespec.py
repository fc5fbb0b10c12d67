"""When two specs of ResourceSlices say the same, though they are not written alike.

An API server writes quantities in their canonical form, and adds to each taint the second in which it first saw it. A
publisher that did not know would write the slice at every start, and each write would begin the taint's time again,
after which pods are evicted. Everything else is compared as it is, fields that the model does not know included: an
edit is an edit.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from fake_dra_driver.api.resource import v1
from fake_dra_driver.quantity import QuantityError, canonical

__all__ = ["at_generation", "in_words_of", "says"]

_ROUNDING: Final = timedelta(seconds=1)
"""Times are stored in whole seconds."""


def says(there: v1.ResourceSliceSpec, wanted: v1.ResourceSliceSpec) -> bool:
    """Whether a slice says what is wanted, whatever its generation."""
    return at_generation(in_words_of(wanted, there), there.pool.generation) == there


def at_generation(spec: v1.ResourceSliceSpec, generation: int) -> v1.ResourceSliceSpec:
    """The same spec in another generation of its pool."""
    return spec.model_copy(update={"pool": spec.pool.model_copy(update={"generation": generation})})


def in_words_of(wanted: v1.ResourceSliceSpec, there: v1.ResourceSliceSpec) -> v1.ResourceSliceSpec:
    """``wanted``, but written as ``there`` is where that means the same."""
    known = {device.name: device for device in there.devices}
    sets = {one.name: one.counters for one in there.shared_counters}
    parts: dict[str, Any] = {
        "devices": tuple(_device(one, known[one.name]) if one.name in known else one for one in wanted.devices),
        "shared_counters": tuple(
            one.model_copy(update={"counters": _amounts(one.counters, sets.get(one.name, {}))})
            for one in wanted.shared_counters
        ),
    }
    # Only what is not empty is set: a slice has devices or counters, and an empty list counts as one that it has.
    return wanted.model_copy(update={name: part for name, part in parts.items() if part})


def _device(wanted: v1.Device, there: v1.Device) -> v1.Device:
    if wanted == there:
        return there
    consumed = {one.counter_set: one.counters for one in there.consumes_counters}
    parts: dict[str, Any] = {
        "capacity": {
            name: _capacity(value, there.capacity[name]) if name in there.capacity else value
            for name, value in wanted.capacity.items()
        },
        "consumes_counters": tuple(
            one.model_copy(update={"counters": _amounts(one.counters, consumed.get(one.counter_set, {}))})
            for one in wanted.consumes_counters
        ),
        "taints": tuple(_taint(taint, there.taints) for taint in wanted.taints),
        "node_allocatable_resources": {
            name: _node_resource(value, there.node_allocatable_resources.get(name))
            for name, value in wanted.node_allocatable_resources.items()
        },
    }
    return wanted.model_copy(update={name: part for name, part in parts.items() if part})


def _capacity(wanted: v1.DeviceCapacity, there: v1.DeviceCapacity) -> v1.DeviceCapacity:
    policy = wanted.request_policy
    if policy is not None and there.request_policy is not None:
        policy = v1.CapacityRequestPolicy.model_validate(_in_amounts(policy.to_wire(), there.request_policy.to_wire()))
    value = _amount(wanted.value, there.value)
    return wanted.model_copy(update={"value": value, **({} if policy is None else {"request_policy": policy})})


def _node_resource(
    wanted: v1.NodeAllocatableResource, there: v1.NodeAllocatableResource | None
) -> v1.NodeAllocatableResource:
    if there is None or wanted == there:
        return wanted
    return v1.NodeAllocatableResource.model_validate(_in_amounts(wanted.to_wire(), there.to_wire()))


def _in_amounts(wanted: Any, there: Any) -> Any:
    """A value in which every text is a quantity, or a name that cannot be taken for one."""
    if isinstance(wanted, Mapping) and isinstance(there, Mapping):
        return {name: _in_amounts(value, there.get(name)) for name, value in wanted.items()}
    if _is_list(wanted) and _is_list(there) and len(wanted) == len(there):
        return [_in_amounts(one, other) for one, other in zip(wanted, there, strict=True)]
    return _amount(wanted, there) if isinstance(wanted, str) and isinstance(there, str) else wanted


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _amounts(wanted: Mapping[str, v1.Counter], there: Mapping[str, v1.Counter]) -> dict[str, v1.Counter]:
    return {
        name: one.model_copy(update={"value": _amount(one.value, there[name].value)}) if name in there else one
        for name, one in wanted.items()
    }


def _amount(wanted: str, there: str) -> str:
    try:
        return there if wanted == there or canonical(wanted) == canonical(there) else wanted
    except QuantityError:
        return wanted


def _taint(wanted: v1.DeviceTaint, there: Sequence[v1.DeviceTaint]) -> v1.DeviceTaint:
    """The taint with the time that it has there, if that is the same taint."""
    for taint in there:
        same = (taint.key, taint.value, taint.effect) == (wanted.key, wanted.value, wanted.effect)
        if same and taint.time_added is not None and _is_close(wanted, taint):
            return wanted.model_copy(update={"time_added": taint.time_added})
    return wanted


def _is_close(wanted: v1.DeviceTaint, there: v1.DeviceTaint) -> bool:
    if wanted.time_added is None or there.time_added is None:
        return True
    return abs(wanted.time_added - there.time_added) <= _ROUNDING

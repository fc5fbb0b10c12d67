"""What an API server or a scheduler would refuse of a pool, found before anything of it is sent.

Follows pkg/apis/resource/validation of 1.37 and, for what concerns a whole pool, validation.go of the resource slice
controller of k8s.io/dynamic-resource-allocation. A pool that is half sent and half refused would never be complete, and
what the scheduler finds wrong with a pool, such as a counter set that does not exist, it reports nowhere.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.fieldlimits import (
    MAX_ATTRIBUTES_AND_CAPACITIES,
    MAX_TAINTS,
    domain_problems,
    int_problems,
    label_name_problems,
    label_problems,
    label_value_problems,
    qualified_name_problems,
    quantity_problems,
    repeated,
    slashed_name_problems,
    text_problems,
    version_problems,
)
from fake_dra_driver.dra.structured.policylimits import policy_problems
from fake_dra_driver.dra.structured.pool import Pool, PoolError
from fake_dra_driver.quantity import Quantity

__all__ = [
    "check_pools",
    "counter_set_problems",
    "counter_sets_problems",
    "device_problems",
    "problems_beside_parts",
    "problems_in_pool",
]

_MAX_COUNTERS: Final = 32
"""ResourceSliceMaxCountersPerCounterSet, ResourceSliceMaxCountersPerDeviceCounterConsumption."""
_MAX_CONSUMPTIONS: Final = 2
"""ResourceSliceMaxDeviceCounterConsumptionsPerDevice."""
_MAX_CONDITIONS: Final = 4
"""BindingConditionsMaxSize, BindingFailureConditionsMaxSize."""
_MAX_ATTRIBUTE_VALUES: Final = 48
"""ResourceSliceMaxAttributeValuesPerDevice."""
_NODE_RESOURCES: Final = ("cpu", "memory")
_HUGE_PAGES: Final = "hugepages-"
_EFFECTS: Final = ("NoSchedule", "NoExecute", "None")


def check_pools(driver: str, node_name: str | None, pools: Sequence[Pool]) -> None:
    """Raises PoolError when something of the pools would be refused, with all that is wrong."""
    problems = [*domain_problems("driver", driver)]
    problems += [f"pool {name}: is there twice" for name in repeated(pool.name for pool in pools)]
    for pool in pools:
        problems += [f"pool {pool.name}: {problem}" for problem in _pool_problems(pool, node_name)]
    if problems:
        raise PoolError(problems)


def _pool_problems(pool: Pool, node_name: str | None) -> Iterator[str]:
    yield from problems_beside_parts(pool, node_name)
    yield from counter_sets_problems(pool.shared_counters)
    counters = {one.name: one.counters for one in pool.shared_counters}
    for device in pool.devices:
        yield from problems_in_pool(device, pool, counters)


def problems_beside_parts(pool: Pool, node_name: str | None) -> Iterator[str]:
    """What would be refused of a pool whatever each counter set and each device is like."""
    yield from slashed_name_problems("name", pool.name)
    yield from _node_problems(pool, node_name)
    yield from (f"device {name}: is there twice" for name in repeated(one.name for one in pool.devices))


def counter_sets_problems(sets: Sequence[v1.CounterSet]) -> Iterator[str]:
    """What would be refused of the counter sets of a pool."""
    yield from (f"counter set {name}: is there twice" for name in repeated(one.name for one in sets))
    for one in sets:
        yield from (f"counter set {one.name}: {problem}" for problem in counter_set_problems(one))


def problems_in_pool(device: v1.Device, pool: Pool, counters: Mapping[str, Mapping[str, v1.Counter]]) -> Iterator[str]:
    """What would be refused of a device in its pool, which has these counters, by counter set."""
    yield from (f"device {device.name}: {problem}" for problem in device_problems(device, counters))
    yield from (f"device {device.name}: {problem}" for problem in _selection_problems(device, pool))


def _node_problems(pool: Pool, node_name: str | None) -> Iterator[str]:
    given = (pool.node_name is not None, pool.node_selector is not None, pool.all_nodes, pool.per_device_node_selection)
    if sum(given) != 1:
        yield "exactly one of node_name, node_selector, all_nodes and per_device_node_selection must be set"
    elif pool.node_name != node_name:
        yield f"node_name: must be {node_name}, the node that is published here, is {pool.node_name}"
    if pool.node_selector is not None and len(pool.node_selector.node_selector_terms) != 1:
        yield f"node_selector: must have exactly one term, has {len(pool.node_selector.node_selector_terms)}"


def device_problems(device: v1.Device, counters: Mapping[str, Mapping[str, v1.Counter]]) -> Iterator[str]:
    """What would be refused of a device, each as its field and what is allowed.

    Args:
        device: wherever it is published.
        counters: those of its pool, by counter set.
    """
    yield from label_problems("name", device.name)
    total = len(device.attributes) + len(device.capacity)
    if total > MAX_ATTRIBUTES_AND_CAPACITIES:
        yield f"attributes and capacity: at most {MAX_ATTRIBUTES_AND_CAPACITIES} together, are {total}"
    values = sum(max(1, sum(map(len, _lists(value).values()))) for value in device.attributes.values())
    if values > _MAX_ATTRIBUTE_VALUES:
        yield f"attributes: at most {_MAX_ATTRIBUTE_VALUES} values, those of lists counted one by one, are {values}"
    for name, value in sorted(device.attributes.items()):
        yield from qualified_name_problems(f"attributes[{name}]", name)
        yield from _attribute_problems(f"attributes[{name}]", value)
    for name, capacity in sorted(device.capacity.items()):
        yield from qualified_name_problems(f"capacity[{name}]", name)
        yield from quantity_problems(f"capacity[{name}].value", capacity.value)
        if capacity.request_policy is not None and not device.allow_multiple_allocations:
            yield f"capacity[{name}].requestPolicy: only with allowMultipleAllocations"
        elif capacity.request_policy is not None:
            yield from policy_problems(f"capacity[{name}].requestPolicy", capacity, capacity.request_policy)
    yield from _consumption_problems(device.consumes_counters, counters)
    yield from _taint_problems(device.taints)
    yield from _condition_problems(device)
    for name, resource in sorted(device.node_allocatable_resources.items()):
        yield from _node_resource_problems(f"nodeAllocatableResources[{name}]", name, resource, device)


def _selection_problems(device: v1.Device, pool: Pool) -> Iterator[str]:
    chosen = (device.node_name is not None, device.node_selector is not None, bool(device.all_nodes))
    if pool.per_device_node_selection and sum(chosen) != 1:
        yield "exactly one of nodeName, nodeSelector and allNodes must be set, as the pool selects nodes by device"
    elif not pool.per_device_node_selection and any(chosen):
        yield "nodeName, nodeSelector, allNodes: only where the pool selects nodes by device"


def _attribute_problems(path: str, value: v1.DeviceAttribute) -> Iterator[str]:
    given = [name for name in (*value.model_fields_set, *(value.model_extra or ())) if getattr(value, name) is not None]
    if len(set(given)) != 1:
        yield f"{path}: exactly one value must be set, are {len(set(given))}"
    if value.int_value is not None:
        yield from int_problems(f"{path}.int", value.int_value)
    for number, each in enumerate(value.ints):
        yield from int_problems(f"{path}.ints[{number}]", each)
    for kind, text in (("string", value.string), ("version", value.version)):
        if text is not None:
            yield from text_problems(f"{path}.{kind}", text)
    for kind, texts in (("strings", value.strings), ("versions", value.versions)):
        for number, text in enumerate(texts):
            yield from text_problems(f"{path}.{kind}[{number}]", text)
    if value.version is not None:
        yield from version_problems(f"{path}.version", value.version)
    for number, text in enumerate(value.versions):
        yield from version_problems(f"{path}.versions[{number}]", text)
    for kind, values in _lists(value).items():
        if kind in value.model_fields_set and not values:
            yield f"{path}.{kind}: must not be empty"


def _lists(value: v1.DeviceAttribute) -> Mapping[str, Sequence[object]]:
    return {"ints": value.ints, "bools": value.bools, "strings": value.strings, "versions": value.versions}


def _consumption_problems(
    consumptions: Sequence[v1.DeviceCounterConsumption], counters: Mapping[str, Mapping[str, v1.Counter]]
) -> Iterator[str]:
    if len(consumptions) > _MAX_CONSUMPTIONS:
        yield f"consumesCounters: at most {_MAX_CONSUMPTIONS} counter sets, are {len(consumptions)}"
    for name in repeated(one.counter_set for one in consumptions):
        yield f"consumesCounters[{name}]: is there twice"
    for one in consumptions:
        path = f"consumesCounters[{one.counter_set}]"
        if one.counter_set not in counters:
            yield f"{path}: the pool has no such counter set; it has {', '.join(sorted(counters)) or 'none'}"
            continue
        yield from _counter_problems(path, one.counters)
        for name in sorted(set(one.counters) - set(counters[one.counter_set])):
            yield f"{path}.{name}: the counter set has no such counter"


def counter_set_problems(one: v1.CounterSet) -> Iterator[str]:
    """What would be refused of a counter set, each as its field and what is allowed."""
    yield from label_problems("name", one.name)
    yield from _counter_problems("counters", one.counters)


def _counter_problems(path: str, counters: Mapping[str, v1.Counter]) -> Iterator[str]:
    if not 1 <= len(counters) <= _MAX_COUNTERS:
        yield f"{path}: from 1 to {_MAX_COUNTERS} counters, are {len(counters)}"
    for name, counter in sorted(counters.items()):
        yield from label_problems(f"{path}.{name}", name)
        yield from quantity_problems(f"{path}.{name}", counter.value)


def _taint_problems(taints: Sequence[v1.DeviceTaint]) -> Iterator[str]:
    if len(taints) > MAX_TAINTS:
        yield f"taints: at most {MAX_TAINTS}, are {len(taints)}"
    for number, taint in enumerate(taints):
        path = f"taints[{number}]"
        yield from label_name_problems(f"{path}.key", taint.key)
        if taint.value:
            yield from label_value_problems(f"{path}.value", taint.value)
        if taint.effect not in _EFFECTS:
            yield f"{path}.effect: must be one of {', '.join(_EFFECTS)}, is {taint.effect or 'empty'}"


def _condition_problems(device: v1.Device) -> Iterator[str]:
    fields = {
        "bindingConditions": device.binding_conditions,
        "bindingFailureConditions": device.binding_failure_conditions,
    }
    if bool(device.binding_conditions) != bool(device.binding_failure_conditions):
        yield "bindingConditions, bindingFailureConditions: must be set both or neither"
    for field, conditions in fields.items():
        if len(conditions) > _MAX_CONDITIONS:
            yield f"{field}: at most {_MAX_CONDITIONS}, are {len(conditions)}"
        for number, condition in enumerate(conditions):
            yield from label_name_problems(f"{field}[{number}]", condition)
    for name in repeated((*device.binding_conditions, *device.binding_failure_conditions)):
        yield f"bindingConditions, bindingFailureConditions: {name} is there twice"


def _node_resource_problems(
    path: str, name: str, resource: v1.NodeAllocatableResource, device: v1.Device
) -> Iterator[str]:
    if name not in _NODE_RESOURCES and not name.startswith(_HUGE_PAGES):
        yield f"{path}: must be one of {', '.join(_NODE_RESOURCES)}, {_HUGE_PAGES}<size>"
    if resource.mapping is None and resource.overhead is None:
        yield f"{path}: mapping, overhead or both must be set"
    if resource.mapping is not None:
        yield from _mapping_problems(f"{path}.mapping", resource.mapping, device)
    if resource.overhead is not None:
        amounts = {"perPod": resource.overhead.per_pod, "perContainer": resource.overhead.per_container}
        if all(amount is None for amount in amounts.values()):
            yield f"{path}.overhead: perPod, perContainer or both must be set"
        yield from _amount_problems(f"{path}.overhead", amounts, least=0)


def _mapping_problems(path: str, mapping: v1.NodeAllocatableMapping, device: v1.Device) -> Iterator[str]:
    key = mapping.capacity_key
    if (key is None) == (mapping.device_multiplier is None) or (key is None) != (mapping.capacity_multiplier is None):
        yield f"{path}: either capacityKey and capacityMultiplier or deviceMultiplier must be set"
    if key is not None and key not in device.capacity:
        capacities = ", ".join(sorted(device.capacity)) or "none"
        yield f"{path}.capacityKey: the device has no capacity {key or 'without a name'}; it has {capacities}"
    amounts = {"capacityMultiplier": mapping.capacity_multiplier, "deviceMultiplier": mapping.device_multiplier}
    yield from _amount_problems(path, amounts, least=1)


def _amount_problems(path: str, amounts: Mapping[str, str | None], least: int) -> Iterator[str]:
    """``least`` is in billionths, the smallest part of a quantity."""
    for field, amount in amounts.items():
        if amount is None:
            continue
        wrong = list(quantity_problems(f"{path}.{field}", amount))
        yield from wrong
        if not wrong and Quantity.parse(amount).nanos < least:
            yield f"{path}.{field}: must be {'more than 0' if least else '0 or more'}, is {amount}"

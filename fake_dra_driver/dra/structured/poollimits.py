"""What an API server or a scheduler would refuse of a pool, found before anything of it is sent.

Follows pkg/apis/resource/validation of 1.37 and, for what concerns a whole pool, validation.go of the resource slice
controller of k8s.io/dynamic-resource-allocation. A pool that is half sent and half refused would never be complete, and
what the scheduler finds wrong with a pool, such as a counter set that does not exist, it reports nowhere.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.structured.pool import Pool
from fake_dra_driver.quantity import QuantityError, canonical
from fake_dra_driver.runtime.errors import TerminalError

__all__ = ["PoolError", "check_pools"]

_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN: Final = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LABEL_VALUE: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_NUMBER, _WORD = r"(0|[1-9]\d*)", r"[0-9A-Za-z-]+"
_SEMVER: Final = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}"
    rf"(-({_NUMBER}|\d*[A-Za-z-][0-9A-Za-z-]*)(\.({_NUMBER}|\d*[A-Za-z-][0-9A-Za-z-]*))*)?(\+{_WORD}(\.{_WORD})*)?",
    re.ASCII,
)

_MAX_LABEL: Final = 63
_MAX_SUBDOMAIN: Final = 253
_MAX_DRIVER: Final = 63
"""DriverNameMaxLength; DeviceMaxDomainLength is the same."""
_MAX_IDENTIFIER: Final = 32
"""DeviceMaxIDLength."""
_MAX_VALUE_BYTES: Final = 64
"""DeviceAttributeMaxValueLength."""
_MAX_TAINTS: Final = 16
"""DeviceTaintsMaxLength of 1.35 and later; 1.33 and 1.34, where taints are an alpha feature, take 4."""
_MAX_COUNTERS: Final = 32
"""ResourceSliceMaxCountersPerCounterSet, ResourceSliceMaxCountersPerDeviceCounterConsumption."""
_MAX_CONSUMPTIONS: Final = 2
"""ResourceSliceMaxDeviceCounterConsumptionsPerDevice."""
_MAX_CONDITIONS: Final = 4
"""BindingConditionsMaxSize, BindingFailureConditionsMaxSize."""
_INT64: Final = range(-(2**63), 2**63)
_EFFECTS: Final = ("NoSchedule", "NoExecute", "None")
_MAX_LISTED: Final = 5
"""How many problems a message lists; the rest are counted."""


class PoolError(TerminalError):
    """Pools that cannot be published as they are: a fault of the driver or of its settings."""

    def __init__(self, problems: Sequence[str]) -> None:
        more = len(problems) - _MAX_LISTED
        listed = "; ".join(problems[:_MAX_LISTED]) + (f"; and {more} more" if more > 0 else "")
        super().__init__(f"the devices cannot be published: {listed}")
        self.problems = tuple(problems)
        """Each: pool, device, field, what is wrong and what is allowed."""


def check_pools(driver: str, node_name: str | None, pools: Sequence[Pool]) -> None:
    """Raises PoolError when something of the pools would be refused, with all that is wrong."""
    problems = [*_domain_problems("driver", driver, "a DNS subdomain")]
    problems += [f"pool {name}: is there twice" for name in _repeated(pool.name for pool in pools)]
    for pool in pools:
        problems += [f"pool {pool.name}: {problem}" for problem in _pool_problems(pool, node_name)]
    if problems:
        raise PoolError(problems)


def _pool_problems(pool: Pool, node_name: str | None) -> Iterator[str]:
    if len(pool.name) > _MAX_SUBDOMAIN or not all(map(_SUBDOMAIN.fullmatch, pool.name.split("/"))):
        yield f"name: must be DNS subdomains with slashes between, at most {_MAX_SUBDOMAIN} characters"
    yield from _node_problems(pool, node_name)
    yield from (f"counter set {name}: is there twice" for name in _repeated(one.name for one in pool.shared_counters))
    for one in pool.shared_counters:
        yield from (f"counter set {one.name}: {problem}" for problem in _counter_set_problems(one))
    yield from (f"device {name}: is there twice" for name in _repeated(one.name for one in pool.devices))
    counters = {one.name: one.counters for one in pool.shared_counters}
    for device in pool.devices:
        yield from (f"device {device.name}: {problem}" for problem in _device_problems(device, pool, counters))


def _node_problems(pool: Pool, node_name: str | None) -> Iterator[str]:
    given = (pool.node_name is not None, pool.node_selector is not None, pool.all_nodes, pool.per_device_node_selection)
    if sum(given) != 1:
        yield "exactly one of node_name, node_selector, all_nodes and per_device_node_selection must be set"
    elif pool.node_name != node_name:
        yield f"node_name: must be {node_name}, the node that is published here, is {pool.node_name}"
    if pool.node_selector is not None and len(pool.node_selector.node_selector_terms) != 1:
        yield f"node_selector: must have exactly one term, has {len(pool.node_selector.node_selector_terms)}"


def _device_problems(device: v1.Device, pool: Pool, counters: Mapping[str, Mapping[str, v1.Counter]]) -> Iterator[str]:
    yield from _name_problems("name", device.name, _LABEL, _MAX_LABEL, "a DNS label in lower case")
    total = len(device.attributes) + len(device.capacity)
    if total > v1.MAX_ATTRIBUTES_PER_DEVICE:
        yield f"attributes and capacity: at most {v1.MAX_ATTRIBUTES_PER_DEVICE} together, are {total}"
    for name, value in sorted(device.attributes.items()):
        yield from _qualified_name_problems(f"attributes[{name}]", name)
        yield from _attribute_problems(f"attributes[{name}]", value)
    for name, capacity in sorted(device.capacity.items()):
        yield from _qualified_name_problems(f"capacity[{name}]", name)
        yield from _quantity_problems(f"capacity[{name}].value", capacity.value)
        if capacity.request_policy is not None and not device.allow_multiple_allocations:
            yield f"capacity[{name}].requestPolicy: only with allowMultipleAllocations"
    yield from _consumption_problems(device.consumes_counters, counters)
    yield from _taint_problems(device.taints)
    yield from _condition_problems(device)
    chosen = (device.node_name is not None, device.node_selector is not None, bool(device.all_nodes))
    if pool.per_device_node_selection and sum(chosen) != 1:
        yield "exactly one of nodeName, nodeSelector and allNodes must be set, as the pool selects nodes by device"
    elif not pool.per_device_node_selection and any(chosen):
        yield "nodeName, nodeSelector, allNodes: only where the pool selects nodes by device"


def _attribute_problems(path: str, value: v1.DeviceAttribute) -> Iterator[str]:
    given = [name for name in (*value.model_fields_set, *(value.model_extra or ())) if getattr(value, name) is not None]
    if len(set(given)) != 1:
        yield f"{path}: exactly one value must be set, are {len(set(given))}"
    if value.int_value is not None and value.int_value not in _INT64:
        yield f"{path}.int: must fit into 64 bits, is {value.int_value}"
    for kind, text in (("string", value.string), ("version", value.version)):
        if text is not None and len(text.encode()) > _MAX_VALUE_BYTES:
            yield f"{path}.{kind}: at most {_MAX_VALUE_BYTES} bytes, has {len(text.encode())}"
    if value.version is not None and not _SEMVER.fullmatch(value.version):
        yield f"{path}.version: must be a semantic version such as 1.2.3, is {value.version}"


def _consumption_problems(
    consumptions: Sequence[v1.DeviceCounterConsumption], counters: Mapping[str, Mapping[str, v1.Counter]]
) -> Iterator[str]:
    if len(consumptions) > _MAX_CONSUMPTIONS:
        yield f"consumesCounters: at most {_MAX_CONSUMPTIONS} counter sets, are {len(consumptions)}"
    for name in _repeated(one.counter_set for one in consumptions):
        yield f"consumesCounters[{name}]: is there twice"
    for one in consumptions:
        path = f"consumesCounters[{one.counter_set}]"
        if one.counter_set not in counters:
            yield f"{path}: the pool has no such counter set; it has {', '.join(sorted(counters)) or 'none'}"
            continue
        yield from _counter_problems(path, one.counters)
        for name in sorted(set(one.counters) - set(counters[one.counter_set])):
            yield f"{path}.{name}: the counter set has no such counter"


def _counter_set_problems(one: v1.CounterSet) -> Iterator[str]:
    yield from _name_problems("name", one.name, _LABEL, _MAX_LABEL, "a DNS label in lower case")
    yield from _counter_problems("counters", one.counters)


def _counter_problems(path: str, counters: Mapping[str, v1.Counter]) -> Iterator[str]:
    if not 1 <= len(counters) <= _MAX_COUNTERS:
        yield f"{path}: from 1 to {_MAX_COUNTERS} counters, are {len(counters)}"
    for name, counter in sorted(counters.items()):
        yield from _name_problems(f"{path}.{name}", name, _LABEL, _MAX_LABEL, "a DNS label in lower case")
        yield from _quantity_problems(f"{path}.{name}", counter.value)


def _taint_problems(taints: Sequence[v1.DeviceTaint]) -> Iterator[str]:
    if len(taints) > _MAX_TAINTS:
        yield f"taints: at most {_MAX_TAINTS}, are {len(taints)}"
    for number, taint in enumerate(taints):
        path = f"taints[{number}]"
        yield from _label_name_problems(f"{path}.key", taint.key)
        if taint.value:
            yield from _name_problems(f"{path}.value", taint.value, _LABEL_VALUE, _MAX_LABEL, "the value of a label")
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
            yield from _label_name_problems(f"{field}[{number}]", condition)
    for name in _repeated((*device.binding_conditions, *device.binding_failure_conditions)):
        yield f"bindingConditions, bindingFailureConditions: {name} is there twice"


# --- Names and numbers ---------------------------------------------------------------------------------------------


def _name_problems(path: str, name: str, form: re.Pattern[str], longest: int, words: str) -> Iterator[str]:
    if not form.fullmatch(name):
        yield f"{path}: must be {words}, is {name or 'empty'}"
    elif len(name) > longest:
        yield f"{path}: at most {longest} characters, has {len(name)}"


def _qualified_name_problems(path: str, name: str) -> Iterator[str]:
    """A C identifier, with or without a domain before it."""
    domain, slash, identifier = name.rpartition("/")
    yield from _name_problems(path, identifier, _IDENTIFIER, _MAX_IDENTIFIER, "a C identifier, or domain/identifier")
    if slash:
        yield from _domain_problems(path, domain, "domain/identifier with a DNS subdomain")


def _domain_problems(path: str, domain: str, words: str) -> Iterator[str]:
    """The name of a driver, or a domain in which attributes have their names. Capitals get no more than a warning."""
    yield from _name_problems(path, domain.lower(), _SUBDOMAIN, _MAX_DRIVER, words)


def _label_name_problems(path: str, name: str) -> Iterator[str]:
    """The name of a label, with or without a domain before it."""
    domain, slash, label = name.rpartition("/")
    yield from _name_problems(path, label, _LABEL_VALUE, _MAX_LABEL, "the name of a label, or domain/name")
    if slash:
        yield from _name_problems(path, domain, _SUBDOMAIN, _MAX_SUBDOMAIN, "domain/name with a DNS subdomain")


def _quantity_problems(path: str, value: Any) -> Iterator[str]:
    try:
        canonical(value)
    except QuantityError:
        yield f"{path}: must be a quantity such as 80Gi, is {value or 'empty'}"


def _repeated(names: Iterable[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)

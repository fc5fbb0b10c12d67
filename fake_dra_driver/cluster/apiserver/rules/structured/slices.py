"""Slices, and the devices and counters in them."""

from collections.abc import Mapping, Sequence
from typing import Any

from fake_dra_driver.cluster.apiserver.errors import Problem, exceeds_bytes, go_value, invalid_value, required
from fake_dra_driver.cluster.apiserver.rules.nodeselector import validate_node_selector
from fake_dra_driver.cluster.apiserver.rules.structured.fields import (
    binding_conditions,
    c_qualified_name,
    checked_list,
    checked_set,
    driver_name,
    label,
    pool_name,
    taint,
)
from fake_dra_driver.cluster.apiserver.rules.structured.noderesources import node_resources
from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.apiserver.types.metadata import dns_subdomain
from fake_dra_driver.cluster.apiserver.types.semver import is_semver
from fake_dra_driver.cluster.releases import SliceLimits

__all__ = ["default_taints", "slice_is_immutable", "validate_slice_spec", "warn_of_slice"]

_MAX_ATTRIBUTES_AND_CAPACITIES = 32
_MAX_ATTRIBUTE_VALUES = 48
_MAX_VALUE_BYTES = 64
_MAX_COUNTER_SETS = 8
_MAX_COUNTERS = 32
_MAX_CONSUMED_SETS = 2
_LISTS = ("bools", "ints", "strings", "versions")
_VALUES = ("int", "bool", "string", "version", "ints", "bools", "strings", "versions")
_SELECTIONS = ("nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection")
_ONE_SELECTION = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
_TRUE_OR_NOTHING = "must be either unset or set to true"


def default_taints(obj: Object, now_text: str) -> None:
    """Dates the taints that come without a time: each time they are written, unless the writer echoes it."""
    for device in obj["spec"].get("devices") or ():
        for each in device.get("taints") or ():
            each.setdefault("timeAdded", now_text)


def warn_of_slice(obj: Object) -> list[str]:
    """What is allowed and not recommended."""
    driver = obj["spec"].get("driver", "")
    if driver == driver.lower():
        return []
    return [f"spec.driver: driver names should be lowercase; {go_value(driver)} contains uppercase characters"]


def slice_is_immutable(obj: Object, old: Object) -> list[Problem]:
    """What of a slice has changed that must not: which driver's, which pool's and which node's it is."""
    problems = []
    for path in (("pool", "name"), ("driver",), ("nodeName",)):
        new, before = _at(obj["spec"], path), _at(old["spec"], path)
        if new != before:
            problems.append(invalid_value(".".join(("spec", *path)), go_value(new), "field is immutable"))
    return problems


def _at(value: Any, path: Sequence[str]) -> Any:
    for name in path:
        value = (value or {}).get(name)
    return value


def validate_slice_spec(spec: Object, path: str, limits: SliceLimits) -> list[Problem]:
    """What is wrong with the spec of a slice."""
    problems = driver_name(spec.get("driver", ""), f"{path}.driver")
    problems += _pool(spec.get("pool") or {}, f"{path}.pool") + _node_selection(spec, path)
    devices, counters = spec.get("devices") or (), spec.get("sharedCounters") or ()
    if limits.has_separate_counters and devices and counters:
        problems.append(invalid_value(path, '""', "only one of `sharedCounters` or `devices` is allowed"))
    is_advanced = any(each.get("taints") or each.get("consumesCounters") or _has_lists(each) for each in devices)

    def device(value: Any, at: str) -> list[Problem]:
        return _device(value, at, limits, chooses_nodes=bool(spec.get("perDeviceNodeSelection")))

    problems += checked_set(
        devices, limits.advanced_devices if is_advanced else limits.devices, device, _name, f"{path}.devices"
    )
    return problems + checked_set(counters, _MAX_COUNTER_SETS, _counter_set, _name, f"{path}.sharedCounters")


def _name(value: Mapping[str, Any]) -> str:
    return str(value.get("name", ""))


def _pool(pool: Mapping[str, Any], path: str) -> list[Problem]:
    problems = pool_name(pool.get("name", ""), f"{path}.name")
    count, generation = pool.get("resourceSliceCount", 0), pool.get("generation", 0)
    if count <= 0:
        problems.append(invalid_value(f"{path}.resourceSliceCount", go_value(count), "must be greater than zero"))
    if generation < 0:
        detail = "must be greater than or equal to zero"
        problems.append(invalid_value(f"{path}.generation", go_value(generation), detail))
    return problems


def _node_selection(spec: Object, path: str) -> list[Problem]:
    """What is wrong with the nodes that a slice is for."""
    problems: list[Problem] = []
    name = spec.get("nodeName")
    if name:
        problems += [invalid_value(f"{path}.nodeName", go_value(name), each) for each in dns_subdomain(name)]
    elif name is not None:
        problems.append(invalid_value(f"{path}.nodeName", '""', "must be either unset or set to a non-empty string"))
    selector = spec.get("nodeSelector")
    if selector is not None:
        problems += validate_node_selector(selector, f"{path}.nodeSelector")
        terms = selector.get("nodeSelectorTerms") or ()
        if len(terms) != 1:
            at = f"{path}.nodeSelector.nodeSelectorTerms"
            problems.append(invalid_value(at, go_value(terms), "must have exactly one node selector term"))
    problems += [
        invalid_value(f"{path}.{each}", "false", _TRUE_OR_NOTHING)
        for each in ("allNodes", "perDeviceNodeSelection")
        if spec.get(each) is False
    ]
    return problems + _exactly_one(
        spec, _SELECTIONS, path, _ONE_SELECTION, f"{_ONE_SELECTION}, but multiple fields are set"
    )


def _exactly_one(
    value: Mapping[str, Any], names: Sequence[str], path: str, if_none: str, if_many: str
) -> list[Problem]:
    given = [f"`{each}`" for each in names if value.get(each)]
    if not given:
        return [required(path, if_none)]
    return [invalid_value(path, f'"{{{", ".join(given)}}}"', if_many)] if len(given) > 1 else []


# --- devices ---


def _device(device: Any, path: str, limits: SliceLimits, *, chooses_nodes: bool) -> list[Problem]:
    problems = label(device.get("name", ""), f"{path}.name")
    attributes, capacity = device.get("attributes") or {}, device.get("capacity") or {}
    total = len(attributes) + len(capacity)
    if total > _MAX_ATTRIBUTES_AND_CAPACITIES:
        detail = f"the total number of attributes and capacities must not exceed {_MAX_ATTRIBUTES_AND_CAPACITIES}"
        problems.append(invalid_value(path, str(total), detail))
    values = sum(max(1, sum(len(each.get(name) or ()) for name in _LISTS)) for each in attributes.values())
    if values > _MAX_ATTRIBUTE_VALUES:
        detail = f"the total number of attribute values must not exceed {_MAX_ATTRIBUTE_VALUES}"
        problems.append(invalid_value(path, str(values), detail))
    for name, attribute in attributes.items():
        problems += c_qualified_name(name, f"{path}.attributes")
        problems += _attribute(attribute, f"{path}.attributes[{name}]")
    for name, each in capacity.items():
        problems += c_qualified_name(name, f"{path}.capacity")
        if each.get("requestPolicy") is not None and not device.get("allowMultipleAllocations"):
            at = f"{path}.capacity[{name}].requestPolicy"
            problems.append(Problem("FieldValueForbidden", at, "Forbidden: allowMultipleAllocations must be true"))
    problems += checked_list(device.get("taints") or (), limits.taints, taint, f"{path}.taints")
    problems += checked_set(
        device.get("consumesCounters") or (),
        _MAX_CONSUMED_SETS,
        _consumption,
        lambda each: each.get("counterSet", ""),
        f"{path}.consumesCounters",
    )
    problems += _device_nodes(device, path, chooses_nodes=chooses_nodes) + binding_conditions(device, path)
    return problems + node_resources(
        device.get("nodeAllocatableResources") or {}, capacity, f"{path}.nodeAllocatableResources"
    )


def _has_lists(device: Mapping[str, Any]) -> bool:
    return any(each.get(name) for each in (device.get("attributes") or {}).values() for name in _LISTS)


def _attribute(attribute: Mapping[str, Any], path: str) -> list[Problem]:
    given = [name for name in _VALUES if attribute.get(name) is not None]
    problems: list[Problem] = []
    for name in given:
        if name in _LISTS and not attribute[name]:
            problems.append(invalid_value(f"{path}.{name}", "[]", "must not be empty if specified"))
        values = enumerate(attribute[name]) if name in _LISTS else [(None, attribute[name])]
        for at, value in values:
            where = f"{path}.{name}" if at is None else f"{path}.{name}[{at}]"
            problems += _text(value, where, is_version=name.startswith("version"))
    choices = ", ".join(f"`{name}`" for name in _VALUES)
    if not given:
        problems.append(invalid_value(path, '""', f"must specify one of: {choices}"))
    elif len(given) > 1:
        detail = f"must specify exactly one of: {choices}"
        problems.append(invalid_value(path, f'"{{{", ".join(given)}}}"', detail))
    return problems


def _text(value: Any, path: str, *, is_version: bool) -> list[Problem]:
    """What is wrong with the text in an attribute; other values are always right."""
    if not isinstance(value, str):
        return []
    problems = []
    if is_version and not is_semver(value):
        detail = "must be a string compatible with semver.org spec 2.0.0"
        problems.append(invalid_value(path, go_value(value), detail))
    return problems + ([exceeds_bytes(path, _MAX_VALUE_BYTES)] if len(value.encode()) > _MAX_VALUE_BYTES else [])


def _device_nodes(device: Mapping[str, Any], path: str, *, chooses_nodes: bool) -> list[Problem]:
    """What is wrong with the nodes that a device is for: only where its slice leaves them to its devices."""
    names = ("nodeName", "nodeSelector", "allNodes")
    if not chooses_nodes:
        detail = (
            "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in "
            "the ResourceSlice spec"
        )
        return [invalid_value(path, "null", detail)] if any(device.get(each) is not None for each in names) else []
    problems: list[Problem] = []
    if device.get("nodeName") == "":
        problems.append(invalid_value(f"{path}.nodeName", '""', "must not be empty"))
    if device.get("nodeSelector") is not None:
        problems += validate_node_selector(device["nodeSelector"], f"{path}.nodeSelector")
    if device.get("allNodes") is False:
        problems.append(invalid_value(f"{path}.allNodes", "false", _TRUE_OR_NOTHING))
    rule = (
        "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to "
        "true in the ResourceSlice spec"
    )
    return problems + _exactly_one(device, names, path, rule, rule)


# --- counters ---


def _counter_set(counter_set: Any, path: str) -> list[Problem]:
    name = counter_set.get("name", "")
    problems = label(name, f"{path}.name") if name else [required(f"{path}.name")]
    return problems + _counters(counter_set, path)


def _consumption(consumption: Any, path: str) -> list[Problem]:
    name = consumption.get("counterSet", "")
    problems = label(name, f"{path}.counterSet") if name else [required(f"{path}.counterSet")]
    return problems + _counters(consumption, path)


def _counters(value: Mapping[str, Any], path: str) -> list[Problem]:
    counters = value.get("counters") or {}
    if not counters:
        return [required(f"{path}.counters")]
    return checked_list(
        tuple(counters), _MAX_COUNTERS, lambda name, _: label(name, f"{path}.counters"), f"{path}.counters"
    )

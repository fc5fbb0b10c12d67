"""Checks of values that several kinds of structured DRA have."""

import json
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from fake_dra_driver.cluster.apiserver.errors import (
    Problem,
    duplicate,
    exceeds_bytes,
    go_value,
    invalid_value,
    required,
    too_many,
    unsupported_value,
)
from fake_dra_driver.cluster.apiserver.types.metadata import dns_label, dns_subdomain, label_value, qualified_name

__all__ = [
    "Check",
    "binding_conditions",
    "c_qualified_name",
    "checked_list",
    "checked_set",
    "device_config",
    "driver_name",
    "json_object",
    "label",
    "pool_name",
    "subdomain",
    "taint",
    "toleration",
]

Check = Callable[[Any, str], list[Problem]]
"""What is wrong with a value at a path."""

_MAX_DRIVER_NAME = 63
_MAX_POOL_NAME = 253
_MAX_IDENTIFIER = 32
_MAX_BINDING_CONDITIONS = 4
_MAX_PARAMETERS_BYTES = 10 * 1024
_EFFECTS = ("NoExecute", "NoSchedule", "None")
_IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*"
_NO_IDENTIFIER = (
    "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters "
    f"or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is '{_IDENTIFIER}')"
)


def checked_list(items: Sequence[Any], limit: int | None, check: Check, path: str) -> list[Problem]:
    """What is wrong with a list and its items. Items of a list that is too long are not looked at (validateSlice)."""
    if limit is not None and len(items) > limit:
        return [too_many(path, len(items), limit)]
    return [problem for at, item in enumerate(items) for problem in check(item, f"{path}[{at}]")]


def checked_set(
    items: Sequence[Any], limit: int | None, check: Check, key: Callable[[Any], Hashable], path: str
) -> list[Problem]:
    """As ``checked_list``, for items that must differ by a key (validateSet)."""
    problems = checked_list(items, limit, check, path)
    seen: set[Hashable] = set()
    for at, item in enumerate(items if limit is None else items[: limit + 1]):
        if key(item) in seen:
            problems.append(duplicate(f"{path}[{at}]", go_value(key(item))))
        seen.add(key(item))
    return problems


def subdomain(value: str, path: str) -> list[Problem]:
    """What is wrong with a DNS subdomain that must be there."""
    if not value:
        return [required(path)]
    return [invalid_value(path, go_value(value), each) for each in dns_subdomain(value)]


def label(value: str, path: str) -> list[Problem]:
    """What is wrong with a DNS label: the name of a request, a device, a counter."""
    return [invalid_value(path, go_value(value), each) for each in dns_label(value)]


def driver_name(name: str, path: str) -> list[Problem]:
    """What is wrong with the name of a driver. Capital letters are only warned about."""
    if not name:
        return [required(path)]
    problems = [exceeds_bytes(path, _MAX_DRIVER_NAME)] if len(name) > _MAX_DRIVER_NAME else []
    return problems + [invalid_value(path, go_value(name), each) for each in dns_subdomain(name.lower())]


def pool_name(name: str, path: str) -> list[Problem]:
    """What is wrong with the name of a pool: subdomains between slashes."""
    if not name:
        return [required(path)]
    problems = [exceeds_bytes(path, _MAX_POOL_NAME)] if len(name) > _MAX_POOL_NAME else []
    return problems + [
        invalid_value(path, go_value(part), each) for part in name.split("/") for each in dns_subdomain(part)
    ]


def c_qualified_name(name: str, path: str, *, with_domain: bool = False) -> list[Problem]:
    """What is wrong with the name of an attribute or a capacity: an identifier, perhaps with a domain."""
    domain, slash, identifier = name.rpartition("/")
    problems = []
    if slash:
        problems += driver_name(domain, path) if domain else [invalid_value(path, '""', "the domain must not be empty")]
    elif with_domain:
        detail = "a fully qualified name must be a domain and a name separated by a slash"
        problems.append(invalid_value(path, go_value(name), detail))
    if slash and not identifier:
        return [*problems, invalid_value(path, '""', "the name must not be empty")]
    if len(identifier) > _MAX_IDENTIFIER:
        problems.append(exceeds_bytes(path, _MAX_IDENTIFIER))
    if not re.fullmatch(_IDENTIFIER, identifier):
        problems.append(invalid_value(path, go_value(identifier), _NO_IDENTIFIER))
    return problems


def json_object(value: Any, path: str, limit: int = _MAX_PARAMETERS_BYTES) -> list[Problem]:
    """What is wrong with a value that a driver defines: it must be a JSON object of limited size."""
    if value is None:
        return [required(path)]
    if len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()) > limit:
        return [exceeds_bytes(path, limit)]
    if not isinstance(value, Mapping):
        return [invalid_value(path, '"<value omitted>"', "must be a valid JSON object")]
    return []


def device_config(config: Mapping[str, Any], path: str) -> list[Problem]:
    """What is wrong with a configuration for devices (DeviceConfiguration)."""
    opaque = config.get("opaque")
    if opaque is None:
        return [required(f"{path}.opaque")]
    problems = driver_name(opaque.get("driver", ""), f"{path}.opaque.driver")
    return problems + json_object(opaque.get("parameters"), f"{path}.opaque.parameters")


def taint(value: Mapping[str, Any], path: str) -> list[Problem]:
    """What is wrong with a taint of a device."""
    problems = _label_name(value.get("key", ""), f"{path}.key") + _label_value(value.get("value", ""), f"{path}.value")
    if not value.get("effect"):
        return [*problems, required(f"{path}.effect")]
    return problems + _effect(value["effect"], f"{path}.effect")


def toleration(value: Mapping[str, Any], path: str) -> list[Problem]:
    """What is wrong with a toleration in a request or a result."""
    problems = _label_name(value["key"], f"{path}.key") if value.get("key") else []
    match value.get("operator"):
        case "Exists":
            if value.get("value"):
                detail = "must be empty for operator `Exists`"
                problems.append(invalid_value(f"{path}.value", go_value(value["value"]), detail))
        case "Equal":
            problems += _label_value(value.get("value", ""), f"{path}.value")
        case other:
            problems.append(unsupported_value(f"{path}.operator", other or "", ("Equal", "Exists")))
    return problems + (_effect(value["effect"], f"{path}.effect") if value.get("effect") else [])


def _label_name(value: str, path: str) -> list[Problem]:
    return [invalid_value(path, go_value(value), each) for each in qualified_name(value)]


def _label_value(value: str, path: str) -> list[Problem]:
    return [invalid_value(path, go_value(value), each) for each in label_value(value)]


def _effect(effect: str, path: str) -> list[Problem]:
    return [] if effect in _EFFECTS else [unsupported_value(path, effect, _EFFECTS)]


def binding_conditions(value: Mapping[str, Any], path: str) -> list[Problem]:
    """What is wrong with the binding conditions of a device or a result: both lists or neither, without overlap."""
    wanted, failing = value.get("bindingConditions") or [], value.get("bindingFailureConditions") or []
    problems: list[Problem] = []
    for name, conditions in (("bindingConditions", wanted), ("bindingFailureConditions", failing)):
        problems += checked_set(conditions, _MAX_BINDING_CONDITIONS, _label_name, str, f"{path}.{name}")
    detail = "bindingFailureConditions must not overlap with bindingConditions"
    problems += [
        invalid_value(f"{path}.bindingFailureConditions[{at}]", go_value(each), detail)
        for at, each in enumerate(failing)
        if each in wanted
    ]
    if failing and not wanted:
        detail = "bindingConditions are required to use bindingFailureConditions"
        problems.append(invalid_value(f"{path}.bindingConditions", "null", detail))
    if wanted and not failing:
        detail = "bindingFailureConditions are required to use bindingConditions"
        problems.append(invalid_value(f"{path}.bindingFailureConditions", "null", detail))
    return problems

"""What devices say of their node's resources: ``nodeAllocatableResources`` (KEP-5517), from Kubernetes 1.37 on."""

from collections.abc import Container, Mapping
from typing import Any

from fake_dra_driver.cluster.apiserver.errors import Problem, go_value, invalid_value, not_found_value, required
from fake_dra_driver.quantity import Quantity

__all__ = ["node_resources"]

_HUGE_PAGES = "hugepages-"


def node_resources(resources: Mapping[str, Mapping[str, Any]], capacities: Container[str], path: str) -> list[Problem]:
    """What is wrong with the resources that a device maps, or needs beside itself.

    Args:
        resources: what the device says of each resource.
        capacities: names of the capacities that the device has.
        path: of the field.
    """
    problems: list[Problem] = []
    for name, each in resources.items():
        at = f"{path}[{name}]"
        if name not in ("cpu", "memory") and not name.startswith(_HUGE_PAGES):
            problems.append(invalid_value(at, go_value(name), "must be a node allocatable resource name"))
        mapping, overhead = each.get("mapping"), each.get("overhead")
        if mapping is None and overhead is None:
            problems.append(required(at, "at least one of mapping or overhead must be set"))
        if mapping is not None:
            problems += _mapping(mapping, capacities, f"{at}.mapping")
        if overhead is not None:
            problems += _overhead(overhead, f"{at}.overhead")
    return problems


def _mapping(mapping: Mapping[str, Any], capacities: Container[str], path: str) -> list[Problem]:
    key, multiplier = mapping.get("capacityKey"), mapping.get("capacityMultiplier")
    problems: list[Problem] = []
    if key == "":
        problems.append(invalid_value(f"{path}.capacityKey", '""', "capacityKey must not be an empty string"))
    elif key is not None and key not in capacities:
        problems.append(not_found_value(f"{path}.capacityKey", go_value(key)))
    if key is not None and multiplier is None:
        detail = "capacityMultiplier is required when capacityKey is set"
        problems.append(required(f"{path}.capacityMultiplier", detail))
    # Of a multiplier without a key no more is said than that.
    for name, counts in (("capacityMultiplier", key is not None), ("deviceMultiplier", True)):
        value = mapping.get(name)
        if counts and value is not None and Quantity.parse(value).nanos <= 0:
            problems.append(invalid_value(f"{path}.{name}", go_value(value), "must be positive"))
    if key is None and multiplier is not None:
        detail = "capacityKey is required when capacityMultiplier is set"
        problems.append(required(f"{path}.capacityKey", detail))
    return problems + _either(mapping, path)


def _either(mapping: Mapping[str, Any], path: str) -> list[Problem]:
    """What is wrong where not exactly one of the ways to count is chosen."""
    names = ("capacityKey", "deviceMultiplier")
    given = [name for name in names if mapping.get(name) is not None]
    choices = ", ".join(f"`{name}`" for name in names)
    if not given:
        return [invalid_value(path, '""', f"must specify one of: {choices}")]
    if len(given) > 1:
        return [invalid_value(path, f'"{{{", ".join(given)}}}"', f"must specify exactly one of: {choices}")]
    return []


def _overhead(overhead: Mapping[str, Any], path: str) -> list[Problem]:
    given = [name for name in ("perPod", "perContainer") if overhead.get(name) is not None]
    if not given:
        return [invalid_value(path, '""', "at least one of perPod or perContainer must be set")]
    return [
        invalid_value(f"{path}.{name}", go_value(overhead[name]), "must be non-negative")
        for name in given
        if Quantity.parse(overhead[name]).nanos < 0
    ]

"""The status of a claim: what is allocated, who may use it, and what drivers report of the devices."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fake_dra_driver.cluster.apiserver.errors import (
    Problem,
    exceeds_bytes,
    forbidden,
    go_value,
    invalid_value,
    required,
    unsupported_value,
)
from fake_dra_driver.cluster.apiserver.rules.nodeselector import validate_node_selector
from fake_dra_driver.cluster.apiserver.rules.structured.claimspec import (
    RequestNames,
    admin_access_problem,
    request_names,
    validate_request_reference,
)
from fake_dra_driver.cluster.apiserver.rules.structured.conditions import validate_conditions
from fake_dra_driver.cluster.apiserver.rules.structured.fields import (
    binding_conditions,
    checked_list,
    checked_set,
    device_config,
    driver_name,
    json_object,
    label,
    pool_name,
    toleration,
)
from fake_dra_driver.cluster.apiserver.rules.surroundings import Surroundings
from fake_dra_driver.cluster.apiserver.store.store import Object

__all__ = ["drop_deallocated", "validate_claim_status"]

_MAX_CONSUMERS = 256
_MAX_RESULTS = 32
_MAX_REQUESTS = 32
_MAX_CONFIGS = 64
_MAX_CONDITIONS = 8
_MAX_IPS = 16
_MAX_INTERFACE_NAME = 256
_MAX_HARDWARE_ADDRESS = 128
_UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_SOURCES = ("FromClaim", "FromClass")

DeviceKey = tuple[str, str, str, str | None]
"""Driver, pool, device and share of an allocated device."""


def _key(device: Mapping[str, Any]) -> DeviceKey:
    return device.get("driver", ""), device.get("pool", ""), device.get("device", ""), device.get("shareID")


def _results(claim: Object) -> Sequence[Mapping[str, Any]]:
    allocation = (claim.get("status") or {}).get("allocation") or {}
    return (allocation.get("devices") or {}).get("results") or ()


def drop_deallocated(claim: Object, old: Object) -> None:
    """Removes what was reported of devices that this write deallocates: who deallocates may know nothing of it."""
    status = claim.get("status") or {}
    gone = {_key(each) for each in _results(old)} - {_key(each) for each in _results(claim)}
    kept = [each for each in status.get("devices") or () if _key(each) not in gone]
    if kept:
        status["devices"] = kept
    else:
        status.pop("devices", None)


def validate_claim_status(claim: Object, old: Object, surroundings: Surroundings) -> list[Problem]:
    """What is wrong with the new status of a claim."""
    problems = _admin_results(claim, old, surroundings)
    status, before = claim.get("status") or {}, old.get("status") or {}
    allocation, consumers = status.get("allocation"), status.get("reservedFor") or []
    problems += checked_set(
        consumers, _MAX_CONSUMERS, _consumer, lambda each: each.get("uid", ""), "status.reservedFor"
    )
    allocated = {_key(each) for each in _results(claim)}
    problems += checked_set(
        status.get("devices") or (), None, lambda each, at: _device_status(each, at, allocated), _key, "status.devices"
    )
    if consumers and allocation is None:
        problems.append(forbidden("status.reservedFor", "may not be specified when `allocated` is not set"))
    elif claim["metadata"].get("deletionTimestamp") and any(
        each not in (before.get("reservedFor") or ()) for each in consumers
    ):
        detail = "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set"
        problems.append(forbidden("status.reservedFor", detail))
    if allocation is None:
        return problems
    if before.get("allocation") is None:
        return problems + _allocation(allocation, "status.allocation", request_names(claim["spec"]))
    if allocation != before["allocation"]:
        problems.append(invalid_value("status.allocation", "null", "field cannot be modified once set"))
    return problems


def _admin_results(claim: Object, old: Object, surroundings: Surroundings) -> list[Problem]:
    if any(each.get("adminAccess") for each in _results(old)):
        return []
    for at, each in enumerate(_results(claim)):
        if each.get("adminAccess"):
            path = f"status.allocation.devices.results[{at}].adminAccess"
            return admin_access_problem(path, claim["metadata"]["namespace"], surroundings)
    return []


def _consumer(consumer: Any, path: str) -> list[Problem]:
    return [required(f"{path}.{name}") for name in ("resource", "name", "uid") if not consumer.get(name)]


def _allocation(allocation: Object, path: str, names: RequestNames) -> list[Problem]:
    devices = allocation.get("devices") or {}
    problems = checked_list(
        devices.get("results") or (), _MAX_RESULTS, _with(names, _result), f"{path}.devices.results"
    )
    problems += checked_list(devices.get("config") or (), _MAX_CONFIGS, _with(names, _config), f"{path}.devices.config")
    if allocation.get("nodeSelector") is not None:
        problems += validate_node_selector(allocation["nodeSelector"], f"{path}.nodeSelector")
    return problems


def _with(
    names: RequestNames, check: Callable[[Any, str, RequestNames], list[Problem]]
) -> Callable[[Any, str], list[Problem]]:
    return lambda value, path: check(value, path, names)


def _result(result: Any, path: str, names: RequestNames) -> list[Problem]:
    problems = validate_request_reference(result.get("request", ""), f"{path}.request", names)
    problems += _device(result, path) + binding_conditions(result, path)
    share = result.get("shareID")
    if share is not None and not re.fullmatch(_UUID, share):
        detail = "must be a lowercase UUID in 8-4-4-4-12 format"
        problems.append(invalid_value(f"{path}.shareID", go_value(share), detail))
    return problems + checked_list(result.get("tolerations") or (), None, toleration, f"{path}.tolerations")


def _config(config: Any, path: str, names: RequestNames) -> list[Problem]:
    source, problems = config.get("source", ""), []
    if not source:
        problems.append(required(f"{path}.source"))
    elif source not in _SOURCES:
        problems.append(unsupported_value(f"{path}.source", source, _SOURCES))
    problems += checked_set(
        config.get("requests") or (), _MAX_REQUESTS, _with(names, validate_request_reference), str, f"{path}.requests"
    )
    return problems + device_config(config, path)


def _device(device: Mapping[str, Any], path: str) -> list[Problem]:
    """What is wrong with the name of an allocated device."""
    problems = driver_name(device.get("driver", ""), f"{path}.driver")
    problems += pool_name(device.get("pool", ""), f"{path}.pool")
    return problems + label(device.get("device", ""), f"{path}.device")


def _device_status(device: Any, path: str, allocated: set[DeviceKey]) -> list[Problem]:
    problems = _device(device, path)
    if _key(device) not in allocated:
        driver, pool, name, share = _key(device)
        shown = "/".join(each for each in (driver, pool, name, share) if each)
        problems.append(invalid_value(path, go_value(shown), "must be an allocated device in the claim"))
    problems += validate_conditions(device.get("conditions") or (), f"{path}.conditions", _MAX_CONDITIONS)
    if device.get("data") is not None:
        problems += json_object(device["data"], f"{path}.data")
    return problems + _network(device.get("networkData") or {}, f"{path}.networkData")


def _network(data: Mapping[str, Any], path: str) -> list[Problem]:
    limits = (("interfaceName", _MAX_INTERFACE_NAME), ("hardwareAddress", _MAX_HARDWARE_ADDRESS))
    problems = [
        exceeds_bytes(f"{path}.{name}", limit) for name, limit in limits if len(data.get(name, "").encode()) > limit
    ]
    return problems + checked_set(data.get("ips") or (), _MAX_IPS, lambda *_: [], str, f"{path}.ips")

"""Requests for devices: the specs of claims and templates, and the selectors and configurations of device classes."""

from collections.abc import Mapping
from typing import Any

from fake_dra_driver.cluster.apiserver.errors import (
    Problem,
    forbidden,
    go_value,
    invalid_value,
    required,
    unsupported_value,
)
from fake_dra_driver.cluster.apiserver.rules.structured.fields import (
    c_qualified_name,
    checked_list,
    checked_set,
    device_config,
    label,
    subdomain,
    toleration,
)
from fake_dra_driver.cluster.apiserver.rules.structured.selectors import validate_selectors
from fake_dra_driver.cluster.apiserver.rules.surroundings import Surroundings
from fake_dra_driver.cluster.apiserver.store.store import Object

__all__ = [
    "RequestNames",
    "admin_access_problem",
    "default_requests",
    "request_names",
    "validate_admin_requests",
    "validate_claim_spec",
    "validate_class_spec",
    "validate_request_reference",
]

_MAX_ITEMS = 32
"""Of requests, constraints, configurations."""
_MAX_SUBREQUESTS = 8
_MAX_TOLERATIONS = 16
_MODES = ("All", "ExactCount")
_ADMIN_LABEL = "resource.kubernetes.io/admin-access"
_NO_REQUEST = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
_ONE_ATTRIBUTE = 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set'
"""What a real server says when none is set. It takes both."""

RequestNames = Mapping[str, frozenset[str]]
"""The names of a claim's requests, each with those of its subrequests."""


# --- defaults ---


def default_requests(devices: Object) -> None:
    """Fills in what the requests of a claim leave out."""
    for request in devices.get("requests") or ():
        for each in (request.get("exactly"), *(request.get("firstAvailable") or ())):
            if each is None:
                continue
            each.setdefault("allocationMode", "ExactCount")
            if each["allocationMode"] == "ExactCount" and not each.get("count"):
                each["count"] = 1


# --- claims ---


def request_names(spec: Object) -> RequestNames:
    """The names that results, constraints and configurations of a claim may refer to."""
    return {
        each.get("name", ""): frozenset(sub.get("name", "") for sub in each.get("firstAvailable") or ())
        for each in (spec.get("devices") or {}).get("requests") or ()
    }


def validate_claim_spec(spec: Object, path: str, surroundings: Surroundings) -> list[Problem]:
    """What is wrong with the spec of a claim."""
    devices, path = spec.get("devices") or {}, f"{path}.devices"
    names = request_names(spec)

    def constraint(value: Any, at: str) -> list[Problem]:
        return _constraint(value, at, names, surroundings)

    def config(value: Any, at: str) -> list[Problem]:
        return _references(value, at, names) + device_config(value, at)

    def request(value: Any, at: str) -> list[Problem]:
        return _request(value, at, surroundings)

    problems = checked_set(
        devices.get("requests") or (), _MAX_ITEMS, request, lambda each: each.get("name", ""), f"{path}.requests"
    )
    problems += checked_list(devices.get("constraints") or (), _MAX_ITEMS, constraint, f"{path}.constraints")
    return problems + checked_list(devices.get("config") or (), _MAX_ITEMS, config, f"{path}.config")


def _request(request: Any, path: str, surroundings: Surroundings) -> list[Problem]:
    problems = label(request.get("name", ""), f"{path}.name")
    exactly, alternatives = request.get("exactly"), request.get("firstAvailable") or ()
    rule = "exactly one of `exactly` or `firstAvailable` is required"
    if exactly is None and not alternatives:
        return [*problems, required(path, rule)]
    if exactly is not None and alternatives:
        return [*problems, invalid_value(path, "null", f"{rule}, but multiple fields are set")]
    if exactly is not None:
        return problems + _device_request(exactly, f"{path}.exactly", surroundings)

    def subrequest(value: Any, at: str) -> list[Problem]:
        return label(value.get("name", ""), f"{at}.name") + _device_request(value, at, surroundings)

    return problems + checked_set(
        alternatives, _MAX_SUBREQUESTS, subrequest, lambda each: each.get("name", ""), f"{path}.firstAvailable"
    )


def _device_request(request: Mapping[str, Any], path: str, surroundings: Surroundings) -> list[Problem]:
    problems = subdomain(request.get("deviceClassName", ""), f"{path}.deviceClassName")
    problems += validate_selectors(request.get("selectors") or (), f"{path}.selectors", surroundings)
    mode, count = request.get("allocationMode", ""), request.get("count", 0)
    if mode not in _MODES:
        problems.append(unsupported_value(f"{path}.allocationMode", mode, _MODES))
    elif mode == "All" and count:
        detail = "must not be specified when allocationMode is 'All'"
        problems.append(invalid_value(f"{path}.count", go_value(count), detail))
    elif mode == "ExactCount" and count <= 0:
        problems.append(invalid_value(f"{path}.count", go_value(count), "must be greater than zero"))
    return problems + checked_list(
        request.get("tolerations") or (), _MAX_TOLERATIONS, toleration, f"{path}.tolerations"
    )


def _constraint(
    constraint: Mapping[str, Any], path: str, names: RequestNames, surroundings: Surroundings
) -> list[Problem]:
    problems = _references(constraint, path, names)
    for name in ("matchAttribute", "distinctAttribute"):
        if constraint.get(name) is not None:
            return problems + c_qualified_name(constraint[name], f"{path}.{name}", with_domain=True)
    if surroundings.release.is_enabled("DRAConsumableCapacity"):
        return [*problems, required(path, _ONE_ATTRIBUTE)]
    return [*problems, required(f"{path}.matchAttribute")]


def _references(value: Mapping[str, Any], path: str, names: RequestNames) -> list[Problem]:
    """What is wrong with the requests that a constraint or a configuration is for."""

    def reference(name: Any, at: str) -> list[Problem]:
        return validate_request_reference(name, at, names)

    return checked_set(value.get("requests") or (), _MAX_ITEMS, reference, str, f"{path}.requests")


def validate_request_reference(name: str, path: str, names: RequestNames) -> list[Problem]:
    """What is wrong with the name of a request, or of a request and a subrequest of it."""
    unknown = invalid_value(path, go_value(name), _NO_REQUEST)
    request, slash, subrequest = name.partition("/")
    if "/" in subrequest:
        return [unknown]
    problems = [problem for each in name.split("/") for problem in label(each, path)]
    is_known = request in names and (not slash or subrequest in names[request])
    return problems if is_known else [*problems, unknown]


def admin_access_problem(path: str, namespace: str, surroundings: Surroundings) -> list[Problem]:
    """What is wrong with asking for admin access in that namespace."""
    if surroundings.namespace_labels(namespace).get(_ADMIN_LABEL) == "true":
        return []
    detail = f"admin access to devices requires the `{_ADMIN_LABEL}: true` label on the containing namespace"
    return [forbidden(path, detail)]


def validate_admin_requests(spec: Object, namespace: str, surroundings: Surroundings) -> list[Problem]:
    """What is wrong with the first request for admin access. As on a real server, its path is that of v1beta1."""
    for at, request in enumerate((spec.get("devices") or {}).get("requests") or ()):
        if (request.get("exactly") or {}).get("adminAccess"):
            return admin_access_problem(f"spec.devices.requests[{at}].adminAccess", namespace, surroundings)
    return []


# --- classes ---


def validate_class_spec(spec: Object, path: str, surroundings: Surroundings) -> list[Problem]:
    """What is wrong with the spec of a device class."""
    problems = validate_selectors(spec.get("selectors") or (), f"{path}.selectors", surroundings)
    problems += checked_list(spec.get("config") or (), _MAX_ITEMS, device_config, f"{path}.config")
    name = spec.get("extendedResourceName")
    if name is not None and not _is_extended_resource(name):
        detail = "must be a valid extended resource name"
        problems.append(invalid_value(f"{path}.extendedResourceName", go_value(name), detail))
    return problems


def _is_extended_resource(name: str) -> bool:
    domain, slash, rest = name.rpartition("/")
    is_native = domain == "kubernetes.io" or domain.endswith(".kubernetes.io")
    return bool(slash and domain and rest) and not is_native and not name.startswith("requests.")

"""Defaults and rules of classic DRA: the kinds of resource.k8s.io/v1alpha2.

Follows k8s.io/kubernetes/pkg/apis/resource/validation (validation.go, validation_namedresources.go) and the strategies
in pkg/registry/resource of 1.30: order, fields and messages are theirs. Of structured parameters only the devices that
a ResourceSlice names are checked.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from fake_dra_driver.cluster.apiserver.errors import (
    Problem,
    duplicate,
    forbidden,
    go_value,
    invalid_value,
    longer_than,
    required,
    too_long,
    unsupported_value,
)
from fake_dra_driver.cluster.apiserver.rules.nodeselector import validate_node_selector
from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.apiserver.types.metadata import dns_label, dns_subdomain, validate_template_metadata
from fake_dra_driver.cluster.apiserver.types.resource import Rules
from fake_dra_driver.cluster.apiserver.types.semver import is_semver

__all__ = ["CLASSIC_RULES"]

_MAX_DRIVER_NAME = 63
_MAX_HANDLE_BYTES = 16 * 1024
_MAX_HANDLES = 32
_MAX_CONSUMERS = 32
_MAX_NODES = 128
_MODES = ("Immediate", "WaitForFirstConsumer")
_ATTRIBUTE_VALUES = ("quantity", "bool", "int", "intSlice", "string", "stringSlice", "version")


def _driver_name(name: str, path: str) -> list[Problem]:
    problems = [required(path)] if not name else []
    if len(name) > _MAX_DRIVER_NAME:
        problems.append(too_long(path, _MAX_DRIVER_NAME))
    return problems + _subdomain(name, path)


def _subdomain(value: str, path: str) -> list[Problem]:
    return [invalid_value(path, go_value(value), detail) for detail in dns_subdomain(value)]


def _named(reference: Mapping[str, Any] | None, path: str) -> list[Problem]:
    """Kind and name of a reference to parameters."""
    return [
        required(f"{path}.{name}") for name in ("kind", "name") if reference is not None and not reference.get(name)
    ]


def _set_of(items: Sequence[Any], limit: int, check: Callable[[Any, str], list[Problem]], path: str) -> list[Problem]:
    """What is wrong with a list whose items must differ (validateSliceIsASet)."""
    problems: list[Problem] = []
    seen: set[Hashable] = set()
    for at, item in enumerate(items):
        problems += check(item, f"{path}[{at}]")
        if item in seen:
            problems.append(duplicate(f"{path}[{at}]", go_value(item)))
        seen.add(item)
    return problems + ([longer_than(path, limit)] if len(items) > limit else [])


# --- classes ---


def _validate_class(obj: Object) -> list[Problem]:
    problems = _driver_name(obj.get("driverName", ""), "driverName")
    reference = obj.get("parametersRef")
    problems += _named(reference, "parametersRef")
    if reference is not None and reference.get("namespace"):
        namespace = reference["namespace"]
        problems += [
            invalid_value("parametersRef.namespace", go_value(namespace), each) for each in dns_label(namespace)
        ]
    if obj.get("suitableNodes") is not None:
        problems += validate_node_selector(obj["suitableNodes"], "suitableNodes")
    return problems


# --- claims and templates ---


def _default_claim(obj: Object) -> None:
    obj["spec"].setdefault("allocationMode", "WaitForFirstConsumer")


def _default_template(obj: Object) -> None:
    obj["spec"].setdefault("spec", {}).setdefault("allocationMode", "WaitForFirstConsumer")


def _validate_claim_spec(spec: Object, path: str) -> list[Problem]:
    problems = _subdomain(spec.get("resourceClassName", ""), f"{path}.resourceClassName")
    problems += _named(spec.get("parametersRef"), f"{path}.parametersRef")
    mode = spec.get("allocationMode")
    if mode not in _MODES:
        problems.append(unsupported_value(f"{path}.allocationMode", mode, _MODES))
    return problems


def _validate_claim(obj: Object) -> list[Problem]:
    return _validate_claim_spec(obj["spec"], "spec")


def _validate_template(obj: Object) -> list[Problem]:
    spec = obj["spec"]
    problems = validate_template_metadata(spec.get("metadata") or {}, "spec.metadata")
    return problems + _validate_claim_spec(spec.get("spec") or {}, "spec.spec")


def _claim_is_immutable(obj: Object, old: Object) -> list[Problem]:
    spec = obj["spec"]
    if spec == old["spec"]:
        return []
    # As Go's %#v prints it; the address of a pointer is unknown.
    reference = "nil" if spec.get("parametersRef") is None else "0xc000000000"
    text = (
        f"resource.ResourceClaimSpec{{ResourceClassName:{go_value(spec.get('resourceClassName', ''))}, "
        f"ParametersRef:(*resource.ResourceClaimParametersReference)({reference}), "
        f"AllocationMode:{go_value(spec.get('allocationMode', ''))}}}"
    )
    return [invalid_value("spec", text, "field is immutable")]


def _template_is_immutable(obj: Object, old: Object) -> list[Problem]:
    if obj["spec"] == old["spec"]:
        return []
    text = f"resource.ResourceClaimTemplateSpec{go_value(obj['spec'])}"
    return [invalid_value("spec", text, "field is immutable")]


def _validate_claim_status(obj: Object, old: Object) -> list[Problem]:
    status, before = obj.get("status") or {}, old.get("status") or {}
    allocation, consumers = status.get("allocation"), status.get("reservedFor") or []
    problems: list[Problem] = []
    if status.get("driverName"):
        problems += _driver_name(status["driverName"], "status.driverName")
    elif allocation is not None:
        problems.append(required("status.driverName", "must be specified when `allocation` is set"))
    if allocation is not None:
        problems += _validate_allocation(allocation, "status.allocation")
    problems += _validate_consumers(consumers, "status.reservedFor")
    problems += _validate_reservation(obj, old, consumers)
    if allocation is not None and before.get("allocation") not in (None, allocation):
        text = f"resource.AllocationResult{go_value(allocation)}"
        problems.append(invalid_value("status.allocation", text, "field is immutable"))
    return problems + _validate_deallocation(status, before)


def _validate_allocation(allocation: Object, path: str) -> list[Problem]:
    problems: list[Problem] = []
    handles = allocation.get("resourceHandles") or ()
    for at, handle in enumerate(handles):
        inner = f"{path}.resourceHandles[{at}]"
        data = handle.get("data", "")
        problems += _driver_name(handle.get("driverName", ""), f"{inner}.driverName")
        if len(data.encode()) > _MAX_HANDLE_BYTES:
            problems.append(longer_than(f"{inner}.data", _MAX_HANDLE_BYTES))
        if data and handle.get("structuredData") is not None:
            problems.append(invalid_value(inner, '"null"', "data and structuredData are mutually exclusive"))
    if len(handles) > _MAX_HANDLES:
        problems.append(longer_than(f"{path}.resourceHandles", _MAX_HANDLES))
    if allocation.get("availableOnNodes") is not None:
        problems += validate_node_selector(allocation["availableOnNodes"], f"{path}.availableOnNodes")
    return problems


def _validate_consumers(consumers: Sequence[Object], path: str) -> list[Problem]:
    problems: list[Problem] = []
    seen: set[str] = set()
    for at, consumer in enumerate(consumers):
        problems += [required(f"{path}[{at}].{name}") for name in ("resource", "name", "uid") if not consumer.get(name)]
        uid = consumer.get("uid", "")
        if uid in seen:
            problems.append(duplicate(f"{path}[{at}].uid", go_value(uid)))
        seen.add(uid)
    return problems + ([longer_than(path, _MAX_CONSUMERS)] if len(consumers) > _MAX_CONSUMERS else [])


def _validate_reservation(obj: Object, old: Object, consumers: Sequence[Object]) -> list[Problem]:
    status, path = obj.get("status") or {}, "status.reservedFor"
    allocation = status.get("allocation")
    if not consumers:
        return []
    if allocation is None:
        return [forbidden(path, "may not be specified when `allocated` is not set")]
    problems = []
    if len(consumers) > 1 and not allocation.get("shareable"):
        problems.append(forbidden(path, "may not be reserved more than once"))
    if obj["metadata"].get("deletionTimestamp") or status.get("deallocationRequested"):
        before = (old.get("status") or {}).get("reservedFor") or ()
        if any(each not in before for each in consumers):
            detail = "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set"
            problems.append(forbidden(path, detail))
    return problems


def _validate_deallocation(status: Object, before: Object) -> list[Problem]:
    path = "status.deallocationRequested"
    requested, was_requested = status.get("deallocationRequested"), before.get("deallocationRequested")
    problems = []
    if requested and not was_requested and status.get("reservedFor"):
        problems.append(forbidden(path, "deallocation cannot be requested while `reservedFor` is set"))
    if requested and status.get("allocation") is None:
        problems.append(forbidden("status", "`allocation` must be set when `deallocationRequested` is set"))
    if was_requested and not requested and status.get("allocation") is not None:
        problems.append(forbidden(path, "may not be cleared when `allocation` is set"))
    return problems


# --- scheduling ---


def _validate_scheduling(obj: Object) -> list[Problem]:
    nodes = (obj.get("spec") or {}).get("potentialNodes") or ()
    return _set_of(nodes, _MAX_NODES, _subdomain, "spec.potentialNodes")


def _validate_scheduling_status(obj: Object, _: Object) -> list[Problem]:
    problems: list[Problem] = []
    seen: set[str] = set()
    for at, claim in enumerate((obj.get("status") or {}).get("resourceClaims") or ()):
        # The field is called resourceClaims, but its errors name claims.
        path, name = f"status.claims[{at}]", claim.get("name", "")
        problems += _set_of(claim.get("unsuitableNodes") or (), _MAX_NODES, _subdomain, f"{path}.unsuitableNodes")
        if name in seen:
            problems.append(duplicate(path, go_value(name)))
        seen.add(name)
    return problems


# --- slices ---


def _validate_slice(obj: Object) -> list[Problem]:
    problems = _subdomain(obj["nodeName"], "nodeName") if obj.get("nodeName") else []
    problems += _driver_name(obj.get("driverName", ""), "driverName")
    if obj.get("namedResources") is None:
        return [*problems, required("<nil>", "exactly one structured model field must be set")]
    return problems + _validate_instances(obj["namedResources"].get("instances") or (), "namedResources.instances")


def _validate_instances(instances: Sequence[Object], path: str) -> list[Problem]:
    problems: list[Problem] = []
    seen: set[str] = set()
    for at, instance in enumerate(instances):
        name, inner = instance.get("name", ""), f"{path}[{at}]"
        problems += _subdomain(name, f"{inner}.name")
        if name in seen:
            problems.append(duplicate(f"{inner}.name", go_value(name)))
        seen.add(name)
        problems += _validate_attributes(instance.get("attributes") or (), f"{inner}.attributes")
    return problems


def _validate_attributes(attributes: Sequence[Object], path: str) -> list[Problem]:
    problems: list[Problem] = []
    seen: set[str] = set()
    for at, attribute in enumerate(attributes):
        name, inner = attribute.get("name", ""), f"{path}[{at}]"
        problems += _subdomain(name, f"{inner}.name")
        if name in seen:
            problems.append(duplicate(f"{inner}.name", go_value(name)))
        seen.add(name)
        values = [each for each in _ATTRIBUTE_VALUES if attribute.get(each) is not None]
        version = attribute.get("version")
        if version is not None and not is_semver(version):
            detail = "must be a string compatible with semver.org spec 2.0.0"
            problems.append(invalid_value(f"{inner}.version", go_value(version), detail))
        if not values:
            problems.append(required(inner, "exactly one value must be set"))
        elif len(values) > 1:
            listed = ", ".join(f'"{each}"' for each in values)
            problems.append(invalid_value(inner, f"[]string{{{listed}}}", "exactly one field must be set, not several"))
    return problems


def _slice_is_immutable(obj: Object, old: Object) -> list[Problem]:
    return [
        invalid_value(name, go_value(obj.get(name, "")), "field is immutable")
        for name in ("nodeName", "driverName")
        if obj.get(name) != old.get(name)
    ]


CLASSIC_RULES: Mapping[str, Rules] = {
    "ResourceClass": Rules(validate=_validate_class, returns_deleted=True),
    "ResourceClaim": Rules(
        set_defaults=_default_claim,
        validate=_validate_claim,
        validate_update=_claim_is_immutable,
        validate_status=_validate_claim_status,
        status_on_create={},
        returns_deleted=True,
    ),
    "ResourceClaimTemplate": Rules(
        set_defaults=_default_template,
        validate=_validate_template,
        validate_update=_template_is_immutable,
        returns_deleted=True,
    ),
    "PodSchedulingContext": Rules(
        validate=_validate_scheduling,
        validate_status=_validate_scheduling_status,
        status_on_create={},
        returns_deleted=True,
    ),
    "ResourceSlice": Rules(
        validate=_validate_slice,
        validate_update=_slice_is_immutable,
        returns_deleted=True,
        selectable=("nodeName", "driverName"),
    ),
    "ResourceClaimParameters": Rules(returns_deleted=True),
    "ResourceClassParameters": Rules(returns_deleted=True),
}
"""By kind."""

"""resource.k8s.io/v1beta1, stored in the shape of v1: devices have a level less there, requests one more.

Follows k8s.io/kubernetes/pkg/apis/resource/v1beta1/conversion.go. v1beta2 has the shape of v1.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from fake_dra_driver.cluster.apiserver.conversion.conversion import Conversion
from fake_dra_driver.cluster.apiserver.store.store import Object

__all__ = ["V1BETA1"]

_UNSET_WHEN_ZERO = ("nodeName", "allNodes")
"""Fields of a slice that are plain values in v1beta1, where empty means unset."""


def _with_spec(obj: Object, convert: Callable[[Mapping[str, Any]], Object]) -> Object:
    spec = obj.get("spec")
    return obj if spec is None else {**obj, "spec": convert(spec)}


# --- claims and templates ---


def _claim_spec(spec: Mapping[str, Any], convert_request: Callable[[Mapping[str, Any]], Object]) -> Object:
    requests = (spec.get("devices") or {}).get("requests")
    if not requests:
        return dict(spec)
    return {**spec, "devices": {**spec["devices"], "requests": [convert_request(each) for each in requests]}}


def _nested(request: Mapping[str, Any]) -> Object:
    outer = {name: request[name] for name in ("name", "firstAvailable") if name in request}
    inner = {name: value for name, value in request.items() if name not in outer}
    # Empty values are unset, as in Go; only of adminAccess, a pointer, false is not the same as nothing.
    is_set = any(inner.values()) or inner.get("adminAccess") is not None
    return {**outer, "exactly": inner} if is_set else outer


def _flat(request: Mapping[str, Any]) -> Object:
    exactly = request.get("exactly") or {}
    flat = {name: value for name, value in request.items() if name != "exactly"}
    # Go writes the class even where it is empty.
    return {**flat, "deviceClassName": "", **exactly}


def _template(obj: Object, convert_request: Callable[[Mapping[str, Any]], Object]) -> Object:
    def convert(spec: Mapping[str, Any]) -> Object:
        inner = spec.get("spec")
        return {**spec, "spec": _claim_spec(inner, convert_request)} if inner is not None else dict(spec)

    return _with_spec(obj, convert)


# --- slices ---


def _stored_slice(spec: Mapping[str, Any]) -> Object:
    stored = {name: value for name, value in spec.items() if value or name not in _UNSET_WHEN_ZERO}
    if spec.get("devices"):
        stored["devices"] = [_stored_device(each) for each in spec["devices"]]
    return stored


def _stored_device(device: Mapping[str, Any]) -> Object:
    outer = {name: value for name, value in device.items() if name != "basic"}
    return {**outer, **(device.get("basic") or {})}


def _shown_slice(spec: Mapping[str, Any]) -> Object:
    shown = dict(spec)
    if spec.get("devices"):
        shown["devices"] = [
            {"name": each.get("name", ""), "basic": {name: value for name, value in each.items() if name != "name"}}
            for each in spec["devices"]
        ]
    return shown


V1BETA1: Final[Mapping[str, Conversion]] = {
    "ResourceClaim": Conversion(
        to_stored=lambda obj: _with_spec(obj, lambda spec: _claim_spec(spec, _nested)),
        from_stored=lambda obj: _with_spec(obj, lambda spec: _claim_spec(spec, _flat)),
    ),
    "ResourceClaimTemplate": Conversion(
        to_stored=lambda obj: _template(obj, _nested), from_stored=lambda obj: _template(obj, _flat)
    ),
    "ResourceSlice": Conversion(
        to_stored=lambda obj: _with_spec(obj, _stored_slice), from_stored=lambda obj: _with_spec(obj, _shown_slice)
    ),
}
"""By kind. A DeviceClass is the same in all versions."""

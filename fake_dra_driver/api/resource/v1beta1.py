"""The kinds of ``resource.k8s.io/v1beta1``, Kubernetes 1.32 to 1.37, read and written as those of ``v1``.

Three things differ on the wire (pkg/apis/resource/v1beta1/conversion.go): a request has the fields of ``exactly``
beside its name, a device has all but its name in ``basic``, and a slice may say that it has no node with ``""`` or
``false``, where v1 leaves the field out. The API server takes and gives every object in each version that it serves.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Self

from typing_extensions import override

from fake_dra_driver.api.resource import v1

__all__ = ["DeviceClass", "ResourceClaim", "ResourceClaimTemplate", "ResourceSlice"]

VERSION: Final = "v1beta1"

_Json = Mapping[str, Any]
_REQUEST: Final = frozenset({"name", "firstAvailable"})
"""What a request of v1beta1 has beside the fields of ``exactly``."""


class ResourceSlice(v1.ResourceSlice):
    """A ``v1.ResourceSlice`` as v1beta1 has it."""

    resource = replace(v1.ResourceSlice.resource, version=VERSION)

    @classmethod
    @override
    def from_wire(cls, raw: _Json) -> Self:
        return super().from_wire(_at(raw, ("spec",), _slice_from_wire))

    @override
    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = _at(super().to_wire(), ("spec", "devices"), _devices_to_wire)
        return wire


class ResourceClaim(v1.ResourceClaim):
    """A ``v1.ResourceClaim`` as v1beta1 has it."""

    resource = replace(v1.ResourceClaim.resource, version=VERSION)

    @classmethod
    @override
    def from_wire(cls, raw: _Json) -> Self:
        return super().from_wire(_at(raw, _CLAIM_REQUESTS, _requests_from_wire))

    @override
    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = _at(super().to_wire(), _CLAIM_REQUESTS, _requests_to_wire)
        return wire


class ResourceClaimTemplate(v1.ResourceClaimTemplate):
    """A ``v1.ResourceClaimTemplate`` as v1beta1 has it."""

    resource = replace(v1.ResourceClaimTemplate.resource, version=VERSION)

    @classmethod
    @override
    def from_wire(cls, raw: _Json) -> Self:
        return super().from_wire(_at(raw, ("spec", *_CLAIM_REQUESTS), _requests_from_wire))

    @override
    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = _at(super().to_wire(), ("spec", *_CLAIM_REQUESTS), _requests_to_wire)
        return wire


class DeviceClass(v1.DeviceClass):
    """A ``v1.DeviceClass`` as v1beta1 has it."""

    resource = replace(v1.DeviceClass.resource, version=VERSION)


_CLAIM_REQUESTS: Final = ("spec", "devices", "requests")


def _at(raw: Any, path: tuple[str, ...], change: Callable[[Any], Any]) -> Any:
    """A copy in which the value at the path is changed; the same object where there is none.

    What should be an object and is not is left alone: the model says what is wrong with it.
    """
    if not path:
        return change(raw)
    if not isinstance(raw, Mapping) or raw.get(path[0]) is None:
        return raw
    return {**raw, path[0]: _at(raw[path[0]], path[1:], change)}


def _slice_from_wire(spec: Any) -> Any:
    if not isinstance(spec, Mapping):
        return spec
    found = {name: value for name, value in spec.items() if name not in ("nodeName", "allNodes") or value}
    return _at(found, ("devices",), lambda devices: _each(devices, _device_from_wire))


def _device_from_wire(device: _Json) -> _Json:
    basic = device.get("basic")
    rest = {name: value for name, value in device.items() if name != "basic"}
    return {**rest, **basic} if isinstance(basic, Mapping) else rest


def _devices_to_wire(devices: Sequence[_Json]) -> Sequence[_Json]:
    return [
        {"name": device["name"], "basic": {name: value for name, value in device.items() if name != "name"}}
        for device in devices
    ]


def _requests_from_wire(requests: Any) -> Any:
    return _each(requests, _request_from_wire)


def _request_from_wire(request: _Json) -> _Json:
    # Servers from 1.34 on write an empty class beside ``firstAvailable`` too.
    exactly = {name: value for name, value in request.items() if name not in _REQUEST and value != ""}
    rest = {name: value for name, value in request.items() if name in _REQUEST}
    return {**rest, "exactly": exactly} if exactly else rest


def _requests_to_wire(requests: Sequence[_Json]) -> Sequence[_Json]:
    return [
        {name: value for name, value in {**request, **request.get("exactly", {})}.items() if name != "exactly"}
        for request in requests
    ]


def _each(values: Any, change: Callable[[_Json], _Json]) -> Any:
    """The list with each object changed."""
    if not isinstance(values, list | tuple):
        return values
    return [change(value) if isinstance(value, Mapping) else value for value in values]

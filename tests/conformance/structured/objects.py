"""Objects and paths that the tests begin with. Everything returned is new, to be changed at will."""

from typing import Any

from tests.conformance.api import Json

__all__ = [
    "DRIVER",
    "GROUP",
    "allocation",
    "claim",
    "consumer",
    "device_class",
    "path",
    "result",
    "slice_of",
    "taint_rule",
    "template",
]

DRIVER = "driver.example.com"
GROUP = "/apis/resource.k8s.io"


def path(plural: str, name: str = "", *, namespace: str = "", version: str = "v1") -> str:
    """The path of a resource, or of one object of it."""
    middle = f"/namespaces/{namespace}" if namespace else ""
    return f"{GROUP}/{version}{middle}/{plural}" + (f"/{name}" if name else "")


def _object(kind: str, name: str, version: str, **fields: Any) -> Json:
    return {"apiVersion": f"resource.k8s.io/{version}", "kind": kind, "metadata": {"name": name}, **fields}


def slice_of(node: str, *devices: Json, version: str = "v1", **spec: Any) -> Json:
    """A ResourceSlice of a node, named after it; without devices: with one. None takes a field away."""
    whole = {
        "driver": DRIVER,
        "nodeName": node,
        "pool": {"name": node, "generation": 1, "resourceSliceCount": 1},
        "devices": list(devices) or [{"name": "dev-0"}],
        **spec,
    }
    fields = {name: value for name, value in whole.items() if value is not None}
    return _object("ResourceSlice", node, version, spec=fields)


def device_class(name: str, **spec: Any) -> Json:
    """A DeviceClass."""
    return _object("DeviceClass", name, "v1", spec=spec)


def taint_rule(name: str, version: str = "v1", **spec: Any) -> Json:
    """A DeviceTaintRule; without a taint: with one of long ago."""
    taint = {"key": "example.com/broken", "effect": "NoExecute", "timeAdded": "2024-05-01T10:00:00Z"}
    return _object("DeviceTaintRule", name, version, spec={"taint": taint, **spec})


def claim(name: str, *requests: Json, version: str = "v1", **devices: Any) -> Json:
    """A ResourceClaim; without requests: with one, for one device of a class."""
    asked = list(requests) or [{"name": "req", "exactly": {"deviceClassName": "class.example.com"}}]
    return _object("ResourceClaim", name, version, spec={"devices": {"requests": asked, **devices}})


def template(name: str, *requests: Json, version: str = "v1", **devices: Any) -> Json:
    """A ResourceClaimTemplate of such claims."""
    spec = claim("", *requests, **devices)["spec"]
    return _object("ResourceClaimTemplate", name, version, spec={"spec": spec})


def result(device: str = "dev-0", request: str = "req", pool: str = "n1", **more: Any) -> Json:
    """An allocated device."""
    return {"request": request, "driver": DRIVER, "pool": pool, "device": device, **more}


def consumer(name: str) -> Json:
    """An entry of reservedFor."""
    return {"resource": "pods", "name": name, "uid": f"uid-{name}"}


def allocation(*results: Json, pods: tuple[str, ...] = (), **more: Any) -> Json:
    """The status that a scheduler writes."""
    devices = {"results": list(results) or [result()]}
    status: Json = {"allocation": {"devices": devices, **more}}
    if pods:
        status["reservedFor"] = [consumer(each) for each in pods]
    return status

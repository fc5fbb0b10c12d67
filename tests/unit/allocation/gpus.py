"""Nodes, slices, classes and claims to allocate in tests, in the JSON of ``resource.k8s.io/v1``."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, Final

from fake_dra_driver.allocation import Allocation, Allocator, Behaviour, Refusal
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.resource.v1 import (
    DeviceClass,
    DeviceTaintRule,
    ResourceClaim,
    ResourceClaimStatus,
    ResourceSlice,
)

__all__ = [
    "CLASS",
    "DRIVER",
    "Json",
    "allocated",
    "allocator",
    "claim",
    "device_class",
    "devices_of",
    "granted",
    "names",
    "node",
    "on_node",
    "request",
    "rule",
    "slice_of",
    "taint",
    "toleration",
]

Json = Mapping[str, Any]
DRIVER: Final = "gpu.example.com"
CLASS: Final = "gpu"


def node(name: str = "n1", host: str = "") -> Node:
    """A node, labelled with a name that is its own if no other is given."""
    return Node.from_wire({"metadata": {"name": name, "labels": {"host": host or name}}})


def on_node(name: str) -> Json:
    """A node selector that means one node."""
    return {"nodeSelectorTerms": [{"matchExpressions": [{"key": "host", "operator": "In", "values": [name]}]}]}


def slice_of(
    *devices: str | Json, name: str = "", pool: str = "n1", generation: int = 1, count: int = 1, **spec: Any
) -> ResourceSlice:
    """A slice; unless the spec says where, on the node that its pool is named after."""
    places = ("nodeName", "allNodes", "nodeSelector", "perDeviceNodeSelection")
    where = {} if any(each in spec for each in places) else {"nodeName": pool}
    driver = spec.pop("driver", DRIVER)
    return ResourceSlice.from_wire(
        {
            "metadata": {"name": name or f"{pool}-{generation}"},
            "spec": {
                "driver": driver,
                "pool": {"name": pool, "generation": generation, "resourceSliceCount": count},
                "devices": [{"name": each} if isinstance(each, str) else each for each in devices],
                **where,
                **spec,
            },
        }
    )


def device_class(name: str = CLASS, *expressions: str, **spec: Any) -> DeviceClass:
    """A class; without expressions all devices are of it."""
    selectors = [{"cel": {"expression": each}} for each in expressions]
    return DeviceClass.from_wire({"metadata": {"name": name}, "spec": {"selectors": selectors, **spec}})


def request(name: str = "gpu", *expressions: str, **fields: Any) -> Json:
    """A request for one device of the class, with the defaults that an API server fills in."""
    selectors = [{"cel": {"expression": each}} for each in expressions]
    mode = fields.get("allocationMode", "ExactCount")
    defaults = {"deviceClassName": CLASS, "allocationMode": mode, **({"count": 1} if mode == "ExactCount" else {})}
    return {"name": name, "exactly": {**defaults, "selectors": selectors, **fields}}


def claim(*requests: Json, name: str = "c", **devices: Any) -> ResourceClaim:
    """A claim; without requests it wants one device."""
    return ResourceClaim.from_wire(
        {
            "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}"},
            "spec": {"devices": {"requests": list(requests) or [request()], **devices}},
        }
    )


def taint(key: str = "broken", effect: str = "NoSchedule", **fields: str) -> Json:
    """A taint."""
    return {"key": key, "effect": effect, **fields}


def toleration(**fields: Any) -> Json:
    """A toleration."""
    return {"operator": "Equal", **fields}


def rule(name: str = "rule", selector: Json | None = None, **fields: str) -> DeviceTaintRule:
    """A rule that gives devices a taint."""
    return DeviceTaintRule.from_wire(
        {"metadata": {"name": name}, "spec": {"deviceSelector": selector, "taint": taint(**fields)}}
    )


def allocator(*things: ResourceSlice | DeviceClass | ResourceClaim | DeviceTaintRule, **behaviour: Any) -> Allocator:
    """An allocator that knows these things, and the class that all devices are of. Shares get numbers."""
    numbers = count(1)
    found = Allocator(Behaviour(**behaviour), new_share_id=lambda: f"share-{next(numbers)}")
    found.put_class(device_class())
    for thing in things:
        match thing:
            case ResourceSlice():
                found.put_slice(thing)
            case DeviceClass():
                found.put_class(thing)
            case ResourceClaim():
                found.put_claim(thing)
            case DeviceTaintRule():
                found.put_taint_rule(thing)
    return found


def granted(decision: Allocation | Refusal) -> Allocation:
    """The allocation, which it has to be."""
    assert isinstance(decision, Allocation), decision
    return decision


def devices_of(decision: Allocation | Refusal) -> list[str]:
    """The devices that were chosen, claim after claim; none if that was refused."""
    results = () if isinstance(decision, Refusal) else decision.results
    return [each.device for result in results for each in result.devices.results]


def allocated(wanted: ResourceClaim, *devices: str, pool: str = "n1", **fields: Any) -> ResourceClaim:
    """The claim with these devices."""
    results = [{"request": "gpu", "driver": DRIVER, "pool": pool, "device": each, **fields} for each in devices]
    status = ResourceClaimStatus.model_validate({"allocation": {"devices": {"results": results}}})
    return wanted.model_copy(update={"status": status})


def names(found: Sequence[object]) -> list[str]:
    """The types of obstacles."""
    return [type(each).__name__ for each in found]

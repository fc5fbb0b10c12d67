"""Clusters in which a pod waits for its devices, each for another reason, and what ``why`` has to say about it.

Pure manifests: unit tests explain them as they are, integration tests send them to an API server first. All objects of
a case but its pods and claims have names that begin with that of the case: several cases can be in one cluster.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

__all__ = [
    "CASES",
    "NAMESPACE",
    "POD",
    "Case",
    "Wire",
    "allocated",
    "class_of",
    "device",
    "full_node",
    "node_of",
    "pending_claim",
    "pod_of",
    "request_for",
    "slice_of",
]

Wire = dict[str, Any]

NAMESPACE: Final = "ml"
POD: Final = "train"


@dataclass(frozen=True, slots=True)
class Case:
    """A cluster, and what is said about the pod ``train`` in it."""

    name: str
    objects: tuple[Wire, ...]
    verdict: str
    says: tuple[str, ...]
    """Pieces of the table, as wide as it has to be."""
    is_young: bool = False
    """Whether releases before 1.36 decide otherwise, or have it only behind a feature gate."""
    admin_label: bool = False
    """Whether the API server takes the claim only while the namespace has the label for admin access."""

    @property
    def driver(self) -> str:
        """The driver of its devices."""
        return f"{self.name}.example.com"


def device(name: str, *, capacity: Mapping[str, str] | None = None, **fields: Any) -> Wire:
    """A device; fields in small letters and without values of their own are strings, as attributes."""
    known = {"consumesCounters", "taints", "allowMultipleAllocations"}
    attributes = {key: _value(value) for key, value in fields.items() if key not in known}
    found: Wire = {"name": name, **{key: value for key, value in fields.items() if key in known}}
    if attributes:
        found["attributes"] = attributes
    if capacity:
        found["capacity"] = {key: {"value": value} for key, value in capacity.items()}
    return found


def _value(value: Any) -> Wire:
    kind = "bool" if isinstance(value, bool) else "int" if isinstance(value, int) else "string"
    return {kind: value}


def slice_of(
    driver: str, node: str, *devices: Wire, index: int = 0, count: int = 1, counters: Sequence[Wire] = ()
) -> Wire:
    """A slice of the pool of a node."""
    spec: Wire = {
        "driver": driver,
        "nodeName": node,
        "pool": {"name": node, "generation": 1, "resourceSliceCount": count},
    }
    if counters:
        spec["sharedCounters"] = list(counters)
    else:
        spec["devices"] = list(devices)
    return {"kind": "ResourceSlice", "metadata": {"name": f"{node}-{driver}-{index}"}, "spec": spec}


def node_of(name: str, **spec: Any) -> Wire:
    return {"kind": "Node", "metadata": {"name": name}, "spec": spec}


def class_of(name: str, expression: str) -> Wire:
    return {
        "kind": "DeviceClass",
        "metadata": {"name": name},
        "spec": {"selectors": [{"cel": {"expression": expression}}]},
    }


def request_for(name: str, class_name: str, *selectors: str, **fields: Any) -> Wire:
    exactly: Wire = {"deviceClassName": class_name, "allocationMode": "ExactCount", **fields}
    if exactly["allocationMode"] == "ExactCount":
        exactly.setdefault("count", 1)
    if selectors:
        exactly["selectors"] = [{"cel": {"expression": each}} for each in selectors]
    return {"name": name, "exactly": exactly}


def pending_claim(name: str, *requests: Wire, constraints: Sequence[Wire] = ()) -> Wire:
    """A claim without devices."""
    devices: Wire = {"requests": list(requests)}
    if constraints:
        devices["constraints"] = list(constraints)
    return {"kind": "ResourceClaim", "metadata": {"name": name, "namespace": NAMESPACE}, "spec": {"devices": devices}}


def allocated(claim: Wire, pod: str, driver: str, node: str, *devices: str, **fields: Any) -> Wire:
    request = claim["spec"]["devices"]["requests"][0]["name"]
    results = [{"request": request, "driver": driver, "pool": node, "device": each, **fields} for each in devices]
    on_node = {"nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}]}
    return {
        **claim,
        "status": {
            "allocation": {"devices": {"results": results}, "nodeSelector": on_node},
            "reservedFor": [{"resource": "pods", "name": pod, "uid": f"uid-of-{pod}"}],
        },
    }


def pod_of(*claims: str, **spec: Any) -> Wire:
    return {
        "kind": "Pod",
        "metadata": {"name": POD, "namespace": NAMESPACE},
        "spec": {
            "containers": [{"name": "main", "image": "example.com/train:v1"}],
            "resourceClaims": [
                {"name": f"entry-{index}", "resourceClaimName": name} for index, name in enumerate(claims)
            ],
            **spec,
        },
    }


def _no_class(name: str) -> Case:
    driver, node = f"{name}.example.com", f"{name}-1"
    return Case(
        name,
        (
            node_of(node),
            class_of(driver, f'device.driver == "{driver}"'),
            slice_of(driver, node, device("gpu-0")),
            pending_claim("gpu", request_for("main", f"{name}.exmaple.com")),
            pod_of("gpu"),
        ),
        "Blocked",
        (
            f"Pod train waits: request main of claim gpu names DeviceClass {name}.exmaple.com, which does not exist",
            f"did you mean {driver}?",
            f"name DeviceClass {driver} in request main of claim gpu; then it fits on {node}",
        ),
    )


def _selector_false(name: str) -> Case:
    driver, node = f"{name}.example.com", f"{name}-1"
    expression = f'device.attributes["{driver}"].model == "ULTRA_10"'
    return Case(
        name,
        (
            node_of(node),
            class_of(driver, f'device.driver == "{driver}"'),
            slice_of(driver, node, *(device(f"gpu-{index}", model="LATEST") for index in range(2))),
            pending_claim("gpu", request_for("main", driver, expression)),
            pod_of("gpu"),
        ),
        "Impossible",
        (
            f'the selector of request main, {expression}, is false: model is "LATEST"',
            "gpu-0 and gpu-1",
            'which no device satisfies; of those that could be had, model is "LATEST" (2 devices)',
        ),
    )


def _cel_error(name: str) -> Case:
    driver, node = f"{name}.example.com", f"{name}-1"
    expression = f'device.attributes["{driver}"].index == 3'
    return Case(
        name,
        (
            node_of(node),
            class_of(driver, f'device.driver == "{driver}"'),
            slice_of(driver, node, device("gpu-0", index=0), device("gpu-1", model="LATEST"), device("gpu-3", index=3)),
            pending_claim("gpu", request_for("main", driver, expression)),
            pod_of("gpu"),
        ),
        "Failing",
        (
            f"the selector of request main cannot be evaluated for device gpu-1 of pool {node} (driver {driver}): no "
            "such key: index",
            "the scheduler then gives up for all nodes",
            f'"index" in device.attributes["{driver}"] && ({expression})',
        ),
    )


def full_node(name: str) -> Case:
    driver, full, free = f"{name}.example.com", f"{name}-1", f"{name}-2"
    expression = f'device.attributes["{driver}"].model == "H100"'
    other = pending_claim("other", request_for("main", driver))
    return Case(
        name,
        (
            node_of(full),
            node_of(free),
            class_of(driver, f'device.driver == "{driver}"'),
            slice_of(driver, full, device("gpu-0", model="H100")),
            slice_of(driver, free, device("gpu-0", model="A100")),
            allocated(other, "other-0", driver, full, "gpu-0"),
            pending_claim("gpu", request_for("main", driver, expression)),
            pod_of("gpu"),
        ),
        "Impossible",
        (
            "in use by claim ml/other (pod other-0)",
            f"NODE {free}",
            'model is "A100"',
            f"free the devices of claim ml/other (pod other-0); then it fits on {full}",
        ),
    )


def _counters_short(name: str) -> Case:
    driver, node = f"{name}.example.com", f"{name}-1"
    counters = [{"name": "gpu-0-counters", "counters": {"slices": {"value": "4"}}}]

    def part(index: int, slices: str) -> Wire:
        consumed = [{"counterSet": "gpu-0-counters", "counters": {"slices": {"value": slices}}}]
        return device(f"gpu-0-part-{index}", size=slices, consumesCounters=consumed)

    other = pending_claim("other", request_for("main", driver))
    return Case(
        name,
        (
            node_of(node),
            class_of(driver, f'device.driver == "{driver}"'),
            slice_of(driver, node, counters=counters, count=2),
            slice_of(driver, node, part(0, "1"), part(1, "4"), index=1, count=2),
            allocated(other, "other-0", driver, node, "gpu-0-part-0"),
            pending_claim("gpu", request_for("main", driver, f'device.attributes["{driver}"].size == "4"')),
            pod_of("gpu"),
        ),
        "Impossible",
        (
            "gpu-0-part-1",
            "slices of gpu-0-counters: 4 needed, 3 left of 4, used by gpu-0-part-0",
            "free the devices of claim ml/other (pod other-0)",
        ),
        is_young=True,
    )


def _capacity_short(name: str) -> Case:
    driver, node = f"{name}.example.com", f"{name}-1"
    return Case(
        name,
        (
            node_of(node),
            class_of(driver, f'device.driver == "{driver}"'),
            slice_of(driver, node, device("gpu-0", capacity={"memory": "40Gi"})),
            pending_claim("gpu", request_for("main", driver, capacity={"requests": {"memory": "80Gi"}})),
            pod_of("gpu"),
        ),
        "Impossible",
        (
            "memory: 80Gi asked for, it has 40Gi",
            f"ask for 40Gi of memory at most in request main of claim gpu; then it fits on {node}",
        ),
        is_young=True,
    )


def _tainted(name: str) -> Case:
    driver, node = f"{name}.example.com", f"{name}-1"
    taint = {"key": f"{driver}/unhealthy", "value": "true", "effect": "NoSchedule"}
    return Case(
        name,
        (
            node_of(node),
            class_of(driver, f'device.driver == "{driver}"'),
            slice_of(driver, node, device("gpu-0", taints=[taint])),
            pending_claim("gpu", request_for("main", driver)),
            pod_of("gpu"),
        ),
        "Impossible",
        (
            f"taint {driver}/unhealthy=true:NoSchedule, which the request does not tolerate",
            f"add a toleration of taint {driver}/unhealthy=true:NoSchedule to request main of claim gpu; then it "
            f"fits on {node}",
        ),
        is_young=True,
    )


def _constraint(name: str) -> Case:
    driver, node = f"{name}.example.com", f"{name}-1"
    return Case(
        name,
        (
            node_of(node),
            class_of(driver, f'device.driver == "{driver}"'),
            slice_of(driver, node, device("gpu-0", numa=0), device("gpu-1", numa=1)),
            pending_claim(
                "gpu", request_for("main", driver, count=2), constraints=[{"matchAttribute": f"{driver}/numa"}]
            ),
            pod_of("gpu"),
        ),
        "Impossible",
        (
            f"no devices satisfy the constraint of claim gpu that all devices must have the same {driver}/numa",
            "gpu-0 has 0 and gpu-1 has 1",
            "drop the constraint of claim gpu",
        ),
    )


def _all_with_one_in_use(name: str) -> Case:
    driver, node = f"{name}.example.com", f"{name}-1"
    other = pending_claim("other", request_for("main", driver))
    return Case(
        name,
        (
            node_of(node),
            class_of(driver, f'device.driver == "{driver}"'),
            slice_of(driver, node, *(device(f"gpu-{index}") for index in range(3))),
            allocated(other, "other-0", driver, node, "gpu-1"),
            pending_claim("gpu", request_for("main", driver, allocationMode="All")),
            pod_of("gpu"),
        ),
        "Impossible",
        (
            "request main of claim gpu wants all devices that match: 2 of 3 can be had",
            "in use by claim ml/other (pod other-0)",
            "free the devices of claim ml/other (pod other-0)",
            "ask for 2 devices in request main of claim gpu instead of all that match",
        ),
    )


def _incomplete_pool(name: str) -> Case:
    driver, node = f"{name}.example.com", f"{name}-1"
    return Case(
        name,
        (
            node_of(node),
            class_of(driver, f'device.driver == "{driver}"'),
            slice_of(driver, node, device("gpu-0"), count=3),
            pending_claim("gpu", request_for("main", driver)),
            pod_of("gpu"),
        ),
        "Impossible",
        (
            f"pool {node} of driver {driver} is incomplete, so that none of its devices can be had: 1 of 3 "
            "ResourceSlices of generation 1 is there",
            f"let driver {driver} publish all slices of pool {node}",
        ),
        is_young=True,
    )


def _no_admin_label(name: str) -> Case:
    driver, node = f"{name}.example.com", f"{name}-1"
    return Case(
        name,
        (
            node_of(node),
            class_of(driver, f'device.driver == "{driver}"'),
            slice_of(driver, node, device("gpu-0")),
            pending_claim("gpu", request_for("main", driver, adminAccess=True)),
            pod_of("gpu"),
        ),
        "Blocked",
        (
            "request main of claim gpu wants admin access, which only a namespace with the label "
            "resource.kubernetes.io/admin-access=true allows",
            "resource.kubernetes.io/admin-access=true",
        ),
        admin_label=True,
        is_young=True,
    )


_MAKERS: Final[Mapping[str, Callable[[str], Case]]] = {
    "no-class": _no_class,
    "selector-false": _selector_false,
    "cel-error": _cel_error,
    "full-node": full_node,
    "counters-short": _counters_short,
    "capacity-short": _capacity_short,
    "tainted": _tainted,
    "constraint": _constraint,
    "all-in-use": _all_with_one_in_use,
    "incomplete-pool": _incomplete_pool,
    "no-admin-label": _no_admin_label,
}
CASES: Final[Sequence[Case]] = tuple(make(name) for name, make in _MAKERS.items())
"""One for each thing that a person may meet."""

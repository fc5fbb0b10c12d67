"""Explains manifests, without any API server."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from fake_dra_driver.api.kube.core import Event
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.cluster.kinds import Namespace, Node, Pod
from fake_dra_driver.why.build import explain
from fake_dra_driver.why.report import Report
from fake_dra_driver.why.snapshot import Served, Snapshot
from fake_dra_driver.why.subject import Found
from tests.support.whycases import NAMESPACE, POD, Wire

KINDS: dict[str, Any] = {
    "Node": Node,
    "Namespace": Namespace,
    "Pod": Pod,
    "Event": Event,
    "ResourceSlice": v1.ResourceSlice,
    "DeviceClass": v1.DeviceClass,
    "ResourceClaim": v1.ResourceClaim,
    "ResourceClaimTemplate": v1.ResourceClaimTemplate,
    "DeviceTaintRule": v1.DeviceTaintRule,
}


def with_uid(wire: Wire) -> Wire:
    """As an API server keeps it."""
    metadata = {"uid": f"uid-of-{wire['metadata']['name']}", **wire["metadata"]}
    return {**wire, "metadata": metadata}


def served(kubernetes: str = "v1.37.2") -> Served:
    """An API server of that release."""
    return Served(kubernetes, RESOURCE_APIS["v1"], v1.DeviceTaintRule)


def snapshot_of(objects: Iterable[Wire], **fields: Any) -> Snapshot:
    """What a reader of a cluster with these objects would have read."""
    found: dict[str, list[Any]] = defaultdict(list)
    for wire in objects:
        found[wire["kind"]].append(KINDS[wire["kind"]].from_wire(with_uid(wire)))
    namespaces = found["Namespace"] or [Namespace.from_wire({"metadata": {"name": NAMESPACE}})]
    given: dict[str, Any] = {
        "served": served(),
        "nodes": tuple(found["Node"]),
        "slices": tuple(found["ResourceSlice"]),
        "classes": tuple(found["DeviceClass"]),
        "claims": tuple(found["ResourceClaim"]),
        "taint_rules": tuple(found["DeviceTaintRule"]),
        "templates": {each.metadata.name: each for each in found["ResourceClaimTemplate"]},
        "namespace": namespaces[0],
        "events": tuple(found["Event"]),
    }
    return Snapshot(**{**given, **fields})


def explained(objects: Iterable[Wire], *, each_node: bool = False, **fields: Any) -> Report:
    """What is said about the pod ``train`` among these objects."""
    wires = list(objects)
    pods = [Pod.from_wire(with_uid(wire)) for wire in wires if wire["kind"] == "Pod"]
    pod = next(each for each in pods if each.metadata.name == POD)
    return explain(Found(pod, pod), snapshot_of(wires, **fields), each_node=each_node)

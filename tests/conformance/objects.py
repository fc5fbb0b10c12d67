"""Objects and paths that the tests begin with. Everything returned is new, to be changed at will."""

from pathlib import Path
from typing import Any

import yaml

from tests.conformance.api import Json

__all__ = [
    "CRD_PATH",
    "OUR_CRDS",
    "RESOURCE",
    "claim",
    "config_map",
    "core",
    "crd",
    "deployment",
    "event",
    "node",
    "ours",
    "owner",
    "pod",
    "resource",
    "widget",
]

CRD_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
RESOURCE = "/apis/resource.k8s.io/v1alpha2"
OUR_CRDS = tuple(sorted((Path(__file__).parents[2] / "crds").glob("*.yaml")))


def core(namespace: str, plural: str, name: str = "") -> str:
    """Path of a namespaced resource of v1, or of one object of it."""
    return f"/api/v1/namespaces/{namespace}/{plural}" + (f"/{name}" if name else "")


def resource(namespace: str, plural: str, name: str = "") -> str:
    """Path of a namespaced resource of resource.k8s.io/v1alpha2, or of one object of it."""
    return f"{RESOURCE}/namespaces/{namespace}/{plural}" + (f"/{name}" if name else "")


def ours(namespace: str, name: str = "") -> str:
    """Path of FakeClaimParameters, or of one object of them."""
    path = f"/apis/fake.resource.3-shake.com/v1alpha1/namespaces/{namespace}/fakeclaimparameters"
    return path + (f"/{name}" if name else "")


def config_map(name: str, data: dict[str, Any] | None = None, **metadata: Any) -> Json:
    """A ConfigMap; other keywords go into its metadata."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": data or {}}


def pod(name: str, spec: Json | None = None, **metadata: Any) -> Json:
    """A Pod with one container."""
    containers = [{"name": "main", "image": "busybox:1.37"}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, **metadata},
        "spec": {"containers": containers, **(spec or {})},
    }


def node(name: str) -> Json:
    """A Node."""
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}


def deployment(name: str, replicas: int = 1) -> Json:
    """A Deployment of such pods."""
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "busybox:1.37"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


def event(name: str, namespace: str, about: str, reason: str = "Tested") -> Json:
    """An Event about a pod."""
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": namespace},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": about,
            "namespace": namespace,
            "uid": f"u-{about}",
        },
        "reason": reason,
        "message": f"{about} was looked at",
        "type": "Normal",
        "source": {"component": "conformance"},
        "count": 1,
        "firstTimestamp": "2024-05-01T10:00:00Z",
        "lastTimestamp": "2024-05-01T10:00:00Z",
    }


def claim(name: str, **spec: Any) -> Json:
    """A ResourceClaim."""
    return {
        "apiVersion": "resource.k8s.io/v1alpha2",
        "kind": "ResourceClaim",
        "metadata": {"name": name},
        "spec": {"resourceClassName": "class.example.com", **spec},
    }


def owner(of: Json, **more: Any) -> Json:
    """An owner reference to an object that the server returned."""
    metadata = of["metadata"]
    identity = {"apiVersion": of["apiVersion"], "kind": of["kind"], "name": metadata["name"], "uid": metadata["uid"]}
    return {**identity, **more}


def crd(group: str, plural: str = "widgets", kind: str = "Widget", *, scope: str = "Namespaced") -> Json:
    """A CustomResourceDefinition with validation, defaults, a rule, a list map, and both subresources."""
    part = {
        "type": "object",
        "required": ["name"],
        "properties": {"name": {"type": "string"}, "weight": {"type": "integer", "default": 1}},
    }
    spec = {
        "type": "object",
        "required": ["size"],
        "properties": {
            "size": {"type": "integer", "minimum": 1, "maximum": 10},
            "color": {"type": "string", "default": "red", "enum": ["red", "green", "blue"]},
            "serial": {
                "type": "string",
                "maxLength": 20,
                "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "serial cannot be changed"}],
            },
            "replicas": {"type": "integer"},
            "label": {"type": "string", "pattern": "^[a-z]*$"},
            "note": {"type": "string", "nullable": True},
            "parts": {
                "type": "array",
                "maxItems": 5,
                "items": part,
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
            "tags": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
            "numbers": {"type": "array", "items": {"type": "integer"}},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "words": {"type": "object", "additionalProperties": {"type": "string"}},
            "port": {"x-kubernetes-int-or-string": True},
        },
        "x-kubernetes-validations": [
            {"rule": "!has(self.replicas) || self.replicas <= self.size", "message": "more replicas than size"}
        ],
    }
    status = {
        "type": "object",
        "properties": {"phase": {"type": "string"}, "replicas": {"type": "integer"}, "selector": {"type": "string"}},
    }
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec, "status": status}}},
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.replicas",
                "labelSelectorPath": ".status.selector",
            },
        },
        "additionalPrinterColumns": [
            {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
            {"name": "Color", "type": "string", "jsonPath": ".spec.color", "priority": 1},
        ],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": scope,
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"},
            "versions": [version],
        },
    }


def widget(name: str, group: str = "conformance.example.com", **spec: Any) -> Json:
    """An object of the kind that ``crd`` defines."""
    return {
        "apiVersion": f"{group}/v1",
        "kind": "Widget",
        "metadata": {"name": name},
        "spec": {"size": 3, **spec},
    }


def our_crds() -> list[Json]:
    """The driver's own CustomResourceDefinitions, as rendered."""
    return [yaml.safe_load(file.read_text()) for file in OUR_CRDS]

#!/usr/bin/env python3
"""Writes the types of the built-in kinds that the embedded API server serves, as a real API server describes them.

    kubectl proxy --port 8001 &
    hack/fetch-kube-schemas.py http://127.0.0.1:8001 fake_dra_driver/cluster/apiserver/schemas/1.30.json

What is kept is what is needed to read, merge and check an object: types, required fields, defaults, merge keys, list
types. Descriptions and operations are left out. The result is byte-stable for one release of Kubernetes.
"""

import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

GROUPS = (
    "api/v1",
    "apis/apiextensions.k8s.io/v1",
    "apis/apps/v1",
    "apis/authentication.k8s.io/v1",
    "apis/authorization.k8s.io/v1",
    "apis/batch/v1",
    "apis/coordination.k8s.io/v1",
    "apis/node.k8s.io/v1",
    "apis/rbac.authorization.k8s.io/v1",
    "apis/resource.k8s.io/v1alpha2",
    "apis/scheduling.k8s.io/v1",
)
KINDS = {
    "v1": (
        "Binding ConfigMap DeleteOptions Endpoints Event Namespace Node PersistentVolumeClaim Pod PodTemplate "
        "ReplicationController Secret Service ServiceAccount Status"
    ),
    "apiextensions.k8s.io/v1": "CustomResourceDefinition",
    "apps/v1": "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet",
    "authentication.k8s.io/v1": "SelfSubjectReview TokenRequest TokenReview",
    "authorization.k8s.io/v1": (
        "LocalSubjectAccessReview SelfSubjectAccessReview SelfSubjectRulesReview SubjectAccessReview"
    ),
    "autoscaling/v1": "Scale",
    "batch/v1": "Job",
    "coordination.k8s.io/v1": "Lease",
    "node.k8s.io/v1": "RuntimeClass",
    "policy/v1": "Eviction",
    "rbac.authorization.k8s.io/v1": "ClusterRole ClusterRoleBinding Role RoleBinding",
    "resource.k8s.io/v1alpha2": (
        "PodSchedulingContext ResourceClaim ResourceClaimParameters ResourceClaimTemplate ResourceClass "
        "ResourceClassParameters ResourceSlice"
    ),
    "scheduling.k8s.io/v1": "PriorityClass",
}
REFERENCE = "#/components/schemas/"


def main() -> None:
    """Reads the OpenAPI documents of argv[1] and writes argv[2]."""
    base, target = sys.argv[1:]
    found: dict[str, Any] = {}
    for group in GROUPS:
        with urllib.request.urlopen(f"{base}/openapi/v3/{group}") as answer:
            found.update(json.load(answer)["components"]["schemas"])
    wanted = {(version, kind) for version, kinds in KINDS.items() for kind in kinds.split()}
    roots = sorted(name for name, schema in found.items() if wanted & set(_kinds(schema)))
    kept: dict[str, Any] = {}
    queue = list(roots)
    while queue:
        name = queue.pop()
        if name not in kept:
            kept[name] = _strip(found[name])
            queue += _references(kept[name])
    lines = [f"  {json.dumps(name)}: {json.dumps(kept[name], sort_keys=True)}" for name in sorted(kept)]
    Path(target).write_text("{\n" + ",\n".join(lines) + "\n}\n")


def _kinds(schema: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (f"{entry['group']}/{entry['version']}" if entry["group"] else entry["version"], entry["kind"])
        for entry in schema.get("x-kubernetes-group-version-kind", [])
    ]


def _strip(schema: Any) -> Any:
    """The schema without prose; a reference that stands alone in an ``allOf`` takes its place."""
    if not isinstance(schema, dict):
        return schema
    result = {}
    for key, value in schema.items():
        if key == "properties":
            result[key] = {name: _strip(each) for name, each in value.items()}
        elif key in ("items", "additionalProperties"):
            result[key] = _strip(value)
        elif key == "allOf":
            result.update(value[0])
        elif key == "x-kubernetes-group-version-kind":
            result[key] = [entry for entry in value if len(value) == 1 or entry["group"] in ("", "policy")][:1]
        elif key != "description":
            result[key] = value
    return result


def _references(schema: Any) -> list[str]:
    if isinstance(schema, dict):
        here = [schema["$ref"].removeprefix(REFERENCE)] if isinstance(schema.get("$ref"), str) else []
        return here + [name for value in schema.values() for name in _references(value)]
    if isinstance(schema, list):
        return [name for value in schema for name in _references(value)]
    return []


if __name__ == "__main__":
    main()

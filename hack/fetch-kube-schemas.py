#!/usr/bin/env python3
r"""Writes the types of the built-in kinds that the embedded API server serves, as a release of Kubernetes defines them.

    go mod download k8s.io/kubernetes@v1.37.2
    for module in api apimachinery apiextensions-apiserver; do go mod download k8s.io/$module@v0.37.2; done
    hack/fetch-kube-schemas.py "$(go env GOMODCACHE)" 1.37.2 fake_dra_driver/cluster/apiserver/types/schemas/1.37.json

All of it comes from the published modules: the OpenAPI documents in ``api/openapi-spec``, and what a server adds to
them, the enumerations, from ``pkg/generated/openapi``. It was compared with what running servers of 1.30, 1.32, 1.34
and 1.37 say, and is the same.

What is kept is what is needed to read, merge and check an object: types, required fields, defaults, merge keys, list
types. Descriptions and operations are left out. Three things are added that OpenAPI does not tell and clients see:
``x-go-pointer`` is on the fields that Go writes although their value is zero, since they are pointers; ``x-go-null`` is
on the optional lists that Go writes as null when they are not set, since they lack omitempty; ``x-go-omitzero`` is on
the structs that Go leaves out when they are not set. The result is byte-stable for one release of Kubernetes.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

GROUPS = (
    "api/v1",
    "apis/admissionregistration.k8s.io/v1",
    "apis/apiextensions.k8s.io/v1",
    "apis/apps/v1",
    "apis/authentication.k8s.io/v1",
    "apis/authorization.k8s.io/v1",
    "apis/batch/v1",
    "apis/coordination.k8s.io/v1",
    "apis/events.k8s.io/v1",
    "apis/node.k8s.io/v1",
    "apis/rbac.authorization.k8s.io/v1",
    "apis/resource.k8s.io/v1",
    "apis/resource.k8s.io/v1alpha2",
    "apis/resource.k8s.io/v1alpha3",
    "apis/resource.k8s.io/v1beta1",
    "apis/resource.k8s.io/v1beta2",
    "apis/scheduling.k8s.io/v1",
)
STRUCTURED_DRA = "DeviceClass DeviceTaintRule ResourceClaim ResourceClaimTemplate ResourceSlice"
KINDS = {
    "v1": ("Binding ConfigMap DeleteOptions Endpoints Event Namespace Node Pod Secret Service ServiceAccount Status"),
    "admissionregistration.k8s.io/v1": (
        "MutatingWebhookConfiguration ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding "
        "ValidatingWebhookConfiguration"
    ),
    "apiextensions.k8s.io/v1": "CustomResourceDefinition",
    "apps/v1": "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet",
    "authentication.k8s.io/v1": "SelfSubjectReview TokenRequest TokenReview",
    "authorization.k8s.io/v1": (
        "LocalSubjectAccessReview SelfSubjectAccessReview SelfSubjectRulesReview SubjectAccessReview"
    ),
    "autoscaling/v1": "Scale",
    "batch/v1": "CronJob Job",
    "coordination.k8s.io/v1": "Lease",
    "events.k8s.io/v1": "Event",
    "node.k8s.io/v1": "RuntimeClass",
    "policy/v1": "Eviction",
    "rbac.authorization.k8s.io/v1": "ClusterRole ClusterRoleBinding Role RoleBinding",
    "resource.k8s.io/v1": STRUCTURED_DRA,
    "resource.k8s.io/v1alpha2": (
        "PodSchedulingContext ResourceClaim ResourceClaimParameters ResourceClaimTemplate ResourceClass "
        "ResourceClassParameters ResourceSlice"
    ),
    "resource.k8s.io/v1alpha3": "DeviceTaintRule",
    "resource.k8s.io/v1beta1": STRUCTURED_DRA,
    "resource.k8s.io/v1beta2": STRUCTURED_DRA,
    "scheduling.k8s.io/v1": "PriorityClass",
}
REFERENCE = "#/components/schemas/"
GO_FILES = {
    "io.k8s.api.": "api@{version}/{path}/types.go",
    "io.k8s.apimachinery.pkg.apis.": "apimachinery@{version}/pkg/apis/{path}/types.go",
    "io.k8s.apiextensions-apiserver.pkg.apis.": "apiextensions-apiserver@{version}/pkg/apis/{path}/types*.go",
}
STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
ENUMERATED = re.compile(r"^func schema_\w+\(ref common", re.MULTILINE)
PROPERTY = re.compile(r'^\t{5}"([\w$-]+)": \{$')
ENUM = re.compile(r"^(\t+)Enum: +\[\]interface\{\}\{(.*)\},$")
OWN_ENUM = 7
"""Tabs before the enumeration of a property; before that of the items in it are more."""
NULL_FIELD = re.compile(r'^\t\w+\s+\[\][\w.]+\s+`json:"([\w-]+)"', re.MULTILINE)
ZERO_FIELD = re.compile(r'^\t\w+\s+[\w.]+\s+`json:"([\w-]+),[a-z,]*\bomitzero\b', re.MULTILINE)
POINTER_FIELD = re.compile(r'^\t\w+\s+\*[\w.]+\s+`json:"([\w-]+),omitempty"', re.MULTILINE)


def main() -> None:
    """Reads release argv[2] from the Go modules in argv[1], and writes argv[3]."""
    folder, release, target = sys.argv[1:]
    modules = Path(folder) / "k8s.io"
    kubernetes = modules / f"kubernetes@v{release}"
    found: dict[str, Any] = {}
    for group in GROUPS:
        document = kubernetes / "api" / "openapi-spec" / "v3" / f"{group.replace('/', '__')}_openapi.json"
        if document.exists():  # a release has some of the versions of resource.k8s.io
            found.update(json.loads(document.read_text())["components"]["schemas"])
    wanted = {(version, kind) for version, kinds in KINDS.items() for kind in kinds.split()}
    roots = sorted(name for name, schema in found.items() if wanted & set(_kinds(schema)))
    roots.append("io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta")
    kept: dict[str, Any] = {}
    queue = list(roots)
    while queue:
        name = queue.pop()
        if name not in kept:
            kept[name] = _strip(found[name])
            queue += _references(kept[name])
    _add_enumerations(kept, kubernetes / "pkg" / "generated" / "openapi" / "zz_generated.openapi.go")
    _mark_go_types(kept, modules, f"v0.{release.partition('.')[2]}")
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


def _add_enumerations(schemas: dict[str, Any], generated: Path) -> None:
    """Adds the values that texts may have, which the published documents lack, and servers have."""
    text = generated.read_text()
    # By the end of the function's name, which is made of the last parts of the type's name.
    by_function = {"_".join(name.split(".")[-3:]): schema for name, schema in schemas.items()}
    starts = [*ENUMERATED.finditer(text)]
    for start, following in zip(starts, [*starts[1:], None], strict=True):
        function = start[0].removeprefix("func schema_").removesuffix("(ref common")
        schema = by_function.get("_".join(function.split("_")[-3:]))
        if schema is None:
            continue
        name = ""
        for line in text[start.end() : following.start() if following else None].splitlines():
            if found := PROPERTY.match(line):
                name = found[1]
            elif found := ENUM.match(line):
                shape = schema["properties"][name]
                if len(found[1]) > OWN_ENUM:
                    shape = shape.get("items") or shape["additionalProperties"]
                shape["enum"] = json.loads(f"[{found[2]}]")


def _mark_go_types(schemas: dict[str, Any], modules: Path, version: str) -> None:
    """Marks what the structs of Go say: zeros that are not none, lists that may be null, structs that are left out."""
    for name, schema in schemas.items():
        prefix = next((each for each in GO_FILES if name.startswith(each)), None)
        if prefix is None:
            continue
        *folders, struct = name.removeprefix(prefix).split(".")
        files = sorted(modules.glob(GO_FILES[prefix].format(version=version, path="/".join(folders))))
        if not files:
            raise FileNotFoundError(f"{modules}: no types of {name}")
        structs = {found[1]: found[2] for file in files for found in STRUCT.finditer(file.read_text())}
        for field in POINTER_FIELD.findall(structs.get(struct, "")):
            shape = schema.get("properties", {}).get(field, {})
            if shape.get("type", "object") not in ("object", "array") or shape.get("$ref", "").endswith("Time"):
                shape["x-go-pointer"] = True
        for field in ZERO_FIELD.findall(structs.get(struct, "")):
            schema["properties"][field]["x-go-omitzero"] = True
        for field in NULL_FIELD.findall(structs.get(struct, "")):
            if field in schema.get("properties", {}) and field not in schema.get("required", []):
                schema["properties"][field]["x-go-null"] = True


def _references(schema: Any) -> list[str]:
    if isinstance(schema, dict):
        here = [schema["$ref"].removeprefix(REFERENCE)] if isinstance(schema.get("$ref"), str) else []
        return here + [name for value in schema.values() for name in _references(value)]
    if isinstance(schema, list):
        return [name for value in schema for name in _references(value)]
    return []


if __name__ == "__main__":
    main()

"""CustomResourceDefinitions: what a CRD has to be, and the resources that it makes.

Follows k8s.io/apiextensions-apiserver/pkg/apis/apiextensions (defaults, validation) and establish. Names are
accepted, and the resource is served, in the moment in which the CRD is created. Conversion webhooks are refused.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from fake_dra_driver.cluster.apiserver.cel import CelSyntaxError
from fake_dra_driver.cluster.apiserver.errors import (
    Problem,
    forbidden,
    go_value,
    invalid_value,
    required,
    unsupported_value,
)
from fake_dra_driver.cluster.apiserver.resource import Column, Resource, Rules, ScalePaths, Subresource
from fake_dra_driver.cluster.apiserver.store import Object
from fake_dra_driver.cluster.apiserver.structural import compile_cached
from fake_dra_driver.cluster.apiserver.table import CUSTOM_COLUMNS, NAME_COLUMN
from fake_dra_driver.cluster.apiserver.types import TypeRegistry

__all__ = [
    "CLEANUP_FINALIZER",
    "accepted_status",
    "custom_resources",
    "default_crd",
    "initial_status",
    "validate_crd",
    "validate_crd_update",
]

CLEANUP_FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
_STATUS_VERBS = ("get", "patch", "update")
_CUSTOM_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
_TYPES = ("array", "boolean", "integer", "number", "object", "string")


def default_crd(crd: Object) -> None:
    """Fills in what a CRD leaves out."""
    names = crd["spec"].setdefault("names", {})
    kind = names.get("kind", "")
    names.setdefault("singular", kind.lower())
    names.setdefault("listKind", kind + "List" if kind else "")
    crd["spec"].setdefault("conversion", {"strategy": "None"})


def accepted_status(crd: Object, time: str) -> Object:
    """The status of a CRD that is served."""
    conditions = [
        {
            "type": "NamesAccepted",
            "status": "True",
            "lastTransitionTime": time,
            "reason": "NoConflicts",
            "message": "no conflicts found",
        },
        {
            "type": "Established",
            "status": "True",
            "lastTransitionTime": time,
            "reason": "InitialNamesAccepted",
            "message": "the initial names have been accepted",
        },
    ]
    stored = [each["name"] for each in crd["spec"]["versions"] if each.get("storage")]
    before = (crd.get("status") or {}).get("storedVersions") or []
    return {
        "conditions": (crd.get("status") or {}).get("conditions") or conditions,
        "acceptedNames": dict(crd["spec"]["names"]),
        "storedVersions": list(dict.fromkeys((*before, *stored))),
    }


def initial_status(crd: Object) -> Object:
    """The status of a CRD that was just created, as its creator sees it."""
    stored = [each["name"] for each in crd["spec"].get("versions") or () if each.get("storage")]
    return {"conditions": None, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": stored}


def validate_crd(crd: Object) -> list[Problem]:
    """What is wrong with a CRD."""
    spec, problems = crd["spec"], []
    names = spec["names"]
    if crd["metadata"].get("name") != f"{names.get('plural')}.{spec.get('group')}":
        detail = 'must be spec.names.plural+"."+spec.group'
        problems.append(invalid_value("metadata.name", go_value(crd["metadata"].get("name", "")), detail))
    if not spec.get("group"):
        problems.append(required("spec.group"))
    elif "." not in spec["group"]:
        detail = "should be a domain with at least one dot"
        problems.append(invalid_value("spec.group", go_value(spec["group"]), detail))
    problems += [
        required(f"spec.names.{name}") for name in ("plural", "singular", "kind", "listKind") if not names.get(name)
    ]
    if spec.get("scope") not in ("Cluster", "Namespaced"):
        problems.append(unsupported_value("spec.scope", spec.get("scope", ""), ("Cluster", "Namespaced")))
    if spec["conversion"].get("strategy") != "None":
        problems.append(forbidden("spec.conversion.strategy", "this cluster has no conversion webhooks"))
    versions = spec.get("versions") or []
    if sum(bool(each.get("storage")) for each in versions) != 1:
        versions_text = "null" if not versions else go_value([each.get("name") for each in versions])
        problems.append(
            invalid_value("spec.versions", versions_text, "must have exactly one version marked as storage version")
        )
    for at, version in enumerate(versions):
        problems += _validate_version(version, f"spec.versions[{at}]")
    return problems


def _validate_version(version: Object, path: str) -> list[Problem]:
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    field = f"{path}.schema.openAPIV3Schema"
    if schema is None:
        return [required(field, "schemas are required")]
    problems = []
    if schema.get("type") != "object":
        problems.append(invalid_value(f"{field}.type", go_value(schema.get("type", "")), "must be object at the root"))
    problems += _validate_schema(schema, field)
    scale = (version.get("subresources") or {}).get("scale")
    if scale is not None:
        paths = ("specReplicasPath", "statusReplicasPath")
        problems += [required(f"{path}.subresources.scale.{name}") for name in paths if not scale.get(name)]
    return problems


def _validate_schema(schema: Mapping[str, Any], path: str) -> list[Problem]:
    """A schema must be structural, and its rules must be ones that can be evaluated."""
    problems = []
    kind = schema.get("type")
    if (
        not kind
        and not schema.get("x-kubernetes-preserve-unknown-fields")
        and not schema.get("x-kubernetes-int-or-string")
    ):
        problems.append(required(f"{path}.type", "must not be empty for specified object fields"))
    elif kind and kind not in _TYPES:
        problems.append(unsupported_value(f"{path}.type", kind, _TYPES))
    unsupported = ("$ref", "definitions", "dependencies", "patternProperties")
    problems += [forbidden(f"{path}.{word}", f"{word} is not supported") for word in unsupported if schema.get(word)]
    if schema.get("x-kubernetes-list-type") == "map" and not schema.get("x-kubernetes-list-map-keys"):
        detail = "must not be empty if x-kubernetes-list-type is map"
        problems.append(required(f"{path}.x-kubernetes-list-map-keys", detail))
    for at, rule in enumerate(schema.get("x-kubernetes-validations") or ()):
        problems += _validate_rule(rule, f"{path}.x-kubernetes-validations[{at}]")
    for name, each in (schema.get("properties") or {}).items():
        problems += _validate_schema(each, f"{path}.properties[{name}]")
    for word in ("items", "additionalProperties"):
        if isinstance(schema.get(word), Mapping):
            problems += _validate_schema(schema[word], f"{path}.{word}")
    return problems


def _validate_rule(rule: Mapping[str, Any], path: str) -> list[Problem]:
    problems = []
    if rule.get("messageExpression"):
        problems.append(forbidden(f"{path}.messageExpression", "this cluster evaluates no message expressions"))
    try:
        compile_cached(rule.get("rule", ""))
    except CelSyntaxError as error:
        problems.append(invalid_value(f"{path}.rule", go_value(rule.get("rule", "")), f"compilation failed: {error}"))
    return problems


def validate_crd_update(crd: Object, old: Object) -> list[Problem]:
    """What of a CRD cannot be changed."""
    problems = []
    for path in (("group",), ("scope",), ("names", "kind"), ("names", "plural")):
        new_value: Any = crd["spec"]
        old_value: Any = old["spec"]
        for name in path:
            new_value, old_value = new_value.get(name), old_value.get(name)
        if new_value != old_value:
            problems.append(invalid_value(f"spec.{'.'.join(path)}", go_value(new_value), "field is immutable"))
    return problems


def custom_resources(crd: Object, types: TypeRegistry) -> Iterator[Resource]:
    """The resources that a CRD makes: one for each version that is served."""
    spec, names = crd["spec"], crd["spec"]["names"]
    for version in spec["versions"]:
        if not version.get("served"):
            continue
        schema = version["schema"]["openAPIV3Schema"]
        subresources = version.get("subresources") or {}
        scale = subresources.get("scale")
        extra = []
        if "status" in subresources:
            extra.append(Subresource("status", names["kind"], _STATUS_VERBS))
        if scale is not None:
            extra.append(Subresource("scale", "Scale", _STATUS_VERBS, "autoscaling", "v1"))
        yield Resource(
            group=spec["group"],
            version=version["name"],
            kind=names["kind"],
            plural=names["plural"],
            namespaced=spec["scope"] == "Namespaced",
            type=types.custom(schema),
            singular=names["singular"],
            list_kind=names["listKind"],
            short_names=tuple(names.get("shortNames") or ()),
            categories=tuple(names.get("categories") or ()),
            verbs=_CUSTOM_VERBS,
            subresources=tuple(extra),
            custom=True,
            has_status="status" in subresources,
            scale=_scale_paths(scale) if scale is not None else None,
            columns=(NAME_COLUMN, *_columns(version)),
            rules=Rules(has_generation=True, update_without_version=False),
        )


def _scale_paths(scale: Mapping[str, str]) -> ScalePaths:
    names = ("specReplicasPath", "statusReplicasPath", "labelSelectorPath")
    return ScalePaths(*(scale.get(name, "").lstrip(".") for name in names))


def _columns(version: Mapping[str, Any]) -> tuple[Column, ...]:
    declared = version.get("additionalPrinterColumns")
    if not declared:
        return CUSTOM_COLUMNS
    return tuple(
        Column(
            each["name"],
            each["type"],
            each.get("format", ""),
            each.get("priority", 0),
            each["jsonPath"],
            each.get("description", f"Custom resource definition column (in JSONPath format): {each['jsonPath']}"),
        )
        for each in declared
    )

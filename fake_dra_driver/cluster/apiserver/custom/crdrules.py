"""Validation of CustomResourceDefinitions. Their schemas are validated in ``crdschema``.

Follows k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation. Conversion webhooks are refused.
"""

from collections.abc import Sequence
from typing import Any

from fake_dra_driver.cluster.apiserver.custom.crdschema import validate_schema
from fake_dra_driver.cluster.apiserver.errors import (
    Problem,
    forbidden,
    go_value,
    invalid_value,
    required,
    unsupported_value,
)
from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.apiserver.types.metadata import dns_1035_label, dns_subdomain

__all__ = ["validate_crd", "validate_crd_update"]

_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS = (
    "binary", "bit64", "byte", "date", "date-time", "double", "float", "int32", "int64", "password",
)  # fmt: skip


def validate_crd(crd: Object) -> list[Problem]:
    """What is wrong with a CRD."""
    spec, problems = crd["spec"], []
    names, versions = spec["names"], spec.get("versions") or []
    if crd["metadata"].get("name") != f"{names.get('plural')}.{spec.get('group')}":
        detail = 'must be spec.names.plural+"."+spec.group'
        problems.append(invalid_value("metadata.name", go_value(crd["metadata"].get("name", "")), detail))
    if not spec.get("group"):
        problems.append(required("spec.group"))
    elif wrong := dns_subdomain(spec["group"]):
        problems.append(invalid_value("spec.group", go_value(spec["group"]), ",".join(wrong)))
    elif "." not in spec["group"]:
        detail = "should be a domain with at least one dot"
        problems.append(invalid_value("spec.group", go_value(spec["group"]), detail))
    if not spec.get("scope"):
        problems.append(required("spec.scope"))
    elif spec["scope"] not in ("Cluster", "Namespaced"):
        problems.append(unsupported_value("spec.scope", spec["scope"], ("Cluster", "Namespaced")))
    problems += _validate_versions(versions)
    problems += _validate_names(names)
    problems += _validate_contents(versions)
    if spec.get("preserveUnknownFields"):
        detail = (
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        )
        problems.append(invalid_value("spec.preserveUnknownFields", "true", detail))
    strategy = spec["conversion"].get("strategy")
    if strategy not in ("None", "Webhook"):
        problems.append(unsupported_value("spec.conversion.strategy", strategy, ("None", "Webhook")))
    elif strategy == "Webhook":
        problems.append(forbidden("spec.conversion.strategy", "this cluster has no conversion webhooks"))
    if not any(each.get("storage") for each in versions):
        detail = "must have at least one stored version"
        problems.append(invalid_value("status.storedVersions", "[]string(nil)", detail))
    return problems


def _validate_versions(versions: Sequence[Object]) -> list[Problem]:
    problems: list[Problem] = []
    shown = go_value([each.get("name") for each in versions])
    for at, version in enumerate(versions):
        name, path = version.get("name", ""), f"spec.versions[{at}]"
        if wrong := dns_1035_label(name):
            problems.append(invalid_value(f"{path}.name", go_value(name), ",".join(wrong)))
        if version.get("deprecationWarning") is not None and not version.get("deprecated"):
            value = go_value(version["deprecationWarning"])
            problems.append(
                invalid_value(f"{path}.deprecationWarning", value, "can only be set for deprecated versions")
            )
    names = [each.get("name") for each in versions]
    if len(set(names)) < len(names):
        problems.append(invalid_value("spec.versions", shown, "must contain unique version names"))
    if sum(bool(each.get("storage")) for each in versions) != 1:
        text = shown if versions else "[]apiextensions.CustomResourceDefinitionVersion{}"
        detail = "must have exactly one version marked as storage version"
        problems.append(invalid_value("spec.versions", text, detail))
    if versions and (wrong := dns_1035_label(versions[0].get("name", ""))):
        # The old field spec.version is the name of the first version.
        problems.append(invalid_value("spec.version", go_value(versions[0].get("name", "")), ",".join(wrong)))
    return problems


def _validate_names(names: Object) -> list[Problem]:
    path = "spec.names"
    problems = [
        required(f"{path}.{name}") for name in ("plural", "singular", "kind", "listKind") if not names.get(name)
    ]
    problems += [
        invalid_value(f"{path}.{name}", go_value(names[name]), ",".join(wrong))
        for name in ("plural", "singular")
        if names.get(name) and (wrong := dns_1035_label(names[name]))
    ]
    for name in ("kind", "listKind"):
        if names.get(name) and (wrong := dns_1035_label(names[name].lower())):
            detail = "may have mixed case, but should otherwise match: " + ",".join(wrong)
            problems.append(invalid_value(f"{path}.{name}", go_value(names[name]), detail))
    for name in ("shortNames", "categories"):
        for at, each in enumerate(names.get(name) or ()):
            if wrong := dns_1035_label(each):
                problems.append(invalid_value(f"{path}.{name}[{at}]", go_value(each), ",".join(wrong)))
    if names.get("kind") and names["kind"] == names.get("listKind"):
        detail = "kind and listKind may not be the same"
        problems.append(invalid_value(f"{path}.listKind", go_value(names["listKind"]), detail))
    return problems


def _validate_contents(versions: Sequence[Object]) -> list[Problem]:
    """Schemas, subresources and columns. What all versions have in common is reported as if it stood at the top."""
    problems: list[Problem] = []
    for field, top, validate in (
        ("schema", "spec.validation", _validate_validation),
        ("subresources", "spec.subresources", _validate_subresources),
        ("additionalPrinterColumns", "spec.additionalPrinterColumns", _validate_columns),
    ):
        values = [each.get(field) for each in versions]
        if values and all(each == values[0] for each in values):
            problems += validate(values[0], top)
        else:
            for at, value in enumerate(values):
                problems += validate(value, f"spec.versions[{at}].{field}")
    return problems + [
        required(f"spec.versions[{at}].schema.openAPIV3Schema", "schemas are required")
        for at, version in enumerate(versions)
        if (version.get("schema") or {}).get("openAPIV3Schema") is None
    ]


def _validate_validation(validation: Object | None, path: str) -> list[Problem]:
    schema = (validation or {}).get("openAPIV3Schema")
    return [] if schema is None else validate_schema(schema, f"{path}.openAPIV3Schema")


def _validate_subresources(subresources: Object | None, path: str) -> list[Problem]:
    scale = (subresources or {}).get("scale")
    if scale is None:
        return []
    problems = []
    for name, roots in (
        ("specReplicasPath", (".spec.",)),
        ("statusReplicasPath", (".status.",)),
        ("labelSelectorPath", (".spec.", ".status.")),
    ):
        field, value = f"{path}.scale.{name}", scale.get(name)
        if not value:
            problems += [] if name == "labelSelectorPath" else [required(field)]
        elif not value.startswith("."):
            problems.append(invalid_value(field, go_value(value), "must be a simple json path starting with ."))
        elif not value.startswith(roots):
            where = "under either .spec or .status" if len(roots) > 1 else f"under {roots[0].rstrip('.')}"
            problems.append(invalid_value(field, go_value(value), f"should be a json path {where}"))
    return problems


def _validate_columns(columns: Sequence[Object] | None, path: str) -> list[Problem]:
    problems = []
    for at, column in enumerate(columns or ()):
        inner, kind, where = f"{path}[{at}]", column.get("type", ""), column.get("jsonPath", "")
        if not column.get("name"):
            problems.append(required(f"{inner}.name"))
        detail = f"must be one of {','.join(_COLUMN_TYPES)}"
        if not kind:
            problems.append(required(f"{inner}.type", detail))
        elif kind not in _COLUMN_TYPES:
            problems.append(invalid_value(f"{inner}.type", go_value(kind), detail))
        if column.get("format") and column["format"] not in _COLUMN_FORMATS:
            detail = f"must be one of {','.join(_COLUMN_FORMATS)}"
            problems.append(invalid_value(f"{inner}.format", go_value(column["format"]), detail))
        if not where:
            problems.append(required(f"{inner}.JSONPath"))
        elif not where.startswith("."):
            detail = "must be a simple json path starting with ."
            problems.append(invalid_value(f"{inner}.JSONPath", go_value(where), detail))
    return problems


def validate_crd_update(crd: Object, old: Object) -> list[Problem]:
    """The problems of an update: what cannot be changed in a CRD."""
    problems = []
    for path in (("group",), ("scope",), ("names", "kind"), ("names", "plural")):
        new_value: Any = crd["spec"]
        old_value: Any = old["spec"]
        for name in path:
            new_value, old_value = new_value.get(name), old_value.get(name)
        if new_value != old_value:
            problems.append(invalid_value(f"spec.{'.'.join(path)}", go_value(new_value), "field is immutable"))
    return problems

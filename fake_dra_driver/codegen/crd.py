"""CustomResourceDefinitions from kinds that are written with ``api.schema``, as objects.

``structuralschema`` makes the schema, ``crdtext`` the file. Programs use this to check their author's models when they
start, so that it imports little.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from fake_dra_driver.api.schema import CustomResource
from fake_dra_driver.codegen.schemaerror import SchemaError
from fake_dra_driver.codegen.structuralschema import object_schema

__all__ = ["definition", "file_name"]

_KEYWORDS = frozenset(
    {
        *("description", "type", "format", "default", "enum", "nullable", "pattern"),
        *("properties", "required", "items", "additionalProperties", "anyOf"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
        *(f"{bound}{of}" for bound in ("min", "max") for of in ("Length", "Items", "Properties")),
        *("x-kubernetes-int-or-string", "x-kubernetes-list-map-keys", "x-kubernetes-list-type"),
        *("x-kubernetes-preserve-unknown-fields", "x-kubernetes-validations"),
    }
)
"""What a node of a schema may say here; all of it is allowed in a structural schema."""
_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
"""DNS label of RFC 1035: what a kind, in lower case, and the names of its resource may be."""
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+")
_TYPE_META = {
    "apiVersion": "Version of the schema of this object.",
    "kind": "Kind of this object.",
}


def file_name(kind: type[CustomResource]) -> str:
    """``<group>_<plural>.yaml``, as controller-gen names it."""
    return f"{kind.resource.group}_{kind.resource.plural}.yaml"


def definition(kind: type[CustomResource]) -> dict[str, Any]:
    """The CustomResourceDefinition of a kind. Raises SchemaError."""
    resource = kind.resource
    crd = kind.crd
    _check_names(kind)
    names: dict[str, Any] = {
        "kind": resource.kind,
        "listKind": f"{resource.kind}List",
        "plural": resource.plural,
        "singular": crd.singular,
    }
    if crd.short_names:
        names["shortNames"] = list(crd.short_names)
    schema = object_schema(kind, skip="metadata")
    schema["properties"] = {
        **{name: {"description": text, "type": "string"} for name, text in _TYPE_META.items()},
        "metadata": {"type": "object"},
        **schema["properties"],
    }
    _check(schema, resource.kind)
    columns = [
        {
            "name": column.name,
            "type": column.type,
            "jsonPath": column.json_path,
            "description": column.description,
            **({"priority": column.priority} if column.priority else {}),
        }
        for column in crd.printer_columns
    ]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{resource.group}"},
        "spec": {
            "group": resource.group,
            "names": names,
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "versions": [
                {
                    "name": resource.version,
                    "served": True,
                    "storage": True,
                    **({"subresources": {"status": {}}} if crd.status_subresource else {}),
                    "additionalPrinterColumns": columns,
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }


def _check_names(kind: type[CustomResource]) -> None:
    """Refuses names that the API server would refuse. Raises SchemaError."""
    resource, crd = kind.resource, kind.crd
    for what, name in (("kind", resource.kind.lower()), ("plural", resource.plural), ("singular", crd.singular)):
        if not _LABEL.fullmatch(name):
            raise SchemaError(
                f"{kind.__name__}: {name!r} cannot be the {what} of a CRD: it must begin with a letter, and have "
                "letters of English and digits alone, at most 63"
            )
    if not _SUBDOMAIN.fullmatch(resource.group):
        raise SchemaError(f"{kind.__name__}: {resource.group!r} cannot be the group of a CRD: it must be a domain")


def _nodes(schema: Mapping[str, Any], where: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield where, schema
    for name, member in schema.get("properties", {}).items():
        yield from _nodes(member, f"{where}.{name}")
    for keyword in ("items", "additionalProperties"):
        if keyword in schema:
            yield from _nodes(schema[keyword], f"{where}[]")


def _check(schema: Mapping[str, Any], kind: str) -> None:
    """Refuses what the API server would refuse, before the CRD is written."""
    for where, node in _nodes(schema, kind):
        if unknown := node.keys() - _KEYWORDS:
            raise SchemaError(f"{where}: unexpected {sorted(unknown)}")
        if "properties" in node and "additionalProperties" in node:
            raise SchemaError(f"{where}: properties and additionalProperties exclude each other")
        if missing := set(node.get("required", ())) - set(node.get("properties", ())):
            raise SchemaError(f"{where}: requires {sorted(missing)}, which it does not have")
        default = node.get("default")
        if isinstance(default, int) and not node.get("minimum", default) <= default <= node.get("maximum", default):
            raise SchemaError(f"{where}: the default {default} is out of bounds")
        if "default" in node and default not in node.get("enum", [default]):
            raise SchemaError(f"{where}: the default {default!r} is none of {node['enum']}")
        for name in node.get("properties", ()):
            if not re.fullmatch(r"[a-z][A-Za-z0-9]*", name):
                raise SchemaError(f"{where}: {name!r} is no name of a field")

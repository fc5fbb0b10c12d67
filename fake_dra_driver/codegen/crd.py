"""CustomResourceDefinitions from kinds that are written with ``api.schema``.

The models are walked field by field, so that what a structural schema cannot say (KEP-1027, apiextensions/v1) is an
error here instead of being left out silently. The text is parsed back and compared before it is returned.
"""

import re
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Any, Union, get_args, get_origin

import yaml
from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from fake_dra_driver.api.schema import CelRule, CustomResource, ServerDefault, ServerText
from fake_dra_driver.render import render

__all__ = ["SchemaError", "definition", "description_of", "file_name", "render_crd"]

_SCALARS = {str: "string", int: "integer", bool: "boolean", float: "number"}
_LENGTH_OF = {"string": "Length", "array": "Items", "object": "Properties"}
_KEYWORDS = frozenset({"description", "type", "default", "pattern", "x-kubernetes-validations"})
_KEYWORDS |= {"properties", "required", "items", "additionalProperties", "minimum", "maximum"}
_KEYWORDS |= {f"{bound}{of}" for bound in ("min", "max") for of in _LENGTH_OF.values()}
"""What a node of a schema may say here; all of it is allowed in a structural schema."""
_TYPE_META = {
    "apiVersion": "Version of the schema of this object.",
    "kind": "Kind of this object.",
}


class SchemaError(Exception):
    """A model says what a structural schema cannot, or the rendered text reads differently."""


def file_name(kind: type[CustomResource]) -> str:
    """``<group>_<plural>.yaml``, as controller-gen names it."""
    return f"{kind.resource.group}_{kind.resource.plural}.yaml"


def render_crd(kind: type[CustomResource], header: str) -> str:
    """The CRD of a kind as YAML. Raises SchemaError when the text would not say what the model says."""
    wanted = definition(kind)
    text = render("crds/crd.yaml.j2", header=header, definition=wanted)
    if yaml.safe_load(text) != wanted:
        raise SchemaError(f"the CRD of {kind.__name__} does not survive being written as YAML")
    return text


def definition(kind: type[CustomResource]) -> dict[str, Any]:
    """The CustomResourceDefinition of a kind. Raises SchemaError."""
    resource = kind.resource
    crd = kind.crd
    names: dict[str, Any] = {
        "kind": resource.kind,
        "listKind": f"{resource.kind}List",
        "plural": resource.plural,
        "singular": crd.singular,
    }
    if crd.short_names:
        names["shortNames"] = list(crd.short_names)
    schema = _object_schema(kind, skip="metadata")
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
                    "additionalPrinterColumns": columns,
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }


def description_of(docstring: str | None) -> str:
    """A docstring as one line of plain text."""
    return " ".join((docstring or "").split()).replace("``", "`")


def _object_schema(model: type[BaseModel], skip: str = "") -> dict[str, Any]:
    properties: dict[str, Any] = {}
    required = []
    for name, field in model.model_fields.items():
        if name == skip:
            continue
        wire_name = field.alias or name
        properties[wire_name] = _field_schema(field, f"{model.__name__}.{name}")
        if field.is_required():
            required.append(wire_name)
    schema: dict[str, Any] = {"description": description_of(model.__doc__), "type": "object"}
    if required:
        schema["required"] = required
    schema["properties"] = properties
    rules: tuple[CelRule, ...] = getattr(model, "cel_rules", ())
    if rules:
        schema["x-kubernetes-validations"] = [{"rule": rule.rule, "message": rule.message} for rule in rules]
    return schema


def _field_schema(field: FieldInfo, where: str) -> dict[str, Any]:
    schema = _type_schema(field.annotation, where)
    if field.description:
        schema = {
            "description": description_of(field.description),
            **{k: v for k, v in schema.items() if k != "description"},
        }
    for constraint in field.metadata:
        if isinstance(constraint, ServerDefault):
            schema["default"] = _default(field, schema)
        elif isinstance(constraint, ServerText):
            schema |= {"maxLength": constraint.max_length, "pattern": constraint.pattern}
        else:
            schema.update(_constraint(constraint, schema["type"], where))
    return schema


def _default(field: FieldInfo, schema: Mapping[str, Any]) -> Any:
    """For an object, the defaults of its fields: the API server checks CEL rules of a default before it fills it in."""
    if schema["type"] == "object":
        return {name: member["default"] for name, member in schema["properties"].items() if "default" in member}
    return field.default


def _constraint(constraint: object, type_: str, where: str) -> dict[str, Any]:
    match constraint:
        case Ge(ge=bound):
            return {"minimum": bound}
        case Le(le=bound):
            return {"maximum": bound}
        case MinLen(min_length=bound):
            return {f"min{_LENGTH_OF[type_]}": bound}
        case MaxLen(max_length=bound):
            return {f"max{_LENGTH_OF[type_]}": bound}
    if (pattern := getattr(constraint, "pattern", None)) is not None:
        return {"pattern": pattern}
    raise SchemaError(f"{where}: a CRD cannot say {constraint!r}")


def _type_schema(annotation: Any, where: str) -> dict[str, Any]:
    if scalar := _SCALARS.get(annotation):
        return {"type": scalar}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _object_schema(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in {Union, UnionType} and len(arguments) == 2 and arguments[1] is type(None):
        return _type_schema(arguments[0], where)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return {"type": "array", "items": _field_schema(FieldInfo.from_annotation(arguments[0]), f"{where}[]")}
    if isinstance(origin, type) and issubclass(origin, Mapping) and arguments[0] is str:
        values = _field_schema(FieldInfo.from_annotation(arguments[1]), f"{where}{{}}")
        return {"type": "object", "additionalProperties": values}
    raise SchemaError(f"{where}: a CRD cannot say {annotation!r}")


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
        for name in node.get("properties", ()):
            if not re.fullmatch(r"[a-z][A-Za-z0-9]*", name):
                raise SchemaError(f"{where}: {name!r} is no name of a field")

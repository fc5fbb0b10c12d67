"""Validation of a CRD's schema: it has to be structural, allow its own defaults, and have valid rules.

Follows k8s.io/apiextensions-apiserver: pkg/apiserver/schema (validation.go, defaulting/validation.go) and
pkg/apis/apiextensions/validation. Rules are validated in ``validationrules``.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fake_dra_driver.cel import CelCompileError
from fake_dra_driver.cluster.apiserver.custom.customobject import check_rules
from fake_dra_driver.cluster.apiserver.custom.validationrules import validate_form, validate_rules
from fake_dra_driver.cluster.apiserver.custom.valuecheck import NO_HISTORY, check_value, go_interface
from fake_dra_driver.cluster.apiserver.errors import (
    Problem,
    forbidden,
    go_value,
    invalid_value,
    required,
    unsupported_value,
)
from fake_dra_driver.cluster.apiserver.types.decode import prune_custom
from fake_dra_driver.cluster.apiserver.types.objecttype import Type, TypeRegistry
from fake_dra_driver.re2 import PatternError, compile_pattern

__all__ = ["validate_schema"]

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_UNSUPPORTED = ("$ref", "$schema", "id", "definitions", "dependencies", "patternProperties", "additionalItems")
_NOT_IN_JUNCTORS = (
    ("type", "must be empty to be structural"),
    ("additionalProperties", "must be undefined to be structural"),
    ("default", "must be undefined to be structural"),
    ("title", "must be empty to be structural"),
    ("description", "must be empty to be structural"),
    ("nullable", "must be false to be structural"),
    ("x-kubernetes-preserve-unknown-fields", "must be false to be structural"),
    ("x-kubernetes-embedded-resource", "must be false to be structural"),
    ("x-kubernetes-int-or-string", "must be false to be structural"),
    ("x-kubernetes-list-map-keys", "must be empty to be structural"),
    ("x-kubernetes-list-type", "must be undefined to be structural"),
    ("x-kubernetes-map-type", "must be undefined to be structural"),
    ("x-kubernetes-validations", "must be empty to be structural"),
)
_INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]

Schema = Mapping[str, Any]


def validate_schema(schema: Schema, path: str) -> list[Problem]:
    """What is wrong with the schema of a version."""
    problems = sorted(_structural(schema, path, "root"), key=str) + list(_walk(schema, path))
    if problems:
        return problems
    type_ = TypeRegistry({}).root(schema)
    return list(_defaults(type_, path, is_root=True)) or list(validate_rules(type_, path))


# --- structure ---


def _structural(schema: Schema, path: str, level: str) -> Iterator[Problem]:
    """ValidateStructural: what each level has to state, apart from its values."""
    kind = schema.get("type", "")
    if kind == "array" and not isinstance(schema.get("items"), Mapping):
        yield required(f"{path}.items", "must be specified")
    if schema.get("x-kubernetes-embedded-resource") and kind != "object":
        yield invalid_value(f"{path}.type", go_value(kind), "must be object if x-kubernetes-embedded-resource is true")
    elif (
        not kind
        and not schema.get("x-kubernetes-int-or-string")
        and not _keeps_unknown(schema)
        and "$ref" not in schema
    ):
        places = {"root": "at the root", "item": "for specified array items", "field": "for specified object fields"}
        yield required(f"{path}.type", f"must not be empty {places[level]}")
    if level == "root" and kind and kind != "object":
        yield invalid_value(f"{path}.type", go_value(kind), "must be object at the root")
    if level == "root" and schema.get("additionalProperties") is not None:
        yield forbidden(f"{path}.additionalProperties", "must not be used at the root")
    yield from _extensions(schema, path)
    if level == "root":
        yield from _metadata((schema.get("properties") or {}).get("metadata"), f"{path}.properties[metadata]")
    yield from _value_validation(schema, path)
    for name, each in (schema.get("properties") or {}).items():
        yield from _structural(each, f"{path}.properties[{name}]", "field")
    if isinstance(schema.get("items"), Mapping):
        yield from _structural(schema["items"], f"{path}.items", "item")
    if isinstance(schema.get("additionalProperties"), Mapping):
        yield from _structural(schema["additionalProperties"], f"{path}.additionalProperties", "field")


def _keeps_unknown(schema: Schema) -> bool:
    return bool(schema.get("x-kubernetes-preserve-unknown-fields"))


def _extensions(schema: Schema, path: str) -> Iterator[Problem]:
    is_embedded = schema.get("x-kubernetes-embedded-resource")
    if schema.get("x-kubernetes-int-or-string"):
        detail = "must be false if x-kubernetes-int-or-string is true"
        for name in ("x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"):
            if schema.get(name):
                yield invalid_value(f"{path}.{name}", "true", detail)
    if is_embedded and schema.get("additionalProperties") is not None:
        yield forbidden(f"{path}.additionalProperties", "must not be used if x-kubernetes-embedded-resource is set")
    if is_embedded and not _keeps_unknown(schema) and not schema.get("properties"):
        detail = (
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"
        )
        yield required(f"{path}.properties", detail)


def _metadata(schema: Schema | None, path: str) -> Iterator[Problem]:
    """Only names may be restricted."""
    if schema is None:
        return
    if schema.get("type") != "object":
        yield invalid_value(f"{path}.type", go_value(schema.get("type", "")), "must be object")
    rest = {name: value for name, value in schema.items() if name not in ("type", "properties", "default")}
    if rest or set(schema.get("properties") or ()) - {"name", "generateName"}:
        detail = "must not specify anything other than name and generateName, but metadata is implicitly specified"
        yield forbidden(path, detail)


def _value_validation(schema: Schema, path: str, *, is_nested: bool = False) -> Iterator[Problem]:
    if is_nested:
        yield from (forbidden(f"{path}.{name}", detail) for name, detail in _NOT_IN_JUNCTORS if schema.get(name))
    pattern = schema.get("pattern")
    if pattern:
        try:
            compile_pattern(pattern)
        except PatternError as error:
            detail = f"must be a valid regular expression, but isn't: {error}"
            yield invalid_value(f"{path}.pattern", go_value(pattern), detail)
    for junctor in ("anyOf", "allOf", "oneOf"):
        choices: Sequence[Schema] = schema.get(junctor) or ()
        if schema.get("x-kubernetes-int-or-string") and (choices == _INT_OR_STRING or junctor == "allOf"):
            continue
        for at, each in enumerate(choices):
            yield from _value_validation(each, f"{path}.{junctor}[{at}]", is_nested=True)
    if schema.get("not") is not None:
        yield from _value_validation(schema["not"], f"{path}.not", is_nested=True)
    if is_nested:
        for name, each in (schema.get("properties") or {}).items():
            yield from _value_validation(each, f"{path}.properties[{name}]", is_nested=True)
        if isinstance(schema.get("items"), Mapping):
            yield from _value_validation(schema["items"], f"{path}.items", is_nested=True)


# --- defaults ---


def _defaults(type_: Type, path: str, *, is_root: bool = False) -> Iterator[Problem]:
    """Each default must be a value that the schema allows, with nothing in it that would be pruned."""
    default = type_.schema.get("default")
    if default is not None and is_root:
        yield from (required(f"{path}.default.{name}", "must not be empty") for name in ("apiVersion", "kind"))
    elif default is not None:
        pruned = json.loads(json.dumps(default))
        prune_custom(pruned, type_)
        if pruned != default:
            yield invalid_value(f"{path}.default", go_interface(default), "must not have unknown fields")
        # The message is about the value alone: a default has no path in a body.
        for problem in check_value(default, type_, "") or _broken_rules(default, type_):
            yield Problem(problem.reason, f"{path}.default{_below(problem.field)}", problem.message)
    for name, each in type_.fields.items():
        yield from _defaults(each, f"{path}.properties[{name}]")
    if type_.element is not None and type_.schema.get("items") is not None:
        yield from _defaults(type_.element, f"{path}.items")


def _broken_rules(default: Any, type_: Type) -> list[Problem]:
    try:
        return check_rules(default, type_, NO_HISTORY, "")
    except CelCompileError as error:
        kind = go_value(str(type_.schema.get("type", "object")))
        return [invalid_value("", kind, f"rule compile error: {error.reason}")]


def _below(field: str) -> str:
    return "" if field in ("", "<nil>") else field if field.startswith("[") else f".{field}"


# --- each level by itself ---


def _walk(schema: Schema, path: str) -> Iterator[Problem]:
    """ValidateCustomResourceDefinitionOpenAPISchema, without the rules."""
    yield from (forbidden(f"{path}.{word}", f"{word} is not supported") for word in _UNSUPPORTED if schema.get(word))
    kind = schema.get("type")
    if kind and kind not in _TYPES:
        yield unsupported_value(f"{path}.type", kind, _TYPES)
    if schema.get("uniqueItems"):
        detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield forbidden(f"{path}.uniqueItems", detail)
    if schema.get("additionalProperties") is not None and schema.get("properties"):
        yield forbidden(f"{path}.additionalProperties", "additionalProperties and properties are mutual exclusive")
    if schema.get("x-kubernetes-preserve-unknown-fields") is False:
        yield invalid_value(f"{path}.x-kubernetes-preserve-unknown-fields", "false", "must be true or undefined")
    yield from _list_and_map_types(schema, path)
    for at, rule in enumerate(schema.get("x-kubernetes-validations") or ()):
        yield from validate_form(rule, schema, f"{path}.x-kubernetes-validations[{at}]")
    for inner, each in _children(schema, path):
        yield from _walk(each, inner)


def _children(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    for name, each in (schema.get("properties") or {}).items():
        yield f"{path}.properties[{name}]", each
    for word in ("items", "additionalProperties", "not"):
        if isinstance(schema.get(word), Mapping):
            yield f"{path}.{word}", schema[word]
    for word in ("allOf", "anyOf", "oneOf"):
        for at, each in enumerate(schema.get(word) or ()):
            yield f"{path}.{word}[{at}]", each


def _list_and_map_types(schema: Schema, path: str) -> Iterator[Problem]:
    kind = schema.get("type", "")
    for word, wanted, known in (
        ("x-kubernetes-map-type", "object", ("atomic", "granular")),
        ("x-kubernetes-list-type", "array", ("atomic", "set", "map")),
    ):
        value = schema.get(word)
        if value is None:
            continue
        detail = f"must be {wanted} if {word} is specified"
        if not kind:
            yield required(f"{path}.type", detail)
        elif kind != wanted:
            yield invalid_value(f"{path}.type", go_value(kind), detail)
        if value not in known:
            yield unsupported_value(f"{path}.{word}", value, known)
    list_type, keys = schema.get("x-kubernetes-list-type"), schema.get("x-kubernetes-list-map-keys") or ()
    items = schema.get("items") if isinstance(schema.get("items"), Mapping) else None
    if keys and list_type != "map":
        detail = "must be map if x-kubernetes-list-map-keys is non-empty"
        field = f"{path}.x-kubernetes-list-type"
        yield required(field, detail) if list_type is None else invalid_value(field, go_value(list_type), detail)
    if list_type == "set" and items is not None:
        yield from _set_items(items, path)
    if list_type == "map":
        yield from _map_items(items, keys, path)


def _set_items(items: Schema, path: str) -> Iterator[Problem]:
    detail = "must be atomic as item of a list with x-kubernetes-list-type=set"
    if items.get("type") == "array" and items.get("x-kubernetes-list-type", "atomic") != "atomic":
        yield invalid_value(f"{path}.items.x-kubernetes-list-type", go_value(items["x-kubernetes-list-type"]), detail)
    if items.get("type") == "object" and items.get("x-kubernetes-map-type") != "atomic":
        yield invalid_value(f"{path}.items.x-kubernetes-map-type", '"null"', detail)


def _map_items(items: Schema | None, keys: Sequence[str], path: str) -> Iterator[Problem]:
    if not keys:
        yield required(f"{path}.x-kubernetes-list-map-keys", "must not be empty if x-kubernetes-list-type is map")
    if items is None:
        yield required(f"{path}.items", "must have a schema if x-kubernetes-list-type is map")
        return
    if items.get("type") != "object":
        detail = "must be object if parent array's x-kubernetes-list-type is map"
        yield invalid_value(f"{path}.items.type", go_value(items.get("type", "")), detail)
        return
    properties, listed = items.get("properties") or {}, f"[]string{{{', '.join(go_value(key) for key in keys)}}}"
    for key in keys:
        if key not in properties:
            detail = "entries must all be names of item properties"
            yield invalid_value(f"{path}.x-kubernetes-list-map-keys", listed, detail)
        elif properties[key].get("type") in ("array", "object"):
            detail = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            yield invalid_value(f"{path}.items.properties[{key}].type", go_value(items["type"]), detail)
        elif key not in (items.get("required") or ()) and properties[key].get("default") is None:
            detail = (
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
            )
            yield required(f"{path}.items.properties[{key}].default", detail)
    if len(set(keys)) < len(keys):
        yield invalid_value(f"{path}.x-kubernetes-list-map-keys", listed, "must not contain duplicate entries")

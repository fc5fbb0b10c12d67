"""What a page of documentation says of commands and kinds, out of their models, for a template to lay out."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fake_dra_driver.api.schema import CustomResource
from fake_dra_driver.codegen.crd import definition
from fake_dra_driver.codegen.structuralschema import description_of
from fake_dra_driver.settings import Setting, Settings, settings_of

__all__ = ["CommandPage", "FieldRow", "KindPage", "RuleRow", "command_page", "kind_page"]

_BOUNDS = (
    ("minimum", "maximum", ""),
    ("minLength", "maxLength", " characters"),
    ("minItems", "maxItems", " entries"),
    ("minProperties", "maxProperties", " entries"),
)
"""Keywords of the least and the most, and what they count."""
_FORMATS = {
    "date": "a date",
    "date-time": "a time (RFC 3339)",
    "double": "64 bits",
    "int32": "32 bits",
    "int64": "64 bits",
    "ipv4": "an IPv4 address",
    "ipv6": "an IPv6 address",
    "uuid": "a UUID",
}


@dataclass(frozen=True, slots=True)
class CommandPage:
    """A command, as documentation shows it."""

    name: str
    about: str
    settings: tuple[Setting, ...]


@dataclass(frozen=True, slots=True)
class FieldRow:
    """A field of a kind."""

    path: str
    type: str
    default: str
    allowed: str
    description: str


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule that the API server checks."""

    path: str
    rule: str
    message: str


@dataclass(frozen=True, slots=True)
class KindPage:
    """A kind, as documentation shows it."""

    name: str
    api_version: str
    scope: str
    resource: str
    aliases: tuple[str, ...]
    description: str
    fields: tuple[FieldRow, ...]
    rules: tuple[RuleRow, ...]


def command_page(name: str, model: type[Settings]) -> CommandPage:
    """The page of a command."""
    return CommandPage(name, description_of(model.__doc__), settings_of(model))


def kind_page(kind: type[CustomResource]) -> KindPage:
    """The page of a kind. Raises SchemaError."""
    spec = definition(kind)["spec"]
    schema = spec["versions"][0]["schema"]["openAPIV3Schema"]
    names = spec["names"]
    aliases = {names["singular"], *names.get("shortNames", ())} - {names["plural"]}
    return KindPage(
        name=names["kind"],
        api_version=kind.resource.api_version,
        scope="in a namespace" if kind.resource.namespaced else "for the whole cluster",
        resource=names["plural"],
        aliases=tuple(sorted(aliases)),
        description=schema["description"],
        fields=tuple(_fields(schema, "")),
        rules=tuple(_rules(schema, "")),
    )


def _members(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    for name, member in schema.get("properties", {}).items():
        if path or name not in {"apiVersion", "kind", "metadata"}:
            yield f"{path}.{name}".lstrip("."), member, name in schema.get("required", ())
    if "items" in schema:
        yield from _members(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        yield from _members(schema["additionalProperties"], f"{path}.*")


def _fields(schema: Mapping[str, Any], path: str) -> Iterator[FieldRow]:
    for where, member, required in _members(schema, path):
        default = member.get("default")
        yield FieldRow(
            path=where,
            type=_type(member),
            default="**required**"
            if required
            else ""
            if default is None or member.get("type") == "object"
            else _shown(default),
            allowed=", ".join(_allowed(member)),
            description=member.get("description", ""),
        )
        yield from _fields(member, where)


def _type(schema: Mapping[str, Any]) -> str:
    if schema.get("nullable"):
        return f"{_type({**schema, 'nullable': False})} or null"
    if "items" in schema:
        return f"list of {_type(schema['items'])}"
    if "additionalProperties" in schema:
        return f"map of {_type(schema['additionalProperties'])}"
    if "x-kubernetes-int-or-string" in schema:
        return "integer or string"
    return str(schema["type"])


def _shown(default: object) -> str:
    return default if isinstance(default, str) else json.dumps(default, ensure_ascii=False)


def _allowed(schema: Mapping[str, Any]) -> Iterator[str]:
    if "enum" in schema:
        yield f"one of {', '.join(f'`{choice}`' for choice in schema['enum'])}"
    if "format" in schema:
        yield _FORMATS.get(schema["format"], schema["format"])
    if schema.get("x-kubernetes-list-type") == "set":
        yield "no entry twice"
    if keys := schema.get("x-kubernetes-list-map-keys"):
        yield f"no two entries with the same {' and '.join(keys)}"
    for least, most, unit in _BOUNDS:
        low, high = schema.get(least), schema.get(most)
        is_open = schema.get("exclusiveMinimum") or schema.get("exclusiveMaximum")
        if low is not None and high is not None and not is_open:
            yield f"{low} to {high}{unit}"
            continue
        if low is not None:
            yield f"{'more than' if schema.get('exclusiveMinimum') else 'at least'} {low}{unit}"
        if high is not None:
            yield f"{'less than' if schema.get('exclusiveMaximum') else 'at most'} {high}{unit}"
    if "multipleOf" in schema:
        yield f"a multiple of {schema['multipleOf']}"
    if "pattern" in schema:
        yield f"matches `{schema['pattern']}`"


def _rules(schema: Mapping[str, Any], path: str) -> Iterator[RuleRow]:
    for rule in schema.get("x-kubernetes-validations", ()):
        yield RuleRow(path or "object", rule["rule"], rule["message"])
    for where, member, _ in _members(schema, path):
        yield from _rules(member, where)

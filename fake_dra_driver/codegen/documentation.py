"""What a page of documentation says of commands and kinds, out of their models, for a template to lay out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fake_dra_driver.api.schema import CustomResource
from fake_dra_driver.codegen.crd import definition, description_of
from fake_dra_driver.settings import Setting, Settings, settings_of

__all__ = ["CommandPage", "FieldRow", "KindPage", "RuleRow", "command_page", "kind_page"]

_BOUNDS = (
    ("minimum", "maximum", ""),
    ("minLength", "maxLength", " characters"),
    ("minItems", "maxItems", " entries"),
    ("minProperties", "maxProperties", " entries"),
)
"""Keywords of the least and the most, and what they count."""


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
            if default is None or member["type"] == "object"
            else str(default),
            allowed=", ".join(_allowed(member)),
            description=member.get("description", ""),
        )
        yield from _fields(member, where)


def _type(schema: Mapping[str, Any]) -> str:
    if "items" in schema:
        return f"list of {_type(schema['items'])}"
    if "additionalProperties" in schema:
        return f"map of {_type(schema['additionalProperties'])}"
    return str(schema["type"])


def _allowed(schema: Mapping[str, Any]) -> Iterator[str]:
    for least, most, unit in _BOUNDS:
        match schema.get(least), schema.get(most):
            case None, None:
                pass
            case low, None:
                yield f"at least {low}{unit}"
            case None, high:
                yield f"at most {high}{unit}"
            case low, high:
                yield f"{low} to {high}{unit}"
    if "pattern" in schema:
        yield f"matches `{schema['pattern']}`"


def _rules(schema: Mapping[str, Any], path: str) -> Iterator[RuleRow]:
    for rule in schema.get("x-kubernetes-validations", ()):
        yield RuleRow(path or "object", rule["rule"], rule["message"])
    for where, member, _ in _members(schema, path):
        yield from _rules(member, where)

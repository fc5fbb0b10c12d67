"""docs/reference.md: commands and settings, values of the chart, fields of the custom resources, permissions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from fake_dra_driver.api.schema import CustomResource
from fake_dra_driver.codegen.crd import definition, description_of
from fake_dra_driver.packaging.permissions import Component
from fake_dra_driver.packaging.values import values_of
from fake_dra_driver.render import render
from fake_dra_driver.settings import Setting, Settings, settings_of

__all__ = ["render_reference"]

_BOUNDS = (
    ("minimum", "maximum", ""),
    ("minLength", "maxLength", " characters"),
    ("minItems", "maxItems", " entries"),
    ("minProperties", "maxProperties", " entries"),
)
"""Keywords of the least and the most, and what they count."""


@dataclass(frozen=True, slots=True)
class _Command:
    name: str
    about: str
    settings: tuple[Setting, ...]


@dataclass(frozen=True, slots=True)
class _Field:
    path: str
    type: str
    default: str
    allowed: str
    description: str


@dataclass(frozen=True, slots=True)
class _Rule:
    path: str
    rule: str
    message: str


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    api_version: str
    scope: str
    resource: str
    aliases: tuple[str, ...]
    description: str
    fields: tuple[_Field, ...]
    rules: tuple[_Rule, ...]


def render_reference(
    header: str,
    commands: Mapping[str, type[Settings]],
    go_only_flags: Mapping[str, str],
    values: type[BaseModel],
    kinds: Sequence[type[CustomResource]],
    components: Sequence[Component],
) -> str:
    """The reference as Markdown."""
    return render(
        "docs/reference.md.j2",
        header=header,
        commands=[
            _Command(name, description_of(model.__doc__), settings_of(model)) for name, model in commands.items()
        ],
        go_only_flags=go_only_flags,
        values=[leaf for value in values_of(values) for leaf in value.leaves()],
        kinds=[_kind(kind) for kind in kinds],
        components=components,
    )


def _kind(kind: type[CustomResource]) -> _Kind:
    spec = definition(kind)["spec"]
    schema = spec["versions"][0]["schema"]["openAPIV3Schema"]
    names = spec["names"]
    aliases = {names["singular"], *names.get("shortNames", ())} - {names["plural"]}
    return _Kind(
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


def _fields(schema: Mapping[str, Any], path: str) -> Iterator[_Field]:
    for where, member, required in _members(schema, path):
        default = member.get("default")
        yield _Field(
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


def _rules(schema: Mapping[str, Any], path: str) -> Iterator[_Rule]:
    for rule in schema.get("x-kubernetes-validations", ()):
        yield _Rule(path or "object", rule["rule"], rule["message"])
    for where, member, _ in _members(schema, path):
        yield from _rules(member, where)

"""Unions in a structural schema, which has neither alternatives nor references: one object and rules in CEL.

A union of models that are told apart by a field becomes an object with the fields of all of them; rules say which
belong together.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fake_dra_driver.codegen.schemaerror import SchemaError

__all__ = ["Member", "cel_name", "union_schema"]

_RESERVED: Final = frozenset(
    {
        *("as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let", "loop"),
        *("namespace", "null", "package", "return", "true", "var", "void", "while"),
    }
)
"""Names that CEL keeps for itself: a field of that name is escaped (apiextensions-apiserver, ``Escape``)."""


@dataclass(frozen=True, slots=True)
class Member:
    """One of the models of a union."""

    name: str
    schema: Mapping[str, Any]


def cel_name(name: str) -> str:
    """A field's name behind ``self.``, in a rule."""
    return f"__{name}__" if name in _RESERVED else name


def union_schema(members: Sequence[Member], tag: str, path: str) -> dict[str, Any]:
    """One schema for several models.

    Args:
        members: the models, whose ``tag`` has values of its own in each.
        tag: name of the field that tells them apart.
        path: of the union, for messages.

    Raises:
        SchemaError: two members cannot be in one object.
    """
    tags = {member.name: _tags(member, tag, path) for member in members}
    taken = [value for values in tags.values() for value in values]
    if len(set(taken)) != len(taken):
        raise SchemaError(
            f"{path}: {tag} has to be different in each of {', '.join(tags)}, so that it tells them apart"
        )
    properties: dict[str, Any] = {tag: {"type": "string", "enum": taken}}
    for member in members:
        for name, schema in member.schema["properties"].items():
            if name != tag:
                properties[name] = _shared(name, schema, properties.get(name), member, members, path)
    always = [name for name in properties if all(name in _required(member, tag) for member in members)]
    about = "; ".join(f"{' or '.join(tags[member.name])}: {member.schema['description']}" for member in members)
    return {
        "description": f"One of these, by {tag}. {about}",
        "type": "object",
        "required": always,
        "properties": properties,
        "x-kubernetes-validations": list(_rules(members, tags, tag, properties, always)),
    }


def _tags(member: Member, tag: str, path: str) -> list[str]:
    found: list[str] = member.schema["properties"].get(tag, {}).get("enum", [])
    if not found or not all(isinstance(value, str) for value in found):
        raise SchemaError(f"{path}: {member.name}.{tag} has to be a Literal of a text, which tells it from the others")
    return found


def _required(member: Member, tag: str) -> Sequence[str]:
    return [tag, *member.schema.get("required", ())]


def _shared(
    name: str, schema: Mapping[str, Any], before: Any, member: Member, members: Sequence[Member], path: str
) -> Mapping[str, Any]:
    """The schema of a field, which is the same in every member that has it."""
    if before is not None and _form(before) != _form(schema):
        raise SchemaError(
            f"{path}: {name} of {member.name} is not what it is in another model of the union, and a CRD has one field "
            "of a name: call it something else in one of them"
        )
    if "default" in schema and not all(name in each.schema["properties"] for each in members):
        raise SchemaError(
            f"{path}: the API server would fill in {name} of {member.name} for the other models, too: leave out "
            "ServerDefault, so that the driver fills it in"
        )
    return before or schema


def _form(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: value for key, value in schema.items() if key != "description"}


def _rules(
    members: Sequence[Member],
    tags: Mapping[str, Sequence[str]],
    tag: str,
    properties: Mapping[str, Any],
    always: Sequence[str],
) -> Iterator[dict[str, str]]:
    def is_one_of(names: Sequence[str]) -> str:
        return f"self.{cel_name(tag)} in {json.dumps([value for name in names for value in tags[name]])}"

    def listed(names: Sequence[str]) -> str:
        return " or ".join(value for name in names for value in tags[name])

    for name in properties:
        has = [member.name for member in members if name in member.schema["properties"]]
        needs = [member.name for member in members if name in _required(member, tag)]
        if len(has) < len(members):
            rule = f"!has(self.{cel_name(name)}) || {is_one_of(has)}"
            yield {"rule": rule, "message": f"{name} is for {tag} {listed(has)} alone"}
        if needs and name not in always:
            rule = f"!({is_one_of(needs)}) || has(self.{cel_name(name)})"
            yield {"rule": rule, "message": f"{name} is required for {tag} {listed(needs)}"}
    for member in members:
        for rule in member.schema.get("x-kubernetes-validations", ()):
            yield {"rule": f"!({is_one_of([member.name])}) || ({rule['rule']})", "message": rule["message"]}

"""Opaque parameters by a schema that is known only when the program runs: everything that is wrong with them. Pure.

An API server checks an object of a kind that has a schema (apiextensions.k8s.io/v1, KEP-1027). Parameters in a claim
are no such object. They are checked here as with ``fieldValidation=Strict``: an unknown field, a value of a wrong type
or out of bounds, a field that is missing. What the schema says in patterns and in rules, ``schemacheck`` checks.

A schema may say what a structural schema may, but for ``allOf``, ``anyOf``, ``oneOf`` and ``not``, which rules say more
clearly, and formats.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from fake_dra_driver.api.fieldproblem import FieldProblem, join_path, shown
from fake_dra_driver.dra.structured.schemacheck import SchemaCheck, with_defaults

__all__ = ["StrictSchema", "schema_problems"]

_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "object": (dict,),
    "string": (str,),
}
_NAMES: Final = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "object": "an object",
    "string": "a string",
}
_INT_OR_STRING: Final = "x-kubernetes-int-or-string"
_ANYTHING: Final = "x-kubernetes-preserve-unknown-fields"
_RULES: Final = "x-kubernetes-validations"
_NUMBERS: Final = ("minimum", "maximum")
_COUNTS: Final = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
_FLAGS: Final = ("nullable", "exclusiveMinimum", "exclusiveMaximum", _INT_OR_STRING, _ANYTHING)
_WORDS: Final = frozenset(
    {
        *("type", "properties", "additionalProperties", "items", "required", "enum", "default", "pattern", "format"),
        *("title", "description", "example", "externalDocs", _RULES),
        *("x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type"),
        *_NUMBERS,
        *_COUNTS,
        *_FLAGS,
    }
)
_MAX_DEPTH: Final = 32
_MAX_FIELDS: Final = 1024

Schema = Mapping[str, Any]


class StrictSchema:
    """Checks values by one schema.

    Args:
        schema: one with which ``schema_problems`` finds nothing wrong.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._check = SchemaCheck(schema)

    def problems(self, value: Any) -> Sequence[FieldProblem]:
        """Everything that is wrong with a value; patterns and rules are only looked at where its form is right."""
        found = tuple(_problems(self._schema, value, ""))
        return found or tuple(self._check.problems(value))

    def with_defaults(self, value: Any) -> Any:
        """The value with what is left out in it, as the schema has it."""
        return with_defaults(self._schema, value)


def schema_problems(schema: object) -> Sequence[FieldProblem]:
    """What is wrong with a schema, that of an object: paths are those in the schema."""
    if not isinstance(schema, Mapping):
        return (FieldProblem("", f"must be an object, is {shown(schema)}"),)
    if problems := tuple(_form(schema, "", 0)):
        return problems
    if schema.get("type") != "object":
        return (FieldProblem("type", f"must be object, is {shown(schema.get('type'))}"),)
    if (number := _fields(schema)) > _MAX_FIELDS:
        return (FieldProblem("", f"must describe at most {_MAX_FIELDS} fields, describes {number}"),)
    return tuple(_meaning(schema, ""))


# --- Values --------------------------------------------------------------------------------------------------------


def _problems(schema: Schema, value: Any, path: str) -> Iterator[FieldProblem]:
    if value is None and schema.get("nullable"):
        return
    if (wanted := _wanted(schema, value)) is not None:
        yield FieldProblem(path, f"must be {wanted}, is {shown(value)}")
        return
    if "enum" in schema and not any(_are_same(value, each) for each in schema["enum"]):
        yield FieldProblem(path, f"must be {' or '.join(map(shown, schema['enum']))}, is {shown(value)}")
    yield from _bounds(schema, value, path)
    if isinstance(value, Mapping):
        yield from _problems_of_object(schema, value, path)
    elif isinstance(value, list) and isinstance(items := schema.get("items"), Mapping):
        for index, each in enumerate(value):
            yield from _problems(items, each, join_path(path, index))


def _problems_of_object(schema: Schema, value: Mapping[str, Any], path: str) -> Iterator[FieldProblem]:
    properties = schema.get("properties", {})
    others = schema.get("additionalProperties")
    for name in schema.get("required", ()):
        # A default is filled in before an API server looks at what is missing.
        if name not in value and "default" not in properties.get(name, {}):
            yield FieldProblem(join_path(path, name), "must be set")
    for name, each in value.items():
        if name in properties:
            # As in an API server, a null stands for a field that is left out, unless the field may be null.
            if each is None and "default" in properties[name] and not properties[name].get("nullable"):
                continue
            yield from _problems(properties[name], each, join_path(path, name))
        elif isinstance(others, Mapping):
            yield from _problems(others, each, join_path(path, name))
        elif others is not True and not schema.get(_ANYTHING):
            known = f", only {', '.join(sorted(properties))}" if properties else ""
            yield FieldProblem(join_path(path, name), f"there is no such field{known}")


def _wanted(schema: Schema, value: Any) -> str | None:
    """What a value has to be that it is not; None: it is of the right type."""
    if schema.get(_INT_OR_STRING):
        return None if _is_of("integer", value) or _is_of("string", value) else "a whole number or a string"
    wanted = schema.get("type")
    return None if wanted is None or _is_of(wanted, value) else _NAMES[wanted]


def _is_of(wanted: str, value: Any) -> bool:
    if isinstance(value, bool):
        return wanted == "boolean"
    if wanted == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[wanted])


def _are_same(one: Any, other: Any) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _bounds(schema: Schema, value: Any, path: str) -> Iterator[FieldProblem]:
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        yield from _number_bounds(schema, value, path)
        return
    least, most, unit = next((bounds for kind, bounds in _SIZES.items() if isinstance(value, kind)), ("", "", ""))
    if not unit:
        return
    if len(value) < schema.get(least, 0):
        yield FieldProblem(path, f"must have at least {schema[least]} {unit}, has {len(value)}")
    # How long a text may be, SchemaCheck says.
    if most != "maxLength" and len(value) > schema.get(most, len(value)):
        yield FieldProblem(path, f"must have at most {schema[most]} {unit}, has {len(value)}")


_SIZES: Final[Mapping[type, tuple[str, str, str]]] = {
    str: ("minLength", "maxLength", "characters"),
    list: ("minItems", "maxItems", "entries"),
    dict: ("minProperties", "maxProperties", "fields"),
}


def _number_bounds(schema: Schema, value: float, path: str) -> Iterator[FieldProblem]:
    least, most = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    if value < least or (value == least and schema.get("exclusiveMinimum")):
        word = "more than" if schema.get("exclusiveMinimum") else "at least"
        yield FieldProblem(path, f"must be {word} {shown(least)}, is {shown(value)}")
    if value > most or (value == most and schema.get("exclusiveMaximum")):
        word = "less than" if schema.get("exclusiveMaximum") else "at most"
        yield FieldProblem(path, f"must be {word} {shown(most)}, is {shown(value)}")


# --- Schemas -------------------------------------------------------------------------------------------------------


def _form(schema: Any, path: str, depth: int) -> Iterator[FieldProblem]:
    """What is wrong with the words of a schema and of those inside of it."""
    if not isinstance(schema, Mapping):
        yield FieldProblem(path, f"must be an object, is {shown(schema)}")
        return
    if depth > _MAX_DEPTH:
        yield FieldProblem(path, f"must not be nested more than {_MAX_DEPTH} levels deep")
        return
    for word, value in schema.items():
        if problem := _problem_of_word(str(word), value):
            yield FieldProblem(join_path(path, str(word)), problem)
    if not schema.keys() & {"type", _INT_OR_STRING, _ANYTHING}:
        yield FieldProblem(join_path(path, "type"), f"must be one of {', '.join(_TYPES)}")
    if schema.get("properties") and "additionalProperties" in schema:
        yield FieldProblem(join_path(path, "additionalProperties"), "must be left out beside properties")
    if schema.get("type") == "array" and "items" not in schema:
        yield FieldProblem(join_path(path, "items"), "must be set for an array")
    for name, each in _inner(schema):
        yield from _form(each, join_path(path, *name), depth + 1)


def _problem_of_word(word: str, value: Any) -> str:
    """What is wrong with one word of a schema by itself; empty: nothing."""
    if word not in _WORDS:
        return f"is not supported, only {', '.join(sorted(_WORDS))}"
    if word == "type" and not (isinstance(value, str) and value in _TYPES):
        return f"must be one of {', '.join(_TYPES)}, is {shown(value)}"
    if word in _NUMBERS and (isinstance(value, bool) or not isinstance(value, int | float)):
        return f"must be a number, is {shown(value)}"
    if word in _COUNTS and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        return f"must be a whole number, at least 0, is {shown(value)}"
    if word in _FLAGS and not isinstance(value, bool):
        return f"must be true or false, is {shown(value)}"
    if word == "properties" and not isinstance(value, Mapping):
        return f"must be an object, is {shown(value)}"
    if word == "required" and not (isinstance(value, list) and all(isinstance(each, str) for each in value)):
        return f"must be a list of names, is {shown(value)}"
    if word in ("enum", _RULES) and not isinstance(value, list):
        return f"must be a list, is {shown(value)}"
    if word == "pattern" and not isinstance(value, str):
        return f"must be a string, is {shown(value)}"
    return ""


def _inner(schema: Schema) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The schemas inside of one, each with its path."""
    properties = schema.get("properties")
    if isinstance(properties, Mapping):
        yield from ((("properties", name), each) for name, each in properties.items())
    if "items" in schema:
        yield ("items",), schema["items"]
    if "additionalProperties" in schema and not isinstance(schema["additionalProperties"], bool):
        yield ("additionalProperties",), schema["additionalProperties"]


def _fields(schema: Schema) -> int:
    return sum(1 + _fields(each) for _, each in _inner(schema))


def _meaning(schema: Schema, path: str) -> Iterator[FieldProblem]:
    """What is wrong with patterns, rules and defaults, in a schema whose form is right."""
    from fake_dra_driver.cel import CelCompileError, compile_rule, of_schema
    from fake_dra_driver.re2 import PatternError, compile_pattern

    is_sound = True
    if (pattern := schema.get("pattern")) is not None:
        try:
            compile_pattern(pattern)
        except PatternError as error:
            is_sound = False
            yield FieldProblem(join_path(path, "pattern"), f"cannot be used: {error}")
    for index, rule in enumerate(schema.get(_RULES, ())):
        place = join_path(path, _RULES, index)
        if not isinstance(rule, Mapping) or not isinstance(rule.get("rule"), str):
            is_sound = False
            yield FieldProblem(place, "must have a rule in CEL")
            continue
        try:
            compile_rule(rule["rule"], of_schema(schema))
        except CelCompileError as error:
            is_sound = False
            yield FieldProblem(join_path(place, "rule"), f"cannot be compiled: {error.reason}")
    inner = [problem for name, each in _inner(schema) for problem in _meaning(each, join_path(path, *name))]
    yield from inner
    if is_sound and not inner and "default" in schema:
        for problem in StrictSchema(schema).problems(schema["default"]):
            yield problem.inside(join_path(path, "default"))

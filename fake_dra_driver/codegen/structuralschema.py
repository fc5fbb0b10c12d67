"""The structural schema (KEP-1027, apiextensions/v1) of a model that is written with ``api.schema``.

The model is walked field by field, so that what a structural schema cannot say is an error that names the field,
instead of being left out silently. What pydantic calls to narrow a value down (``AfterValidator``, validators of a
model) has no place in a schema: the program that reads the value checks it.
"""

import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin
from uuid import UUID

from annotated_types import Ge, GroupedMetadata, Gt, Le, Lt, MaxLen, MinLen, MultipleOf
from pydantic import AfterValidator, AwareDatetime, BaseModel, Strict
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from fake_dra_driver.api.schema import CelRule, Format, ListMap, ListSet, Nullable, OneOf, ServerDefault, ServerText
from fake_dra_driver.codegen.schemaerror import SchemaError
from fake_dra_driver.codegen.schemaunion import Member, cel_name, union_schema
from fake_dra_driver.re2 import PatternError, compile_pattern

__all__ = ["description_of", "object_schema"]

_SCALARS: Final[Mapping[Any, Mapping[str, Any]]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    float: {"type": "number"},
    datetime: {"type": "string", "format": "date-time"},
    AwareDatetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
    UUID: {"type": "string", "format": "uuid"},
    IPv4Address: {"type": "string", "format": "ipv4"},
    IPv6Address: {"type": "string", "format": "ipv6"},
}
_INT_OR_STRING: Final[Mapping[str, Any]] = {
    "anyOf": [{"type": "integer"}, {"type": "string"}],
    "x-kubernetes-int-or-string": True,
}
_LENGTH_OF: Final = {"string": "Length", "array": "Items", "object": "Properties"}
_NARROWING: Final = frozenset({"allow_inf_nan", "pattern", "strict", "union_mode"})
"""What pydantic keeps together of a Field's arguments: but for the pattern it only narrows down what Python reads."""
_ADVICE: Final[Mapping[Any, str]] = {
    Any: "say what it is, or write Mapping[str, Any] for an object of any form",
    bytes: "write str",
    timedelta: "write a number, with the unit in the field's name",
    Decimal: "write float or ResourceQuantity",
    complex: "write two numbers",
}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a model the walk is."""

    path: str
    """As messages have it: ``Class.field``."""
    inside: tuple[type[BaseModel], ...]
    """The models around it, from the outermost."""

    def below(self, suffix: str) -> "_Place":
        return replace(self, path=self.path + suffix)

    def refusal(self, what: object, advice: str) -> SchemaError:
        shown = what.__name__ if isinstance(what, type) else repr(what).replace("typing.", "")
        return SchemaError(f"{self.path}: a CRD cannot say {shown}: {advice}")


def object_schema(
    model: type[BaseModel], *, skip: str = "", inside: tuple[type[BaseModel], ...] = ()
) -> dict[str, Any]:
    """The schema of a model.

    Args:
        model: its fields become properties, its docstring the description.
        skip: a field to leave out.
        inside: the models that this one is a part of.

    Raises:
        SchemaError: the model says what a structural schema cannot. The message names class and field, and what to do.
    """
    if model in inside:
        raise SchemaError(
            f"{inside[-1].__name__} contains {model.__name__}, which it is a part of itself, and a CRD has no "
            "references: write a model for each level that there is, or let objects name each other"
        )
    properties: dict[str, Any] = {}
    required = []
    for name, field in model.model_fields.items():
        if name == skip:
            continue
        wire_name = field.alias or name
        properties[wire_name] = _field_schema(field, _Place(f"{model.__name__}.{name}", (*inside, model)))
        if field.is_required():
            required.append(wire_name)
    schema: dict[str, Any] = {"description": description_of(model.__doc__), "type": "object"}
    if required:
        schema["required"] = required
    schema["properties"] = properties
    if rules := [*getattr(model, "cel_rules", ()), *_one_is_set(model, required, properties)]:
        schema["x-kubernetes-validations"] = list(map(_rule, rules))
    return schema


def _one_is_set(model: type[BaseModel], required: Sequence[str], names: Iterable[str]) -> Iterator[CelRule]:
    if issubclass(model, OneOf):
        if required:
            raise SchemaError(
                f"{model.__name__}: of a OneOf one field alone is set: {required[0]} needs a default, None"
            )
        members = ", ".join(f"has(self.{cel_name(name)})" for name in names)
        yield CelRule(f"[{members}].exists_one(isSet, isSet)", f"exactly one of {', '.join(names)} has to be set")


def _rule(rule: CelRule) -> dict[str, str]:
    return {"rule": rule.rule, "message": rule.message}


def _field_schema(field: FieldInfo, place: _Place) -> dict[str, Any]:
    schema = _type_schema(field.annotation, place, field.discriminator)
    if field.description:
        schema = {
            "description": description_of(field.description),
            **{key: value for key, value in schema.items() if key != "description"},
        }
    for constraint in _constraints(field.metadata):
        if isinstance(constraint, ServerDefault):
            schema["default"] = _default(field, schema, place)
        elif isinstance(constraint, Nullable):
            schema |= _null(field, schema, place)
        elif isinstance(constraint, CelRule):
            schema["x-kubernetes-validations"] = [*schema.get("x-kubernetes-validations", ()), _rule(constraint)]
        else:
            schema |= _constraint(constraint, schema, place)
    return schema


# --- Types


def _type_schema(annotation: Any, place: _Place, discriminator: Any = None) -> dict[str, Any]:
    if scalar := _SCALARS.get(annotation):
        return dict(scalar)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return object_schema(annotation, inside=place.inside)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return _enum_schema([member.value for member in annotation], annotation, place)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return _enum_schema(arguments, annotation, place)
    if origin is Annotated:
        return _field_schema(FieldInfo.from_annotation(annotation), place)
    if origin in {Union, types.UnionType}:
        return _union_schema(
            [each for each in arguments if each is not types.NoneType], annotation, place, discriminator
        )
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _map_schema(arguments, annotation, place)
    if isinstance(origin, type) and issubclass(origin, AbstractSet):
        raise place.refusal(
            annotation, "write Annotated[tuple[..., ...], ListSet()], which keeps the order of its entries"
        )
    if origin is tuple and (len(arguments) != 2 or arguments[1] is not Ellipsis):
        raise place.refusal(annotation, "write a model with a field for each entry, or tuple[..., ...] for any number")
    if isinstance(origin, type) and issubclass(origin, Sequence):
        items = _field_schema(FieldInfo.from_annotation(arguments[0]), place.below("[]"))
        return {"type": "array", "items": items}
    raise place.refusal(
        annotation, _ADVICE.get(annotation, "write a scalar, a SchemaModel, tuple[..., ...] or Mapping")
    )


def _enum_schema(values: Sequence[Any], annotation: Any, place: _Place) -> dict[str, Any]:
    for type_, name in ((str, "string"), (int, "integer")):
        if values and all(isinstance(value, type_) and not isinstance(value, bool) for value in values):
            return {"type": name, "enum": [type_(value) for value in values]}
    raise place.refusal(annotation, "write values that are all texts, or all whole numbers")


def _union_schema(members: Sequence[Any], annotation: Any, place: _Place, discriminator: Any) -> dict[str, Any]:
    if len(members) == 1:
        return _field_schema(FieldInfo.from_annotation(members[0]), place)
    if set(members) == {int, str}:
        return {key: list(value) if isinstance(value, list) else value for key, value in _INT_OR_STRING.items()}
    if not all(isinstance(each, type) and issubclass(each, BaseModel) for each in members):
        raise place.refusal(annotation, "int | str is the only union of scalars; write one type, or models")
    if not isinstance(discriminator, str):
        raise place.refusal(
            annotation,
            'tell the models apart by a field that is a Literal in each, with Field(discriminator="<field>"), or '
            "write a OneOf with a field for each of them",
        )
    (tag,) = {each.model_fields[discriminator].alias or discriminator for each in members}
    return union_schema(
        [Member(each.__name__, object_schema(each, inside=place.inside)) for each in members], tag, place.path
    )


def _map_schema(arguments: Sequence[Any], annotation: Any, place: _Place) -> dict[str, Any]:
    if arguments[0] is not str:
        raise place.refusal(annotation, "keys are str; bound them by a CelRule on the field")
    if arguments[1] is Any:
        return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    values = _field_schema(FieldInfo.from_annotation(arguments[1]), place.below("{}"))
    return {"type": "object", "additionalProperties": values}


# --- Constraints


def _constraints(metadata: Iterable[Any]) -> Iterator[Any]:
    for each in metadata:
        if isinstance(each, GroupedMetadata):
            yield from each
        else:
            yield each


def _default(field: FieldInfo, schema: Mapping[str, Any], place: _Place) -> Any:
    """For an object, the defaults of its fields: the API server checks CEL rules of a default before it fills it in."""
    if "properties" in schema:
        return {name: member["default"] for name, member in schema["properties"].items() if "default" in member}
    if field.is_required() or (default := field.get_default(call_default_factory=True)) is None:
        raise SchemaError(f"{place.path}: ServerDefault needs a default that is not None")
    return to_jsonable_python(default, by_alias=True)


def _null(field: FieldInfo, schema: Mapping[str, Any], place: _Place) -> dict[str, Any]:
    if types.NoneType not in get_args(field.annotation):
        raise SchemaError(f"{place.path}: Nullable is for X | None: without None, Python cannot read a null")
    if "enum" in schema:
        raise SchemaError(f"{place.path}: an API server refuses null where there are choices: add another choice")
    return {"nullable": True}


def _constraint(constraint: object, schema: Mapping[str, Any], place: _Place) -> dict[str, Any]:
    match constraint:
        case Ge(ge=bound):
            return {"minimum": bound}
        case Le(le=bound):
            return {"maximum": bound}
        case Gt(gt=bound):
            return {"minimum": bound, "exclusiveMinimum": True}
        case Lt(lt=bound):
            return {"maximum": bound, "exclusiveMaximum": True}
        case MultipleOf(multiple_of=divisor):
            return {"multipleOf": divisor}
        case MinLen(min_length=bound) if schema.get("type") in _LENGTH_OF:
            return {f"min{_LENGTH_OF[schema['type']]}": bound}
        case MaxLen(max_length=bound) if schema.get("type") in _LENGTH_OF:
            return {f"max{_LENGTH_OF[schema['type']]}": bound}
        case ServerText(pattern=pattern, max_length=bound):
            return {"maxLength": bound, "pattern": _pattern(pattern, place)}
        case Format(name=name):
            return {"format": name}
        case ListSet():
            return _list_set(schema, place)
        case ListMap(keys=keys):
            return _list_map(keys, schema, place)
        case AfterValidator() | Strict():
            return {}
    known = getattr(constraint, "__dict__", {})
    if known and known.keys() <= _NARROWING:
        return {"pattern": _pattern(known["pattern"], place)} if known.get("pattern") else {}
    raise place.refusal(constraint, "write bounds with Field, a CelRule, or an AfterValidator, which the driver checks")


def _pattern(pattern: str, place: _Place) -> str:
    try:
        compile_pattern(pattern)
    except PatternError as error:
        raise place.refusal(pattern, f"it is not in RE2's syntax, which API servers have ({error})") from error
    return pattern


def _list_set(schema: Mapping[str, Any], place: _Place) -> dict[str, Any]:
    if schema.get("items", {}).get("type") in {None, "array", "object"}:
        raise place.refusal(ListSet(), "it is for lists of scalars; ListMap is for lists of objects")
    return {"x-kubernetes-list-type": "set"}


def _list_map(keys: Sequence[str], schema: Mapping[str, Any], place: _Place) -> dict[str, Any]:
    items = schema.get("items", {})
    members = items.get("properties", {})
    wire_names = [key if key in members else to_camel(key) for key in keys]
    for name in wire_names:
        if members.get(name, {}).get("type") in {None, "array", "object"}:
            raise place.refusal(ListMap(*keys), f"{name} is no scalar field of the list's entries")
        if name not in items.get("required", ()) and "default" not in members[name]:
            raise place.refusal(ListMap(*keys), f"{name} has to be required, or to have a ServerDefault")
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": wire_names}


def description_of(docstring: str | None) -> str:
    """A docstring as one line of plain text."""
    return " ".join((docstring or "").split()).replace("``", "`")

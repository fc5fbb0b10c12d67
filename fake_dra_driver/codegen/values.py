"""A chart's values from one model: values.yaml, values.schema.json, and what templates and documentation say of them.

A project writes its model down with ``Values`` as the base of each object. The ``settings`` of a component are not
written down twice: they are the fields of its settings model that are marked ``in_chart``. What is passed on to
Kubernetes as it is (tolerations, resources and the like) is left to Kubernetes to check.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_origin

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from fake_dra_driver.codegen.structuralschema import description_of
from fake_dra_driver.settings import Flag, Setting, Settings, settings_of

__all__ = [
    "Bounds",
    "ChartSetting",
    "JsonObject",
    "Value",
    "Values",
    "bounds_of",
    "chart_settings",
    "setting_fields",
    "values_of",
    "values_schema",
]

JsonObject = dict[str, Any]
"""An object of Kubernetes, passed on as it is."""


class Values(BaseModel):
    """Base of every object in values.yaml: what it does not name is refused."""

    model_config = ConfigDict(
        use_attribute_docstrings=True, alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid"
    )


def setting_fields(settings: type[Settings]) -> dict[str, Any]:
    """The fields of the model of a component's ``settings`` in the values, for ``pydantic.create_model``."""
    fields = {}
    for setting in settings_of(settings):
        if setting.info.in_chart:
            field = settings.model_fields[setting.name]
            metadata = [item for item in field.metadata if not isinstance(item, Flag)]
            default = field.default if setting.info.chart_default is None else setting.info.chart_default
            text = f"{setting.description} Allowed: {setting.allowed}."
            fields[setting.name] = (Annotated[field.annotation, *metadata, Field(description=text)], default)
    return fields


# --- What templates get ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Value:
    """One key of values.yaml."""

    key: str
    description: str
    default: Any
    """As JSON has it; not of interest where there are members."""
    members: tuple["Value", ...] = ()

    def leaves(self, path: str = "") -> Iterator[tuple[str, "Value"]]:
        """Every key below that has a value, with its full path."""
        if not self.members:
            yield path + self.key, self
        for member in self.members:
            yield from member.leaves(f"{path}{self.key}.")


def values_of(model: type[BaseModel], changes: Mapping[str, Any] | None = None) -> tuple[Value, ...]:
    """The keys of values.yaml with what they are for, in their order.

    Args:
        model: of the values.
        changes: defaults that differ from the model's, as in a file of values.

    Raises:
        pydantic.ValidationError: the model does not allow a change.
    """
    defaults = model()
    return _values(model.model_validate(merged(defaults.model_dump(by_alias=True), changes)) if changes else defaults)


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Values, with changes in their places: what is not an object replaces what was there, as Helm has it."""
    found = dict(base)
    for key, value in changes.items():
        inner = found.get(key)
        found[key] = merged(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return found


def _values(instance: BaseModel) -> tuple[Value, ...]:
    defaults = instance.model_dump(mode="json", by_alias=True)
    found = []
    for name, field in type(instance).model_fields.items():
        key = field.alias or name
        value = getattr(instance, name)
        members = _values(value) if isinstance(value, BaseModel) else ()
        found.append(Value(key, description_of(field.description), _plain(defaults[key]), members))
    return tuple(found)


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def values_schema(model: type[BaseModel], header: str, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """values.schema.json: refuses unknown keys, and settings that the program would refuse.

    Args:
        model: of the values.
        header: says what it is generated from.
        extra: schemas of keys that are no values, such as those that the chart refuses in words of its own.
    """
    schema = model.model_json_schema(by_alias=True)
    inlined = _inline(schema, schema.get("$defs", {}))
    shared = {"description": "Set by Helm when this is a subchart; not used.", "type": "object"}
    inlined["properties"] = {"global": shared, **inlined["properties"], **(extra or {})}
    return {"$comment": header, "$schema": "http://json-schema.org/draft-07/schema#", **inlined}


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds of a number in the values that may be a string, for which a schema's bounds do not count."""

    path: str
    low: float | None
    high: float | None
    is_above: bool = False
    """Whether the number has to be more than ``low``."""
    is_below: bool = False
    """Whether it has to be less than ``high``."""

    @property
    def is_exceeded(self) -> str:
        """Expression of Helm."""
        number, found = f"(float64 .Values.{self.path})", []
        if self.low is not None:
            found.append(f"{'le' if self.is_above else 'lt'} {number} {float(self.low)}")
        if self.high is not None:
            found.append(f"{'ge' if self.is_below else 'gt'} {number} {float(self.high)}")
        return found[0] if len(found) == 1 else f"or {' '.join(f'({each})' for each in found)}"

    @property
    def words(self) -> str:
        """What is allowed."""
        if self.low is not None and self.high is not None and not (self.is_above or self.is_below):
            return f"from {_number(self.low)} to {_number(self.high)}"
        found = []
        if self.low is not None:
            found.append(f"{'more than' if self.is_above else 'at least'} {_number(self.low)}")
        if self.high is not None:
            found.append(f"{'less than' if self.is_below else 'at most'} {_number(self.high)}")
        return " and ".join(found)


def _number(value: float) -> str:
    return f"{value:.0f}" if float(value).is_integer() else f"{value:g}"


def bounds_of(schema: Mapping[str, Any], path: str = "") -> Iterator[Bounds]:
    """The numbers below a schema that Helm's templates have to bound."""
    for key, member in schema.get("properties", {}).items():
        where = f"{path}.{key}".lstrip(".")
        low = member.get("minimum", member.get("exclusiveMinimum"))
        high = member.get("maximum", member.get("exclusiveMaximum"))
        if member.get("type") == ["number", "string"] and (low is not None or high is not None):
            yield Bounds(where, low, high, "exclusiveMinimum" in member, "exclusiveMaximum" in member)
        yield from bounds_of(member, where)


def _inline(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """The schema without references, titles and defaults; an object with known keys must keep all of them, unless it
    says which."""
    if isinstance(schema, list):
        return [_inline(member, definitions) for member in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        target = definitions[schema["$ref"].rpartition("/")[2]]
        return _inline({**target, **{key: value for key, value in schema.items() if key != "$ref"}}, definitions)
    found = {key: schema[key] for key in schema if key not in {"title", "default", "$defs", "properties"}}
    found = {key: _inline(value, definitions) for key, value in found.items()}
    if "description" in found:
        found["description"] = description_of(found["description"])
    if found.get("type") == "number":  # `helm --set` makes a string of a number with a fraction.
        sign = "" if found.get("minimum", found.get("exclusiveMinimum", -1)) >= 0 else "-?"
        found |= {"type": ["number", "string"], "pattern": rf"^{sign}[0-9]+(\.[0-9]+)?$"}
    if found.get("type") == "array":  # Of a tuple, pydantic bounds the number of items as if it were a text's length.
        names = {"minLength": "minItems", "maxLength": "maxItems"}
        found = {names.get(key, key): value for key, value in found.items()}
    if "properties" in schema:
        found["properties"] = {key: _inline(value, definitions) for key, value in schema["properties"].items()}
        found["required"] = schema.get("required", sorted(schema["properties"]))
    return found


# --- Settings ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ChartSetting:
    """How the templates of Helm make a flag of a setting."""

    setting: Setting
    key: str
    """Key below ``settings``."""
    argument: str
    """Expression of Helm: the flag with its value."""
    condition: str = ""
    """Expression of Helm: where the flag is given at all; empty: always."""


def chart_settings(component: str, settings: type[Settings]) -> tuple[ChartSetting, ...]:
    """The settings that the values of a component have; ``component`` is its key there."""
    return tuple(
        _chart_setting(component, setting, settings) for setting in settings_of(settings) if setting.info.in_chart
    )


def _chart_setting(component: str, setting: Setting, settings: type[Settings]) -> ChartSetting:
    key = to_camel(setting.name)
    value = f".Values.{component}.settings.{key}"
    if setting.is_switch:
        return ChartSetting(setting, key, json.dumps(setting.flag), condition=value)
    return ChartSetting(setting, key, _argument(value, setting, settings))


def _argument(value: str, setting: Setting, settings: type[Settings]) -> str:
    annotation = settings.model_fields[setting.name].annotation
    if annotation is int:  # Helm reads every number as a float, and prints large ones as 1e+06.
        return f'printf "{setting.flag}=%d" (int64 {value})'
    if annotation in {float, bool}:
        return f'printf "{setting.flag}=%v" {value}'
    if get_origin(annotation) is tuple:
        return f'printf "{setting.flag}=%s" (join "," {value})'
    return f'printf "{setting.flag}=%s" {value}'

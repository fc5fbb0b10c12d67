"""Structural schemas of custom kinds at work: defaults, validation, and the CEL rules.

Follows k8s.io/apiextensions-apiserver/pkg/apiserver/schema/{defaulting,cel,listtype} and k8s.io/kube-openapi/pkg/
validation, whose words the messages use. Types are checked before rules: rules see valid values only.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from fake_dra_driver.cluster.apiserver.cel import CelError, Program, compile_rule
from fake_dra_driver.cluster.apiserver.errors import (
    Problem,
    duplicate,
    go_value,
    invalid_value,
    required,
    unsupported_value,
)
from fake_dra_driver.cluster.apiserver.store import Object
from fake_dra_driver.cluster.apiserver.types import Shape, Type

__all__ = ["apply_defaults", "validate_custom"]

_RULES_SKIPPED = invalid_value(
    "<nil>",
    '"null"',
    "some validation rules were not checked because the object was invalid; correct the existing errors to complete "
    "validation",
)
_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}
compile_cached = lru_cache(maxsize=1024)(compile_rule)


def apply_defaults(value: Any, type_: Type) -> None:
    """Fills in the defaults of the schema, from the outside in. A null where null is not allowed counts as not set."""
    if isinstance(value, dict):
        for name, field in type_.fields.items():
            default = field.schema.get("default")
            if default is None or name == "metadata":
                continue
            if name not in value or (value[name] is None and not field.schema.get("nullable")):
                value[name] = json.loads(json.dumps(default))
        for name, each in value.items():
            inner = type_.field(name)
            if inner is not None:
                apply_defaults(each, inner)
    elif isinstance(value, list) and type_.element is not None:
        for each in value:
            apply_defaults(each, type_.element)


def validate_custom(value: Object, type_: Type, old: Object | None = None) -> list[Problem]:
    """What is wrong with a custom object, first by its types, then by its rules (``old``: for transition rules)."""
    problems: list[Problem] = []
    for name, field in type_.fields.items():
        if name in value and name not in ("metadata", "apiVersion", "kind"):
            problems += _check(value[name], field, name)
    problems += [required(name) for name in type_.required if name not in value]
    if any(problem.reason in ("FieldValueRequired", "FieldValueTypeInvalid", "FieldValueNotSupported")
           for problem in problems):  # fmt: skip
        return [*problems, _RULES_SKIPPED]
    return problems or [*_duplicates(value, type_, ""), *_rules(value, type_, old, "")]


# --- types ---


def _check(value: Any, type_: Type, path: str) -> list[Problem]:
    schema = type_.schema
    if value is None and schema.get("nullable"):
        return []
    if problem := _wrong_type(value, schema, path):
        return [problem]
    problems = [*_bounds(value, schema, path)]
    if "enum" in schema and value not in schema["enum"]:
        problems.append(unsupported_value(path, value, schema["enum"]))
    if isinstance(value, dict):
        problems += [required(f"{path}.{name}") for name in type_.required if name not in value]
        for name, each in value.items():
            field = type_.field(name)
            if field is not None:
                problems += _check(each, field, f"{path}.{name}")
    elif isinstance(value, list) and type_.element is not None:
        for at, each in enumerate(value):
            problems += _check(each, type_.element, f"{path}[{at}]")
    return problems


def _wrong_type(value: Any, schema: Mapping[str, Any], path: str) -> Problem | None:
    wanted = schema.get("type")
    if schema.get("x-kubernetes-int-or-string"):
        fits = isinstance(value, int | str) and not isinstance(value, bool)
        wanted = "integer,string"
    elif wanted is None:
        return None
    else:
        fits = isinstance(value, _TYPES[wanted]) and (isinstance(value, bool) == (wanted == "boolean"))
        fits = fits or (wanted == "integer" and isinstance(value, float) and value.is_integer())
    if fits:
        return None
    found = _type_name(value)
    return Problem(
        "FieldValueTypeInvalid", path, f'Invalid value: "{found}": {path} in body must be of type {wanted}: "{found}"'
    )


def _type_name(value: Any) -> str:
    if value is None:
        return "null"
    for name in ("boolean", "object", "array", "string", "integer"):
        if isinstance(value, _TYPES[name]):
            return name
    return "number"


def _bounds(value: Any, schema: Mapping[str, Any], path: str) -> Iterator[Problem]:
    def wrong(text: str) -> Problem:
        return invalid_value(path, go_value(value), f"{path} in body {text}")

    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        low, high = schema.get("minimum"), schema.get("maximum")
        if low is not None and (value <= low if schema.get("exclusiveMinimum") else value < low):
            yield wrong(f"should be greater than {'' if schema.get('exclusiveMinimum') else 'or equal to '}{low}")
        if high is not None and (value >= high if schema.get("exclusiveMaximum") else value > high):
            yield wrong(f"should be less than {'' if schema.get('exclusiveMaximum') else 'or equal to '}{high}")
        if (step := schema.get("multipleOf")) and value % step:
            yield wrong(f"should be a multiple of {step}")
    elif isinstance(value, str):
        if len(value) < schema.get("minLength", 0):
            yield wrong(f"should be at least {schema['minLength']} chars long")
        if len(value) > schema.get("maxLength", len(value)):
            yield Problem("FieldValueTooLong", path, f"Too long: may not be more than {schema['maxLength']} bytes")
        if "pattern" in schema and not re.search(schema["pattern"], value):
            yield wrong(f"should match '{schema['pattern']}'")
        if schema.get("format") == "date-time" and not _is_time(value):
            yield wrong(f'must be of type date-time: "{value}"')
    elif isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            yield wrong(f"should have at least {schema['minItems']} items")
        if len(value) > schema.get("maxItems", len(value)):
            most = schema["maxItems"]
            yield Problem("FieldValueTooMany", path, f"Too many: {len(value)}: must have at most {most} items")
    elif isinstance(value, dict):
        if len(value) < schema.get("minProperties", 0):
            yield wrong(f"should have at least {schema['minProperties']} properties")
        if len(value) > schema.get("maxProperties", len(value)):
            yield wrong(f"should have at most {schema['maxProperties']} properties")


def _is_time(value: str) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _duplicates(value: Any, type_: Type, path: str) -> list[Problem]:
    """Items of sets and maps that appear twice."""
    problems: list[Problem] = []
    if isinstance(value, dict):
        for name, each in value.items():
            field = type_.field(name)
            if field is not None and (path or name != "metadata"):
                problems += _duplicates(each, field, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and type_.element is not None:
        seen: set[str] = set()
        for at, each in enumerate(value):
            if type_.list_type != "atomic":
                key = {name: each[name] for name in type_.keys if name in each} if type_.keys else each
                text = json.dumps(key, sort_keys=True)
                if text in seen:
                    problems.append(duplicate(f"{path}[{at}]", _go_map(key)))
                seen.add(text)
            problems += _duplicates(each, type_.element, f"{path}[{at}]")
    return problems


def _go_map(value: Any) -> str:
    if not isinstance(value, dict):
        return go_value(value)
    inner = ", ".join(f'"{name}":{go_value(each)}' for name, each in sorted(value.items()))
    return f"map[string]interface {{}}{{{inner}}}"


# --- rules ---


def _rules(value: Any, type_: Type, old: Any, path: str) -> list[Problem]:
    if value is None or (not path.startswith("metadata") and type_.shape is Shape.ANY and not type_.fields):
        return []
    problems = []
    for rule in type_.schema.get("x-kubernetes-validations", ()):
        program = compile_cached(rule["rule"])
        if not (program.uses_old_self and old is None) and (problem := _ask(program, rule, value, old, type_, path)):
            problems.append(problem)
    if isinstance(value, dict):
        for name, each in value.items():
            field = type_.field(name)
            if field is not None and (path or name != "metadata"):
                before = old.get(name) if isinstance(old, dict) else None
                problems += _rules(each, field, before, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and type_.element is not None:
        for at, each in enumerate(value):
            problems += _rules(each, type_.element, _counterpart(each, old, type_), f"{path}[{at}]")
    return problems


def _counterpart(item: Any, old: Any, type_: Type) -> Any:
    """The item of the old list that has the same keys. Items of other lists have no history."""
    if type_.list_type != "map" or not isinstance(old, list):
        return None
    keys = [item.get(name) for name in type_.keys]
    return next((each for each in old if [each.get(name) for name in type_.keys] == keys), None)


def _ask(program: Program, rule: Mapping[str, Any], value: Any, old: Any, type_: Type, path: str) -> Problem | None:
    try:
        if program.holds(value, old):
            return None
        detail = str(rule.get("message") or f"failed rule: {program.source}").strip()
    except CelError as error:
        detail = f"rule evaluation error: {error}, evaluating rule: {rule.get('message') or program.source}"
    field = path + rule["fieldPath"] if rule.get("fieldPath") else path
    reason = str(rule.get("reason", "FieldValueInvalid"))
    kind = str(type_.schema.get("type", "object"))
    if reason == "FieldValueForbidden":
        return Problem(reason, field, f"Forbidden: {detail}")
    if reason == "FieldValueRequired":
        return Problem(reason, field, f"Required value: {detail}")
    return Problem(reason, field or "<nil>", f'Invalid value: "{kind}": {detail}')

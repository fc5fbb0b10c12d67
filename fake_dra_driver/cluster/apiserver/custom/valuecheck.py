"""Validation of values by a structural schema: types, bounds, enumerations, junctors, lists that are sets.

Follows k8s.io/kube-openapi/pkg/validation and apiextensions' schema/listtype, whose words the messages use. What an
update leaves unchanged is not checked again (CRDValidationRatcheting, on since 1.30).
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final

from fake_dra_driver.cluster.apiserver.errors import (
    Problem,
    duplicate,
    go_value,
    invalid_value,
    required,
    unsupported_value,
)
from fake_dra_driver.cluster.apiserver.heavywork import spend
from fake_dra_driver.cluster.apiserver.types.objecttype import Type
from fake_dra_driver.re2 import compile_pattern

__all__ = ["NO_HISTORY", "check_duplicates", "check_value", "counterpart", "go_interface", "old_items"]

_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}
_LONG_PATH = 1000
"""From so many characters on they count."""


class _NoHistory:
    """Stands for the old value where there is none that corresponds to the new one."""


NO_HISTORY = _NoHistory()


def check_value(value: Any, type_: Type, path: str, old: Any = NO_HISTORY) -> list[Problem]:
    """What is wrong with a value and everything in it. Raises StatusError (504)."""
    schema = type_.schema
    # Keys of a client's may make the path as long as the body, and each member below them repeats it.
    spend(1 if len(path) < _LONG_PATH else len(path))
    if old is not NO_HISTORY and old == value:
        return []
    if value is None and schema.get("nullable"):
        # An enumeration allows no null, not even one that is in it.
        return [unsupported_value(path, value, schema["enum"])] if "enum" in schema else []
    if problem := _wrong_type(value, schema, path):
        return [problem]
    problems = [*_bounds(value, schema, path)]
    if "enum" in schema and not type_.allows(value):
        problems.append(unsupported_value(path, value, schema["enum"]))
    if problems:
        # Each may repeat the value, or all that are allowed.
        spend(sum(len(each.message) for each in problems))
    if isinstance(value, dict):
        problems += [required(f"{path}.{name}" if path else name) for name in type_.required if name not in value]
        for name, each in value.items():
            field = type_.field(name)
            if field is not None:
                problems += check_value(each, field, f"{path}.{name}" if path else name, counterpart(name, old))
    elif isinstance(value, list) and type_.element is not None:
        old_item = old_items(old, type_)
        for at, each in enumerate(value):
            problems += check_value(each, type_.element, f"{path}[{at}]", old_item(each))
    return problems + _junctors(value, type_, path)


def counterpart(name: str, old: Any) -> Any:
    """The old value of a field."""
    return old.get(name, NO_HISTORY) if isinstance(old, Mapping) else NO_HISTORY


def old_items(old: Any, type_: Type) -> Callable[[Any], Any]:
    """Finds the item of an old list that has the same keys as a new one. Items of other lists have no history."""
    if type_.list_type != "map" or not isinstance(old, list):
        return lambda _: NO_HISTORY
    by_keys: dict[str, Any] = {}
    for each in old:
        by_keys.setdefault(_keys_text(each, type_), each)
    return lambda item: by_keys.get(_keys_text(item, type_), NO_HISTORY) if isinstance(item, dict) else NO_HISTORY


def _keys_text(item: Mapping[str, Any], type_: Type) -> str:
    return json.dumps([item.get(name) for name in type_.keys], sort_keys=True)


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
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        yield from _number_bounds(value, schema, path)
    elif isinstance(value, str):
        yield from _text_bounds(value, schema, path)
    elif isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            yield _wrong(value, path, f"should have at least {schema['minItems']} items")
        if len(value) > schema.get("maxItems", len(value)):
            most = schema["maxItems"]
            yield Problem("FieldValueTooMany", path, f"Too many: {len(value)}: must have at most {most} items")
    elif isinstance(value, dict):
        if len(value) < schema.get("minProperties", 0):
            yield _wrong(value, path, f"should have at least {schema['minProperties']} properties")
        if len(value) > schema.get("maxProperties", len(value)):
            most = schema["maxProperties"]
            yield Problem("FieldValueTooMany", path, f"Too many: {len(value)}: must have at most {most} items")


def _wrong(value: Any, path: str, text: str) -> Problem:
    return invalid_value(path, go_value(value), f"{path} in body {text}")


def _number_bounds(value: float, schema: Mapping[str, Any], path: str) -> Iterator[Problem]:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and (value <= low if schema.get("exclusiveMinimum") else value < low):
        word = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
        yield _wrong(value, path, f"should be {word} {go_value(low)}")
    if high is not None and (value >= high if schema.get("exclusiveMaximum") else value > high):
        word = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
        yield _wrong(value, path, f"should be {word} {go_value(high)}")
    step = schema.get("multipleOf")
    if step and not _is_multiple(value, step):
        yield _wrong(value, path, f"should be a multiple of {go_value(step)}")


def _is_multiple(value: float, step: float) -> bool:
    try:
        quotient = value / step
    except OverflowError:
        return False
    return math.isfinite(quotient) and math.isclose(quotient, round(quotient), abs_tol=1e-9)


def _text_bounds(value: str, schema: Mapping[str, Any], path: str) -> Iterator[Problem]:
    if len(value) < schema.get("minLength", 0):
        yield _wrong(value, path, f"should be at least {schema['minLength']} chars long")
    if len(value) > schema.get("maxLength", len(value)):
        yield Problem("FieldValueTooLong", path, f"Too long: may not be longer than {schema['maxLength']}")
    if "pattern" in schema and not compile_pattern(schema["pattern"]).search(value, spend):
        yield _wrong(value, path, f"should match '{schema['pattern']}'")
    check = _FORMATS.get(schema.get("format", ""))
    if check is not None and not check(value):
        yield _wrong(value, path, f"must be of type {schema['format']}: {go_value(value)}")


def _is_time(value: str) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _is_date(value: str) -> bool:
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _is_address(kind: type[IPv4Address | IPv6Address], value: str) -> bool:
    try:
        kind(value)
    except ValueError:
        return False
    return True


_FORMATS: Final[Mapping[str, Callable[[str], object]]] = {
    "date": _is_date,
    "date-time": _is_time,
    "ipv4": partial(_is_address, IPv4Address),
    "ipv6": partial(_is_address, IPv6Address),
    "uuid": re.compile("[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}", re.IGNORECASE).fullmatch,
}
"""Those of the formats that API servers check (kube-openapi, pkg/validation/strfmt) which kinds can have here."""


def _junctors(value: Any, type_: Type, path: str) -> list[Problem]:
    """``allOf``, ``anyOf``, ``oneOf`` and ``not``."""
    problems: list[Problem] = []

    def add(detail: str) -> None:
        problem = invalid_value(path, go_value(value), f"{go_value(path)} {detail}")
        spend(len(problem.message))
        problems.append(problem)

    for each in type_.alternatives("allOf"):
        problems += check_value(value, each, path)
    choices = type_.alternatives("anyOf") if not type_.schema.get("x-kubernetes-int-or-string") else ()
    if choices and all(check_value(value, each, path) for each in choices):
        add("must validate at least one schema (anyOf)")
    choices = type_.alternatives("oneOf")
    if choices:
        valid = sum(not check_value(value, each, path) for each in choices)
        if valid != 1:
            found = "Found none valid" if not valid else f"Found {valid} valid alternatives"
            add(f"must validate one and only one schema (oneOf). {found}")
    for each in type_.alternatives("not"):
        if not check_value(value, each, path):
            add("must not validate the schema (not)")
    return problems


def check_duplicates(value: Any, type_: Type, path: str) -> list[Problem]:
    """Items of sets and maps that appear twice."""
    problems: list[Problem] = []
    if isinstance(value, dict):
        for name, each in value.items():
            field = type_.field(name)
            if field is not None and (path or name != "metadata"):
                problems += check_duplicates(each, field, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and type_.element is not None:
        seen: set[str] = set()
        for at, each in enumerate(value):
            if type_.list_type != "atomic":
                key = {name: each[name] for name in type_.keys if name in each} if type_.keys else each
                text = json.dumps(key, sort_keys=True)
                if text in seen:
                    problems.append(duplicate(f"{path}[{at}]", go_interface(key)))
                seen.add(text)
            problems += check_duplicates(each, type_.element, f"{path}[{at}]")
    return problems


def go_interface(value: Any) -> str:
    """A value of no known type, as Go's %#v prints it."""
    if not isinstance(value, dict):
        return go_value(value)
    inner = ", ".join(f"{go_value(name)}:{go_interface(each)}" for name, each in sorted(value.items()))
    return f"map[string]interface {{}}{{{inner}}}"

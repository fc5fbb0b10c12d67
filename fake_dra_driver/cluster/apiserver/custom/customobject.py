"""Custom objects and their structural schema: defaults, validation, and the CEL rules.

Follows k8s.io/apiextensions-apiserver/pkg/apiserver/schema/{defaulting,cel}. Types are checked before rules, which only
see valid values.
"""

import json
from collections.abc import Mapping
from typing import Any

from fake_dra_driver.cel import CelError, Program
from fake_dra_driver.cluster.apiserver.custom.valuecheck import (
    NO_HISTORY,
    check_duplicates,
    check_value,
    counterpart,
    old_item,
)
from fake_dra_driver.cluster.apiserver.errors import Problem, invalid_value, required
from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.apiserver.types.objecttype import Type

__all__ = ["apply_defaults", "check_rules", "validate_custom"]

_RULES_SKIPPED = invalid_value(
    "<nil>",
    '"null"',
    "some validation rules were not checked because the object was invalid; correct the existing errors to complete "
    "validation",
)
_BLOCKING = ("FieldValueRequired", "FieldValueTypeInvalid", "FieldValueNotSupported", "FieldValueTooLong")
"""After one of these the rules are not evaluated (schemaValidator: blockingErr)."""


def apply_defaults(value: Any, type_: Type) -> None:
    """Fills in the defaults of the schema, from the outside in. A null where null is not allowed counts as not set."""
    if isinstance(value, dict):
        for name in [name for name, each in value.items() if each is None]:
            inner = type_.field(name)
            if inner is not None and not inner.schema.get("nullable"):
                del value[name]
        for name, field in type_.fields.items():
            default = field.schema.get("default")
            if name not in value and name != "metadata" and default is not None:
                value[name] = json.loads(json.dumps(default))
        for name, each in value.items():
            inner = type_.field(name)
            if inner is not None:
                apply_defaults(each, inner)
    elif isinstance(value, list) and type_.element is not None:
        for each in value:
            apply_defaults(each, type_.element)


def validate_custom(value: Object, type_: Type, old: Object | None = None, *, part: str = "") -> list[Problem]:
    """What is wrong with a custom object, first by its types, then by its rules.

    Args:
        value: the object.
        type_: its type.
        old: the present object, in an update.
        part: ``status`` if nothing else is written; paths then begin below it.
    """
    history: Any = NO_HISTORY if old is None else old
    problems: list[Problem] = []
    if part:
        field = type_.fields.get(part)
        if field is not None and part in value:
            problems += check_value(value[part], field, "", counterpart(part, history))
    else:
        problems += [required(name) for name in type_.required if name not in value]
        for name, field in type_.fields.items():
            if name in value and name not in ("metadata", "apiVersion", "kind"):
                problems += check_value(value[name], field, name, counterpart(name, history))
    if any(problem.reason in _BLOCKING for problem in problems):
        return [*problems, _RULES_SKIPPED] if type_.has_rules else problems
    return problems + check_duplicates(value, type_, "") + check_rules(value, type_, history, "")


def check_rules(value: Any, type_: Type, old: Any, path: str) -> list[Problem]:
    """The rules that do not hold, of this value and of all that is in it."""
    if value is None or not type_.has_rules:
        return []
    problems = []
    for rule, program in type_.rules:
        is_asked = old is not NO_HISTORY if program.uses_old_self else old is NO_HISTORY or old != value
        if is_asked and (problem := _ask(program, rule, value, old, type_, path)):
            problems.append(problem)
    if isinstance(value, dict):
        for name, each in value.items():
            field = type_.field(name)
            if field is not None and (path or name != "metadata"):
                problems += check_rules(each, field, counterpart(name, old), f"{path}.{name}" if path else name)
    elif isinstance(value, list) and type_.element is not None:
        for at, each in enumerate(value):
            problems += check_rules(each, type_.element, old_item(each, old, type_), f"{path}[{at}]")
    return problems


def _ask(program: Program, rule: Mapping[str, Any], value: Any, old: Any, type_: Type, path: str) -> Problem | None:
    try:
        if program.holds(value, old):
            return None
        detail = _message(rule, type_, value, old) or f"failed rule: {program.source.strip()}"
    except CelError as error:
        detail = f"rule evaluation error: {error}, evaluating rule: {rule.get('message') or program.source}"
    field = path + rule["fieldPath"] if rule.get("fieldPath") else path
    reason = str(rule.get("reason", "FieldValueInvalid"))
    kind = str(type_.schema.get("type", "object"))
    if reason == "FieldValueForbidden":
        return Problem(reason, field, f"Forbidden: {detail}")
    if reason == "FieldValueRequired":
        return Problem(reason, field, f"Required value: {detail}")
    if reason == "FieldValueDuplicate":
        return Problem(reason, field, f'Duplicate value: "{kind}"')
    return Problem(reason, field or "<nil>", f'Invalid value: "{kind}": {detail}')


def _message(rule: Mapping[str, Any], type_: Type, value: Any, old: Any) -> str:
    """The message of a rule that does not hold: its messageExpression, or if that fails its fixed message."""
    source = rule.get("messageExpression")
    if source:
        try:
            made = type_.compile(source).evaluate(value, old)
        except CelError:
            made = ""
        if isinstance(made, str) and made.strip() and "\n" not in made:
            return made.strip()
    return str(rule.get("message") or "").strip()

"""Validation of the CEL rules in a CRD's schema: ``x-kubernetes-validations``.

Follows k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation. The cost of rules is not estimated.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from fake_dra_driver.cel import BOOL, STRING, CelCompileError
from fake_dra_driver.cluster.apiserver.errors import (
    Problem,
    forbidden,
    go_value,
    invalid_value,
    required,
    unsupported_value,
)
from fake_dra_driver.cluster.apiserver.types.objecttype import Type

__all__ = ["validate_form", "validate_rules"]

_REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")

Schema = Mapping[str, Any]


def validate_form(rule: Mapping[str, Any], schema: Schema, path: str) -> Iterator[Problem]:
    """What is wrong with a rule, without compiling it."""
    source, message = rule.get("rule", ""), rule.get("message", "")
    if not source.strip():
        yield required(f"{path}.rule", "rule is not specified")
    elif message and not message.strip():
        yield invalid_value(f"{path}.message", go_value(message), "message must be non-empty if specified")
    elif "\n" in message.strip():
        yield invalid_value(f"{path}.message", go_value(message), "message must not contain line breaks")
    elif "\n" in source.strip() and not message.strip():
        yield required(f"{path}.message", "message must be specified if rule contains line breaks")
    if rule.get("messageExpression") and not rule["messageExpression"].strip():
        yield required(f"{path}.messageExpression", "messageExpression must be non-empty if specified")
    if rule.get("reason") and rule["reason"] not in _REASONS:
        yield unsupported_value(f"{path}.reason", rule["reason"], _REASONS)
    field = rule.get("fieldPath")
    if field and not _leads_somewhere(schema, field):
        yield invalid_value(f"{path}.fieldPath", go_value(field), "fieldPath must be a valid path")


def _leads_somewhere(schema: Schema, field: str) -> bool:
    steps = re.findall(r"\.([^.\[\]]+)|\['([^']+)'\]", field)
    if "".join(f".{name}" if name else f"['{quoted}']" for name, quoted in steps) != field:
        return False
    for name, quoted in steps:
        inner = (schema.get("properties") or {}).get(name or quoted, schema.get("additionalProperties"))
        if not isinstance(inner, Mapping):
            return False
        schema = inner
    return True


def validate_rules(type_: Type, path: str, *, has_history: bool = True) -> Iterator[Problem]:
    """What is wrong with the rules; ``has_history``: whether old values can be matched with new ones."""
    for at, rule in enumerate(type_.schema.get("x-kubernetes-validations") or ()):
        yield from _rule(rule, type_, f"{path}.x-kubernetes-validations[{at}]", has_history=has_history)
    is_granular = type_.schema.get("x-kubernetes-map-type", "granular") == "granular"
    for name, each in type_.fields.items():
        if not each.reference:
            yield from validate_rules(each, f"{path}.properties[{name}]", has_history=has_history and is_granular)
    if type_.element is not None:
        is_list = type_.schema.get("items") is not None
        word = "items" if is_list else "additionalProperties"
        keeps = type_.list_type == "map" if is_list else is_granular
        yield from validate_rules(type_.element, f"{path}.{word}", has_history=has_history and keeps)


def _rule(rule: Mapping[str, Any], type_: Type, path: str, *, has_history: bool) -> Iterator[Problem]:
    try:
        program = type_.compile(rule["rule"])
    except CelCompileError as error:
        yield invalid_value(f"{path}.rule", _go_rule(rule), error.reason)
        return
    if program.type != BOOL:
        yield invalid_value(f"{path}.rule", _go_rule(rule), "cel expression must evaluate to a bool")
    if program.uses_old_self and not has_history:
        detail = "oldSelf cannot be used on the uncorrelatable portion of the schema within "
        yield invalid_value(f"{path}.rule", go_value(rule["rule"]), detail + path.partition(".items")[0])
    if rule.get("optionalOldSelf") is not None:
        if not program.uses_old_self:
            detail = "may not be set if oldSelf is not used in rule"
            yield invalid_value(f"{path}.optionalOldSelf", go_value(rule["optionalOldSelf"]), detail)
        else:
            yield forbidden(f"{path}.optionalOldSelf", "this cluster has no optional values in rules")
    source = rule.get("messageExpression")
    if source:
        try:
            message = type_.compile(source)
        except CelCompileError as error:
            detail = f"messageExpression {error.reason}"
            yield invalid_value(f"{path}.messageExpression", _go_rule(rule), detail)
        else:
            if message.type != STRING:
                detail = "messageExpression must evaluate to a string"
                yield invalid_value(f"{path}.messageExpression", _go_rule(rule), detail)


def _go_rule(rule: Mapping[str, Any]) -> str:
    """A rule as Go's %#v prints it; the address of a pointer is unknown."""
    reason = "nil" if rule.get("reason") is None else "0xc000000000"
    old_self = "nil" if rule.get("optionalOldSelf") is None else "0xc000000000"
    texts = (
        ("Rule", "rule"),
        ("Message", "message"),
        ("MessageExpression", "messageExpression"),
    )
    inner = ", ".join(f"{go}:{go_value(rule.get(name, ''))}" for go, name in texts)
    return (
        f"apiextensions.ValidationRule{{{inner}, Reason:(*apiextensions.FieldValueErrorReason)({reason}), "
        f"FieldPath:{go_value(rule.get('fieldPath', ''))}, OptionalOldSelf:(*bool)({old_self})}}"
    )

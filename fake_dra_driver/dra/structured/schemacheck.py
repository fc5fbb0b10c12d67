"""What a schema asks of opaque parameters that their model does not check: CEL rules, and forms of texts. Pure.

An API server checks both in objects of a kind that has this schema (apiextensions.k8s.io/v1,
``x-kubernetes-validations``), once it has filled in the defaults. Parameters that are part of a claim it takes as they
are, whatever schema they have, so that they are checked here.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from fake_dra_driver.api.fieldproblem import FieldProblem, join_path, shown

__all__ = ["SchemaCheck", "with_defaults"]

Check = Callable[[Any], str]
"""Says what is wrong with a value; empty: nothing."""

_RULES: Final = "x-kubernetes-validations"


@dataclass(frozen=True, slots=True)
class _Checked:
    """A part of a schema in which there is something to check."""

    checks: Sequence[Check] = ()
    fields: Mapping[str, "_Checked"] = field(default_factory=dict)
    entries: "_Checked | None" = None
    """Of a list, or of an object that is a map."""

    def __bool__(self) -> bool:
        return bool(self.checks or self.fields or self.entries)


class SchemaCheck:
    """Checks values against one schema.

    Args:
        schema: structural, as a CRD has it.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        self._root = _part(schema)

    def problems(self, value: Any) -> Sequence[FieldProblem]:
        """What is wrong with a value that is otherwise of the schema's form."""
        if not self._root:
            return ()
        return tuple(_problems(self._root, with_defaults(self._schema, value), ""))


def _problems(part: _Checked, value: Any, path: str) -> Iterator[FieldProblem]:
    if value is None:
        return
    for check in part.checks:
        if message := check(value):
            yield FieldProblem(path, message)
    if isinstance(value, Mapping):
        for name, each in value.items():
            if inner := part.fields.get(name, part.entries):
                yield from _problems(inner, each, join_path(path, name))
    elif isinstance(value, list) and part.entries is not None:
        for index, each in enumerate(value):
            yield from _problems(part.entries, each, join_path(path, index))


def _part(schema: Mapping[str, Any]) -> _Checked:
    fields = {name: inner for name, each in schema.get("properties", {}).items() if (inner := _part(each))}
    entries = schema.get("items", schema.get("additionalProperties"))
    return _Checked(tuple(_checks(schema)), fields, (_part(entries) or None) if isinstance(entries, Mapping) else None)


def _checks(schema: Mapping[str, Any]) -> Iterator[Check]:
    # Loaded only where there is something to check: few schemas have rules, and every node would pay for them.
    if (pattern := schema.get("pattern")) is not None:
        yield _text_check(pattern)
    if (max_length := schema.get("maxLength")) is not None:
        yield _length_check(max_length)
    for rule in schema.get(_RULES, ()):
        yield _rule_check(rule, schema)


def _text_check(source: str) -> Check:
    from fake_dra_driver.re2 import compile_pattern

    pattern = compile_pattern(source)
    return lambda value: (
        f"must match {source}, is {shown(value)}" if isinstance(value, str) and not pattern.search(value) else ""
    )


def _length_check(max_length: int) -> Check:
    return lambda value: (
        f"must have at most {max_length} characters, is {shown(value)}"
        if isinstance(value, str) and len(value) > max_length
        else ""
    )


def _rule_check(rule: Mapping[str, Any], schema: Mapping[str, Any]) -> Check:
    from fake_dra_driver.cel import CelCostError, CelError, compile_rule, of_schema

    compiled = compile_rule(rule["rule"], of_schema(schema))

    def check(value: Any) -> str:
        if compiled.uses_old_self:  # about a change, and parameters of a claim never change
            return ""
        try:
            return "" if compiled.holds(value) else rule.get("message") or f"failed rule: {rule['rule']}"
        except (CelError, CelCostError) as error:
            return f"rule {rule['rule']} cannot be evaluated: {error}"

    return check


def with_defaults(schema: Mapping[str, Any], value: Any) -> Any:
    """The value with what an API server fills in, and without the nulls that it takes out."""
    if isinstance(value, Mapping):
        properties = schema.get("properties", {})
        entries = schema.get("additionalProperties")
        others = entries if isinstance(entries, Mapping) else {}
        filled = {name: each["default"] for name, each in properties.items() if "default" in each} | {
            name: each
            for name, each in value.items()
            if each is not None or properties.get(name, others).get("nullable")
        }
        return {name: with_defaults(properties.get(name, others), each) for name, each in filled.items()}
    if isinstance(value, list):
        return [with_defaults(schema.get("items", {}), each) for each in value]
    return value

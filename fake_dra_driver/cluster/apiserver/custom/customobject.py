"""Custom objects and their structural schema: defaults, validation, and the CEL rules.

Follows k8s.io/apiextensions-apiserver/pkg/apiserver/schema/{defaulting,cel}. Types are checked before rules, which only
see valid values.
"""

import json
from collections.abc import Mapping
from typing import Any

from fake_dra_driver.cel import MAX_COST, CelCostError, CelError, Meter, Rule
from fake_dra_driver.cluster.apiserver.custom.valuecheck import (
    NO_HISTORY,
    check_duplicates,
    check_value,
    counterpart,
    old_items,
)
from fake_dra_driver.cluster.apiserver.errors import Problem, invalid_value, required
from fake_dra_driver.cluster.apiserver.heavywork import spend
from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.apiserver.types.objecttype import Type
from fake_dra_driver.cluster.releases import DEFAULT, ApiDetails

__all__ = ["apply_defaults", "check_rules", "validate_custom"]

_RULES_SKIPPED = invalid_value(
    "<nil>",
    '"null"',
    "some validation rules were not checked because the object was invalid; correct the existing errors to complete "
    "validation",
)
_BLOCKING = ("FieldValueRequired", "FieldValueTypeInvalid", "FieldValueNotSupported", "FieldValueTooLong")
"""After one of these the rules are not evaluated (schemaValidator: blockingErr)."""
_COST_OF_ALL_RULES = 10_000_000
"""What the rules of one object may cost together (RuntimeCELCostBudget of k8s.io/apiserver/pkg/cel)."""
_MAX_MESSAGE = 5120
"""The longest text of a messageExpression that is used (celconfig.MaxEvaluatedMessageExpressionSizeBytes)."""


def apply_defaults(value: Any, type_: Type) -> None:
    """Fills in the defaults of the schema, from the outside in. A null where null is not allowed counts as not set.

    Raises StatusError (504): a default for each item of a long list takes more memory than a server has.
    """
    spend(1)
    if isinstance(value, dict):
        for name in [name for name, each in value.items() if each is None]:
            inner = type_.field(name)
            if inner is not None and not inner.schema.get("nullable"):
                del value[name]
        for name, field in type_.fields.items():
            default = field.schema.get("default")
            if name not in value and name != "metadata" and default is not None:
                text = json.dumps(default)
                spend(len(text))
                value[name] = json.loads(text)
        for name, each in value.items():
            inner = type_.field(name)
            if inner is not None:
                apply_defaults(each, inner)
    elif isinstance(value, list) and type_.element is not None:
        for each in value:
            apply_defaults(each, type_.element)


def validate_custom(
    value: Object, type_: Type, old: Object | None = None, *, part: str = "", details: ApiDetails = DEFAULT.details
) -> list[Problem]:
    """What is wrong with a custom object, first by its types, then by its rules.

    Args:
        value: the object.
        type_: its type.
        old: the present object, in an update.
        part: ``status`` if nothing else is written.
        details: those of the release.
    """
    history: Any = NO_HISTORY if old is None else old
    problems: list[Problem] = []
    if part:
        field = type_.fields.get(part)
        if field is not None and part in value:
            problems += check_value(
                value[part], field, part if details.status_paths_are_whole else "", counterpart(part, history)
            )
    else:
        problems += [required(name) for name in type_.required if name not in value]
        for name, field in type_.fields.items():
            if name in value and name not in ("metadata", "apiVersion", "kind"):
                problems += check_value(value[name], field, name, counterpart(name, history))
    if any(problem.reason in _BLOCKING for problem in problems):
        return [*problems, _RULES_SKIPPED] if type_.has_rules else problems
    return (
        problems
        + check_duplicates(value, type_, "")
        + check_rules(value, type_, history, "", repeats_values=details.rules_repeat_values)
    )


def check_rules(value: Any, type_: Type, old: Any, path: str, *, repeats_values: bool = False) -> list[Problem]:
    """The rules that do not hold, of this value and of all that is in it. Raises StatusError (504).

    Args:
        value: the value.
        type_: its type, with its rules.
        old: what it was.
        path: where it is.
        repeats_values: whether messages say what the value is, and not of which type.
    """
    check = _RuleCheck(repeats_values=repeats_values)
    check.visit(value, type_, old, path)
    return check.problems


class _RuleCheck:
    """Asks the rules of one object, until they have cost too much."""

    def __init__(self, *, repeats_values: bool) -> None:
        self._repeats_values = repeats_values
        self.problems: list[Problem] = []
        self._budget = _COST_OF_ALL_RULES
        """Less than 0: no further rule is asked."""

    def visit(self, value: Any, type_: Type, old: Any, path: str) -> None:
        if value is None or not type_.has_rules or self._budget < 0:
            return
        for rule, program in type_.rules:
            is_asked = old is not NO_HISTORY if program.uses_old_self else old is NO_HISTORY or old != value
            if is_asked and self._budget >= 0:
                self._ask(program, rule, value, old, type_, path)
        if isinstance(value, dict):
            for name, each in value.items():
                field = type_.field(name)
                if field is not None and (path or name != "metadata"):
                    self.visit(each, field, counterpart(name, old), f"{path}.{name}" if path else name)
        elif isinstance(value, list) and type_.element is not None:
            old_item = old_items(old, type_)
            for at, each in enumerate(value):
                self.visit(each, type_.element, old_item(each), f"{path}[{at}]")

    def _ask(self, program: Rule, rule: Mapping[str, Any], value: Any, old: Any, type_: Type, path: str) -> None:
        kind, meter = str(type_.schema.get("type", "object")), Meter(MAX_COST, spend)
        error = None
        try:
            if program.holds(value, old, meter):
                self._pay(meter, kind, path)
                return
        except CelCostError as cost_error:
            self._budget = -1
            detail = "no further validation rules will be run due to call cost exceeds limit for rule: "
            self._add("FieldValueInvalid", path, kind, f"'{cost_error}': {detail}{_rule_text(rule)}")
            return
        except CelError as cel_error:
            error = cel_error
        if not self._pay(meter, kind, path):
            return
        if error is not None:
            self._add("FieldValueInvalid", path, kind, _evaluation_problem(str(error), rule))
            return
        message = self._message(rule, type_, value, old)
        if self._budget < 0:
            self._add_out_of_budget(kind, path)
            return
        field = path + rule["fieldPath"] if rule.get("fieldPath") else path
        detail = message or f"failed rule: {program.source.strip()}"
        shown = _shown(value) if self._repeats_values else f'"{kind}"'
        self._add_shown(str(rule.get("reason", "FieldValueInvalid")), field, shown, detail)

    def _pay(self, meter: Meter, kind: str, path: str) -> bool:
        """Takes what an evaluation has cost out of the budget; whether that was enough."""
        self._budget -= meter.spent
        if self._budget < 0:
            self._add_out_of_budget(kind, path)
        return self._budget >= 0

    def _add_out_of_budget(self, kind: str, path: str) -> None:
        detail = "validation failed due to running out of cost budget, no further validation rules will be run"
        self._add("FieldValueInvalid", path, kind, detail)

    def _add(self, reason: str, field: str, kind: str, detail: str) -> None:
        self._add_shown(reason, field, f'"{kind}"', detail)

    def _add_shown(self, reason: str, field: str, shown: str, detail: str) -> None:
        """``shown``: the value as it stands in the message; empty: it does not."""
        match reason:
            case "FieldValueForbidden":
                self.problems.append(Problem(reason, field, f"Forbidden: {detail}"))
            case "FieldValueRequired":
                self.problems.append(Problem(reason, field, f"Required value: {detail}"))
            case "FieldValueDuplicate":
                self.problems.append(
                    Problem(reason, field, f"Duplicate value: {shown}" if shown else "Duplicate value")
                )
            case _:
                self.problems.append(
                    Problem(
                        reason,
                        field or "<nil>",
                        f"Invalid value: {shown}: {detail}" if shown else f"Invalid value: {detail}",
                    )
                )

    def _message(self, rule: Mapping[str, Any], type_: Type, value: Any, old: Any) -> str:
        """The message of a rule that does not hold: its messageExpression, or if that fails its fixed message."""
        source = rule.get("messageExpression")
        if source:
            meter = Meter(MAX_COST, spend)
            try:
                made = type_.compile(source).evaluate(value, old, meter)
            except (CelError, CelCostError):
                made = ""
            self._budget -= meter.spent
            if isinstance(made, str) and made.strip() and "\n" not in made and len(made) <= _MAX_MESSAGE:
                return made.strip()
        return str(rule.get("message") or "").strip()


def _shown(value: Any) -> str:
    """A value in a message: those with others in them are left out."""
    return "" if isinstance(value, dict | list) else json.dumps(value, ensure_ascii=False)


def _evaluation_problem(error: str, rule: Mapping[str, Any]) -> str:
    if error.startswith("no such overload"):
        detail = "call arguments did not match a supported operator, function or macro signature for rule: "
        return f"'{error}': {detail}{_rule_text(rule)}"
    return f"{error} evaluating rule: {_rule_text(rule)}"


def _rule_text(rule: Mapping[str, Any]) -> str:
    return str(rule.get("message") or "").strip() or str(rule["rule"]).strip()

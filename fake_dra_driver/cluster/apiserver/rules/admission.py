"""Defaults of admission policies and webhooks, and what is wrong with their expressions and addresses.

Follows k8s.io/kubernetes/pkg/apis/admissionregistration: v1/defaults.go and, of validation, what is about CEL
and about where a webhook is. Nothing else is checked but the schemas.
"""

from collections.abc import Mapping

from fake_dra_driver.cel import BOOL, STRING, CelCompileError
from fake_dra_driver.cel.types import Type
from fake_dra_driver.cluster.apiserver.errors import Problem, forbidden, go_value, invalid_value, unsupported_value
from fake_dra_driver.cluster.apiserver.rules.policyexpressions import Scope
from fake_dra_driver.cluster.apiserver.rules.webhookaddress import validate_client_config
from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.apiserver.types.resource import Rules

__all__ = ["ADMISSION_RULES"]

_WEBHOOK_SECONDS = 10
_HTTPS = 443
_REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge")


def _default_policy(obj: Object) -> None:
    spec = obj["spec"]
    spec.setdefault("failurePolicy", "Fail")
    if spec.get("matchConstraints") is not None:
        _default_matching(spec["matchConstraints"], "resourceRules")


def _default_matching(matching: Object, rules: str) -> None:
    matching.setdefault("matchPolicy", "Equivalent")
    matching.setdefault("namespaceSelector", {})
    matching.setdefault("objectSelector", {})
    for rule in matching.get(rules) or ():
        rule.setdefault("scope", "*")


def _default_webhooks(obj: Object) -> None:
    for webhook in obj.get("webhooks") or ():
        webhook.setdefault("failurePolicy", "Fail")
        webhook.setdefault("timeoutSeconds", _WEBHOOK_SECONDS)
        _default_matching(webhook, "rules")
        service = webhook["clientConfig"].get("service")
        if service is not None:
            service.setdefault("port", _HTTPS)


def _validate_policy(obj: Object) -> list[Problem]:
    spec = obj["spec"]
    scope = Scope(has_params=spec.get("paramKind") is not None)
    problems = _conditions(spec, "spec", scope)
    for at, each in enumerate(spec.get("variables") or ()):
        try:
            scope.declare(each["name"], each["expression"])
        except CelCompileError as error:
            problems.append(_problem(f"spec.variables[{at}].expression", each["expression"], error))
    for at, each in enumerate(spec.get("validations") or ()):
        path = f"spec.validations[{at}]"
        problems += _compile(scope, f"{path}.expression", each.get("expression", ""), BOOL)
        if each.get("messageExpression"):
            problems += _compile(scope, f"{path}.messageExpression", each["messageExpression"], STRING)
        if each.get("reason") and each["reason"] not in _REASONS:
            problems.append(unsupported_value(f"{path}.reason", each["reason"], _REASONS))
    return problems


def _validate_webhooks(obj: Object) -> list[Problem]:
    return [
        problem
        for at, webhook in enumerate(obj.get("webhooks") or ())
        for problem in (
            *validate_client_config(webhook["clientConfig"], f"webhooks[{at}].clientConfig"),
            *_conditions(webhook, f"webhooks[{at}]", Scope()),
        )
    ]


def _refuse_mutation(_: Object) -> list[Problem]:
    return [forbidden("webhooks", "the embedded cluster calls no mutating webhooks, only validating ones")]


def _conditions(owner: Object, path: str, scope: Scope) -> list[Problem]:
    return [
        problem
        for at, each in enumerate(owner.get("matchConditions") or ())
        for problem in _compile(scope, f"{path}.matchConditions[{at}].expression", each.get("expression", ""), BOOL)
    ]


def _compile(scope: Scope, path: str, expression: str, result: Type) -> list[Problem]:
    try:
        scope.compile(expression, result)
    except CelCompileError as error:
        return [_problem(path, expression, error)]
    return []


def _problem(path: str, expression: str, error: CelCompileError) -> Problem:
    return invalid_value(path, go_value(expression), error.reason)


ADMISSION_RULES: Mapping[str, Rules] = {
    "MutatingWebhookConfiguration": Rules(validate=_refuse_mutation, has_generation=True),
    "ValidatingAdmissionPolicy": Rules(set_defaults=_default_policy, validate=_validate_policy, has_generation=True),
    "ValidatingAdmissionPolicyBinding": Rules(has_generation=True),
    "ValidatingWebhookConfiguration": Rules(
        set_defaults=_default_webhooks, validate=_validate_webhooks, has_generation=True
    ),
}
"""By kind."""

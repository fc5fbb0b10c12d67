"""Defaults of admission policies and webhooks, which are stored here and not asked.

Follows k8s.io/kubernetes/pkg/apis/admissionregistration/v1/defaults.go. Nothing of them is checked but their schemas.
"""

from collections.abc import Mapping

from fake_dra_driver.cluster.apiserver.store.store import Object
from fake_dra_driver.cluster.apiserver.types.resource import Rules

__all__ = ["ADMISSION_RULES"]

_WEBHOOK_SECONDS = 10
_HTTPS = 443


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


ADMISSION_RULES: Mapping[str, Rules] = {
    "ValidatingAdmissionPolicy": Rules(set_defaults=_default_policy, has_generation=True),
    "ValidatingAdmissionPolicyBinding": Rules(has_generation=True),
    "ValidatingWebhookConfiguration": Rules(set_defaults=_default_webhooks, has_generation=True),
}
"""By kind."""

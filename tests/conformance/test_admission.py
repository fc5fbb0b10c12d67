"""Admission policies and webhooks, as charts install them: what is stored of them, not that they are asked."""

from typing import Any

from tests.conformance.api import Api, Json
from tests.conformance.test_tables import columns, rows

GROUP = "/apis/admissionregistration.k8s.io/v1"
RULE: Json = {
    "apiGroups": ["apps"],
    "apiVersions": ["v1"],
    "operations": ["UPDATE"],
    "resources": ["controllerrevisions"],
}
MATCHING: Json = {"matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {}}


def body(kind: str, name: str, **fields: Any) -> Json:
    """An object of the group."""
    return {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": name}, **fields}


def test_a_policy(api: Api, namespace: str) -> None:
    path = f"{GROUP}/validatingadmissionpolicies"
    spec: Json = {
        "matchConstraints": {"resourceRules": [RULE]},
        "variables": [{"name": "one", "expression": "1"}],
        "validations": [{"expression": "variables.one == 1", "message": "no"}],
    }
    created = api.post(path, body("ValidatingAdmissionPolicy", namespace, spec=spec))
    assert created["spec"] == {
        **spec,
        "failurePolicy": "Fail",
        "matchConstraints": {**MATCHING, "resourceRules": [{**RULE, "scope": "*"}]},
    }
    assert created["metadata"]["generation"] == 1
    assert columns(api, path) == "Validations, ParamKind, Age"
    assert rows(api, path)[namespace][:2] == [1, "<unset>"]
    api.delete(f"{path}/{namespace}")
    api.gone(f"{path}/{namespace}")


def test_a_binding(api: Api, namespace: str) -> None:
    path = f"{GROUP}/validatingadmissionpolicybindings"
    spec = {"policyName": f"{namespace}-none", "validationActions": ["Deny"]}
    created = api.post(path, body("ValidatingAdmissionPolicyBinding", namespace, spec=spec))
    assert created["spec"] == spec
    assert columns(api, path) == "PolicyName, ParamRef, Age"
    assert rows(api, path)[namespace][:2] == [f"{namespace}-none", "<unset>"]


def test_a_webhook(api: Api, namespace: str) -> None:
    path = f"{GROUP}/validatingwebhookconfigurations"
    service = {"name": "none", "namespace": namespace, "path": "/validate"}
    webhook = {
        "name": "claims.example.com",
        "admissionReviewVersions": ["v1"],
        "clientConfig": {"service": service},
        "failurePolicy": "Ignore",
        "rules": [RULE],
        "sideEffects": "None",
    }
    created = api.post(path, body("ValidatingWebhookConfiguration", namespace, webhooks=[webhook]))
    assert created["webhooks"] == [
        {
            **webhook,
            **MATCHING,
            "clientConfig": {"service": {**service, "port": 443}},
            "rules": [{**RULE, "scope": "*"}],
            "timeoutSeconds": 10,
        }
    ]
    assert columns(api, path) == "Webhooks, Age"
    assert rows(api, path)[namespace][0] == 1

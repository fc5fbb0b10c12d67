"""ValidatingAdmissionPolicies: what they are asked, and what clients hear of it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conformance.api import APPLY, MERGE_PATCH, Api, Json, causes, eventually
from tests.conformance.objects import config_map, core

GROUP = "/apis/admissionregistration.k8s.io/v1"
Guard = Callable[..., str]


@pytest.fixture
def guard(api: Api, namespace: str) -> Iterator[Guard]:
    """Makes a policy with a binding, about the ConfigMaps of the test's namespace, and waits until it is in force."""
    made: list[str] = []

    def make(*validations: Json, binding: Json | None = None, waits: bool = True, **spec: Any) -> str:
        name = f"{namespace}-{len(made)}"
        made.append(name)
        rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}
        spec = {"matchConstraints": {"resourceRules": [rule]}, "validations": list(validations), **spec}
        # A real server takes a moment: a ConfigMap of a name that the policy always denies says when.
        marker = {"expression": "!(object != null && object.metadata.name.startsWith('marker'))", "message": "in force"}
        spec["validations"].append(marker)
        head = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": name}}
        api.post(f"{GROUP}/validatingadmissionpolicies", {**head, "kind": "ValidatingAdmissionPolicy", "spec": spec})
        selected = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
        bound = {"policyName": name, "validationActions": ["Deny"], "matchResources": selected, **(binding or {})}
        path = f"{GROUP}/validatingadmissionpolicybindings"
        api.post(path, {**head, "kind": "ValidatingAdmissionPolicyBinding", "spec": bound})
        if waits:
            _wait(api, namespace)
        return name

    yield make
    for name in made:
        api.delete(f"{GROUP}/validatingadmissionpolicybindings/{name}")
        api.delete(f"{GROUP}/validatingadmissionpolicies/{name}")


def _wait(api: Api, namespace: str) -> None:
    def is_in_force() -> bool:
        answer = api.call("POST", core(namespace, "configmaps"), config_map("marker"), dryRun="All")
        return answer.status_code != 201

    eventually(is_in_force, "the policy is in force")


@pytest.fixture
def path(namespace: str) -> str:
    """The ConfigMaps of the test's namespace."""
    return core(namespace, "configmaps")


def refused(api: Api, method: str, path: str, body: Json | None, says: str, **options: Any) -> Json:
    """A request that a policy denies."""
    return api.refused(422, "Invalid", method, path, body, says=says, **options)


def test_a_denial(api: Api, guard: Guard, path: str) -> None:
    name = guard({"expression": "object == null || object.metadata.name != 'bad'", "message": "not that name"})
    api.post(path, config_map("good"))
    words = f"ValidatingAdmissionPolicy '{name}' with binding '{name}' denied request: not that name"
    status = refused(api, "POST", path, config_map("bad"), f'configmaps "bad" is forbidden: {words}')
    assert status["message"] == f'configmaps "bad" is forbidden: {words}'
    assert status["details"] == {"name": "bad", "kind": "configmaps", "causes": [{"message": words}]}
    api.gone(f"{path}/bad")
    refused(api, "POST", path, config_map("bad"), words, dryRun="All")


@pytest.mark.parametrize(("reason", "code"), [("Forbidden", 403), ("RequestEntityTooLarge", 413)])
def test_a_reason_decides_about_the_code(api: Api, guard: Guard, path: str, reason: str, code: int) -> None:
    guard({"expression": "object == null || object.metadata.name != 'bad'", "reason": reason})
    says = "denied request: failed expression: object == null || object.metadata.name != 'bad'"
    api.refused(code, reason, "POST", path, config_map("bad"), says=says)


def test_messages_can_be_made(api: Api, guard: Guard, path: str) -> None:
    fails = {"expression": "object == null || object.metadata.name != 'bad'"}
    made = {"messageExpression": "'not ' + object.metadata.name + ' in ' + namespaceObject.metadata.name"}
    guard({**fails, **made, "message": "unused"})
    namespace = path.split("/")[4]
    refused(api, "POST", path, config_map("bad"), f"denied request: not bad in {namespace}")


def test_a_message_that_cannot_be_made_is_replaced(api: Api, guard: Guard, path: str) -> None:
    fails = {"expression": "object == null || object.metadata.name != 'bad'"}
    guard({**fails, "messageExpression": "'a' + object.missing", "message": "the text"})
    refused(api, "POST", path, config_map("bad"), "denied request: the text")


def test_variables_conditions_and_the_request(api: Api, guard: Guard, path: str) -> None:
    guard(
        {"expression": "variables.kept", "messageExpression": "request.operation + ' by ' + variables.who"},
        matchConditions=[{"name": "unlocked", "expression": "request.name != 'free'"}],
        variables=[
            {"name": "versions", "expression": "[oldObject, object].filter(each, each != null)"},
            {"name": "who", "expression": "request.userInfo.groups.exists(g, g == 'system:masters') ? 'admin' : '?'"},
            {"name": "kept", "expression": "!variables.versions.exists(each, each.?data.?locked.orValue('') == 'y')"},
        ],
    )
    api.post(path, config_map("free", {"locked": "y"}))
    refused(api, "POST", path, config_map("a", {"locked": "y"}), "denied request: CREATE by admin")
    api.post(path, config_map("a"))
    refused(api, "PATCH", f"{path}/a", {"data": {"locked": "y"}}, "UPDATE by admin", content_type=MERGE_PATCH)
    api.patch(f"{path}/a", {"data": {"other": "y"}})


@pytest.mark.parametrize("how", ["DELETE", "collection"])
def test_deletions_are_asked_about(api: Api, guard: Guard, path: str, how: str) -> None:
    api.post(path, config_map("a", {"locked": "y"}))
    guard({"expression": "oldObject == null || object != null || !has(oldObject.data.locked)", "message": "locked"})
    target = path if how == "collection" else f"{path}/a"
    refused(api, "DELETE", target, None, "denied request: locked")
    api.get(f"{path}/a")


def test_an_applied_object_is_asked_about(api: Api, guard: Guard, path: str) -> None:
    guard({"expression": "!has(object.data)", "messageExpression": "request.operation"})
    body = {**config_map("a", {"x": "y"})}
    options = {"content_type": APPLY, "fieldManager": "m"}
    refused(api, "PATCH", f"{path}/a", body, "denied request: CREATE", **options)
    api.post(path, {**config_map("a"), "data": None})
    refused(api, "PATCH", f"{path}/a", body, "denied request: UPDATE", **options)


@pytest.mark.parametrize("policy", ["Fail", "Ignore"])
def test_an_error_counts_as_the_failure_policy_says(api: Api, guard: Guard, path: str, policy: str) -> None:
    name = guard({"expression": "object.metadata.name != 'bad' || object.data.missing == 'a'"}, failurePolicy=policy)
    body = config_map("bad", {"x": "y"})
    if policy == "Ignore":
        api.post(path, body)
        return
    words = (
        f"ValidatingAdmissionPolicy '{name}' with binding '{name}' denied request: expression 'object.metadata.name != "
        "'bad' || object.data.missing == 'a'' resulted in error: no such key: missing"
    )
    assert refused(api, "POST", path, body, words)["message"].endswith(words)


def test_a_variable_that_cannot_be_had(api: Api, guard: Guard, path: str) -> None:
    guard(
        {"expression": "object.metadata.name != 'bad' || variables.v"},
        variables=[{"name": "v", "expression": "object.data.missing == 'a'"}],
    )
    words = 'resulted in error: composited variable "v" fails to evaluate: no such key: missing'
    refused(api, "POST", path, config_map("bad", {"x": "y"}), words)


def test_a_warning(api: Api, guard: Guard, path: str) -> None:
    name = guard(
        {"expression": "object == null || object.metadata.name != 'bad'", "message": "not that"},
        binding={"validationActions": ["Warn"]},
        waits=False,
    )
    words = f"Validation failed for ValidatingAdmissionPolicy '{name}' with binding '{name}': not that"

    def is_warned() -> bool:
        answer = api.call("POST", path, config_map("bad"), dryRun="All")
        assert answer.status_code == 201
        return f'299 - "{words}"' in answer.headers.get_list("Warning")

    eventually(is_warned, "the client is warned")


def test_parameters(api: Api, guard: Guard, path: str) -> None:
    namespace = path.split("/")[4]
    api.post(path, config_map("limits", {"name": "bad"}))
    guard(
        {"expression": "object == null || object.metadata.name != params.data.name", "message": "by its parameter"},
        paramKind={"apiVersion": "v1", "kind": "ConfigMap"},
        binding={"paramRef": {"name": "limits", "namespace": namespace, "parameterNotFoundAction": "Deny"}},
    )
    api.post(path, config_map("good"))
    refused(api, "POST", path, config_map("bad"), "denied request: by its parameter")


def test_a_parameter_that_is_missing(api: Api, guard: Guard, path: str) -> None:
    guard(
        {"expression": "true"},
        paramKind={"apiVersion": "v1", "kind": "ConfigMap"},
        binding={"paramRef": {"name": "limits", "namespace": "none", "parameterNotFoundAction": "Deny"}},
    )
    words = "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction"
    refused(api, "POST", path, config_map("a"), words)


def test_objects_are_selected_by_their_labels(api: Api, guard: Guard, path: str) -> None:
    rule = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["CREATE"], "resources": ["*/*"]}
    # Of this test alone: once deleted it is in force for a while longer, also for objects without a namespace.
    labels = {"selected-by": path.split("/")[4]}
    guard(
        {"expression": "false", "message": "selected"},
        matchConstraints={"resourceRules": [rule], "objectSelector": {"matchLabels": labels}},
        waits=False,
    )
    api.post(path, config_map("free"))

    def is_selected() -> bool:
        return api.call("POST", path, config_map("x", labels=labels), dryRun="All").status_code == 422

    eventually(is_selected, "the policy is in force")


@pytest.mark.parametrize(
    ("spec", "field", "words"),
    [
        (
            {"validations": [{"expression": "object.x +"}]},
            "spec.validations[0].expression",
            "compilation failed: ERROR: <input>:1:11: Syntax error",
        ),
        ({"validations": [{"expression": "'a'"}]}, "spec.validations[0].expression", "must evaluate to bool"),
        (
            {"validations": [{"expression": "true", "messageExpression": "1"}]},
            "spec.validations[0].messageExpression",
            "must evaluate to string",
        ),
        (
            {"validations": [{"expression": "variables.no"}]},
            "spec.validations[0].expression",
            "undeclared reference to 'variables'",
        ),
        (
            {"validations": [{"expression": "true"}], "matchConditions": [{"name": "a", "expression": "1"}]},
            "spec.matchConditions[0].expression",
            "must evaluate to bool",
        ),
        (
            {"validations": [{"expression": "true"}], "variables": [{"name": "a", "expression": "nothing"}]},
            "spec.variables[0].expression",
            "undeclared reference to 'nothing'",
        ),
        (
            {
                "validations": [{"expression": "variables.no == 1"}],
                "variables": [{"name": "yes", "expression": "1"}],
            },
            "spec.validations[0].expression",
            "undefined field 'no'",
        ),
        ({"validations": [{"expression": "object.any"}]}, "spec.validations[0].expression", "must evaluate to bool"),
        (
            {"validations": [{"expression": "params.x == 1"}]},
            "spec.validations[0].expression",
            "undeclared reference to 'params'",
        ),
    ],
)
def test_expressions_are_compiled_when_they_are_written(
    api: Api, namespace: str, spec: Json, field: str, words: str
) -> None:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}
    body = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": namespace},
        "spec": {"matchConstraints": {"resourceRules": [rule]}, **spec},
    }
    status = refused(api, "POST", f"{GROUP}/validatingadmissionpolicies", body, words)
    assert causes(status) == {field: "FieldValueInvalid"}


def test_a_reason_has_to_be_known(api: Api, namespace: str) -> None:
    body = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": namespace},
        "spec": {"validations": [{"expression": "true", "reason": "Unauthorized"}]},
    }
    words = 'Unsupported value: "Unauthorized": supported values: "Forbidden", "Invalid", "RequestEntityTooLarge"'
    status = refused(api, "POST", f"{GROUP}/validatingadmissionpolicies", body, words)
    assert causes(status)["spec.validations[0].reason"] == "FieldValueNotSupported"

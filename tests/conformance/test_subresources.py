"""Subresources that are kinds of their own: binding, eviction, logs, exec, scale, tokens, and the reviews of access."""

import base64
import json
from typing import Any

import pytest

from tests.conformance.api import JSON_PATCH, STRATEGIC_PATCH, Api, Json, causes
from tests.conformance.objects import core, deployment, pod

_AUTHORIZATION = "/apis/authorization.k8s.io/v1"
_AUTHENTICATION = "/apis/authentication.k8s.io/v1"
_TWO: Json = {
    "containers": [{"name": "one", "image": "busybox"}, {"name": "two", "image": "busybox"}],
    "initContainers": [{"name": "first", "image": "busybox"}],
}


@pytest.fixture
def pods(api: Api, namespace: str) -> str:
    """The path of the pods of the test's namespace, in which there is one, called a."""
    path = core(namespace, "pods")
    api.post(path, pod("a"))
    return path


def binding(name: str, target: Json | None = None, **metadata: Any) -> Json:
    """A Binding to node n1, or to that target."""
    head = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name, **metadata}}
    return {**head, "target": {"kind": "Node", "name": "n1"} if target is None else target}


# --- binding ---


def test_binding(api: Api, pods: str) -> None:
    """B01: the pod gets its node, the condition that it is scheduled, and the annotations of the binding."""
    answer = api.post(f"{pods}/a/binding", binding("a", annotations={"k": "v"}))
    assert (answer["kind"], answer["status"], answer["code"]) == ("Status", "Success", 201)
    found = api.get(f"{pods}/a")
    assert found["spec"]["nodeName"] == "n1"
    assert found["metadata"]["annotations"] == {"k": "v"}
    [condition] = found["status"]["conditions"]
    assert (condition["type"], condition["status"]) == ("PodScheduled", "True")


def test_binding_twice(api: Api, pods: str) -> None:
    """B01: the second binding is refused, even to the same node."""
    api.post(f"{pods}/a/binding", binding("a"))
    says = 'pod a is already assigned to node "n1"'
    api.refused(409, "Conflict", "POST", f"{pods}/a/binding", binding("a"), says=says)


def test_binding_by_the_other_way(api: Api, namespace: str, pods: str) -> None:
    """B01: bindings is a resource, too, which only takes them."""
    path = core(namespace, "bindings")
    assert api.post(path, binding("a"))["status"] == "Success"
    assert api.get(f"{pods}/a")["spec"]["nodeName"] == "n1"
    api.refused(404, "NotFound", "POST", path, binding("none"))
    api.refused(400, "BadRequest", "POST", path, binding(""), says="Name parameter required")
    api.refused(405, "MethodNotAllowed", "GET", path)
    api.refused(405, "MethodNotAllowed", "GET", f"{pods}/a/binding")


def test_binding_is_tried(api: Api, pods: str) -> None:
    """B01 and C11."""
    api.post(f"{pods}/a/binding", binding("a"), dryRun="All")
    assert "nodeName" not in api.get(f"{pods}/a")["spec"]


@pytest.mark.parametrize(
    ("body", "code", "reason", "says"),
    [
        (binding("a", {}), 500, "", "target.name: Required value"),
        (binding("a", {"kind": "Pod", "name": "n1"}), 500, "", 'target.kind: Unsupported value: "Pod"'),
        (binding("b"), 400, "BadRequest", "name in URL does not match name in Binding object"),
        (binding("a", namespace="default"), 400, "BadRequest", "the namespace of the provided object does not match"),
        (binding("a", uid="other"), 409, "Conflict", "Precondition failed: UID in precondition: other"),
        (binding("a", resourceVersion="1"), 409, "Conflict", "Precondition failed: ResourceVersion in precondition: 1"),
        ({**binding("a"), "kind": "Pod"}, 400, "BadRequest", "cannot be handled as a Binding"),
        ({**binding("a"), "target": "n1"}, 400, "BadRequest", "cannot be handled as a Binding"),
    ],
)
def test_bindings_that_make_no_sense(api: Api, pods: str, body: Json, code: int, reason: str, says: str) -> None:
    """B01: the pod stays where it is, which is nowhere."""
    api.refused(code, reason, "POST", f"{pods}/a/binding", body, says=says)
    assert "nodeName" not in api.get(f"{pods}/a")["spec"]


def test_bindings_of_pods_that_cannot_have_one(api: Api, pods: str) -> None:
    """B01: no such pod, one that goes, one that waits for others."""
    api.refused(404, "NotFound", "POST", f"{pods}/none/binding", binding("none"))
    api.post(pods, pod("going", finalizers=["example.com/hold"]))
    api.delete(f"{pods}/going")
    api.refused(409, "Conflict", "POST", f"{pods}/going/binding", binding("going"), says="is being deleted")
    api.post(pods, pod("gated", {"schedulingGates": [{"name": "example.com/wait"}]}))
    api.refused(409, "Conflict", "POST", f"{pods}/gated/binding", binding("gated"), says=".spec.schedulingGates")


# --- logs and connections ---


def test_log_before_there_is_a_node(api: Api, pods: str) -> None:
    """B02: routed to the logs, not to the pod; there are none yet."""
    answer = api.call("GET", f"{pods}/a/log", accept="*/*")
    assert (answer.status_code, answer.content) == (204, b"")


def test_log_of_which_container(api: Api, pods: str) -> None:
    """B02: with several, one has to be named."""
    api.post(pods, pod("b", _TWO))
    says = "a container name must be specified for pod b, choose one of: [first one two]"
    api.refused(400, "BadRequest", "GET", f"{pods}/b/log", says=says)
    api.post(pods, pod("c", {**_TWO, "containers": _TWO["containers"][:1]}))
    assert api.call("GET", f"{pods}/c/log", accept="*/*").status_code == 204
    for name in ("one", "two", "first"):
        assert api.call("GET", f"{pods}/b/log", accept="*/*", container=name).status_code == 204
    says = "container three is not valid for pod b"
    api.refused(400, "BadRequest", "GET", f"{pods}/b/log", says=says, container="three")
    api.refused(404, "NotFound", "GET", f"{pods}/none/log")
    api.refused(405, "MethodNotAllowed", "POST", f"{pods}/a/log", {})


@pytest.mark.parametrize(
    ("query", "code", "reason", "says"),
    [
        ({"tailLines": "-1"}, 422, "Invalid", "tailLines: Invalid value: -1: must be greater than or equal to 0"),
        ({"sinceSeconds": "0"}, 422, "Invalid", "sinceSeconds: Invalid value: 0: must be greater than 0"),
        ({"limitBytes": "0"}, 422, "Invalid", "limitBytes: Invalid value: 0: must be greater than 0"),
        ({"tailLines": "many"}, 400, "BadRequest", 'parsing "many": invalid syntax'),
        ({"sinceTime": "soon"}, 400, "BadRequest", 'parsing time "soon"'),
        ({"sinceSeconds": "1", "sinceTime": "2024-05-01T10:00:00Z"}, 422, "Invalid", "at most one of `sinceTime` or"),
    ],
)
def test_log_options(api: Api, pods: str, query: dict[str, str], code: int, reason: str, says: str) -> None:
    """B02: what makes no sense is refused before there are any logs."""
    api.refused(code, reason, "GET", f"{pods}/a/log", says=says, **query)


@pytest.mark.parametrize("verb", ["exec", "attach", "portforward"])
def test_connections(api: Api, pods: str, verb: str) -> None:
    """B03: routed, and refused as long as there is no node; never answered with the pod."""
    for method in ("GET", "POST"):
        says = "pod a does not have a host assigned"
        api.refused(400, "BadRequest", method, f"{pods}/a/{verb}", says=says, command="ls", stdout="true")
    api.refused(404, "NotFound", "GET", f"{pods}/none/{verb}", command="ls", stdout="true")


# --- eviction ---


def eviction(name: str, **options: Any) -> Json:
    """An Eviction with these DeleteOptions."""
    return {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}, "deleteOptions": options}


def test_eviction(api: Api, pods: str) -> None:
    """B04: a deletion, unless a disruption budget is against it."""
    assert api.post(f"{pods}/a/eviction", eviction("a"))["status"] == "Success"
    api.gone(f"{pods}/a")
    api.refused(404, "NotFound", "POST", f"{pods}/a/eviction", eviction("a"))


def test_eviction_with_options(api: Api, pods: str) -> None:
    """B04: grace period, dry run and preconditions are those of a deletion."""
    api.post(pods, pod("b", {"nodeName": "n1"}))
    path = f"{pods}/b/eviction"
    api.post(path, eviction("b"), dryRun="All")
    api.post(path, eviction("b", dryRun=["All"]))
    assert "deletionTimestamp" not in api.get(f"{pods}/b")["metadata"]
    api.refused(409, "Conflict", "POST", path, eviction("b", preconditions={"uid": "other"}))
    api.post(path, eviction("b", gracePeriodSeconds=7))
    assert api.get(f"{pods}/b")["metadata"]["deletionGracePeriodSeconds"] == 7


def test_evictions_that_make_no_sense(api: Api, pods: str) -> None:
    """B04: the pod stays."""
    path = f"{pods}/a/eviction"
    api.refused(400, "BadRequest", "POST", path, eviction("b"), says="name in URL does not match")
    api.refused(400, "BadRequest", "POST", path, pod("a"), says="cannot be handled as a Eviction")
    api.refused(422, "Invalid", "POST", path, eviction("a", propagationPolicy="Never"))
    api.get(f"{pods}/a")


# --- scale ---


def test_scale_of_a_deployment(api: Api, namespace: str) -> None:
    """R09, for a built-in kind: read, patched in three ways, replaced; the object follows, and its generation."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    api.post(path, deployment("a", 2))
    scale = f"{path}/a/scale"
    found = api.get(scale)
    assert (found["kind"], found["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert (found["spec"], found["status"]) == ({"replicas": 2}, {"replicas": 0, "selector": "app=a"})
    assert api.patch(scale, {"spec": {"replicas": 3}})["spec"] == {"replicas": 3}
    assert api.patch(scale, {"spec": {"replicas": 4}}, STRATEGIC_PATCH)["spec"] == {"replicas": 4}
    operation = {"op": "replace", "path": "/spec/replicas", "value": 0}
    assert api.patch(scale, [operation], JSON_PATCH)["spec"] == {}
    head: Json = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "a", "namespace": namespace}}
    assert api.put(scale, {**head, "spec": {"replicas": 5}})["spec"] == {"replicas": 5}
    now = api.get(f"{path}/a")
    assert (now["spec"]["replicas"], now["metadata"]["generation"]) == (5, 5)
    stale = {**head, "metadata": {**head["metadata"], "resourceVersion": found["metadata"]["resourceVersion"]}}
    api.refused(409, "Conflict", "PUT", scale, stale)
    body: Json = {"spec": {"replicas": -1}}
    status = api.refused(422, "Invalid", "PATCH", scale, body, content_type="application/merge-patch+json")
    assert causes(status) == {"spec.replicas": "FieldValueInvalid"}
    api.refused(400, "BadRequest", "PUT", scale, {**head, "metadata": {"name": "b"}}, says="does not match the name")
    api.refused(400, "BadRequest", "PUT", scale, deployment("a"), says="cannot be handled as a Scale")
    api.refused(404, "NotFound", "GET", f"{path}/none/scale")


# --- status ---


def test_status_of_a_deployment(api: Api, namespace: str) -> None:
    """Its controller notes the revision with the status: annotations change, labels do not, and no generation."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    api.post(path, deployment("a", 2))
    metadata = {"annotations": {"k": "v"}, "labels": {"l": "m"}}
    changed = api.patch(f"{path}/a/status", {"metadata": metadata, "status": {"replicas": 1}, "spec": {"replicas": 7}})
    assert (changed["spec"]["replicas"], changed["status"]["replicas"]) == (2, 1)
    assert changed["metadata"]["annotations"] == {"k": "v"}
    assert "labels" not in changed["metadata"]
    assert changed["metadata"]["generation"] == 1
    assert api.patch(f"{path}/a", {"metadata": metadata})["metadata"]["generation"] == 1
    assert api.patch(f"{path}/a", {"metadata": {"annotations": {"k": "w"}}})["metadata"]["generation"] == 2


# --- tokens ---


@pytest.fixture
def token(api: Api, namespace: str) -> str:
    """The path at which the tokens of service account s are asked for."""
    path = core(namespace, "serviceaccounts")
    api.post(path, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "s"}})
    return f"{path}/s/token"


def token_request(**spec: Any) -> Json:
    """A TokenRequest."""
    return {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "metadata": {}, "spec": spec}


def test_token(api: Api, namespace: str, token: str) -> None:
    """B05: a token that says whose it is, and that gets one in under that name."""
    answer = api.post(token, token_request(expirationSeconds=3600))
    issued = answer["status"]["token"]
    encoded = issued.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    user = f"system:serviceaccount:{namespace}:s"
    assert claims["sub"] == user
    assert claims["exp"] - claims["iat"] == 3600
    assert answer["status"]["expirationTimestamp"]
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    headers = {"Authorization": f"Bearer {issued}"}
    found = api.http.post(f"{_AUTHENTICATION}/selfsubjectreviews", json=review, headers=headers).json()
    assert found["status"]["userInfo"]["username"] == user
    spec = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": issued}}
    assert api.post(f"{_AUTHENTICATION}/tokenreviews", spec)["status"]["user"]["username"] == user


def test_token_for_a_pod(api: Api, namespace: str, token: str) -> None:
    """B05: bound to a pod that runs under that account."""
    pods = core(namespace, "pods")
    api.post(pods, pod("mine", {"serviceAccountName": "s"}))
    api.post(pods, pod("other"))
    to: Json = {"apiVersion": "v1", "kind": "Pod", "name": "mine"}
    api.post(token, token_request(boundObjectRef=to))
    bad = token_request(boundObjectRef={**to, "uid": "other"})
    api.refused(409, "Conflict", "POST", token, bad, says="the UID in the bound object reference (other)")
    api.refused(400, "BadRequest", "POST", token, token_request(boundObjectRef={**to, "name": "other"}))
    api.refused(404, "NotFound", "POST", token, token_request(boundObjectRef={**to, "name": "none"}))
    api.refused(400, "BadRequest", "POST", token, token_request(boundObjectRef={**to, "kind": "ConfigMap"}))


def test_tokens_that_are_not_given(api: Api, namespace: str, token: str) -> None:
    """B05: too short a life, another name, an account that does not exist."""
    status = api.refused(422, "Invalid", "POST", token, token_request(expirationSeconds=5))
    assert causes(status) == {"spec.expirationSeconds": "FieldValueInvalid"}
    status = api.refused(422, "Invalid", "POST", token, {**token_request(), "metadata": {"name": "x"}})
    assert causes(status) == {"metadata.name": "FieldValueInvalid"}
    api.refused(404, "NotFound", "POST", core(namespace, "serviceaccounts", "none/token"), token_request())
    api.refused(405, "MethodNotAllowed", "GET", token)


# --- reviews ---


def review(kind: str, **spec: Any) -> Json:
    """A review of access."""
    return {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}


def test_may_i(api: Api, namespace: str) -> None:
    """B06: what kubectl auth can-i asks; the administrator may do everything."""
    path = f"{_AUTHORIZATION}/selfsubjectaccessreviews"
    asked = {"verb": "delete", "resource": "nodes", "group": ""}
    answer = api.post(path, review("SelfSubjectAccessReview", resourceAttributes=asked))
    assert answer["status"]["allowed"] is True
    answer = api.post(path, review("SelfSubjectAccessReview", nonResourceAttributes={"verb": "get", "path": "/x"}))
    assert answer["status"]["allowed"] is True
    rules = api.post(
        f"{_AUTHORIZATION}/selfsubjectrulesreviews", review("SelfSubjectRulesReview", namespace=namespace)
    )["status"]
    assert {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]} in rules["resourceRules"]
    api.refused(405, "MethodNotAllowed", "GET", path)


def test_may_they(api: Api, namespace: str) -> None:
    """B06: the same about another user."""
    asked: Json = {"verb": "get", "resource": "pods", "namespace": namespace}
    admin: Json = {"user": "root", "groups": ["system:masters"]}
    answer = api.post(
        f"{_AUTHORIZATION}/subjectaccessreviews", review("SubjectAccessReview", **admin, resourceAttributes=asked)
    )
    assert answer["status"]["allowed"] is True
    local = f"{_AUTHORIZATION}/namespaces/{namespace}/localsubjectaccessreviews"
    answer = api.post(local, review("LocalSubjectAccessReview", **admin, resourceAttributes=asked))
    assert answer["status"]["allowed"] is True
    elsewhere = review("LocalSubjectAccessReview", **admin, resourceAttributes={**asked, "namespace": "default"})
    status = api.refused(422, "Invalid", "POST", local, elsewhere)
    assert causes(status) == {"spec.resourceAttributes.namespace": "FieldValueInvalid"}


@pytest.mark.parametrize(
    ("kind", "spec", "field"),
    [
        ("SelfSubjectAccessReview", {}, "spec.resourceAttributes"),
        (
            "SelfSubjectAccessReview",
            {"resourceAttributes": {"verb": "get"}, "nonResourceAttributes": {"verb": "get", "path": "/"}},
            "spec.nonResourceAttributes",
        ),
        ("SubjectAccessReview", {"resourceAttributes": {"verb": "get"}}, "spec.user"),
    ],
)
def test_questions_that_make_no_sense(api: Api, minor: int, kind: str, spec: Json, field: str) -> None:
    """B06."""
    status = api.refused(422, "Invalid", "POST", f"{_AUTHORIZATION}/{kind.lower()}s", review(kind, **spec))
    found = "spec" if minor > 30 and field.endswith("Attributes") else field
    assert causes(status) == {found: "FieldValueInvalid"}
    unknown = {**review(kind, **spec), "extra": 1}
    path = f"{_AUTHORIZATION}/{kind.lower()}s"
    api.refused(400, "BadRequest", "POST", path, unknown, says='unknown field "extra"', fieldValidation="Strict")

"""PATCH in its three older forms; server-side apply has a file of its own."""

import pytest

from tests.conformance.api import JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, Api, Json, causes
from tests.conformance.objects import config_map, core, deployment, node, pod, widget


@pytest.fixture
def created(api: Api, namespace: str) -> Json:
    """A ConfigMap ``a``."""
    return api.post(core(namespace, "configmaps"), config_map("a", {"k": "v", "l": "w"}, labels={"x": "y"}))


@pytest.fixture
def path(namespace: str) -> str:
    """Its path."""
    return core(namespace, "configmaps", "a")


def test_merge_patch(api: Api, created: Json, path: str) -> None:
    """P01."""
    answer = api.patch(path, {"data": {"k": None, "m": "x"}, "metadata": {"labels": {"z": "1"}}})
    assert answer["data"] == {"l": "w", "m": "x"}
    assert answer["metadata"]["labels"] == {"x": "y", "z": "1"}
    assert int(answer["metadata"]["resourceVersion"]) > int(created["metadata"]["resourceVersion"])


def test_merge_patch_that_changes_nothing(api: Api, created: Json, path: str) -> None:
    """P01: no change, no version."""
    assert api.patch(path, {"data": {"k": "v"}}) == created
    assert api.patch(path, {}) == created


def test_merge_patch_replaces_lists(api: Api, namespace: str) -> None:
    """P01: lists are values."""
    api.post(core(namespace, "configmaps"), config_map("b", finalizers=["example.com/a", "example.com/b"]))
    answer = api.patch(core(namespace, "configmaps", "b"), {"metadata": {"finalizers": ["example.com/c"]}})
    assert answer["metadata"]["finalizers"] == ["example.com/c"]


def test_merge_patch_with_a_stale_version(api: Api, created: Json, path: str) -> None:
    """P02."""
    api.patch(path, {"data": {"k": "2"}})
    stale = {"metadata": {"resourceVersion": created["metadata"]["resourceVersion"]}, "data": {"k": "3"}}
    api.refused(409, "Conflict", "PATCH", path, stale, content_type=MERGE_PATCH, says="the object has been modified")


def test_merge_patch_with_the_version_of_now(api: Api, created: Json, path: str) -> None:
    """P02, when it fits."""
    fitting = {"metadata": {"resourceVersion": created["metadata"]["resourceVersion"]}, "data": {"k": "3"}}
    assert api.patch(path, fitting)["data"]["k"] == "3"


def test_json_patch(api: Api, created: Json, path: str) -> None:
    """P03."""
    operations: list[Json] = [
        {"op": "test", "path": "/data/k", "value": "v"},
        {"op": "add", "path": "/data/n", "value": "1"},
        {"op": "replace", "path": "/data/k", "value": "2"},
        {"op": "remove", "path": "/data/l"},
        {"op": "copy", "from": "/data/n", "path": "/data/o"},
        {"op": "move", "from": "/data/n", "path": "/data/p"},
        {"op": "add", "path": "/metadata/annotations", "value": {"example.com/a": "b"}},
        {"op": "add", "path": "/metadata/labels/example.com~1c", "value": "d"},
    ]
    answer = api.patch(path, operations, JSON_PATCH)
    assert answer["data"] == {"k": "2", "o": "1", "p": "1"}
    assert answer["metadata"]["annotations"] == {"example.com/a": "b"}
    assert answer["metadata"]["labels"] == {"x": "y", "example.com/c": "d"}


def test_json_patch_of_lists(api: Api, namespace: str) -> None:
    """P03: insert, append, remove by index."""
    api.post(core(namespace, "configmaps"), config_map("b", finalizers=["example.com/a", "example.com/b"]))
    operations: list[Json] = [
        {"op": "add", "path": "/metadata/finalizers/0", "value": "example.com/first"},
        {"op": "add", "path": "/metadata/finalizers/-", "value": "example.com/last"},
        {"op": "remove", "path": "/metadata/finalizers/1"},
    ]
    answer = api.patch(core(namespace, "configmaps", "b"), operations, JSON_PATCH)
    assert answer["metadata"]["finalizers"] == ["example.com/first", "example.com/b", "example.com/last"]


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/data/k", "value": "other"},
        {"op": "remove", "path": "/data/none"},
        {"op": "add", "path": "/none/k", "value": "1"},
    ],
)
def test_json_patch_that_does_not_fit(api: Api, created: Json, path: str, operation: Json) -> None:
    """P04: 422 without causes tells a patch that did not fit from an object that is not valid."""
    operations = [{"op": "add", "path": "/data/new", "value": "1"}, operation]
    status = api.refused(422, "Invalid", "PATCH", path, operations, content_type=JSON_PATCH)
    assert "causes" not in status.get("details", {})
    assert api.get(path) == created


def test_json_patch_replaces_what_is_not_there(api: Api, created: Json, path: str) -> None:
    """P03: against RFC 6902, but so does the library that Kubernetes uses."""
    answer = api.patch(path, [{"op": "replace", "path": "/data/none", "value": "1"}], JSON_PATCH)
    assert answer["data"] == {"k": "v", "l": "w", "none": "1"}


def test_json_patch_with_a_test_of_the_version(api: Api, created: Json, path: str) -> None:
    """P04: how a client makes a JSON patch conditional."""
    version = created["metadata"]["resourceVersion"]
    operations: list[Json] = [
        {"op": "test", "path": "/metadata/resourceVersion", "value": version},
        {"op": "add", "path": "/data/n", "value": "1"},
    ]
    api.patch(path, operations, JSON_PATCH)
    api.refused(422, "Invalid", "PATCH", path, operations, content_type=JSON_PATCH)


def test_json_patch_that_is_broken(api: Api, created: Json, path: str) -> None:
    """What is no JSON patch is a bad request."""
    api.refused(400, "BadRequest", "PATCH", path, {"op": "add"}, content_type=JSON_PATCH)
    api.refused(400, "BadRequest", "PATCH", path, "{", content_type=MERGE_PATCH)


def test_strategic_merge_by_key(api: Api, namespace: str) -> None:
    """P05."""
    collection = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    api.post(collection, deployment("a"))
    containers = [{"name": "side", "image": "busybox:1.36"}, {"name": "main", "env": [{"name": "A", "value": "1"}]}]
    answer = api.patch(f"{collection}/a", {"spec": {"template": {"spec": {"containers": containers}}}}, STRATEGIC_PATCH)
    found = {each["name"]: each for each in answer["spec"]["template"]["spec"]["containers"]}
    assert found.keys() == {"main", "side"}
    assert found["main"]["image"] == "busybox:1.37"
    assert found["main"]["env"] == [{"name": "A", "value": "1"}]
    assert answer["metadata"]["generation"] == 2


def test_strategic_merge_directives(api: Api, namespace: str) -> None:
    """P05: delete by key, replace, and delete from a list of plain values."""
    collection = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    body = deployment("a")
    body["metadata"]["finalizers"] = ["example.com/a", "example.com/b"]
    container = body["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    api.post(collection, body)
    patch = {
        "metadata": {"$deleteFromPrimitiveList/finalizers": ["example.com/a"]},
        "spec": {
            "template": {"spec": {"containers": [{"name": "main", "env": [{"name": "A", "$patch": "delete"}]}]}},
            "strategy": {"$patch": "replace", "type": "Recreate"},
        },
    }
    answer = api.patch(f"{collection}/a", patch, STRATEGIC_PATCH)
    [changed] = answer["spec"]["template"]["spec"]["containers"]
    assert changed["env"] == [{"name": "B", "value": "2"}]
    assert answer["spec"]["strategy"] == {"type": "Recreate"}
    assert answer["metadata"]["finalizers"] == ["example.com/b"]


def test_strategic_merge_of_plain_lists_and_conditions(api: Api, namespace: str) -> None:
    """P05: finalizers are united, conditions are merged by type, as the kubelet writes them."""
    api.post("/api/v1/nodes", node(namespace))
    path = f"/api/v1/nodes/{namespace}"
    for finalizer in ("example.com/a", "example.com/b"):
        answer = api.patch(path, {"metadata": {"finalizers": [finalizer]}}, STRATEGIC_PATCH)
    assert sorted(answer["metadata"]["finalizers"]) == ["example.com/a", "example.com/b"]
    for type_, status in (("Ready", "False"), ("DiskPressure", "False"), ("Ready", "True")):
        patch = {"status": {"conditions": [{"type": type_, "status": status}]}}
        answer = api.patch(f"{path}/status", patch, STRATEGIC_PATCH)
    assert {each["type"]: each["status"] for each in answer["status"]["conditions"]} == {
        "Ready": "True",
        "DiskPressure": "False",
    }


def test_strategic_merge_on_a_custom_kind(api: Api, widgets: str) -> None:
    """P06."""
    api.post(widgets, widget("a"))
    body = {"spec": {"size": 4}}
    api.refused(415, "UnsupportedMediaType", "PATCH", f"{widgets}/a", body, content_type=STRATEGIC_PATCH)


@pytest.mark.parametrize("kind", [MERGE_PATCH, STRATEGIC_PATCH])
def test_missing(api: Api, namespace: str, kind: str) -> None:
    """P07."""
    api.refused(404, "NotFound", "PATCH", core(namespace, "configmaps", "none"), {"data": {}}, content_type=kind)


def test_identity_cannot_be_changed(api: Api, created: Json, path: str) -> None:
    """P08."""
    says = "the name of the object (b) does not match the name on the URL (a)"
    body: Json = {"metadata": {"name": "b"}}
    api.refused(400, "BadRequest", "PATCH", path, body, content_type=MERGE_PATCH, says=says)
    body = {"metadata": {"namespace": "default"}}
    api.refused(400, "BadRequest", "PATCH", path, body, content_type=MERGE_PATCH)
    body = {"metadata": {"uid": "other"}}
    status = api.refused(422, "Invalid", "PATCH", path, body, content_type=MERGE_PATCH, says="field is immutable")
    assert "metadata.uid" in causes(status)
    body = {"metadata": {"creationTimestamp": "2001-01-01T00:00:00Z"}}
    assert api.patch(path, body)["metadata"]["creationTimestamp"] == created["metadata"]["creationTimestamp"]
    assert api.get(path)["metadata"]["uid"] == created["metadata"]["uid"]


@pytest.mark.parametrize("kind", ["application/json", "application/yaml", "text/plain"])
def test_unknown_patch_type(api: Api, created: Json, path: str, kind: str) -> None:
    """P09."""
    api.refused(415, "UnsupportedMediaType", "PATCH", path, {"data": {}}, content_type=kind)


def test_result_is_validated(api: Api, created: Json, path: str, namespace: str) -> None:
    """A patch gets an object no further than a PUT would."""
    body: Json = {"metadata": {"labels": {"bad!": "x"}}}
    status = api.refused(422, "Invalid", "PATCH", path, body, content_type=MERGE_PATCH)
    assert causes(status) == {"metadata.labels": "FieldValueInvalid"}
    api.post(core(namespace, "pods"), pod("a"))
    body = {"spec": {"hostname": "x"}}
    status = api.refused(422, "Invalid", "PATCH", core(namespace, "pods", "a"), body, content_type=STRATEGIC_PATCH)
    assert causes(status) == {"spec": "FieldValueForbidden"}


def test_result_of_the_wrong_type(api: Api, created: Json, path: str) -> None:
    """A patch that gives what cannot be decoded."""
    answer = api.call("PATCH", path, {"data": {"k": 1}}, content_type=MERGE_PATCH)
    assert answer.status_code in {400, 422}
    assert api.get(path) == created


def test_removing_the_finalizer_by_json_patch(api: Api, namespace: str) -> None:
    """Conditional on the value, as drivers do it."""
    api.post(core(namespace, "configmaps"), config_map("b", finalizers=["example.com/a", "example.com/b"]))
    operations: list[Json] = [
        {"op": "test", "path": "/metadata/finalizers/0", "value": "example.com/a"},
        {"op": "remove", "path": "/metadata/finalizers/0"},
    ]
    answer = api.patch(core(namespace, "configmaps", "b"), operations, JSON_PATCH)
    assert answer["metadata"]["finalizers"] == ["example.com/b"]


def test_strict_patch(api: Api, created: Json, path: str) -> None:
    """kubectl patch asks for Strict too."""
    says = 'unknown field "dta"'
    answer = api.call("PATCH", path, {"dta": {}}, content_type=MERGE_PATCH, fieldValidation="Strict")
    assert answer.status_code in {400, 422}
    assert says in answer.json()["message"]

"""Server-side apply: who owns which field."""

from tests.conformance.api import APPLY, MERGE_PATCH, Api, Json, causes
from tests.conformance.objects import config_map, core, deployment, pod, widget


def managers(answer: Json) -> dict[tuple[str, str], Json]:
    """The managed fields by manager and operation, plus the subresource where there is one."""
    found = {}
    for entry in answer["metadata"].get("managedFields", []):
        assert entry["fieldsType"] == "FieldsV1"
        found[entry["manager"], entry["operation"] + entry.get("subresource", "")] = entry["fieldsV1"]
    return found


def test_create(api: Api, namespace: str) -> None:
    """S01."""
    path = core(namespace, "configmaps", "a")
    answer = api.apply(path, config_map("a", {"k": "v"}), "one", code=201)
    assert answer["data"] == {"k": "v"}
    assert managers(answer) == {("one", "Apply"): {"f:data": {"f:k": {}}}}
    [entry] = answer["metadata"]["managedFields"]
    assert entry["apiVersion"] == "v1"
    assert entry["time"].endswith("Z")


def test_again_changes_nothing(api: Api, namespace: str) -> None:
    """S01: idempotent, so that a reconciler may apply whenever it likes."""
    path = core(namespace, "configmaps", "a")
    created = api.apply(path, config_map("a", {"k": "v"}), "one", code=201)
    assert api.apply(path, config_map("a", {"k": "v"}), "one") == created


def test_body_in_yaml(api: Api, namespace: str) -> None:
    """S01: that is what the content type says."""
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  k: v\n"
    path = core(namespace, "configmaps", "a")
    answer = api.call("PATCH", path, text, content_type=APPLY, fieldManager="one")
    assert answer.status_code == 201
    assert answer.json()["data"] == {"k": "v"}


def test_conflict_and_force(api: Api, namespace: str) -> None:
    """S02."""
    path = core(namespace, "configmaps", "a")
    api.apply(path, config_map("a", {"k": "v", "l": "w"}), "one", code=201)
    body = config_map("a", {"k": "2"})
    status = api.refused(409, "Conflict", "PATCH", path, body, content_type=APPLY, fieldManager="two")
    [cause] = status["details"]["causes"]
    assert (cause["reason"], cause["field"]) == ("FieldManagerConflict", ".data.k")
    assert 'conflict with "one"' in cause["message"]
    assert api.get(path)["data"]["k"] == "v"
    answer = api.apply(path, body, "two", force="true")
    assert answer["data"] == {"k": "2", "l": "w"}
    assert managers(answer) == {
        ("one", "Apply"): {"f:data": {"f:l": {}}},
        ("two", "Apply"): {"f:data": {"f:k": {}}},
    }


def test_same_value_is_shared(api: Api, namespace: str) -> None:
    """S02: two managers that agree both own the field, and it stays until both have dropped it."""
    path = core(namespace, "configmaps", "a")
    api.apply(path, config_map("a", {"k": "v"}), "one", code=201)
    answer = api.apply(path, config_map("a", {"k": "v"}), "two")
    assert managers(answer).keys() == {("one", "Apply"), ("two", "Apply")}
    assert api.apply(path, config_map("a"), "one")["data"] == {"k": "v"}
    assert "data" not in api.apply(path, config_map("a"), "two") or not api.get(path).get("data")


def test_dropped_fields_are_removed(api: Api, namespace: str) -> None:
    """S03, but only those of the manager."""
    path = core(namespace, "configmaps", "a")
    api.apply(path, config_map("a", {"k": "v", "l": "w"}, labels={"x": "y"}), "one", code=201)
    api.patch(path, {"data": {"m": "other"}}, fieldManager="two")
    answer = api.apply(path, config_map("a", {"l": "w"}), "one")
    assert answer["data"] == {"l": "w", "m": "other"}
    assert "labels" not in answer["metadata"]


def test_updates_own_too(api: Api, namespace: str) -> None:
    """S02: against a field that a POST, PUT or PATCH has set."""
    path = core(namespace, "configmaps", "a")
    created = api.post(core(namespace, "configmaps"), config_map("a", {"k": "v"}), fieldManager="poster")
    assert managers(created) == {("poster", "Update"): {"f:data": {".": {}, "f:k": {}}}}
    body = config_map("a", {"k": "2"})
    status = api.refused(409, "Conflict", "PATCH", path, body, content_type=APPLY, fieldManager="one")
    assert 'conflict with "poster" using v1' in status["message"]
    assert managers(api.apply(path, body, "one", force="true")).keys() >= {("one", "Apply")}


def test_manager_by_user_agent(api: Api, namespace: str) -> None:
    """Who does not say its name is called after its program."""
    created = api.post(core(namespace, "configmaps"), config_map("a", {"k": "v"}))
    assert managers(created).keys() == {("conformance", "Update")}


def test_update_takes_a_field_over(api: Api, namespace: str) -> None:
    """A manager that changes a field by an update owns it from then on, without a conflict."""
    path = core(namespace, "configmaps", "a")
    api.apply(path, config_map("a", {"k": "v", "l": "w"}), "one", code=201)
    answer = api.patch(path, {"data": {"k": "2"}}, fieldManager="two")
    assert managers(answer) == {
        ("one", "Apply"): {"f:data": {"f:l": {}}},
        ("two", "Update"): {"f:data": {"f:k": {}}},
    }


def test_list_map_of_a_custom_kind(api: Api, widgets: str) -> None:
    """S04."""
    path = f"{widgets}/a"
    api.apply(path, widget("a", parts=[{"name": "x", "weight": 2}]), "one", code=201)
    other = widget("a", parts=[{"name": "y"}])
    answer = api.apply(path, other, "two")
    assert answer["spec"]["parts"] == [{"name": "x", "weight": 2}, {"name": "y", "weight": 1}]
    assert 'k:{"name":"x"}' in managers(answer)["one", "Apply"]["f:spec"]["f:parts"]
    answer = api.apply(path, widget("a"), "one")
    assert [part["name"] for part in answer["spec"]["parts"]] == ["y"]


def test_set_of_a_custom_kind(api: Api, widgets: str) -> None:
    """S04: entries of a set are owned one by one."""
    path = f"{widgets}/a"
    api.apply(path, widget("a", tags=["x", "y"]), "one", code=201)
    assert sorted(api.apply(path, widget("a", tags=["z"]), "two")["spec"]["tags"]) == ["x", "y", "z"]
    answer = api.apply(path, widget("a", tags=["y"]), "one")
    assert sorted(answer["spec"]["tags"]) == ["y", "z"]
    assert managers(answer)["two", "Apply"]["f:spec"]["f:tags"] == {'v:"z"': {}}


def test_plain_list_of_a_custom_kind(api: Api, widgets: str) -> None:
    """S04: a list of no declared type belongs to one manager as a whole."""
    path = f"{widgets}/a"
    api.apply(path, widget("a", numbers=[1, 2]), "one", code=201)
    body = widget("a", numbers=[3])
    status = api.refused(409, "Conflict", "PATCH", path, body, content_type=APPLY, fieldManager="two")
    assert [cause["field"] for cause in status["details"]["causes"]] == [".spec.numbers"]


def test_containers_are_a_list_map(api: Api, namespace: str) -> None:
    """S04, for a built-in kind."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/a"
    api.apply(path, deployment("a"), "one", code=201)
    other = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a"},
        "spec": {"template": {"spec": {"containers": [{"name": "main", "env": [{"name": "A", "value": "1"}]}]}}},
    }
    answer = api.apply(path, other, "two")
    [container] = answer["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "busybox:1.37"
    assert container["env"] == [{"name": "A", "value": "1"}]
    answer = api.apply(path, deployment("a"), "one")
    assert answer["spec"]["template"]["spec"]["containers"] == [container]


def test_finalizers_are_a_set(api: Api, namespace: str) -> None:
    """S04: how two controllers hold one object."""
    path = core(namespace, "configmaps", "a")
    bare: Json = {"apiVersion": "v1", "kind": "ConfigMap"}
    api.apply(path, {**bare, "metadata": {"name": "a", "finalizers": ["example.com/a"]}}, "one", code=201)
    answer = api.apply(path, {**bare, "metadata": {"name": "a", "finalizers": ["example.com/b"]}}, "two")
    assert sorted(answer["metadata"]["finalizers"]) == ["example.com/a", "example.com/b"]
    assert api.apply(path, {**bare, "metadata": {"name": "a"}}, "one")["metadata"]["finalizers"] == ["example.com/b"]


def test_empty_map_is_owned_as_a_whole(api: Api, namespace: str) -> None:
    """S02: what is applied empty belongs to the manager itself, so that to fill it is a conflict."""
    path = core(namespace, "configmaps", "a")
    answer = api.apply(path, config_map("a", {}), "one", code=201)
    assert managers(answer) == {("one", "Apply"): {"f:data": {}}}
    body = config_map("a", {"k": "v"})
    api.apply(path, body, "two", force="true")


def test_status_of_a_custom_kind(api: Api, widgets: str) -> None:
    """Through the subresource, with ownership of its own."""
    api.post(widgets, widget("a"), fieldManager="poster")
    body = {**widget("a", size=9), "status": {"phase": "Ready"}}
    answer = api.apply(f"{widgets}/a/status", body, "one")
    assert answer["status"] == {"phase": "Ready"}
    assert answer["spec"]["size"] == 3
    assert managers(answer)["one", "Applystatus"] == {"f:status": {"f:phase": {}}}


def test_manager_is_required(api: Api, namespace: str) -> None:
    """S01: an apply without a name for the manager."""
    path = core(namespace, "configmaps", "a")
    status = api.refused(422, "Invalid", "PATCH", path, config_map("a"), content_type=APPLY)
    assert causes(status) == {"fieldManager": "FieldValueRequired"}


def test_force_is_for_apply_only(api: Api, namespace: str) -> None:
    """And refused elsewhere."""
    path = core(namespace, "configmaps", "a")
    api.post(core(namespace, "configmaps"), config_map("a"))
    body = {"data": {"k": "v"}}
    status = api.refused(422, "Invalid", "PATCH", path, body, content_type=MERGE_PATCH, force="true")
    assert causes(status) == {"force": "FieldValueForbidden"}


def test_kind_and_name_in_the_body(api: Api, namespace: str) -> None:
    """They have to be there, and those of the URL."""
    path = core(namespace, "configmaps", "a")
    for body in ({"metadata": {"name": "a"}}, {**config_map("a"), "kind": "Secret"}, config_map("b")):
        api.refused(400, "BadRequest", "PATCH", path, body, content_type=APPLY, fieldManager="one")


def test_managed_fields_in_the_body(api: Api, namespace: str) -> None:
    """They are what the server makes of it."""
    path = core(namespace, "configmaps", "a")
    created = api.apply(path, config_map("a"), "one", code=201)
    says = "metadata.managedFields must be nil"
    api.refused(400, "BadRequest", "PATCH", path, created, content_type=APPLY, fieldManager="one", says=says)


def test_unknown_fields(api: Api, namespace: str) -> None:
    """What the schema does not know cannot be owned."""
    body = {**config_map("a"), "dta": {"k": "v"}}
    path = core(namespace, "configmaps", "a")
    answer = api.call("PATCH", path, body, content_type=APPLY, fieldManager="one")
    assert answer.status_code == 500
    assert "field not declared in schema" in answer.json()["message"]


def test_stale_version(api: Api, namespace: str) -> None:
    """An apply may be conditional too."""
    path = core(namespace, "configmaps", "a")
    version = api.apply(path, config_map("a"), "one", code=201)["metadata"]["resourceVersion"]
    api.apply(path, config_map("a", {"k": "v"}), "one")
    body = config_map("a", {"k": "w"}, resourceVersion=version)
    api.refused(409, "Conflict", "PATCH", path, body, content_type=APPLY, fieldManager="one")


def test_uid_of_an_object_that_is_not_there(api: Api, namespace: str) -> None:
    """With a UID an apply never creates."""
    body = config_map("a", uid="00000000-0000-4000-8000-000000000000")
    path = core(namespace, "configmaps", "a")
    api.refused(409, "Conflict", "PATCH", path, body, content_type=APPLY, fieldManager="one")
    api.gone(path)


def test_dry_run(api: Api, namespace: str) -> None:
    """What kubectl diff --server-side asks."""
    path = core(namespace, "configmaps", "a")
    api.apply(path, config_map("a", {"k": "v"}), "one", code=201, dryRun="All")
    api.gone(path)
    created = api.apply(path, config_map("a", {"k": "v"}), "one", code=201)
    assert api.apply(path, config_map("a", {"k": "w"}), "one", dryRun="All")["data"] == {"k": "w"}
    assert api.get(path) == created


def test_validation(api: Api, namespace: str, widgets: str) -> None:
    """An apply is validated as anything else."""
    body = pod("a", {"restartPolicy": "Sometimes"})
    path = core(namespace, "pods", "a")
    status = api.refused(422, "Invalid", "PATCH", path, body, content_type=APPLY, fieldManager="one")
    assert causes(status)["spec.restartPolicy"] == "FieldValueNotSupported"
    body = widget("a", size=99)
    status = api.refused(422, "Invalid", "PATCH", f"{widgets}/a", body, content_type=APPLY, fieldManager="one")
    assert causes(status) == {"spec.size": "FieldValueInvalid"}


def test_managed_fields_can_be_cleared(api: Api, namespace: str) -> None:
    """By a list with one empty entry, as the documentation says."""
    path = core(namespace, "configmaps", "a")
    api.apply(path, config_map("a", {"k": "v"}), "one", code=201)
    answer = api.patch(path, {"metadata": {"managedFields": [{}]}})
    assert "managedFields" not in answer["metadata"]

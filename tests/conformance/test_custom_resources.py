"""CustomResourceDefinitions and their objects: schema, pruning, defaults, rules, versions, subresources."""

from typing import Any

import pytest
import yaml

from tests.conformance.api import MERGE_PATCH, Api, Json, causes, eventually
from tests.conformance.definitions import condition, install
from tests.conformance.objects import CRD_PATH, OUR_CRDS, crd, ours, widget

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def test_definition(api: Api, namespace: str) -> None:
    """R01."""
    group = f"{namespace}.example.com"
    install(api, crd(group))
    found = api.get(f"{CRD_PATH}/widgets.{group}")
    assert condition(found, "Established") == "True"
    assert condition(found, "NamesAccepted") == "True"
    assert found["status"]["acceptedNames"]["kind"] == "Widget"
    assert found["status"]["storedVersions"] == ["v1"]
    assert found["spec"]["conversion"] == {"strategy": "None"}
    eventually(lambda: api.call("GET", f"/apis/{group}/v1").status_code == 200, "legacy discovery")
    listed = {entry["name"]: entry for entry in api.get(f"/apis/{group}/v1")["resources"]}
    assert listed.keys() == {"widgets", "widgets/status", "widgets/scale"}
    assert listed["widgets"]["kind"] == "Widget"
    assert listed["widgets/scale"]["kind"] == "Scale"

    def groups() -> list[str]:
        found = api.call("GET", "/apis", accept=AGGREGATED).json()
        return [each["metadata"]["name"] for each in found["items"]]

    eventually(lambda: group in groups(), "aggregated discovery")
    eventually(lambda: f"apis/{group}/v1" in api.get("/openapi/v3")["paths"], "OpenAPI")
    document = api.get(api.get("/openapi/v3")["paths"][f"apis/{group}/v1"]["serverRelativeURL"])
    kinds = [
        kind["kind"]
        for schema in document["components"]["schemas"].values()
        for kind in schema.get("x-kubernetes-group-version-kind", [])
        if kind["group"] == group
    ]
    assert sorted(kinds) == ["Widget", "WidgetList"]


def test_definition_removed(api: Api, namespace: str) -> None:
    """R11: the kind, its objects and its group go."""
    group = f"{namespace}.example.com"
    install(api, crd(group))
    path = f"/apis/{group}/v1/namespaces/{namespace}/widgets"
    api.post(path, widget("a", group))
    with api.watch(CRD_PATH, fieldSelector=f"metadata.name=widgets.{group}") as watch:
        api.delete(f"{CRD_PATH}/widgets.{group}")
        watch.until_type("DELETED", f"widgets.{group}")
    eventually(lambda: api.call("GET", path).status_code == 404, f"{path} gone")

    def groups() -> list[str]:
        found = api.call("GET", "/apis", accept=AGGREGATED).json()
        return [each["metadata"]["name"] for each in found["items"]]

    eventually(lambda: group not in groups(), "aggregated discovery without the group")
    install(api, crd(group))
    assert api.get(path)["items"] == []


@pytest.mark.parametrize("file", OUR_CRDS, ids=lambda file: file.stem.split("_")[-1])
def test_our_definitions(api: Api, our_kinds: None, file: Any) -> None:
    """The rendered files are taken as they are, in YAML."""
    definition = yaml.safe_load(file.read_text())
    name = definition["metadata"]["name"]
    answer = api.call("POST", CRD_PATH, file.read_text(), content_type="application/yaml")
    assert (answer.status_code, answer.json()["reason"]) == (409, "AlreadyExists")
    assert condition(api.get(f"{CRD_PATH}/{name}"), "NonStructuralSchema") == ""


def test_our_defaults_and_rule(api: Api, namespace: str, our_kinds: None) -> None:
    """Parameters of a claim: what is left out, and what is too much."""
    body: Json = {"apiVersion": "fake.resource.3-shake.com/v1alpha1", "kind": "FakeClaimParameters"}
    answer = api.post(ours(namespace), {**body, "metadata": {"name": "a"}})
    assert answer["spec"] == {"count": 1, "split": 0}
    body["metadata"] = {"name": "b"}
    bad = {**body, "spec": {"count": 100, "split": 11}}
    says = "count times split must be at most 1024"
    assert causes(api.refused(422, "Invalid", "POST", ours(namespace), bad, says=says)) == {"spec": "FieldValueInvalid"}
    bad = {**body, "spec": {"count": 0, "split": 65, "selector": {}}}
    assert causes(api.refused(422, "Invalid", "POST", ours(namespace), bad)) == {
        "spec.count": "FieldValueInvalid",
        "spec.split": "FieldValueInvalid",
        "spec.selector.model": "FieldValueRequired",
        "<nil>": "FieldValueInvalid",
    }


def test_create(api: Api, widgets: str) -> None:
    """R02."""
    answer = api.post(widgets, widget("a"))
    assert answer["metadata"]["generation"] == 1
    assert answer["apiVersion"] == "conformance.example.com/v1"
    assert "status" not in answer
    assert api.get(f"{widgets}/a") == answer


def test_kind_is_required(api: Api, widgets: str) -> None:
    """Unlike with built-in kinds, the URL does not say it."""
    body = widget("a")
    del body["kind"]
    api.refused(400, "BadRequest", "POST", widgets, body)
    api.refused(400, "BadRequest", "POST", widgets, {**widget("a"), "apiVersion": "conformance.example.com/v2"})


@pytest.mark.parametrize(
    ("spec", "field", "reason"),
    [
        ({"size": 0}, "spec.size", "FieldValueInvalid"),
        ({"size": 11}, "spec.size", "FieldValueInvalid"),
        ({"size": "3"}, "spec.size", "FieldValueTypeInvalid"),
        ({"size": 2.5}, "spec.size", "FieldValueTypeInvalid"),
        ({"size": None}, "spec.size", "FieldValueRequired"),
        ({"color": "pink"}, "spec.color", "FieldValueNotSupported"),
        ({"label": "UPPER"}, "spec.label", "FieldValueInvalid"),
        ({"serial": "x" * 21}, "spec.serial", "FieldValueTooLong"),
        ({"parts": [{"weight": 1}]}, "spec.parts[0].name", "FieldValueRequired"),
        ({"parts": [{"name": "x"}, {"name": "x"}]}, "spec.parts[1]", "FieldValueDuplicate"),
        ({"parts": [{"name": c} for c in "abcdef"]}, "spec.parts", "FieldValueTooMany"),
        ({"tags": ["x", "x"]}, "spec.tags[1]", "FieldValueDuplicate"),
        ({"numbers": [1, "2"]}, "spec.numbers[1]", "FieldValueTypeInvalid"),
        ({"words": {"a": 1}}, "spec.words.a", "FieldValueTypeInvalid"),
        ({"port": 1.5}, "spec.port", "FieldValueTypeInvalid"),
        ({"replicas": 4}, "spec", "FieldValueInvalid"),
    ],
)
def test_schema(api: Api, widgets: str, spec: Json, field: str, reason: str) -> None:
    """R03."""
    status = api.refused(422, "Invalid", "POST", widgets, widget("a", **spec))
    assert (field, reason) in causes(status).items()
    assert status["details"]["kind"] == "Widget"
    assert status["details"]["group"] == "conformance.example.com"


def test_missing_field(api: Api, widgets: str) -> None:
    """R03: what is required."""
    body = widget("a")
    body["spec"] = {}
    assert causes(api.refused(422, "Invalid", "POST", widgets, body))["spec.size"] == "FieldValueRequired"


def test_patch_is_validated(api: Api, widgets: str) -> None:
    """R03, whatever the verb."""
    api.post(widgets, widget("a"))
    body: Json = {"spec": {"size": 99}}
    status = api.refused(422, "Invalid", "PATCH", f"{widgets}/a", body, content_type=MERGE_PATCH)
    assert causes(status) == {"spec.size": "FieldValueInvalid"}


def test_pruning_and_defaults(api: Api, widgets: str) -> None:
    """R04."""
    body = widget("a", unknown=1, parts=[{"name": "x", "unknown": 1}], free={"any": {"thing": [1]}}, port="http")
    body["unknown"] = {}
    body["metadata"]["unknown"] = 1
    answer = api.post(widgets, body)
    assert answer["spec"] == {
        "size": 3,
        "color": "red",
        "parts": [{"name": "x", "weight": 1}],
        "free": {"any": {"thing": [1]}},
        "port": "http",
    }
    assert "unknown" not in answer
    assert "unknown" not in answer["metadata"]


def test_null(api: Api, widgets: str) -> None:
    """R04: null stays where the schema allows it, and gives the default where it does not."""
    answer = api.post(widgets, widget("a", note=None, color=None))
    assert answer["spec"] == {"size": 3, "note": None, "color": "red"}


def test_strict(api: Api, widgets: str) -> None:
    """R04: kubectl wants to hear of unknown fields."""
    body = widget("a", unknown=1)
    api.refused(400, "BadRequest", "POST", widgets, body, says='unknown field "spec.unknown"', fieldValidation="Strict")
    answer = api.call("POST", widgets, body, fieldValidation="Warn")
    assert 'unknown field \\"spec.unknown\\"' in answer.headers["Warning"]


def test_rule_over_time(api: Api, widgets: str) -> None:
    """R05: a rule that compares with the old value."""
    api.post(widgets, widget("a", serial="one"))
    api.patch(f"{widgets}/a", {"spec": {"size": 4}})
    body: Json = {"spec": {"serial": "two"}}
    says = "serial cannot be changed"
    status = api.refused(422, "Invalid", "PATCH", f"{widgets}/a", body, content_type=MERGE_PATCH, says=says)
    assert causes(status) == {"spec.serial": "FieldValueInvalid"}


def test_numbers_that_are_whole(api: Api, widgets: str) -> None:
    """3.0 is an integer, and is written like one."""
    found = api.post(widgets, widget("whole", size=3.0))
    assert repr(found["spec"]["size"]) == "3"
    found = api.patch(f"{widgets}/whole", {"spec": {"size": 4.0}})
    assert repr(found["spec"]["size"]) == "4"


def test_rule_over_fields(api: Api, widgets: str) -> None:
    """R05: a rule that compares two fields, one of which may be missing."""
    api.post(widgets, widget("a", replicas=3))
    body: Json = {"spec": {"size": 2}}
    says = "more replicas than size"
    api.refused(422, "Invalid", "PATCH", f"{widgets}/a", body, content_type=MERGE_PATCH, says=says)
    api.patch(f"{widgets}/a", {"spec": {"size": 2, "replicas": None}})


def test_generation(api: Api, widgets: str) -> None:
    """R06."""
    api.post(widgets, widget("a"))
    path = f"{widgets}/a"
    assert api.patch(path, {"metadata": {"labels": {"l": "m"}}})["metadata"]["generation"] == 1
    assert api.patch(f"{path}/status", {"status": {"phase": "Ready"}})["metadata"]["generation"] == 1
    assert api.patch(path, {"spec": {"size": 3}})["metadata"]["generation"] == 1
    assert api.patch(path, {"spec": {"size": 4}})["metadata"]["generation"] == 2


def test_status_by_patch(api: Api, widgets: str) -> None:
    """R07."""
    api.post(widgets, {**widget("a"), "status": {"phase": "New"}})
    path = f"{widgets}/a"
    assert "status" not in api.patch(path, {"status": {"phase": "Ready"}})
    both = {"spec": {"size": 9}, "status": {"phase": "Ready"}, "metadata": {"labels": {"l": "m"}}}
    answer = api.patch(f"{path}/status", both)
    assert answer["status"] == {"phase": "Ready"}
    assert answer["spec"]["size"] == 3
    assert "labels" not in answer["metadata"]
    assert api.patch(path, {"status": None, "spec": {"size": 4}})["status"] == {"phase": "Ready"}
    assert api.get(f"{path}/status")["status"] == {"phase": "Ready"}


def test_status_by_put(api: Api, widgets: str, minor: int) -> None:
    """R08."""
    created = api.post(widgets, widget("a"))
    path = f"{widgets}/a"
    answer = api.put(f"{path}/status", {**created, "spec": {"size": 9}, "status": {"phase": "Ready", "unknown": 1}})
    assert answer["status"] == {"phase": "Ready"}
    assert answer["spec"]["size"] == 3
    api.refused(409, "Conflict", "PUT", f"{path}/status", created)
    answer["status"] = {"phase": 1}
    status = api.refused(422, "Invalid", "PUT", f"{path}/status", answer)
    # Until 1.30 paths begin below the status, which has a validator of its own.
    assert causes(status)["status.phase" if minor > 30 else "phase"] == "FieldValueTypeInvalid"


def test_scale(api: Api, widgets: str) -> None:
    """R09."""
    api.post(widgets, widget("a", replicas=1))
    path = f"{widgets}/a"
    api.patch(f"{path}/status", {"status": {"replicas": 2, "selector": "app=a"}})
    found = api.get(f"{path}/scale")
    assert (found["kind"], found["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert found["metadata"]["name"] == "a"
    assert found["spec"] == {"replicas": 1}
    assert found["status"] == {"replicas": 2, "selector": "app=a"}
    assert api.patch(f"{path}/scale", {"spec": {"replicas": 3}})["spec"] == {"replicas": 3}
    assert api.get(path)["spec"]["replicas"] == 3
    assert api.get(path)["metadata"]["generation"] == 2
    found = api.get(f"{path}/scale")
    found["spec"]["replicas"] = 0
    assert api.put(f"{path}/scale", found)["spec"].get("replicas", 0) == 0


def test_no_version(api: Api, widgets: str) -> None:
    """R10."""
    api.post(widgets, widget("a"))
    status = api.refused(422, "Invalid", "PUT", f"{widgets}/a", widget("a"), says="must be specified for an update")
    assert causes(status) == {"metadata.resourceVersion": "FieldValueInvalid"}


def test_subresources_that_are_not_declared(api: Api, namespace: str, our_kinds: None) -> None:
    """A kind without a status subresource: the status is a field as any other, and /status is not there."""
    group = "nas.fake.resource.3-shake.com/v1alpha1"
    path = f"/apis/{group}/namespaces/{namespace}/nodeallocationstates"
    body = {"apiVersion": group, "kind": "NodeAllocationState", "metadata": {"name": "a"}, "status": "Ready"}
    assert api.post(path, body)["status"] == "Ready"
    answer = api.patch(f"{path}/a", {"status": "NotReady"})
    assert answer["status"] == "NotReady"
    assert answer["metadata"]["generation"] == 2
    assert api.call("PATCH", f"{path}/a/status", {"status": "Ready"}, content_type=MERGE_PATCH).status_code == 404


def test_cluster_scope(api: Api, namespace: str, our_kinds: None) -> None:
    """A kind without a namespace."""
    group = "fake.resource.3-shake.com/v1alpha1"
    body = {
        "apiVersion": group,
        "kind": "DeviceClassParameters",
        "metadata": {"name": namespace},
        "spec": {"deviceSelector": [{"type": "fake", "name": "*"}]},
    }
    path = f"/apis/{group}/deviceclassparameters"
    assert "namespace" not in api.post(path, body)["metadata"]
    inside = f"/apis/{group}/namespaces/{namespace}/deviceclassparameters"
    assert api.call("GET", inside).status_code == 404
    api.delete(f"{path}/{namespace}")


def spoiled(group: str, change: str) -> Json:
    """A definition with one mistake."""
    definition = crd(group)
    spec = definition["spec"]
    schema = spec["versions"][0]["schema"]["openAPIV3Schema"]
    match change:
        case "name":
            definition["metadata"]["name"] = f"gadgets.{group}"
        case "no versions":
            spec["versions"] = []
        case "no schema":
            del spec["versions"][0]["schema"]
        case "no storage version":
            spec["versions"][0]["storage"] = False
        case "scope":
            spec["scope"] = "Galaxy"
        case "no type":
            del schema["properties"]["spec"]["properties"]["size"]["type"]
        case "rule":
            schema["properties"]["spec"]["x-kubernetes-validations"] = [{"rule": "self.nothing > 1"}]
        case "rule syntax":
            schema["properties"]["spec"]["x-kubernetes-validations"] = [{"rule": "self.size >"}]
        case "rule about unknown fields":
            kept = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
            rules = {"x-kubernetes-validations": [{"rule": "self.nothing == 1"}]}
            schema["properties"]["spec"]["properties"]["kept"] = {**kept, **rules}
        case "default":
            schema["properties"]["spec"]["properties"]["size"]["default"] = 99
        case "list map without keys":
            del schema["properties"]["spec"]["properties"]["parts"]["x-kubernetes-list-map-keys"]
    return definition


_VERSION = "spec.versions[0]"
_SPEC = "spec.validation.openAPIV3Schema.properties[spec]"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ("name", "metadata.name"),
        ("no versions", "spec.versions"),
        ("no schema", "spec.versions[0].schema.openAPIV3Schema"),
        ("no storage version", "spec.versions"),
        ("scope", "spec.scope"),
        ("no type", f"{_SPEC}.properties[size].type"),
        ("rule", f"{_SPEC}.x-kubernetes-validations[0].rule"),
        ("rule syntax", f"{_SPEC}.x-kubernetes-validations[0].rule"),
        ("rule about unknown fields", f"{_SPEC}.properties[kept].x-kubernetes-validations[0].rule"),
        ("default", f"{_SPEC}.properties[size].default"),
        ("list map without keys", f"{_SPEC}.properties[parts].x-kubernetes-list-map-keys"),
    ],
)
def test_invalid_definitions(api: Api, namespace: str, change: str, field: str) -> None:
    """What is no structural schema, or no definition, is refused when it comes."""
    status = api.refused(422, "Invalid", "POST", CRD_PATH, spoiled(f"{namespace}.example.com", change))
    assert field in causes(status)


def test_definition_changed(api: Api, namespace: str) -> None:
    """A new schema holds for what is written from then on."""
    group = f"{namespace}.example.com"
    install(api, crd(group))
    path = f"/apis/{group}/v1/namespaces/{namespace}/widgets"
    definition = api.get(f"{CRD_PATH}/widgets.{group}")
    size = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["size"]
    size["maximum"] = 100
    changed = api.put(f"{CRD_PATH}/widgets.{group}", definition)
    assert changed["metadata"]["generation"] == 2
    eventually(
        lambda: api.call("POST", path, widget("a", group, size=50), dryRun="All").status_code == 201, "the new maximum"
    )


def test_two_versions(api: Api, namespace: str) -> None:
    """Both serve the same object; one that is not served is not there."""
    group = f"{namespace}.example.com"
    definition = crd(group)
    [first] = definition["spec"]["versions"]
    second = {**first, "name": "v2", "storage": False}
    third = {**first, "name": "v3", "storage": False, "served": False}
    definition["spec"]["versions"] = [first, second, third]
    install(api, definition)
    path = f"/apis/{group}/%s/namespaces/{namespace}/widgets"
    created = api.post(path % "v1", widget("a", group))
    eventually(lambda: api.call("GET", path % "v2").status_code == 200, "v2 served")
    found = api.get(path % "v2" + "/a")
    assert found["apiVersion"] == f"{group}/v2"
    assert found["metadata"]["uid"] == created["metadata"]["uid"]
    assert api.call("GET", path % "v3").status_code == 404

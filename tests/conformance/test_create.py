"""POST and GET of objects: what the server fills in, and what it refuses."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.conformance.api import Api, Json, causes
from tests.conformance.objects import config_map, core, deployment, node, pod

_OWNER = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u"}


def test_namespace(api: Api, namespace: str) -> None:
    """N01 and N03."""
    found = api.get(f"/api/v1/namespaces/{namespace}")
    assert found["metadata"]["labels"] == {"kubernetes.io/metadata.name": namespace}
    assert found["spec"]["finalizers"] == ["kubernetes"]
    assert found["status"]["phase"] == "Active"
    names = {each["metadata"]["name"] for each in api.get("/api/v1/namespaces")["items"]}
    assert {"default", "kube-system", "kube-public", namespace} <= names


def test_namespace_that_does_not_exist(api: Api, namespace: str) -> None:
    """N02."""
    status = api.refused(404, "NotFound", "POST", core(f"{namespace}-x", "configmaps"), config_map("a"))
    assert status["details"] == {"kind": "namespaces", "name": f"{namespace}-x"}
    assert api.get(core(f"{namespace}-x", "configmaps"))["items"] == []


def test_what_the_server_fills_in(api: Api, namespace: str) -> None:
    """C01, C02 and C03."""
    answer = api.post(core(namespace, "configmaps"), config_map("a", {"k": "v"}))
    metadata = answer["metadata"]
    assert UUID(metadata["uid"]).version == 4
    assert int(metadata["resourceVersion"]) > 0
    assert metadata["namespace"] == namespace
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", metadata["creationTimestamp"])
    created = datetime.fromisoformat(metadata["creationTimestamp"])
    assert abs(datetime.now(UTC) - created) < timedelta(seconds=60)
    assert "generation" not in metadata
    assert (answer["kind"], answer["apiVersion"]) == ("ConfigMap", "v1")
    assert api.get(core(namespace, "configmaps", "a")) == answer


def test_system_fields_are_not_taken_from_the_body(api: Api, namespace: str) -> None:
    """C02, the other way round."""
    body = config_map("a", uid="mine", creationTimestamp="2001-01-01T00:00:00Z", generation=7, selfLink="/x")
    metadata = api.post(core(namespace, "configmaps"), body)["metadata"]
    assert metadata["uid"] != "mine"
    assert not metadata["creationTimestamp"].startswith("2001")
    assert metadata.get("deletionTimestamp") is None


def test_resource_version_in_a_new_object(api: Api, namespace: str) -> None:
    """A version is refused where nothing can have one."""
    says = "resourceVersion should not be set on objects to be created"
    answer = api.call("POST", core(namespace, "configmaps"), config_map("a", resourceVersion="1"))
    assert answer.status_code == 500
    assert says in answer.json()["message"]


def test_resource_versions_grow(api: Api, namespace: str) -> None:
    """C02: one number for all kinds."""
    first = api.post(core(namespace, "configmaps"), config_map("a"))
    second = api.post(core(namespace, "pods"), pod("a"))
    assert int(second["metadata"]["resourceVersion"]) > int(first["metadata"]["resourceVersion"])


def test_generate_name(api: Api, namespace: str) -> None:
    """C04."""
    body = config_map("")
    body["metadata"] = {"generateName": "made-"}
    names = {api.post(core(namespace, "configmaps"), body)["metadata"]["name"] for _ in range(3)}
    assert len(names) == 3
    for name in names:
        assert re.fullmatch(r"made-[a-z0-9]{5}", name)


def test_no_name(api: Api, namespace: str) -> None:
    """C05."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}
    status = api.refused(422, "Invalid", "POST", core(namespace, "configmaps"), body, says="name or generateName")
    assert causes(status) == {"metadata.name": "FieldValueRequired"}
    assert status["details"]["kind"] == "ConfigMap"


@pytest.mark.parametrize("name", ["Upper", "under_score", "-dash", "a" * 254, "sp ace", "a..b"])
def test_invalid_names(api: Api, namespace: str, name: str) -> None:
    """C06."""
    status = api.refused(422, "Invalid", "POST", core(namespace, "configmaps"), config_map(name))
    assert causes(status) == {"metadata.name": "FieldValueInvalid"}
    assert status["details"]["name"] == name


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ({"labels": {"bad key!": "v"}}, "metadata.labels"),
        ({"labels": {"k": "bad value!"}}, "metadata.labels"),
        ({"annotations": {"bad key!": "v"}}, "metadata.annotations"),
        ({"finalizers": ["unqualified"]}, "metadata.finalizers[0]"),
    ],
)
def test_invalid_metadata(api: Api, namespace: str, metadata: dict[str, Any], field: str) -> None:
    """Labels, annotations, finalizers and owners are looked at on every kind."""
    status = api.refused(422, "Invalid", "POST", core(namespace, "configmaps"), config_map("a", **metadata))
    assert field in causes(status)


@pytest.mark.parametrize("name", ["name", "uid"])
def test_invalid_owners(api: Api, namespace: str, minor: int, name: str) -> None:
    body = config_map("a", ownerReferences=[{**_OWNER, name: ""}])
    status = api.refused(422, "Invalid", "POST", core(namespace, "configmaps"), body)
    if minor > 30:
        assert causes(status) == {f"metadata.ownerReferences[0].{name}": "FieldValueRequired"}
    else:
        assert causes(status) == {f"metadata.ownerReferences.{name}": "FieldValueInvalid"}


def test_two_controllers_of_one_object(api: Api, namespace: str) -> None:
    """Only one owner may be the controller."""
    owners = [{"apiVersion": "v1", "kind": "Pod", "name": n, "uid": n, "controller": True} for n in ("a", "b")]
    body = config_map("a", ownerReferences=owners)
    status = api.refused(422, "Invalid", "POST", core(namespace, "configmaps"), body)
    assert causes(status) == {"metadata.ownerReferences": "FieldValueInvalid"}


def test_wrong_kind(api: Api, namespace: str) -> None:
    """C07, in all its variants."""
    path = core(namespace, "configmaps")
    api.refused(400, "BadRequest", "POST", path, {**config_map("a"), "kind": "Pod"})
    api.refused(400, "BadRequest", "POST", path, {**config_map("a"), "apiVersion": "v2"})
    api.refused(400, "BadRequest", "POST", path, {**config_map("a"), "apiVersion": "apps/v1", "kind": "Deployment"})


def test_kind_may_be_left_out(api: Api, namespace: str) -> None:
    """The URL says it, for built-in kinds."""
    answer = api.post(core(namespace, "configmaps"), {"metadata": {"name": "a"}})
    assert answer["kind"] == "ConfigMap"


def test_other_namespace_in_the_body(api: Api, namespace: str) -> None:
    """C08."""
    says = "the namespace of the provided object does not match the namespace sent on the request"
    body = config_map("a", namespace="default")
    api.refused(400, "BadRequest", "POST", core(namespace, "configmaps"), body, says=says)


def test_namespaced_kind_without_a_namespace(api: Api) -> None:
    """There is a list over all namespaces, but nothing can be made there."""
    api.refused(405, "MethodNotAllowed", "POST", "/api/v1/configmaps", config_map("a", namespace="default"))


def test_name_that_is_taken(api: Api, namespace: str) -> None:
    """C09."""
    api.post(core(namespace, "configmaps"), config_map("a"))
    status = api.refused(409, "AlreadyExists", "POST", core(namespace, "configmaps"), config_map("a"))
    assert status["message"] == 'configmaps "a" already exists'
    assert status["details"] == {"name": "a", "kind": "configmaps"}


def test_unknown_resource(api: Api, namespace: str) -> None:
    """C10."""
    for path in (core(namespace, "things"), f"/apis/example.net/v1/namespaces/{namespace}/things"):
        assert api.call("POST", path, config_map("a")).status_code == 404


def test_dry_run(api: Api, namespace: str) -> None:
    """C11: everything but the writing."""
    path = core(namespace, "configmaps")
    answer = api.post(path, config_map("a"), dryRun="All")
    assert answer["metadata"]["uid"]
    assert "resourceVersion" not in answer["metadata"]
    api.gone(core(namespace, "configmaps", "a"))
    api.refused(422, "Invalid", "POST", path, config_map("Bad"), dryRun="All")
    status = api.refused(422, "Invalid", "POST", path, config_map("a"), dryRun="Some")
    assert causes(status) == {"dryRun": "FieldValueNotSupported"}


def test_dry_run_of_changes(api: Api, namespace: str) -> None:
    """C11, for the other verbs."""
    created = api.post(core(namespace, "configmaps"), config_map("a", {"k": "v"}))
    path = core(namespace, "configmaps", "a")
    assert api.put(path, config_map("a", {"k": "w"}), dryRun="All")["data"] == {"k": "w"}
    assert api.patch(path, {"data": {"k": "x"}}, dryRun="All")["data"] == {"k": "x"}
    api.delete(path, dryRun="All")
    assert api.get(path) == created


@pytest.mark.parametrize("content_type", ["application/yaml", "application/json"])
def test_body_in_yaml(api: Api, namespace: str, content_type: str) -> None:
    """C12. JSON is YAML, but not the other way round."""
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  k: 'true'\n"
    answer = api.call("POST", core(namespace, "configmaps"), text, content_type=content_type)
    assert answer.status_code == (201 if content_type == "application/yaml" else 400)


TEXTS = (
    *("2024-01-01", "2024-01-01T10:00:00Z", "12:30:45", "1.2.3", "0x", "1e", "1e999", ".", "-.", "+"),
    *("=", "<<", "_1", "0o8", "1,000", "e3", "12a", "tRue", ".e3"),
)
PLAIN = {
    **dict.fromkeys(("true", "Yes", "on", "y"), True),
    **dict.fromkeys(("false", "NO", "off", "n"), False),
    **dict.fromkeys(("null", "~", ""), None),
    **dict(zip(("12", "+12", "-12", "1_000", "9223372036854775807"), (12, 12, -12, 1000, 2**63 - 1), strict=True)),
    **dict(zip(("012", "0o17", "0x1F", "-0x1f", "0b11"), (10, 15, 31, -31, 3), strict=True)),
    **dict(zip(("1e3", "0222e04", "089", "5.", "1e20"), (1000, 2220000, 89, 5, 10**20), strict=True)),
    **dict(zip(("0.50", ".5", "-1.5e-3", "1_0.5", ".5_0"), (0.5, 0.5, -0.0015, 10.5, 0.5), strict=True)),
    **{text: text for text in TEXTS},
}
"""What plain texts are in YAML, as Go reads them."""


def test_plain_texts_in_yaml(api: Api, widgets: str, served_widgets: str) -> None:
    """C12, in the finer print: which are numbers, booleans, nothing, or texts after all."""
    head = f"apiVersion: {served_widgets}/v1\nkind: Widget\nmetadata: {{name: a}}\nspec:\n  size: 1\n  free:\n"
    lines = [f"    k{number}: {text}\n" for number, text in enumerate(PLAIN)]
    answer = api.call("POST", widgets, head + "".join(lines), content_type="application/yaml")
    assert answer.status_code == 201, answer.text
    found = answer.json()["spec"]["free"]
    assert {text: found.get(f"k{number}") for number, text in enumerate(PLAIN)} == PLAIN


def test_missing_object(api: Api, namespace: str) -> None:
    """C13."""
    status = api.refused(404, "NotFound", "GET", core(namespace, "configmaps", "a"))
    assert status["message"] == 'configmaps "a" not found'
    assert status["details"] == {"name": "a", "kind": "configmaps"}
    status = api.refused(404, "NotFound", "GET", f"/apis/apps/v1/namespaces/{namespace}/deployments/a")
    assert status["message"] == 'deployments.apps "a" not found'
    assert status["details"] == {"name": "a", "group": "apps", "kind": "deployments"}


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '"text"', "{}x"])
def test_broken_bodies(api: Api, namespace: str, body: str) -> None:
    """What is no object is refused, whatever it is."""
    answer = api.call("POST", core(namespace, "configmaps"), body)
    assert answer.status_code in {400, 422}
    assert answer.json()["reason"] in {"BadRequest", "Invalid"}


def test_wrong_types(api: Api, namespace: str) -> None:
    """C14."""
    path = core(namespace, "configmaps")
    api.refused(400, "BadRequest", "POST", path, config_map("a", {"k": 1}), says="cannot unmarshal number")
    api.refused(400, "BadRequest", "POST", path, {**config_map("a"), "data": ["k"]})
    api.refused(400, "BadRequest", "POST", core(namespace, "pods"), pod("a", {"containers": "main"}))
    api.refused(400, "BadRequest", "POST", core(namespace, "pods"), pod("a", {"hostNetwork": "yes"}))


@pytest.mark.parametrize(
    ("spec", "field", "reason"),
    [
        ({"containers": []}, "spec.containers", "FieldValueRequired"),
        ({"containers": [{"name": "a"}]}, "spec.containers[0].image", "FieldValueRequired"),
        ({"containers": [{"image": "a"}]}, "spec.containers[0].name", "FieldValueRequired"),
        ({"containers": [{"name": "A_", "image": "a"}]}, "spec.containers[0].name", "FieldValueInvalid"),
        ({"containers": [{"name": "a", "image": "a"}] * 2}, "spec.containers[1].name", "FieldValueDuplicate"),
        ({"restartPolicy": "Sometimes"}, "spec.restartPolicy", "FieldValueNotSupported"),
        (
            {"containers": [{"name": "a", "image": "a", "resources": {"claims": [{"name": "no"}]}}]},
            "spec.containers[0].resources.claims[0]",
            "FieldValueNotFound",
        ),
        ({"volumes": [{"name": "V_"}]}, "spec.volumes[0].name", "FieldValueInvalid"),
        ({"activeDeadlineSeconds": 0}, "spec.activeDeadlineSeconds", "FieldValueInvalid"),
        (
            {"containers": [{"name": "a", "image": "a", "volumeMounts": [{"name": "no", "mountPath": "/x"}]}]},
            "spec.containers[0].volumeMounts[0].name",
            "FieldValueNotFound",
        ),
    ],
)
def test_invalid_pods(api: Api, namespace: str, spec: Json, field: str, reason: str) -> None:
    """C14: what a manifest gets wrong."""
    status = api.refused(422, "Invalid", "POST", core(namespace, "pods"), pod("a", spec))
    assert (field, reason) in causes(status).items()


def test_pod_defaults(api: Api, namespace: str) -> None:
    """C15."""
    answer = api.post(core(namespace, "pods"), pod("a"))
    spec = answer["spec"]
    assert spec["restartPolicy"] == "Always"
    assert spec["terminationGracePeriodSeconds"] == 30
    assert spec["dnsPolicy"] == "ClusterFirst"
    assert spec["schedulerName"] == "default-scheduler"
    assert spec["enableServiceLinks"] is True
    assert spec["preemptionPolicy"] == "PreemptLowerPriority"
    assert spec["priority"] == 0
    assert spec["securityContext"] == {}
    [container] = spec["containers"]
    assert container["imagePullPolicy"] == "IfNotPresent"
    assert container["terminationMessagePath"] == "/dev/termination-log"
    assert container["terminationMessagePolicy"] == "File"
    assert container["resources"] == {}
    assert {each["key"] for each in spec["tolerations"]} == {
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    }
    assert answer["status"] == {"phase": "Pending", "qosClass": "BestEffort"}


def test_image_pull_policy(api: Api, namespace: str) -> None:
    """C15: latest is pulled always."""
    body = pod("a", {"containers": [{"name": "a", "image": "busybox"}, {"name": "b", "image": "busybox:latest"}]})
    containers = api.post(core(namespace, "pods"), body)["spec"]["containers"]
    assert [each["imagePullPolicy"] for each in containers] == ["Always", "Always"]


def test_status_of_a_new_object_is_not_taken(api: Api, namespace: str) -> None:
    """C15: the status belongs to the subresource."""
    body = {**pod("a"), "status": {"phase": "Running"}}
    assert api.post(core(namespace, "pods"), body)["status"]["phase"] == "Pending"


def test_deployment_defaults(api: Api, namespace: str) -> None:
    """C15, and the first generation."""
    answer = api.post(f"/apis/apps/v1/namespaces/{namespace}/deployments", deployment("a"))
    assert answer["metadata"]["generation"] == 1
    spec = answer["spec"]
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}
    assert spec["revisionHistoryLimit"] == 10
    assert spec["progressDeadlineSeconds"] == 600
    assert spec["template"]["spec"]["restartPolicy"] == "Always"
    assert answer["status"] == {}


def test_invalid_deployment(api: Api, namespace: str) -> None:
    """The selector has to fit its own pods."""
    body = deployment("a")
    body["spec"]["selector"] = {"matchLabels": {"app": "other"}}
    status = api.refused(422, "Invalid", "POST", f"/apis/apps/v1/namespaces/{namespace}/deployments", body)
    assert causes(status) == {"spec.template.metadata.labels": "FieldValueInvalid"}


def test_node_is_not_ready_when_new(api: Api, namespace: str) -> None:
    """Admission taints a node until it is known to be ready."""
    answer = api.post("/api/v1/nodes", node(namespace))
    assert {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"} in answer["spec"]["taints"]
    assert "namespace" not in answer["metadata"]


def test_unknown_fields(api: Api, namespace: str) -> None:
    """Ignored, warned of, or refused, as the client asks; kubectl asks for Strict."""
    path, body = core(namespace, "configmaps"), {**config_map("a"), "dta": {"k": "v"}}
    says = 'strict decoding error: unknown field "dta"'
    api.refused(400, "BadRequest", "POST", path, body, says=says, fieldValidation="Strict")
    answer = api.call("POST", path, body)
    assert answer.status_code == 201
    assert answer.headers["Warning"] == r'299 - "unknown field \"dta\""'
    assert "dta" not in answer.json()
    quiet = api.call("POST", path, {**body, "metadata": {"name": "b"}}, fieldValidation="Ignore")
    assert quiet.status_code == 201
    assert "Warning" not in quiet.headers


def test_fields_twice(api: Api, namespace: str) -> None:
    """Strict says so too when a field comes twice."""
    text = '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"}, "data": {}}'
    says = 'duplicate field "data"'
    api.refused(400, "BadRequest", "POST", core(namespace, "configmaps"), text, says=says, fieldValidation="Strict")


def test_secret_from_string_data(api: Api, namespace: str) -> None:
    """stringData is written as data, and never read back."""
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "stringData": {"k": "value"}}
    answer = api.post(core(namespace, "secrets"), body)
    assert answer["data"] == {"k": "dmFsdWU="}
    assert answer["type"] == "Opaque"
    assert "stringData" not in answer


def test_lease(api: Api, namespace: str) -> None:
    """What leader election and node heartbeats write, with microseconds."""
    body = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "a"},
        "spec": {"holderIdentity": "me", "leaseDurationSeconds": 15, "renewTime": "2024-05-01T10:00:00.000000Z"},
    }
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
    assert api.post(path, body)["spec"] == body["spec"]
    body["metadata"] = {"name": "b"}
    body["spec"] = {"leaseDurationSeconds": 0}
    status = api.refused(422, "Invalid", "POST", path, body)
    assert causes(status) == {"spec.leaseDurationSeconds": "FieldValueInvalid"}


def test_method_not_allowed(api: Api, namespace: str) -> None:
    """Verbs that a path does not know."""
    api.post(core(namespace, "configmaps"), config_map("a"))
    api.refused(405, "MethodNotAllowed", "POST", core(namespace, "configmaps", "a"), config_map("a"))
    api.refused(405, "MethodNotAllowed", "PUT", core(namespace, "configmaps"), config_map("a"))


def test_a_zero_that_was_given_is_kept(api: Api, namespace: str) -> None:
    """Where there is a default as well: a rollout that only surges."""
    body = {**deployment("a"), "kind": "DaemonSet"}
    del body["spec"]["replicas"]
    rolling = {"maxSurge": 1, "maxUnavailable": 0}
    body["spec"]["updateStrategy"] = {"type": "RollingUpdate", "rollingUpdate": rolling}
    answer = api.post(f"/apis/apps/v1/namespaces/{namespace}/daemonsets", body)
    assert answer["spec"]["updateStrategy"]["rollingUpdate"] == rolling

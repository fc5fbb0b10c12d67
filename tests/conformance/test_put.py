"""PUT: optimistic locking and what cannot be changed."""

from tests.conformance.api import Api, causes
from tests.conformance.objects import config_map, core, deployment, node, pod


def test_replace(api: Api, namespace: str) -> None:
    """U01."""
    created = api.post(core(namespace, "configmaps"), config_map("a", {"k": "v"}, labels={"l": "m"}))
    answer = api.put(core(namespace, "configmaps", "a"), config_map("a", {"w": "x"}))
    assert answer["data"] == {"w": "x"}
    assert "labels" not in answer["metadata"]
    assert answer["metadata"]["uid"] == created["metadata"]["uid"]
    assert answer["metadata"]["creationTimestamp"] == created["metadata"]["creationTimestamp"]
    assert int(answer["metadata"]["resourceVersion"]) > int(created["metadata"]["resourceVersion"])
    assert api.get(core(namespace, "configmaps", "a")) == answer


def test_stale_version(api: Api, namespace: str) -> None:
    """U02."""
    created = api.post(core(namespace, "configmaps"), config_map("a"))
    path = core(namespace, "configmaps", "a")
    api.put(path, {**created, "data": {"k": "v"}})
    says = "the object has been modified; please apply your changes to the latest version and try again"
    status = api.refused(409, "Conflict", "PUT", path, {**created, "data": {"k": "w"}}, says=says)
    assert status["details"] == {"name": "a", "kind": "configmaps"}
    assert api.get(path)["data"] == {"k": "v"}


def test_other_uid(api: Api, namespace: str) -> None:
    """An object made again under the same name is another one."""
    api.post(core(namespace, "configmaps"), config_map("a"))
    other = config_map("a", uid="00000000-0000-4000-8000-000000000000")
    api.refused(409, "Conflict", "PUT", core(namespace, "configmaps", "a"), other, says="UID")


def test_no_change(api: Api, namespace: str) -> None:
    """U03."""
    created = api.post(core(namespace, "configmaps"), config_map("a", {"k": "v"}))
    assert api.put(core(namespace, "configmaps", "a"), created) == created


def test_missing(api: Api, namespace: str) -> None:
    """U04."""
    api.refused(404, "NotFound", "PUT", core(namespace, "configmaps", "a"), config_map("a"))


def test_other_name_in_the_body(api: Api, namespace: str) -> None:
    """U05."""
    api.post(core(namespace, "configmaps"), config_map("a"))
    says = "the name of the object (b) does not match the name on the URL (a)"
    api.refused(400, "BadRequest", "PUT", core(namespace, "configmaps", "a"), config_map("b"), says=says)


def test_immutable_pod_fields(api: Api, namespace: str) -> None:
    """Of a pod's spec only a few fields can be changed."""
    created = api.post(core(namespace, "pods"), pod("a"))
    created["spec"]["containers"][0]["command"] = ["sh"]
    status = api.refused(422, "Invalid", "PUT", core(namespace, "pods", "a"), created, says="may not change fields")
    assert causes(status) == {"spec": "FieldValueForbidden"}
    created["spec"]["containers"][0].pop("command")
    created["spec"]["containers"][0]["image"] = "busybox:1.36"
    api.put(core(namespace, "pods", "a"), created)


def test_immutable_config_map(api: Api, namespace: str) -> None:
    """``immutable`` is kept."""
    created = api.post(core(namespace, "configmaps"), {**config_map("a", {"k": "v"}), "immutable": True})
    status = api.refused(422, "Invalid", "PUT", core(namespace, "configmaps", "a"), {**created, "data": {"k": "w"}})
    assert causes(status) == {"data": "FieldValueForbidden"}


def test_generation_of_built_in_kinds(api: Api, namespace: str) -> None:
    """A new spec gives a new generation, anything else does not."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    created = api.post(path, deployment("a"))
    created["metadata"]["labels"] = {"l": "m"}
    labelled = api.put(f"{path}/a", created)
    assert labelled["metadata"]["generation"] == 1
    labelled["spec"]["replicas"] = 2
    assert api.put(f"{path}/a", labelled)["metadata"]["generation"] == 2


def test_immutable_selector(api: Api, namespace: str) -> None:
    """A Deployment keeps its selector."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    created = api.post(path, deployment("a"))
    created["spec"]["selector"] = {"matchLabels": {"app": "b"}}
    created["spec"]["template"]["metadata"]["labels"] = {"app": "b"}
    status = api.refused(422, "Invalid", "PUT", f"{path}/a", created, says="field is immutable")
    assert causes(status) == {"spec.selector": "FieldValueInvalid"}


def test_status_is_another_resource(api: Api, namespace: str) -> None:
    """PUT of the object leaves the status alone, PUT of the status everything else."""
    created = api.post("/api/v1/nodes", node(namespace))
    path = f"/api/v1/nodes/{namespace}"
    conditions = [{"type": "Ready", "status": "True", "reason": "Test", "message": ""}]
    changed = {**created, "status": {"conditions": conditions}}
    changed["metadata"] = {**created["metadata"], "labels": {"l": "m"}}
    answer = api.put(path, changed)
    assert "conditions" not in answer["status"]
    assert answer["metadata"]["labels"]["l"] == "m"
    answer["status"] = {"conditions": conditions}
    answer["spec"] = {**answer["spec"], "unschedulable": True}
    written = api.put(f"{path}/status", answer)
    assert written["status"]["conditions"][0]["type"] == "Ready"
    assert "unschedulable" not in written["spec"]


def test_version_may_be_left_out(api: Api, namespace: str) -> None:
    """Built-in kinds can be overwritten blindly (unless their strategy forbids it)."""
    api.post(core(namespace, "configmaps"), config_map("a"))
    assert api.put(core(namespace, "configmaps", "a"), config_map("a", {"k": "v"}))["data"] == {"k": "v"}
    api.post(f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases", {"metadata": {"name": "a"}})
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "a"}}
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/a"
    status = api.refused(422, "Invalid", "PUT", path, lease, says="must be specified for an update")
    assert causes(status) == {"metadata.resourceVersion": "FieldValueInvalid"}


def test_dropping_a_finalizer_with_a_put(api: Api, namespace: str) -> None:
    """As controllers do: it is the last one, so the object goes."""
    api.post(core(namespace, "configmaps"), config_map("a", finalizers=["example.com/hold"]))
    path = core(namespace, "configmaps", "a")
    held = api.delete(path)
    held["metadata"]["finalizers"] = []
    api.put(path, held)
    api.gone(path)

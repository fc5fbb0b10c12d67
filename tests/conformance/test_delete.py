"""DELETE: finalizers, grace, preconditions and propagation."""

import re

import pytest

from tests.conformance.api import Api, Json, causes
from tests.conformance.objects import config_map, core, deployment, owner, pod, widget

HOLD = "example.com/hold"


def options(**more: object) -> Json:
    """DeleteOptions."""
    return {"apiVersion": "v1", "kind": "DeleteOptions", **more}


@pytest.fixture
def path(namespace: str) -> str:
    """The ConfigMaps of the test's namespace."""
    return core(namespace, "configmaps")


def test_delete(api: Api, path: str) -> None:
    """F01, and a watcher is told."""
    created = api.post(path, config_map("a"))
    with api.watch(path) as watch:
        status = api.delete(f"{path}/a")
        watch.until_type("DELETED", "a")
    assert (status["kind"], status["status"]) == ("Status", "Success")
    assert status["details"] == {"name": "a", "kind": "configmaps", "uid": created["metadata"]["uid"]}
    api.gone(f"{path}/a")
    again = api.post(path, config_map("a"))
    assert again["metadata"]["uid"] != created["metadata"]["uid"]


def test_missing(api: Api, path: str) -> None:
    """F02."""
    api.refused(404, "NotFound", "DELETE", f"{path}/a")


def test_finalizer_holds(api: Api, path: str) -> None:
    """F03."""
    created = api.post(path, config_map("a", finalizers=[HOLD]))
    held = api.delete(f"{path}/a")
    metadata = held["metadata"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", metadata["deletionTimestamp"])
    assert metadata["deletionGracePeriodSeconds"] == 0
    assert int(metadata["resourceVersion"]) > int(created["metadata"]["resourceVersion"])
    assert api.get(f"{path}/a") == held
    # Once more changes nothing.
    assert api.delete(f"{path}/a")["metadata"]["resourceVersion"] == metadata["resourceVersion"]


def test_deletion_moves_the_generation(api: Api, namespace: str, widgets: str) -> None:
    """F03: where there is one, it moves with the deletionTimestamp."""
    api.post(widgets, widget("a"))
    api.add_finalizer(f"{widgets}/a")
    assert api.delete(f"{widgets}/a")["metadata"]["generation"] == 2


def test_no_new_finalizer(api: Api, path: str) -> None:
    """F04."""
    api.post(path, config_map("a", finalizers=[HOLD]))
    held = api.delete(f"{path}/a")
    held["metadata"]["finalizers"].append("example.com/late")
    says = "no new finalizers can be added if the object is being deleted"
    status = api.refused(422, "Invalid", "PUT", f"{path}/a", held, says=says)
    assert causes(status) == {"metadata.finalizers": "FieldValueForbidden"}


def test_last_finalizer(api: Api, path: str) -> None:
    """F05."""
    api.post(path, config_map("a", finalizers=["example.com/other", HOLD]))
    api.delete(f"{path}/a")
    with api.watch(path) as watch:
        api.patch(f"{path}/a", {"metadata": {"finalizers": ["example.com/other"]}})
        api.get(f"{path}/a")
        api.drop_finalizers(f"{path}/a")
        watch.until_type("DELETED", "a")
    api.gone(f"{path}/a")


def test_finalizers_without_deletion(api: Api, path: str) -> None:
    """F05: they are only data before that."""
    api.post(path, config_map("a", finalizers=[HOLD]))
    api.drop_finalizers(f"{path}/a")
    assert "deletionTimestamp" not in api.get(f"{path}/a")["metadata"]


def test_deletion_cannot_be_undone(api: Api, path: str) -> None:
    """The timestamp stays, whatever one writes."""
    api.post(path, config_map("a", finalizers=[HOLD]))
    held = api.delete(f"{path}/a")
    answer = api.patch(f"{path}/a", {"metadata": {"deletionTimestamp": None}, "data": {"k": "v"}})
    assert answer["metadata"]["deletionTimestamp"] == held["metadata"]["deletionTimestamp"]


def test_preconditions(api: Api, path: str) -> None:
    """F06."""
    created = api.post(path, config_map("a"))
    wrong = {"uid": "00000000-0000-4000-8000-000000000000"}
    api.refused(409, "Conflict", "DELETE", f"{path}/a", options(preconditions=wrong))
    api.patch(f"{path}/a", {"data": {"k": "v"}})
    stale = {"resourceVersion": created["metadata"]["resourceVersion"]}
    api.refused(409, "Conflict", "DELETE", f"{path}/a", options(preconditions=stale))
    api.delete(f"{path}/a", options(preconditions={"uid": created["metadata"]["uid"]}))


@pytest.mark.parametrize(("policy", "finalizer"), [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")])
def test_propagation(api: Api, path: str, policy: str, finalizer: str) -> None:
    """F07: the finalizer is what the garbage collector works by."""
    api.post(path, config_map("a"))
    held = api.delete(f"{path}/a", options(propagationPolicy=policy))
    assert held["metadata"]["finalizers"] == [finalizer]
    assert held["metadata"]["deletionTimestamp"]
    api.post(path, config_map("b"))
    assert api.delete(f"{path}/b", propagationPolicy=policy)["metadata"]["finalizers"] == [finalizer]
    for name in ("a", "b"):
        api.drop_finalizers(f"{path}/{name}")
        api.gone(f"{path}/{name}")


def test_background(api: Api, path: str) -> None:
    """F07: gone at once, and the garbage collector follows."""
    api.post(path, config_map("a"))
    assert api.delete(f"{path}/a", options(propagationPolicy="Background"))["status"] == "Success"
    api.gone(f"{path}/a")


def test_unknown_propagation(api: Api, path: str) -> None:
    """F07."""
    api.post(path, config_map("a"))
    api.refused(422, "Invalid", "DELETE", f"{path}/a", options(propagationPolicy="Sideways"))


def test_collection(api: Api, path: str) -> None:
    """F09."""
    for name, label in (("a", "x"), ("b", "x"), ("c", "y")):
        api.post(path, config_map(name, labels={"app": label}))
    api.delete(path, labelSelector="app=x")
    assert [each["metadata"]["name"] for each in api.get(path)["items"]] == ["c"]
    api.delete(path, fieldSelector="metadata.name=none")
    assert [each["metadata"]["name"] for each in api.get(path)["items"]] == ["c"]
    api.delete(path)
    assert api.get(path)["items"] == []


def test_collection_of_held_objects(api: Api, path: str) -> None:
    """F09, with finalizers."""
    api.post(path, config_map("a", finalizers=[HOLD]))
    api.delete(path)
    assert api.get(f"{path}/a")["metadata"]["deletionTimestamp"]


def test_pod_without_a_node(api: Api, namespace: str) -> None:
    """No kubelet has to stop it, so it goes at once. The answer is the pod."""
    path = core(namespace, "pods")
    api.post(path, pod("a"))
    assert api.delete(f"{path}/a")["kind"] == "Pod"
    api.gone(f"{path}/a")


def test_watching_a_pod_go(api: Api, namespace: str) -> None:
    """F01: a pod is marked before it goes, even where it may go at once; other kinds just go."""
    path = core(namespace, "pods")
    for name, spec in (("waiting", {}), ("assigned", {"nodeName": "n1"})):
        api.post(path, pod(name, spec))
    with api.watch(path, resourceVersion=api.version_of_list(path)) as watch:
        api.delete(f"{path}/waiting")
        api.delete(f"{path}/assigned")
        api.delete(f"{path}/assigned", gracePeriodSeconds=0)
        events = [watch.next() for _ in range(5)]
    metadata = [each["object"]["metadata"] for each in events]
    assert [(each["type"], about["name"]) for each, about in zip(events, metadata, strict=True)] == [
        ("MODIFIED", "waiting"),
        ("DELETED", "waiting"),
        ("MODIFIED", "assigned"),
        ("MODIFIED", "assigned"),
        ("DELETED", "assigned"),
    ]
    assert [each["deletionGracePeriodSeconds"] for each in metadata] == [0, 0, 30, 0, 0]


def test_grace(api: Api, namespace: str) -> None:
    """A pod on a node gets its time; the kubelet ends it with a deletion without grace."""
    path = core(namespace, "pods")
    api.post(path, pod("a", {"nodeName": "n1", "terminationGracePeriodSeconds": 7}))
    with api.watch(path) as watch:
        leaving = api.delete(f"{path}/a")
        assert leaving["metadata"]["deletionGracePeriodSeconds"] == 7
        assert leaving["metadata"]["deletionTimestamp"] > leaving["metadata"]["creationTimestamp"]
        watch.until_type("MODIFIED", "a")
        shorter = api.delete(f"{path}/a", options(gracePeriodSeconds=2))
        assert shorter["metadata"]["deletionGracePeriodSeconds"] == 2
        longer = api.delete(f"{path}/a", options(gracePeriodSeconds=60))
        assert longer["metadata"]["deletionGracePeriodSeconds"] == 2
        api.delete(f"{path}/a", gracePeriodSeconds=0)
        watch.until_type("DELETED", "a")
    api.gone(f"{path}/a")


def test_grace_of_a_pod_that_has_ended(api: Api, namespace: str) -> None:
    """Nothing is left to stop."""
    path = core(namespace, "pods")
    api.post(path, pod("a", {"nodeName": "n1"}))
    api.patch(f"{path}/a/status", {"status": {"phase": "Succeeded"}})
    api.delete(f"{path}/a")
    api.gone(f"{path}/a")


def test_grace_with_finalizer(api: Api, namespace: str) -> None:
    """After its time the pod is still held."""
    path = core(namespace, "pods")
    api.post(path, pod("a", {"nodeName": "n1"}, finalizers=[HOLD]))
    api.delete(f"{path}/a")
    held = api.delete(f"{path}/a", options(gracePeriodSeconds=0))
    assert held["metadata"]["deletionGracePeriodSeconds"] == 0
    api.drop_finalizers(f"{path}/a")
    api.gone(f"{path}/a")


def test_terminating_namespace(api: Api, namespace: str) -> None:
    """Deletion of a namespace begins: its phase says so, and nothing new comes into it."""
    name = f"{namespace}-x"
    api.post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    # So that it stays, controllers or not.
    api.post(core(name, "configmaps"), config_map("held", finalizers=[HOLD]))
    leaving = api.delete(f"/api/v1/namespaces/{name}")
    assert leaving["status"]["phase"] == "Terminating"
    assert leaving["metadata"]["deletionTimestamp"]
    says = "because it is being terminated"
    status = api.refused(403, "Forbidden", "POST", core(name, "configmaps"), config_map("a"), says=says)
    assert {cause["reason"] for cause in status["details"]["causes"]} == {"NamespaceTerminating"}


def test_finalize_a_namespace(api: Api, namespace: str) -> None:
    """What the namespace controller does last."""
    path = f"/api/v1/namespaces/{namespace}"
    api.delete(path)
    found = api.get(path)
    found["spec"]["finalizers"] = []
    api.put(f"{path}/finalize", found)
    api.gone(path)


def test_collecting_garbage(api: Api, namespace: str, path: str, controllers: None) -> None:
    """F08: what has lost its owner goes, and what that owned."""
    first = api.post(path, config_map("first"))
    second = api.post(path, config_map("second", ownerReferences=[owner(first)]))
    api.post(core(namespace, "pods"), pod("third", ownerReferences=[owner(second)]))
    with api.watch(core(namespace, "pods")) as watch:
        api.delete(f"{path}/first")
        watch.until_type("DELETED", "third")
    api.gone(f"{path}/second")


def test_owner_that_never_was(api: Api, namespace: str, path: str, controllers: None) -> None:
    """F08: a reference is by UID."""
    first = api.post(path, config_map("first"))
    with api.watch(path) as watch:
        other = owner(first, uid="00000000-0000-4000-8000-000000000000")
        api.post(path, config_map("second", ownerReferences=[other]))
        watch.until_type("DELETED", "second")
    api.get(f"{path}/first")


def test_one_owner_left(api: Api, namespace: str, path: str, controllers: None) -> None:
    """F08: the reference to the lost owner is dropped, the object stays."""
    first, second = api.post(path, config_map("first")), api.post(path, config_map("second"))
    api.post(path, config_map("third", ownerReferences=[owner(first), owner(second)]))
    with api.watch(path, fieldSelector="metadata.name=third") as watch:
        api.delete(f"{path}/first")
        watch.until(lambda event: event["type"] == "MODIFIED")
    assert api.get(f"{path}/third")["metadata"]["ownerReferences"] == [owner(second)]


def test_foreground(api: Api, namespace: str, path: str, controllers: None) -> None:
    """F07 and F08: the owner waits for those that block it."""
    first = api.post(path, config_map("first"))
    blocking = owner(first, blockOwnerDeletion=True)
    api.post(path, config_map("second", ownerReferences=[blocking], finalizers=[HOLD]))
    with api.watch(path) as watch:
        api.delete(f"{path}/first", options(propagationPolicy="Foreground"))
        watch.until(
            lambda event: (
                event["object"]["metadata"]["name"] == "second" and "deletionTimestamp" in event["object"]["metadata"]
            )
        )
        assert api.get(f"{path}/first")["metadata"]["finalizers"] == ["foregroundDeletion"]
        api.drop_finalizers(f"{path}/second")
        watch.until_type("DELETED", "first")


def test_orphans(api: Api, namespace: str, path: str, controllers: None) -> None:
    """F07 and F08: dependents stay and lose the reference."""
    first = api.post(path, config_map("first"))
    api.post(path, config_map("second", ownerReferences=[owner(first)]))
    with api.watch(path) as watch:
        api.delete(f"{path}/first", options(propagationPolicy="Orphan"))
        watch.until_type("DELETED", "first")
    assert "ownerReferences" not in api.get(f"{path}/second")["metadata"]


def test_namespace_deletion(api: Api, namespace: str, widgets: str, controllers: None) -> None:
    """X01: everything in it goes, of custom kinds too; what is held keeps it."""
    api.post(core(namespace, "configmaps"), config_map("a", finalizers=[HOLD]))
    api.post(core(namespace, "pods"), pod("a"))
    api.post(f"/apis/apps/v1/namespaces/{namespace}/deployments", deployment("a"))
    api.post(widgets, widget("a"))
    with api.watch("/api/v1/namespaces", fieldSelector=f"metadata.name={namespace}") as watch:
        with api.watch(core(namespace, "configmaps")) as contents:
            api.delete(f"/api/v1/namespaces/{namespace}")
            contents.until(lambda event: "deletionTimestamp" in event["object"]["metadata"])
        api.get(f"/api/v1/namespaces/{namespace}")
        api.drop_finalizers(core(namespace, "configmaps", "a"))
        watch.until_type("DELETED", namespace)
    api.gone(f"/api/v1/namespaces/{namespace}")
    for path in (widgets, core(namespace, "pods"), core(namespace, "configmaps")):
        assert api.get(path)["items"] == []

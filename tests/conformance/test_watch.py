"""WATCH: every change once, in order, from where one asks."""

import json

import pytest

from tests.conformance.api import Api, Json
from tests.conformance.objects import config_map, core, event, pod, widget
from tests.conformance.target import Target


def summary(event: Json) -> tuple[str, str]:
    """Type and name."""
    return event["type"], event["object"]["metadata"]["name"]


@pytest.fixture
def path(namespace: str) -> str:
    """The ConfigMaps of the test's namespace."""
    return core(namespace, "configmaps")


def test_from_the_beginning(api: Api, path: str) -> None:
    """W01."""
    for name in ("a", "b"):
        api.post(path, config_map(name))
    with api.watch(path) as watch:
        assert {summary(watch.next()), summary(watch.next())} == {("ADDED", "a"), ("ADDED", "b")}
        api.post(path, config_map("c"))
        assert summary(watch.next()) == ("ADDED", "c")


def test_version_zero(api: Api, path: str) -> None:
    """W01: the same, from what is at hand."""
    api.post(path, config_map("a"))
    with api.watch(path, resourceVersion="0") as watch:
        assert summary(watch.next()) == ("ADDED", "a")


def test_from_a_version(api: Api, path: str) -> None:
    """W02."""
    api.post(path, config_map("a"))
    with api.watch(path, resourceVersion=api.version_of_list(path)) as watch:
        api.post(path, config_map("b"))
        assert summary(watch.next()) == ("ADDED", "b")


def test_replay(api: Api, path: str) -> None:
    """W03, in order, each event with the object as it was then."""
    version = api.version_of_list(path)
    api.post(path, config_map("a", {"k": "1"}))
    api.patch(f"{path}/a", {"data": {"k": "2"}})
    api.post(path, config_map("b"))
    api.delete(f"{path}/a")
    with api.watch(path, resourceVersion=version) as watch:
        events = [watch.next() for _ in range(4)]
    assert [summary(each) for each in events] == [("ADDED", "a"), ("MODIFIED", "a"), ("ADDED", "b"), ("DELETED", "a")]
    assert [each["object"].get("data") for each in events] == [{"k": "1"}, {"k": "2"}, None, {"k": "2"}]
    versions = [int(each["object"]["metadata"]["resourceVersion"]) for each in events]
    assert versions == sorted(set(versions))


def test_resume_in_the_middle(api: Api, path: str) -> None:
    """W03: from the version of any object seen."""
    first = api.post(path, config_map("a"))
    api.post(path, config_map("b"))
    with api.watch(path, resourceVersion=first["metadata"]["resourceVersion"]) as watch:
        assert summary(watch.next()) == ("ADDED", "b")


@pytest.mark.parametrize("value", ["1", "true"])
def test_spelling(api: Api, path: str, value: str) -> None:
    """W04."""
    api.post(path, config_map("a"))
    with api.watch(path, watch=value) as watch:
        assert summary(watch.next()) == ("ADDED", "a")


def test_end(api: Api, path: str) -> None:
    """W05: the server ends it, in the middle of nothing."""
    api.post(path, config_map("a"))
    with api.watch(path, timeoutSeconds=1) as watch:
        assert [summary(each) for each in watch] == [("ADDED", "a")]


def test_bookmarks(api: Api, path: str) -> None:
    """W06: one comes shortly before the end, so that the next watch has a place to begin."""
    version = api.version_of_list(path)
    with api.watch(path, resourceVersion=version, allowWatchBookmarks="true", timeoutSeconds=4) as watch:
        api.post(path, config_map("a"))
        bookmark = watch.until(lambda each: each["type"] == "BOOKMARK")["object"]
    assert (bookmark["kind"], bookmark["apiVersion"]) == ("ConfigMap", "v1")
    assert int(bookmark["metadata"]["resourceVersion"]) > int(version)
    assert "name" not in bookmark["metadata"]


def test_forgotten_version(api: Api, namespace: str, target: Target) -> None:
    """W08: a watch of events, since a real server keeps the latest of other kinds in memory for longer."""
    path = core(namespace, "events")
    version = api.version_of_list(path)
    api.post(path, event("a", namespace, "p"))
    api.post(path, event("b", namespace, "p"))
    target.compact()
    with api.watch(path, resourceVersion=version) as watch:
        error = watch.next()
    assert error["type"] == "ERROR"
    status = error["object"]
    assert (status["kind"], status["status"]) == ("Status", "Failure")
    assert (status["code"], status["reason"]) == (410, "Expired")


def test_what_is_there_survives_a_compaction(api: Api, path: str, target: Target) -> None:
    """W08: lists, and watches from their version, go on."""
    api.post(path, config_map("a"))
    target.compact()
    found = api.get(path)
    assert [each["metadata"]["name"] for each in found["items"]] == ["a"]
    with api.watch(path, resourceVersion=found["metadata"]["resourceVersion"]) as watch:
        api.delete(f"{path}/a")
        assert summary(watch.next()) == ("DELETED", "a")


@pytest.mark.parametrize("version", ["x", "-1", "1.5"])
def test_invalid_version(api: Api, path: str, version: str) -> None:
    """W09. A real server calls that its own fault."""
    answer = api.call("GET", path, watch="true", resourceVersion=version)
    assert answer.status_code in {400, 422, 500}
    assert answer.json()["status"] == "Failure"


def test_label_selector(api: Api, path: str) -> None:
    """W10: to come into the selection is to be added, to leave it is to be deleted."""
    version = api.version_of_list(path)
    with api.watch(path, labelSelector="app=x", resourceVersion=version) as watch:
        api.post(path, config_map("a", labels={"app": "x"}))
        api.post(path, config_map("b", labels={"app": "y"}))
        api.patch(f"{path}/b", {"metadata": {"labels": {"app": "x"}}})
        left = api.patch(f"{path}/a", {"metadata": {"labels": {"app": "y"}}})
        api.delete(f"{path}/a")
        api.delete(f"{path}/b")
        events = [watch.next() for _ in range(4)]
    assert [summary(each) for each in events] == [("ADDED", "a"), ("ADDED", "b"), ("DELETED", "a"), ("DELETED", "b")]
    # The object as it was when it still belonged to the selection, but with the version of its leaving.
    assert events[2]["object"]["metadata"]["labels"] == {"app": "x"}
    assert events[2]["object"]["metadata"]["resourceVersion"] == left["metadata"]["resourceVersion"]


def test_field_selector(api: Api, path: str) -> None:
    """W11."""
    with api.watch(path, fieldSelector="metadata.name=b") as watch:
        api.post(path, config_map("a"))
        api.post(path, config_map("b"))
        assert summary(watch.next()) == ("ADDED", "b")


def test_field_selector_of_pods(api: Api, namespace: str) -> None:
    """W11: a kubelet sees its pods as soon as they are bound."""
    path = core(namespace, "pods")
    with api.watch(path, fieldSelector="spec.nodeName=n1") as watch:
        api.post(path, pod("a"))
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "a"}}
        api.post(f"{path}/a/binding", {**binding, "target": {"kind": "Node", "name": "n1"}})
        event = watch.next()
    assert summary(event) == ("ADDED", "a")
    assert event["object"]["spec"]["nodeName"] == "n1"


def test_deleted_has_a_newer_version(api: Api, path: str) -> None:
    """W12."""
    created = api.post(path, config_map("a"))
    version = created["metadata"]["resourceVersion"]
    with api.watch(path, resourceVersion=version) as watch:
        api.delete(f"{path}/a")
        deleted = watch.until_type("DELETED", "a")
    assert int(deleted["metadata"]["resourceVersion"]) > int(version)
    assert deleted["metadata"]["uid"] == created["metadata"]["uid"]


def test_modified(api: Api, path: str) -> None:
    """W13, and nothing for a PUT that changes nothing."""
    created = api.post(path, config_map("a"))
    with api.watch(path, resourceVersion=created["metadata"]["resourceVersion"]) as watch:
        api.put(f"{path}/a", created)
        changed = api.put(f"{path}/a", {**created, "data": {"k": "v"}})
        event = watch.next()
    assert summary(event) == ("MODIFIED", "a")
    assert event["object"] == changed


def test_objects_name_their_kind(api: Api, path: str, widgets: str) -> None:
    """W14."""
    created = api.post(path, config_map("a"))
    with api.watch(path) as watch:
        assert watch.next() == {"type": "ADDED", "object": created}
    made = api.post(widgets, widget("a"))
    with api.watch(widgets) as watch:
        assert watch.next() == {"type": "ADDED", "object": made}


def test_all_namespaces(api: Api, path: str, namespace: str) -> None:
    """One watch for a kind, as informers hold."""
    version = api.version_of_list("/api/v1/configmaps")
    with api.watch("/api/v1/configmaps", resourceVersion=version) as watch:
        api.post(path, config_map("only-here"))
        event = watch.until(lambda event: event["object"]["metadata"]["namespace"] == namespace)
    assert summary(event) == ("ADDED", "only-here")


def test_custom_kind(api: Api, widgets: str) -> None:
    """The same for kinds that came later."""
    with api.watch(widgets, resourceVersion=api.version_of_list(widgets)) as watch:
        api.post(widgets, widget("a"))
        api.patch(f"{widgets}/a/status", {"status": {"phase": "Ready"}})
        api.delete(f"{widgets}/a")
        events = [watch.next() for _ in range(3)]
    assert [each["type"] for each in events] == ["ADDED", "MODIFIED", "DELETED"]


def test_table(api: Api, path: str) -> None:
    """What kubectl get -w asks for: a row for each event, the columns only once."""
    with api.watch(path, accept="application/json;as=Table;v=v1;g=meta.k8s.io") as watch:
        api.post(path, config_map("a", {"k": "v"}))
        api.post(path, config_map("b"))
        first, second = watch.next()["object"], watch.next()["object"]
    assert (first["kind"], first["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert [column["name"] for column in first["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert first["rows"][0]["cells"][:2] == ["a", 1]
    assert second["columnDefinitions"] is None
    assert second["rows"][0]["object"]["metadata"]["name"] == "b"


def test_metadata_only(api: Api, path: str) -> None:
    """What metadata informers ask for."""
    accept = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
    api.post(path, config_map("a", {"k": "v"}))
    with api.watch(path, accept=accept) as watch:
        found = watch.next()["object"]
    assert (found["kind"], found["apiVersion"]) == ("PartialObjectMetadata", "meta.k8s.io/v1")
    assert found["metadata"]["name"] == "a"
    assert "data" not in found


def test_one_event_a_line(api: Api, path: str) -> None:
    """The framing, and the content type."""
    api.post(path, config_map("a", {"k": "two\nlines"}))
    query = {"watch": "true", "timeoutSeconds": "1"}
    with api.http.stream("GET", path, params=query, headers={"Accept": "application/json"}) as response:
        assert response.headers["Content-Type"] == "application/json"
        [line] = [line for line in response.read().decode().split("\n") if line]
    assert json.loads(line)["object"]["data"] == {"k": "two\nlines"}


def test_dry_runs_are_not_seen(api: Api, path: str) -> None:
    """C11, as a watcher sees it."""
    with api.watch(path, resourceVersion=api.version_of_list(path)) as watch:
        api.post(path, config_map("a"), dryRun="All")
        api.post(path, config_map("b"))
        assert summary(watch.next()) == ("ADDED", "b")

"""LIST: selectors and pages."""

import pytest

from tests.conformance.api import Api, Json
from tests.conformance.objects import config_map, core, event, pod, widget


def names(listed: Json) -> list[str]:
    """The names in a list, as they come."""
    return [each["metadata"]["name"] for each in listed["items"]]


@pytest.fixture
def labelled(api: Api, namespace: str) -> str:
    """The path of four ConfigMaps a, b, c, d with labels."""
    labels = {"a": {"app": "x", "tier": "1"}, "b": {"app": "y"}, "c": {"app": "z", "tier": "2"}, "d": {}}
    path = core(namespace, "configmaps")
    for name, each in labels.items():
        api.post(path, config_map(name, labels=each))
    return path


def test_shape(api: Api, namespace: str) -> None:
    """L01."""
    created = api.post(core(namespace, "configmaps"), config_map("a"))
    found = api.get(core(namespace, "configmaps"))
    assert (found["kind"], found["apiVersion"]) == ("ConfigMapList", "v1")
    assert int(found["metadata"]["resourceVersion"]) >= int(created["metadata"]["resourceVersion"])
    [item] = found["items"]
    assert item["metadata"] == created["metadata"]
    # Items of built-in kinds do not say what they are: the list does.
    assert "kind" not in item


def test_items_of_custom_kinds_name_their_kind(api: Api, widgets: str) -> None:
    """L01, where it is different."""
    created = api.post(widgets, widget("a"))
    found = api.get(widgets)
    assert found["kind"] == "WidgetList"
    assert found["items"] == [created]


def test_sorted_by_key(api: Api, namespace: str) -> None:
    """By namespace and name."""
    path = core(namespace, "configmaps")
    for name in ("b", "c", "a"):
        api.post(path, config_map(name))
    assert names(api.get(path)) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("app=x", "a"),
        ("app==x", "a"),
        ("app!=x", "bcd"),
        ("app in (x, y)", "ab"),
        ("app notin (x,y)", "cd"),
        ("app", "abc"),
        ("!app", "d"),
        ("app,tier", "ac"),
        ("app,!tier", "b"),
        ("tier=1,app=x", "a"),
        ("tier>1", "c"),
        ("tier<2", "a"),
        ("app=", ""),
        ("", "abcd"),
    ],
)
def test_label_selectors(api: Api, labelled: str, selector: str, expected: str) -> None:
    """L02."""
    assert "".join(names(api.get(labelled, labelSelector=selector))) == expected


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("metadata.name=b", "b"),
        ("metadata.name==b", "b"),
        ("metadata.name!=b", "acd"),
        ("metadata.name=none", ""),
        ("metadata.name=a,metadata.name=b", ""),
    ],
)
def test_field_selectors(api: Api, labelled: str, selector: str, expected: str) -> None:
    """L03."""
    assert "".join(names(api.get(labelled, fieldSelector=selector))) == expected


def test_field_selectors_by_namespace(api: Api, labelled: str, namespace: str) -> None:
    """L03, over all namespaces."""
    found = api.get("/api/v1/configmaps", fieldSelector=f"metadata.namespace={namespace},metadata.name!=a")
    assert names(found) == ["b", "c", "d"]


def test_field_selectors_of_pods(api: Api, namespace: str) -> None:
    """L03: those by which the kubelet and people look for pods."""
    path = core(namespace, "pods")
    api.post(path, pod("a", {"nodeName": "n1"}))
    api.post(path, pod("b", {"nodeName": "n2", "restartPolicy": "Never"}))
    api.patch(f"{path}/b/status", {"status": {"phase": "Succeeded"}})
    assert names(api.get(path, fieldSelector="spec.nodeName=n1")) == ["a"]
    assert names(api.get(path, fieldSelector="spec.nodeName!=n1")) == ["b"]
    assert names(api.get(path, fieldSelector="status.phase=Pending")) == ["a"]
    assert names(api.get(path, fieldSelector="spec.restartPolicy=Never,status.phase=Succeeded")) == ["b"]
    assert names(api.get(path, fieldSelector="spec.schedulerName=default-scheduler")) == ["a", "b"]


def test_field_selectors_of_events(api: Api, namespace: str) -> None:
    """L03: what kubectl describe asks."""
    path = core(namespace, "events")
    api.post(path, event("a", namespace, "p"))
    api.post(path, event("b", namespace, "q", reason="Other"))
    about = f"involvedObject.name=p,involvedObject.namespace={namespace},involvedObject.kind=Pod,involvedObject.uid=u-p"
    assert names(api.get(path, fieldSelector=about)) == ["a"]
    assert names(api.get(path, fieldSelector="reason=Other")) == ["b"]
    assert names(api.get(path, fieldSelector="type!=Normal")) == []


def test_unknown_field(api: Api, namespace: str, widgets: str) -> None:
    """L05: a field that cannot be selected by."""
    configmaps = core(namespace, "configmaps")
    says = '"data.k" is not a known field selector'
    api.refused(400, "BadRequest", "GET", configmaps, fieldSelector="data.k=v", says=says)
    says = "field label not supported"
    api.refused(400, "BadRequest", "GET", widgets, fieldSelector="spec.size=3", says=says)


def test_pages(api: Api, labelled: str) -> None:
    """L04."""
    first = api.get(labelled, limit=3)
    assert names(first) == ["a", "b", "c"]
    assert first["metadata"]["remainingItemCount"] == 1
    second = api.get(labelled, limit=3, **{"continue": first["metadata"]["continue"]})
    assert names(second) == ["d"]
    assert "continue" not in second["metadata"]
    assert "remainingItemCount" not in second["metadata"]
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


def test_pages_are_of_one_moment(api: Api, labelled: str) -> None:
    """L04: what changes between two pages is not seen in the second."""
    first = api.get(labelled, limit=1)
    api.delete(f"{labelled}/b")
    api.patch(f"{labelled}/c", {"data": {"k": "new"}})
    api.post(labelled, config_map("bb"))
    rest = api.get(labelled, **{"continue": first["metadata"]["continue"]})
    assert names(rest) == ["b", "c", "d"]
    assert "data" not in rest["items"][1]


def test_pages_with_a_selector(api: Api, labelled: str) -> None:
    """L04: how many remain is not told then."""
    first = api.get(labelled, limit=1, labelSelector="tier")
    assert names(first) == ["a"]
    assert "remainingItemCount" not in first["metadata"]
    second = api.get(labelled, limit=1, labelSelector="tier", **{"continue": first["metadata"]["continue"]})
    assert names(second) == ["c"]


def test_page_exactly_full(api: Api, labelled: str) -> None:
    """L04: nothing remains, so nothing is to be continued."""
    assert "continue" not in api.get(labelled, limit=4)["metadata"]


def test_broken_page(api: Api, labelled: str) -> None:
    """L05."""
    api.refused(400, "BadRequest", "GET", labelled, **{"continue": "nonsense"})


@pytest.mark.parametrize("selector", ["app in", "=x", "app=x=y", "app in x", "bad key!=x", "app=bad value!"])
def test_invalid_label_selectors(api: Api, namespace: str, selector: str) -> None:
    """L05."""
    api.refused(400, "BadRequest", "GET", core(namespace, "configmaps"), labelSelector=selector)


def test_invalid_field_selector(api: Api, namespace: str) -> None:
    """L05."""
    api.refused(400, "BadRequest", "GET", core(namespace, "configmaps"), fieldSelector="metadata.name")


def test_all_namespaces(api: Api, labelled: str, namespace: str) -> None:
    """L06."""
    found = api.get("/api/v1/configmaps", labelSelector="app=x")
    assert (namespace, "a") in {(each["metadata"]["namespace"], each["metadata"]["name"]) for each in found["items"]}


@pytest.mark.parametrize("plural", ["configmaps", "pods"])
def test_empty(api: Api, namespace: str, plural: str) -> None:
    """L07."""
    found = api.get(core(namespace, plural))
    assert found["items"] == []
    assert int(found["metadata"]["resourceVersion"]) > 0
    assert api.get(f"/api/v1/{plural}", labelSelector="never=there")["items"] == []


def test_empty_custom_kind(api: Api, widgets: str) -> None:
    """L07."""
    found = api.get(widgets)
    assert (found["kind"], found["items"]) == ("WidgetList", [])


def test_from_the_cache(api: Api, namespace: str) -> None:
    """Version 0 is whatever is at hand, as informers ask first; a version means: not older than that."""
    created = api.post(core(namespace, "configmaps"), config_map("a"))
    version = created["metadata"]["resourceVersion"]
    assert api.get(core(namespace, "configmaps"), resourceVersion="0")["kind"] == "ConfigMapList"
    assert names(api.get(core(namespace, "configmaps"), resourceVersion=version)) == ["a"]
    found = api.get(core(namespace, "configmaps"), resourceVersion=version, resourceVersionMatch="NotOlderThan")
    assert names(found) == ["a"]


def test_exact_version(api: Api, namespace: str) -> None:
    """A list as it was."""
    path = core(namespace, "configmaps")
    version = api.post(path, config_map("a"))["metadata"]["resourceVersion"]
    api.post(path, config_map("b"))
    found = api.get(path, resourceVersion=version, resourceVersionMatch="Exact")
    assert names(found) == ["a"]
    assert found["metadata"]["resourceVersion"] == version


def test_invalid_version(api: Api, namespace: str) -> None:
    """Not a number. A real server calls that its own fault."""
    answer = api.call("GET", core(namespace, "configmaps"), resourceVersion="x")
    assert answer.status_code in {400, 422, 500}
    assert answer.json()["status"] == "Failure"

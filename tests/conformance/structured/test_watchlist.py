"""Watches that begin with all that is there (KEP-3157), as client-go's informers begin from 1.35 on."""

from typing import Any

import pytest

from tests.conformance.api import Api, Json, causes
from tests.conformance.objects import config_map, core

ALL: dict[str, str] = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}


@pytest.fixture
def path(namespace: str) -> str:
    """The ConfigMaps of the test's namespace."""
    return core(namespace, "configmaps")


def summary(event: Json) -> tuple[str, str]:
    """Type and name."""
    return event["type"], event["object"]["metadata"].get("name", "")


@pytest.mark.parametrize("version", ["", "0", "of the list"])
def test_what_is_there_comes_first_and_then_a_bookmark(api: Api, path: str, version: str) -> None:
    """W07: whatever the version is."""
    for name in ("a", "b"):
        api.post(path, config_map(name))
    listed = api.version_of_list(path)
    asked = listed if version == "of the list" else version
    with api.watch(path, resourceVersion=asked, allowWatchBookmarks="true", timeoutSeconds=20, **ALL) as watch:
        seen = [watch.next(), watch.next()]
        bookmark = watch.next()
        api.post(path, config_map("c"))
        after = watch.next()
    assert sorted(map(summary, seen)) == [("ADDED", "a"), ("ADDED", "b")]
    assert summary(bookmark) == ("BOOKMARK", "")
    metadata = bookmark["object"]["metadata"]
    assert metadata["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert int(metadata["resourceVersion"]) >= int(listed)
    assert set(metadata) == {"annotations", "resourceVersion"}
    assert (bookmark["object"]["kind"], bookmark["object"]["apiVersion"]) == ("ConfigMap", "v1")
    assert summary(after) == ("ADDED", "c")


def test_the_selection_counts_for_what_is_there(api: Api, path: str) -> None:
    for name in ("a", "b"):
        api.post(path, config_map(name))
    options = {"fieldSelector": "metadata.name=b", "allowWatchBookmarks": "true", "timeoutSeconds": "20"}
    with api.watch(path, **options, **ALL) as watch:
        assert [summary(watch.next()), summary(watch.next())] == [("ADDED", "b"), ("BOOKMARK", "")]


def test_a_table_has_the_bookmark_too(api: Api, path: str) -> None:
    """What `kubectl get --watch` would ask for."""
    api.post(path, config_map("a"))
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
    with api.watch(path, accept, allowWatchBookmarks="true", timeoutSeconds=20, **ALL) as watch:
        first, bookmark = watch.next(), watch.next()
    assert [row["cells"][0] for row in first["object"]["rows"]] == ["a"]
    assert bookmark["type"] == "BOOKMARK"
    (row,) = bookmark["object"]["rows"]
    assert row["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_without_bookmarks_there_is_none(api: Api, path: str) -> None:
    api.post(path, config_map("a"))
    with api.watch(path, timeoutSeconds=1, **ALL) as watch:
        assert [summary(each) for each in watch] == [("ADDED", "a")]


@pytest.mark.parametrize("version", ["", "0"])
def test_a_watch_can_do_without_what_is_there(api: Api, path: str, version: str) -> None:
    api.post(path, config_map("a"))
    options = {"sendInitialEvents": "false", "resourceVersionMatch": "NotOlderThan", "resourceVersion": version}
    with api.watch(path, timeoutSeconds=20, **options) as watch:
        api.post(path, config_map("b"))
        assert summary(watch.next()) == ("ADDED", "b")


_UNASKED = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {"watch": "true", "sendInitialEvents": "true"},
            {"resourceVersionMatch": "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"},
        ),
        (
            {"watch": "true", "resourceVersionMatch": "NotOlderThan"},
            {"resourceVersionMatch": _UNASKED},
        ),
        (
            {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "resourceVersion": "0"},
            {"sendInitialEvents": "sendInitialEvents is forbidden for list"},
        ),
        (
            {"resourceVersionMatch": "Exact", "resourceVersion": "0"},
            {"resourceVersionMatch": 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'},
        ),
    ],
)
def test_refused_options(api: Api, path: str, options: dict[str, Any], expected: dict[str, str]) -> None:
    status = api.refused(422, "Invalid", "GET", path, **options)
    assert causes(status) == dict.fromkeys(expected, "FieldValueForbidden")
    for cause in status["details"]["causes"]:
        assert cause["message"] == f"Forbidden: {expected[cause['field']]}"

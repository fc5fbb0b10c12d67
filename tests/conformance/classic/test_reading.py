"""How the kinds of classic DRA are listed and shown, and what becomes of a list that takes too long."""

from typing import Any

import pytest

from tests.conformance.api import Api, Json, causes
from tests.conformance.objects import RESOURCE, config_map, core, resource
from tests.conformance.target import Target
from tests.conformance.test_discovery import resources
from tests.conformance.test_tables import columns, rows


def _kind(kind: str, **fields: Any) -> Json:
    return {"apiVersion": "resource.k8s.io/v1alpha2", "kind": kind, "metadata": {"name": "a"}, **fields}


@pytest.mark.parametrize("plural", ["resourceclaims", "podschedulingcontexts", "resourceclaimtemplates"])
def test_empty(api: Api, namespace: str, plural: str) -> None:
    """L07."""
    found = api.get(resource(namespace, plural))
    assert found["items"] == []
    assert int(found["metadata"]["resourceVersion"]) > 0
    assert api.get(f"{RESOURCE}/{plural}", labelSelector="never=there")["items"] == []


def test_unknown_field(api: Api, namespace: str) -> None:
    """L05: a field that cannot be selected by."""
    says = '"spec.resourceClassName" is not a known field selector'
    path = resource(namespace, "resourceclaims")
    api.refused(400, "BadRequest", "GET", path, fieldSelector="spec.resourceClassName=x", says=says)


@pytest.mark.parametrize(
    ("plural", "body", "names", "cells"),
    [
        (
            "resourceclaimtemplates",
            _kind("ResourceClaimTemplate", spec={"spec": {"resourceClassName": "c"}}),
            "ResourceClassName, AllocationMode, Age",
            ["c", "WaitForFirstConsumer"],
        ),
        (
            "podschedulingcontexts",
            _kind("PodSchedulingContext", spec={"selectedNode": "n"}),
            "SelectedNode, Age",
            ["n"],
        ),
    ],
)
def test_tables(api: Api, namespace: str, plural: str, body: Json, names: str, cells: list[Any]) -> None:
    path = resource(namespace, plural)
    assert columns(api, path) == names
    api.post(path, body)
    assert rows(api, path)["a"][: len(cells)] == cells


def test_generated_parameters_name_their_origin(api: Api, namespace: str) -> None:
    """The built-in parameters of 1.30, which a driver makes of its own."""
    path = resource(namespace, "resourceclaimparameters")
    origin = {"apiGroup": "example.com", "kind": "Mine", "name": "m"}
    api.post(path, _kind("ResourceClaimParameters", generatedFrom=origin))
    assert rows(api, path)["a"][0] == "Mine.example.com m"


def test_expired_page(api: Api, namespace: str, target: Target) -> None:
    """L04 and W08: the list has to be begun again. Later servers find old pages in their cache."""
    path = core(namespace, "configmaps")
    for name in ("a", "b"):
        api.post(path, config_map(name))
    first = api.get(path, limit=1)
    api.post(path, config_map("new"))
    target.compact()
    status = api.refused(410, "Expired", "GET", path, **{"continue": first["metadata"]["continue"]})
    # With that token a client may go on at the price of a list of two moments.
    inconsistent = api.get(path, **{"continue": status["metadata"]["continue"]})
    assert [each["metadata"]["name"] for each in inconsistent["items"]] == ["b", "new"]


def test_initial_events(api: Api, namespace: str) -> None:
    """W07: the gate WatchList is off in 1.30."""
    status = api.refused(
        422,
        "Invalid",
        "GET",
        core(namespace, "configmaps"),
        watch="true",
        sendInitialEvents="true",
        resourceVersionMatch="NotOlderThan",
        allowWatchBookmarks="true",
        says="sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled",
    )
    assert causes(status) == {"sendInitialEvents": "FieldValueForbidden"}


def test_dra_resources(api: Api) -> None:
    """The kinds of classic DRA, and no status where a kind has none."""
    listed = resources(api.get(RESOURCE))
    namespaced = {name: entry["namespaced"] for name, entry in listed.items()}
    expected = {
        "podschedulingcontexts": True,
        "podschedulingcontexts/status": True,
        "resourceclaims": True,
        "resourceclaims/status": True,
        "resourceclaimtemplates": True,
        "resourceclasses": False,
        "resourceslices": False,
    }
    assert expected.items() <= namespaced.items()
    assert "resourceclasses/status" not in listed

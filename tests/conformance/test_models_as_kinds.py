"""Kinds that are written with ``api.schema``: servers take their CRD, and refuse what the model does not allow."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from fake_dra_driver.codegen import definition
from tests.conformance.api import Api, Json
from tests.conformance.definitions import condition, install
from tests.conformance.objects import CRD_PATH, crd, widget
from tests.support.kiln import BAD, BROKEN_RULES, GOOD, Firing


@pytest.fixture
def firings(api: Api, namespace: str) -> str:
    """The path of the kind's objects."""
    install(api, definition(Firing))
    return Firing.resource.path(namespace)


def firing(spec: Mapping[str, Any]) -> Json:
    """An object with that spec, with a name that no other has."""
    metadata = {"generateName": "test-"}
    return {"apiVersion": Firing.resource.api_version, "kind": "Firing", "metadata": metadata, "spec": spec}


def test_the_definition_is_structural(api: Api, firings: str) -> None:
    found = api.get(f"{CRD_PATH}/{Firing.resource.plural}.{Firing.resource.group}")
    assert condition(found, "NonStructuralSchema") == ""
    assert condition(found, "Established") == "True"


def test_what_the_model_allows_is_taken_and_defaults_are_filled_in(api: Api, firings: str) -> None:
    for spec in GOOD:
        expected: Json = {"glaze": "matt", "weight": "1500m", **spec}
        if "steps" in spec:
            expected["steps"] = [{"part": 1, **step} for step in spec["steps"]]
        assert api.post(firings, firing(spec))["spec"] == expected


@pytest.mark.parametrize(("spec", "message"), [*BAD, *BROKEN_RULES], ids=lambda value: json.dumps(value)[:60])
def test_what_the_model_does_not_allow_is_refused(
    api: Api, firings: str, spec: Mapping[str, Any], message: str
) -> None:
    answer = api.call("POST", firings, firing(spec))
    assert answer.status_code == 422
    assert message in answer.json()["message"]


def test_there_is_no_null_among_choices(api: Api, namespace: str) -> None:
    """Why ``codegen`` makes no such kind."""
    group = f"{namespace}.example.com"
    body = crd(group)
    schema = body["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"]["properties"]["note"]["enum"] = ["a", None]
    install(api, body)
    answer = api.call("POST", f"/apis/{group}/v1/namespaces/{namespace}/widgets", widget("a", group, note=None))
    assert answer.status_code == 422
    assert "spec.note: Unsupported value" in answer.json()["message"]

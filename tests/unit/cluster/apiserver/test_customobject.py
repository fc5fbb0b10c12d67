"""Custom kinds: the driver's own CRDs, and one with every feature."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

import fake_dra_driver
from tests.unit.cluster.apiserver.asking import MERGE, STRATEGIC, Ask

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
FOLDER = Path(str(fake_dra_driver.__file__)).parent.parent / "crds"
WIDGETS = "/apis/conf.example/v1/namespaces/default/widgets"
PARAMETERS = "/apis/fake.resource.3-shake.com/v1alpha1/namespaces/default/fakeclaimparameters"
SPEC = {
    "type": "object",
    "properties": {
        "replicas": {"type": "integer", "default": 1, "minimum": 0},
        "color": {
            "type": "string",
            "enum": ["red", "blue"],
            "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "color is immutable"}],
        },
    },
}


def widget_crd(rule: str = "true") -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {
            "spec": {**SPEC, "x-kubernetes-validations": [{"rule": rule}]},
            "status": {"type": "object", "properties": {"replicas": {"type": "integer"}}},
        },
    }
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {
            "status": {},
            "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.conf.example"},
        "spec": {
            "group": "conf.example",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [version],
        },
    }


def widget(name: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "conf.example/v1", "kind": "Widget", "metadata": {"name": name}, "spec": spec}


@pytest.fixture
async def parameters(http: httpx.AsyncClient) -> None:
    for file in sorted(FOLDER.glob("*.yaml")):
        text = await asyncio.to_thread(file.read_bytes)
        response = await http.post(CRDS, content=text, headers={"Content-Type": "application/yaml"})
        assert response.status_code == 201, response.text


@pytest.fixture
async def widgets(ask: Ask) -> None:
    await ask("POST", CRDS, widget_crd(), code=201)


@pytest.mark.usefixtures("parameters")
@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"count": 100, "split": 60}, 'spec: Invalid value: "object": count times split must be at most 1024'),
        ({"count": 200}, "spec.count: Invalid value: 200: spec.count in body should be less than or equal to 128"),
        ({"selector": {"model": ""}}, "spec.selector.model in body should be at least 1 chars long"),
        ({"selector": {}}, "spec.selector.model: Required value"),
        ({"count": "1"}, 'spec.count in body must be of type integer: "string"'),
    ],
)
async def test_bad_parameters_are_refused(ask: Ask, spec: Any, message: str) -> None:
    body = {
        "apiVersion": "fake.resource.3-shake.com/v1alpha1",
        "kind": "FakeClaimParameters",
        "metadata": {"name": "f"},
        "spec": spec,
    }
    assert message in (await ask("POST", PARAMETERS, body, code=422))["message"]


@pytest.mark.usefixtures("parameters")
async def test_parameters_are_defaulted_and_shown(http: httpx.AsyncClient, ask: Ask) -> None:
    body = {
        "apiVersion": "fake.resource.3-shake.com/v1alpha1",
        "kind": "FakeClaimParameters",
        "metadata": {"name": "f"},
    }
    assert (await ask("POST", PARAMETERS, body, code=201))["spec"] == {"count": 1, "split": 0}
    accept = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    table = (await http.get(PARAMETERS, headers=accept)).json()
    assert [each["name"] for each in table["columnDefinitions"]] == ["Name", "Count", "Split", "Model", "Age"]
    assert table["rows"][0]["cells"][:4] == ["f", 1, 0, None]


@pytest.mark.usefixtures("widgets")
async def test_a_custom_object_is_pruned_versioned_and_immutable_where_it_says(ask: Ask) -> None:
    created = await ask("POST", WIDGETS, widget("w", color="red", bogus=1), code=201)
    assert created["spec"] == {"color": "red", "replicas": 1}
    assert created["metadata"]["generation"] == 1
    refused = await ask("PATCH", f"{WIDGETS}/w", {"spec": {"color": "blue"}}, code=422, kind=MERGE)
    assert "color is immutable" in refused["message"]
    both = {"spec": {"replicas": 2}, "status": {"replicas": 9}}
    main = await ask("PATCH", f"{WIDGETS}/w", both, code=200, kind=MERGE)
    assert (main["metadata"]["generation"], "status" in main) == (2, False)
    status = await ask("PATCH", f"{WIDGETS}/w/status", {**both, "spec": {"replicas": 7}}, code=200, kind=MERGE)
    assert (status["spec"]["replicas"], status["status"], status["metadata"]["generation"]) == (2, {"replicas": 9}, 2)
    await ask("PUT", f"{WIDGETS}/w", widget("w", color="red"), code=422)
    await ask("PATCH", f"{WIDGETS}/w", {}, code=415, kind=STRATEGIC)


@pytest.mark.usefixtures("widgets")
async def test_scale(ask: Ask) -> None:
    await ask("POST", WIDGETS, widget("w"), code=201)
    assert (await ask("GET", f"{WIDGETS}/w/scale", code=200))["spec"] == {"replicas": 1}
    assert (await ask("PATCH", f"{WIDGETS}/w/scale", {"spec": {"replicas": 4}}, code=200, kind=MERGE))[
        "kind"
    ] == "Scale"
    assert (await ask("GET", f"{WIDGETS}/w"))["spec"]["replicas"] == 4


async def test_discovery_follows_crds_that_come_and_go(http: httpx.AsyncClient, ask: Ask) -> None:
    aggregated = {"Accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"}

    async def groups() -> list[str]:
        answer = (await http.get("/apis", headers=aggregated)).json()
        return [each["metadata"]["name"] for each in answer["items"]]

    assert "conf.example" not in await groups()
    await ask("POST", CRDS, widget_crd(), code=201)
    assert "conf.example" in await groups()
    names = [each["name"] for each in (await ask("GET", "/apis/conf.example/v1"))["resources"]]
    assert names == ["widgets", "widgets/status", "widgets/scale"]
    assert (await ask("GET", f"{CRDS}/widgets.conf.example"))["status"]["conditions"][1]["type"] == "Established"
    document = await ask("GET", "/openapi/v3/apis/conf.example/v1", code=200)
    assert "example.conf.v1.Widget" in document["components"]["schemas"]
    await ask("POST", WIDGETS, widget("w"), code=201)
    await ask("DELETE", f"{CRDS}/widgets.conf.example", code=200)
    assert (await http.get(WIDGETS)).status_code == 404
    assert "conf.example" not in await groups()


async def test_rules_with_unknown_functions_are_refused_with_the_crd(ask: Ask) -> None:
    refused = await ask("POST", CRDS, widget_crd("weight(self) > 1"), code=422)
    assert "undeclared reference to 'weight' (in container '')" in refused["message"]
    assert refused["details"]["causes"][0]["field"].endswith("x-kubernetes-validations[0].rule")

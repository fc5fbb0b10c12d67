"""Discovery, OpenAPI, health, version and who may ask."""

import httpx
import pytest

from tests.conformance.api import Api, Json

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def resources(listed: Json) -> dict[str, Json]:
    """The entries of an APIResourceList by name."""
    return {entry["name"]: entry for entry in listed["resources"]}


@pytest.mark.parametrize("path", ["/api", "/api/"])
def test_legacy_versions(api: Api, path: str) -> None:
    """D01, also with a trailing slash, as kr8s asks."""
    found = api.get(path)
    assert found["kind"] == "APIVersions"
    assert found["versions"] == ["v1"]


@pytest.mark.parametrize("path", ["/apis", "/apis/"])
def test_groups(api: Api, minor: int, path: str) -> None:
    """D02."""
    found = api.get(path)
    assert (found["kind"], found["apiVersion"]) == ("APIGroupList", "v1")
    groups = {group["name"]: group for group in found["groups"]}
    assert {"resource.k8s.io", "apps", "coordination.k8s.io", "apiextensions.k8s.io", "events.k8s.io"} <= groups.keys()
    dra = groups["resource.k8s.io"]
    served = ["v1", "v1beta2", "v1beta1"] if minor > 30 else ["v1alpha2"]
    assert dra["versions"] == [{"groupVersion": f"resource.k8s.io/{each}", "version": each} for each in served]
    assert dra["preferredVersion"] == dra["versions"][0]


def test_one_group(api: Api) -> None:
    """What a client asks that knows the group."""
    assert api.get("/apis/apps")["kind"] == "APIGroup"
    assert api.call("GET", "/apis/nothing.example.com").status_code == 404


def test_aggregated_discovery(api: Api, minor: int) -> None:
    """D03: one answer for all groups, as kubectl asks since 1.26."""
    answer = api.call("GET", "/apis", accept=f"{AGGREGATED},application/json")
    assert answer.status_code == 200
    assert "as=APIGroupDiscoveryList" in answer.headers["Content-Type"]
    found = answer.json()
    assert (found["kind"], found["apiVersion"]) == ("APIGroupDiscoveryList", "apidiscovery.k8s.io/v2")
    groups = {group["metadata"]["name"]: group for group in found["items"]}
    version = groups["resource.k8s.io"]["versions"][0]
    assert version["version"] == ("v1" if minor > 30 else "v1alpha2")
    assert version["freshness"] == "Current"
    claims = next(each for each in version["resources"] if each["resource"] == "resourceclaims")
    # Group and version are empty where they are those of the path.
    assert claims["responseKind"]["kind"] == "ResourceClaim"
    assert claims["scope"] == "Namespaced"
    assert claims["singularResource"] == "resourceclaim"
    assert {"create", "delete", "get", "list", "patch", "update", "watch"} <= set(claims["verbs"])
    # D05.
    status = next(each for each in claims["subresources"] if each["subresource"] == "status")
    assert set(status["verbs"]) == {"get", "patch", "update"}


def test_aggregated_discovery_of_the_core(api: Api) -> None:
    """D03, for /api."""
    found = api.call("GET", "/api", accept=AGGREGATED).json()
    [core] = found["items"]
    assert core["metadata"].get("name", "") == ""
    pods = next(each for each in core["versions"][0]["resources"] if each["resource"] == "pods")
    assert pods["shortNames"] == ["po"]
    assert pods["categories"] == ["all"]
    assert {each["subresource"] for each in pods["subresources"]} >= {"binding", "eviction", "exec", "log", "status"}


def test_core_resources(api: Api) -> None:
    """D04 and D05."""
    found = api.get("/api/v1")
    assert (found["kind"], found["groupVersion"]) == ("APIResourceList", "v1")
    listed = resources(found)
    expected = {"configmaps", "events", "namespaces", "nodes", "pods", "secrets", "serviceaccounts", "services"}
    assert expected <= listed.keys()
    pods = listed["pods"]
    assert pods["kind"] == "Pod"
    assert pods["singularName"] == "pod"
    assert pods["namespaced"] is True
    assert pods["shortNames"] == ["po"]
    assert "deletecollection" in pods["verbs"]
    assert listed["nodes"]["namespaced"] is False
    assert listed["pods/status"]["singularName"] == ""
    assert set(listed["pods/status"]["verbs"]) == {"get", "patch", "update"}
    assert listed["pods/binding"]["kind"] == "Binding"
    assert listed["pods/binding"]["verbs"] == ["create"]
    assert listed["pods/eviction"] | {"storageVersionHash": ""} == {
        "name": "pods/eviction",
        "singularName": "",
        "namespaced": True,
        "group": "policy",
        "version": "v1",
        "kind": "Eviction",
        "verbs": ["create"],
        "storageVersionHash": "",
    }
    assert listed["serviceaccounts/token"]["kind"] == "TokenRequest"


@pytest.mark.parametrize(
    ("group_version", "plural", "kind"),
    [
        ("apps/v1", "deployments", "Deployment"),
        ("apps/v1", "deployments/scale", "Scale"),
        ("apps/v1", "daemonsets", "DaemonSet"),
        ("apps/v1", "replicasets", "ReplicaSet"),
        ("coordination.k8s.io/v1", "leases", "Lease"),
        ("events.k8s.io/v1", "events", "Event"),
        ("apiextensions.k8s.io/v1", "customresourcedefinitions", "CustomResourceDefinition"),
    ],
)
def test_other_groups(api: Api, group_version: str, plural: str, kind: str) -> None:
    """What the driver, its demo and its installation need."""
    assert resources(api.get(f"/apis/{group_version}"))[plural]["kind"] == kind


def test_openapi_v3(api: Api, minor: int) -> None:
    """D06: an index by group, and schemas that name their kinds, as kubectl's explain and validation read them."""
    index = api.get("/openapi/v3")["paths"]
    version = "v1" if minor > 30 else "v1alpha2"
    group = f"apis/resource.k8s.io/{version}"
    assert {"api/v1", "apis/apps/v1", group} <= index.keys()
    document = api.get(index[group]["serverRelativeURL"])
    assert document["openapi"].startswith("3.0")
    assert f"/{group}/namespaces/{{namespace}}/resourceclaims" in document["paths"]
    schema = document["components"]["schemas"][f"io.k8s.api.resource.{version}.ResourceClaim"]
    kinds = [each for each in schema["x-kubernetes-group-version-kind"] if each["kind"] == "ResourceClaim"]
    assert kinds == [{"group": "resource.k8s.io", "kind": "ResourceClaim", "version": version}]
    assert schema["properties"].keys() == {"apiVersion", "kind", "metadata", "spec", "status"}


def test_openapi_v2(api: Api) -> None:
    """D06."""
    document = api.get("/openapi/v2")
    assert document["swagger"] == "2.0"
    assert "io.k8s.api.core.v1.Pod" in document["definitions"]


@pytest.mark.parametrize("path", ["/readyz", "/healthz", "/livez"])
def test_health(api: Api, path: str) -> None:
    """D07."""
    answer = api.call("GET", path, accept="*/*")
    assert (answer.status_code, answer.text) == (200, "ok")


@pytest.mark.parametrize("path", ["/version", "/version/"])
def test_version(api: Api, minor: int, path: str) -> None:
    """D08."""
    found = api.get(path)
    assert found["major"] == "1"
    assert found["minor"].startswith(str(minor))
    assert found["gitVersion"].startswith(f"v1.{minor}.")


def test_wrong_token(api: Api) -> None:
    """A stale kubeconfig is told so."""
    answer = api.http.get("/api/v1/namespaces", headers={"Authorization": "Bearer wrong"})
    assert answer.status_code == 401
    status = answer.json()
    assert (status["kind"], status["reason"], status["code"]) == ("Status", "Unauthorized", 401)


def test_no_token(api: Api) -> None:
    """No client gets in without one: 403 where anonymous users are allowed, else 401."""
    request = httpx.Request("GET", api.http.base_url.join("/api/v1/namespaces"))
    assert api.http.send(request).status_code in {401, 403}


def test_unknown_paths(api: Api) -> None:
    """C10, and what is no API at all. The answer need not be a Status."""
    for path in ("/api/v1/namespaces/default/things", "/apis/apps/v7/deployments", "/nothing"):
        assert api.call("GET", path).status_code == 404

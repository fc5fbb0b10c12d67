"""One object in three versions: v1beta1 has another shape, v1beta2 has not."""

from typing import Any

import pytest

from tests.conformance.api import MERGE_PATCH, Api, Json
from tests.conformance.structured.objects import allocation, claim, device_class, path, result, slice_of, template

CLASS = "class.example.com"
FULL: Json = {
    "deviceClassName": CLASS,
    "selectors": [{"cel": {"expression": "device.driver == 'driver.example.com'"}}],
    "allocationMode": "ExactCount",
    "count": 2,
    "tolerations": [{"key": "a", "operator": "Exists"}],
    "capacity": {"requests": {"memory": "1Gi"}},
}
SUBREQUEST: Json = {"name": "one", "deviceClassName": CLASS, "allocationMode": "ExactCount", "count": 1}
DEVICE: Json = {
    "attributes": {"index": {"int": 0}, "model": {"string": "M"}},
    "capacity": {"memory": {"value": "80Gi"}},
    "allowMultipleAllocations": True,
}


@pytest.fixture
def beta(namespace: str) -> str:
    """The claims of the test's namespace in v1beta1."""
    return path("resourceclaims", namespace=namespace, version="v1beta1")


def requests_of(answer: Json) -> list[Json]:
    """The requests of a claim."""
    found: list[Json] = answer["spec"]["devices"]["requests"]
    return found


def test_what_is_preferred(api: Api) -> None:
    group = api.get("/apis/resource.k8s.io")
    assert group["preferredVersion"]["version"] == "v1"
    versions = [each["version"] for each in group["versions"]]
    assert [each for each in versions if each in ("v1", "v1beta1", "v1beta2")] == ["v1", "v1beta2", "v1beta1"]


def test_requests_are_flat_in_v1beta1(api: Api, claims: str, beta: str) -> None:
    created = api.post(beta, claim("a", {"name": "req", **FULL}, version="v1beta1"))
    assert requests_of(created) == [{"name": "req", **FULL}]
    assert requests_of(api.get(f"{claims}/a")) == [{"name": "req", "exactly": FULL}]
    assert requests_of(api.get(f"{claims.replace('/v1/', '/v1beta2/')}/a")) == [{"name": "req", "exactly": FULL}]


def test_alternatives_have_an_empty_class_in_v1beta1(api: Api, claims: str, beta: str) -> None:
    """Go writes the class even where it is empty, and takes none for no request of that kind."""
    api.post(claims, claim("a", {"name": "req", "firstAvailable": [SUBREQUEST]}))
    shown = requests_of(api.get(f"{beta}/a"))
    assert shown == [{"name": "req", "deviceClassName": "", "firstAvailable": [SUBREQUEST]}]
    created = api.post(beta, claim("b", *shown, version="v1beta1"))
    assert requests_of(created) == shown
    assert requests_of(api.get(f"{claims}/b")) == [{"name": "req", "firstAvailable": [SUBREQUEST]}]


def test_defaults_of_v1beta1(api: Api, beta: str) -> None:
    created = api.post(beta, claim("a", {"name": "req", "deviceClassName": CLASS}, version="v1beta1"))
    assert requests_of(created) == [
        {"name": "req", "deviceClassName": CLASS, "allocationMode": "ExactCount", "count": 1}
    ]


@pytest.mark.parametrize("flat", [{"count": 1}, {"adminAccess": False}])
def test_a_request_of_v1beta1_that_only_lacks_its_class(api: Api, beta: str, flat: Json) -> None:
    """The error names the field as v1 has it."""
    words = "spec.devices.requests[0].exactly.deviceClassName: Required value"
    api.refused(422, "Invalid", "POST", beta, claim("a", {"name": "req", **flat}, version="v1beta1"), says=words)


def test_a_status_is_the_same_in_all_versions(api: Api, claims: str, beta: str) -> None:
    api.post(claims, claim("a"))
    written = api.patch(f"{beta}/a/status", {"status": allocation(pods=("p",))})
    assert written["status"] == api.get(f"{claims}/a")["status"] == allocation(pods=("p",))
    entry = {"driver": result()["driver"], "pool": "n1", "device": "dev-0", "data": {"a": 1}}
    body = {
        "apiVersion": "resource.k8s.io/v1beta1",
        "kind": "ResourceClaim",
        "metadata": {"name": "a"},
        "status": {"devices": [entry]},
    }
    for _ in range(2):
        applied = api.apply(f"{beta}/a/status", body, "driver", force="true")
        assert applied["status"]["devices"] == [{**entry, "conditions": None}]
        assert requests_of(applied)[0]["deviceClassName"] == CLASS


def test_a_merge_patch_speaks_the_version_that_it_is_sent_to(api: Api, beta: str) -> None:
    api.post(beta, claim("a", {"name": "req", "deviceClassName": CLASS}, version="v1beta1"))
    same: list[Any] = [{"name": "req", "deviceClassName": CLASS, "allocationMode": "ExactCount", "count": 1}]
    assert requests_of(api.patch(f"{beta}/a", {"spec": {"devices": {"requests": same}}})) == same
    other = {"spec": {"devices": {"requests": [{**same[0], "count": 2}]}}}
    api.refused(422, "Invalid", "PATCH", f"{beta}/a", other, says="field is immutable", content_type=MERGE_PATCH)


def test_templates(api: Api, namespace: str) -> None:
    beta = path("resourceclaimtemplates", namespace=namespace, version="v1beta1")
    api.post(beta, template("t", {"name": "req", **FULL}, version="v1beta1"))
    found = api.get(path("resourceclaimtemplates", "t", namespace=namespace))
    assert found["spec"]["spec"]["devices"]["requests"] == [{"name": "req", "exactly": FULL}]


def test_devices_are_basic_in_v1beta1(api: Api, slices: str, namespace: str) -> None:
    beta = path("resourceslices", version="v1beta1")
    body = slice_of(namespace, {"name": "dev-0", "basic": DEVICE}, {"name": "dev-1"}, version="v1beta1")
    created = api.post(beta, body)
    assert created["spec"]["devices"] == [{"name": "dev-0", "basic": DEVICE}, {"name": "dev-1", "basic": {}}]
    found = api.get(f"{slices}/{namespace}")
    assert found["spec"]["devices"] == [{"name": "dev-0", **DEVICE}, {"name": "dev-1"}]
    assert api.get(path("resourceslices", namespace, version="v1beta2"))["spec"] == found["spec"]


def test_an_empty_node_is_none_in_v1beta1(api: Api, slices: str, namespace: str) -> None:
    body = slice_of(namespace, nodeName="", allNodes=True, version="v1beta1")
    body["spec"]["devices"] = [{"name": "dev-0", "basic": {}}]
    created = api.post(path("resourceslices", version="v1beta1"), body)
    assert "nodeName" not in created["spec"]
    assert api.get(f"{slices}/{namespace}")["spec"]["allNodes"] is True


def test_a_watch_shows_its_own_version(api: Api, slices: str, namespace: str) -> None:
    beta = path("resourceslices", version="v1beta1")
    version, selector = api.version_of_list(beta), f"spec.nodeName={namespace}"
    with api.watch(beta, resourceVersion=version, fieldSelector=selector, timeoutSeconds=20) as watch:
        api.post(slices, slice_of(namespace, {"name": "dev-0", **DEVICE}))
        seen = watch.next()["object"]
    assert seen["apiVersion"] == "resource.k8s.io/v1beta1"
    assert seen["spec"]["devices"] == [{"name": "dev-0", "basic": DEVICE}]


def test_classes_are_the_same_in_all_versions(api: Api, namespace: str) -> None:
    selectors = [{"cel": {"expression": "device.driver == 'driver.example.com'"}}]
    created = api.post(path("deviceclasses"), device_class(namespace, selectors=selectors))
    assert created["metadata"]["generation"] == 1
    for version in ("v1beta1", "v1beta2"):
        assert api.get(path("deviceclasses", namespace, version=version))["spec"] == created["spec"]
    changed = api.patch(path("deviceclasses", namespace), {"spec": {"selectors": None}})
    assert changed["metadata"]["generation"] == 2

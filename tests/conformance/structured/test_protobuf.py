"""Protobuf in 1.37: the kinds of structured DRA, in each of their versions, and those that have changed since 1.30."""

import copy
from pathlib import Path

import pytest

from tests.conformance.api import Api, Json
from tests.conformance.protobufs import Message, made_each_way, manifests
from tests.conformance.structured.objects import claim, device_class, path, slice_of, taint_rule, template

_RELEASE = "1.37"
_FOLDER = Path(__file__).parent.parent
_CLASSIC = "/apis/resource.k8s.io/v1alpha2"
_OTHERS = {
    kind: (at, manifest)
    for file in ("manifests.yaml", "protobufs.yaml")
    for kind, (at, manifest) in manifests((_FOLDER / file).read_text()).items()
    if not at.startswith(_CLASSIC)
}
_PARAMETERS: Json = {"apiVersion": "example.com/v1", "kind": "Config", "some": [1, 2.5, None, {"a": "text"}]}
_CONFIG: Json = {"opaque": {"driver": "driver.example.com", "parameters": _PARAMETERS}}
_SELECTOR: Json = {"cel": {"expression": 'device.driver == "driver.example.com"'}}
_REQUEST: Json = {
    "name": "req",
    "exactly": {
        "deviceClassName": "class.example.com",
        "allocationMode": "ExactCount",
        "count": 2,
        "selectors": [_SELECTOR],
        "tolerations": [{"key": "a", "operator": "Exists", "tolerationSeconds": 0}],
        "capacity": {"requests": {"memory": "1.5Gi"}},
    },
}
_FIRST: Json = {
    "name": "other",
    "firstAvailable": [{"name": "sub", "deviceClassName": "class.example.com", "allocationMode": "All"}],
}
_CONSTRAINT: Json = {"requests": ["req"], "matchAttribute": "driver.example.com/model"}
_DEVICE: Json = {
    "name": "dev-0",
    "attributes": {
        "model": {"string": ""},
        "index": {"int": 0},
        "healthy": {"bool": False},
        "driverVersion": {"version": "1.0.0"},
    },
    "capacity": {"memory": {"value": "80Gi", "requestPolicy": {"default": "1Gi", "validRange": {"min": "1Gi"}}}},
    "allowMultipleAllocations": True,
    "bindsToNode": True,
    "bindingConditions": ["example.com/attached"],
    "bindingFailureConditions": ["example.com/failed"],
    "taints": [{"key": "a", "effect": "NoSchedule", "timeAdded": "2026-01-02T03:04:05Z"}],
    "consumesCounters": [{"counterSet": "set", "counters": {"slots": {"value": "1"}}}],
}


def _in_v1beta1(request: Json) -> Json:
    """A request without the step in between that later versions have."""
    return {**request.get("exactly", {}), **{name: value for name, value in request.items() if name != "exactly"}}


def _cases() -> dict[str, Message]:
    found = copy.deepcopy(_OTHERS)
    # Since 1.31 there is no ``source``.
    found["Pod"][1]["spec"]["resourceClaims"] = [{"name": "d", "resourceClaimName": "x"}]
    config = [{"requests": ["req"], **_CONFIG}]
    for version in ("v1", "v1beta2", "v1beta1"):
        requests = [_REQUEST, _FIRST]
        if version == "v1beta1":
            requests = [_in_v1beta1(each) for each in requests]
        found[f"ResourceClaim {version}"] = (
            path("resourceclaims", namespace="default", version=version),
            claim("x", *requests, version=version, config=config, constraints=[_CONSTRAINT]),
        )
        found[f"ResourceClaimTemplate {version}"] = (
            path("resourceclaimtemplates", namespace="default", version=version),
            template("x", *requests, version=version, config=config),
        )
        device = _DEVICE
        if version == "v1beta1":
            basic = {name: value for name, value in _DEVICE.items() if name != "name"}
            device = {"name": "dev-0", "basic": basic}
        found[f"ResourceSlice {version}"] = (
            path("resourceslices", version=version),
            slice_of("n1", device, version=version),
        )
        found[f"DeviceClass {version}"] = (
            path("deviceclasses", version=version),
            {**device_class("x", selectors=[_SELECTOR], config=[_CONFIG], extendedResourceName="example.com/x"),
             "apiVersion": f"resource.k8s.io/{version}"},
        )  # fmt: skip
        if version != "v1beta1":
            selector = {"driver": "driver.example.com", "pool": "n1"}
            found[f"DeviceTaintRule {version}"] = (
                path("devicetaintrules", version=version),
                taint_rule("x", version, deviceSelector=selector),
            )
    return found


_CASES = _cases()


@pytest.fixture(scope="session")
def default_account(api: Api) -> None:
    """The one of the manifests' pods; a controller would make it."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    assert api.call("POST", "/api/v1/namespaces/default/serviceaccounts", account).status_code in (201, 409)


@pytest.mark.parametrize("case", _CASES)
def test_an_object_is_the_same_as_in_json(api: Api, default_account: None, case: str) -> None:
    (in_json, *others) = made_each_way(api, *_CASES[case], release=_RELEASE).values()
    for other in others:
        assert other == in_json

"""Structured DRA is one model, whichever version of the API it comes from and goes to."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fake_dra_driver.api.resource import v1, v1beta1
from fake_dra_driver.api.resource.structured import RESOURCE_APIS, ResourceApi

EXACTLY = {
    "deviceClassName": "gpu",
    "allocationMode": "ExactCount",
    "count": 2,
    "selectors": [{"cel": {"expression": "true"}}],
}
ALTERNATIVES = [{"name": "big", "deviceClassName": "gpu", "count": 1}, {"name": "small", "deviceClassName": "gpu"}]
CONFIG = [{"requests": ["gpu"], "opaque": {"driver": "gpu.example.com", "parameters": {"kind": "GpuConfig"}}}]
CLAIM: dict[str, Any] = {
    "metadata": {"name": "claim", "namespace": "default", "uid": "1"},
    "spec": {
        "devices": {
            "requests": [{"name": "gpu", "exactly": EXACTLY}, {"name": "any", "firstAvailable": ALTERNATIVES}],
            "config": CONFIG,
        }
    },
    "status": {
        "allocation": {
            "devices": {
                "results": [
                    {"request": "any/big", "driver": "gpu.example.com", "pool": "n", "device": "gpu-0", "shareID": "7"}
                ],
                "config": [{"source": "FromClaim", **CONFIG[0]}],
            }
        }
    },
}
FLAT_CLAIM = {
    **CLAIM,
    "spec": {
        "devices": {
            "requests": [{"name": "gpu", **EXACTLY}, {"name": "any", "firstAvailable": ALTERNATIVES}],
            "config": CONFIG,
        }
    },
}
DEVICES = [
    {"name": "gpu-0", "attributes": {"index": {"int": 0}}, "capacity": {"memory": {"value": "1Gi"}}},
    {"name": "gpu-1"},
]
POOL = {"name": "n", "generation": 1, "resourceSliceCount": 1}
SLICE: dict[str, Any] = {
    "metadata": {"name": "slice"},
    "spec": {"driver": "gpu.example.com", "pool": POOL, "nodeName": "n", "devices": DEVICES},
}
BASIC_SLICE = {
    "metadata": {"name": "slice"},
    "spec": {
        "driver": "gpu.example.com",
        "pool": POOL,
        "nodeName": "n",
        "devices": [
            {"name": "gpu-0", "basic": {"attributes": {"index": {"int": 0}}, "capacity": {"memory": {"value": "1Gi"}}}},
            {"name": "gpu-1", "basic": {}},
        ],
    },
}


def on_wire(raw: dict[str, Any], kind: str, version: str) -> dict[str, Any]:
    return {**raw, "apiVersion": f"resource.k8s.io/{version}", "kind": kind}


@pytest.mark.parametrize("version", ["v1", "v1beta2"])
def test_v1_and_v1beta2_are_the_same_on_the_wire(version: str) -> None:
    api = RESOURCE_APIS[version]
    assert api.claims.from_wire(on_wire(CLAIM, "ResourceClaim", version)).to_wire() == on_wire(
        CLAIM, "ResourceClaim", version
    )
    assert api.slices.from_wire(on_wire(SLICE, "ResourceSlice", version)).to_wire() == on_wire(
        SLICE, "ResourceSlice", version
    )


def test_v1beta1_has_the_fields_of_exactly_beside_the_name_of_the_request() -> None:
    claim = v1beta1.ResourceClaim.from_wire(on_wire(FLAT_CLAIM, "ResourceClaim", "v1beta1"))
    assert claim.spec == v1.ResourceClaim.from_wire(CLAIM).spec
    assert claim.to_wire() == on_wire(FLAT_CLAIM, "ResourceClaim", "v1beta1")


def test_an_empty_class_beside_alternatives_is_none() -> None:
    request = {"name": "any", "deviceClassName": "", "firstAvailable": ALTERNATIVES}
    claim = v1beta1.ResourceClaim.from_wire({"spec": {"devices": {"requests": [request]}}})
    assert claim.spec.devices.requests[0].exactly is None
    assert claim.to_wire()["spec"]["devices"]["requests"] == [{"name": "any", "firstAvailable": ALTERNATIVES}]


def test_v1beta1_has_them_so_in_templates_too() -> None:
    flat = {"metadata": {"name": "t"}, "spec": {"spec": FLAT_CLAIM["spec"]}}
    template = v1beta1.ResourceClaimTemplate.from_wire(flat)
    assert template.spec.spec == v1.ResourceClaim.from_wire(CLAIM).spec
    assert template.to_wire() == on_wire(flat, "ResourceClaimTemplate", "v1beta1")


def test_v1beta1_has_all_of_a_device_but_its_name_in_basic() -> None:
    found = v1beta1.ResourceSlice.from_wire(on_wire(BASIC_SLICE, "ResourceSlice", "v1beta1"))
    assert found.spec == v1.ResourceSlice.from_wire(SLICE).spec
    assert found.to_wire() == on_wire(BASIC_SLICE, "ResourceSlice", "v1beta1")


@pytest.mark.parametrize("absent", [{"nodeName": ""}, {"allNodes": False}, {"nodeName": "", "allNodes": False}])
def test_v1beta1_may_say_that_a_slice_has_no_node_where_v1_leaves_it_out(absent: dict[str, Any]) -> None:
    spec = {"driver": "gpu.example.com", "pool": POOL, **absent, "nodeSelector": {"nodeSelectorTerms": []}}
    found = v1beta1.ResourceSlice.from_wire({"metadata": {"name": "slice"}, "spec": spec})
    assert (found.spec.node_name, found.spec.all_nodes) == (None, None)
    assert not {"nodeName", "allNodes"} & found.to_wire()["spec"].keys()


@pytest.mark.parametrize("api", RESOURCE_APIS.values(), ids=RESOURCE_APIS)
def test_each_version_names_itself(api: ResourceApi) -> None:
    kinds = (api.slices, api.claims, api.templates, api.classes)
    assert {kind.resource.api_version for kind in kinds} == {f"resource.k8s.io/{api.version}"}
    assert [kind.resource.kind for kind in kinds] == [
        "ResourceSlice",
        "ResourceClaim",
        "ResourceClaimTemplate",
        "DeviceClass",
    ]


def test_v1_is_preferred_to_the_versions_before_it() -> None:
    assert list(RESOURCE_APIS) == ["v1", "v1beta2", "v1beta1"]


@pytest.mark.parametrize("api", RESOURCE_APIS.values(), ids=RESOURCE_APIS)
def test_fields_that_only_a_later_release_knows_are_kept(api: ResourceApi) -> None:
    raw = {"metadata": {"name": "slice"}, "spec": {"driver": "d", "pool": POOL, "nodeName": "n", "partitionType": "x"}}
    assert api.slices.from_wire(raw).to_wire()["spec"] == raw["spec"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=8,
)


@given(requests=json_values, devices=json_values, spec=st.booleans())
def test_what_no_server_sends_is_refused_by_the_model_and_by_nothing_else(
    requests: Any, devices: Any, spec: bool
) -> None:
    for kind, raw in (
        (v1beta1.ResourceClaim, {"spec": {"devices": {"requests": requests}}}),
        (v1beta1.ResourceClaim, {"spec": requests}),
        (v1beta1.ResourceSlice, {"spec": {"driver": "d", "pool": POOL, "devices": devices}}),
        (v1beta1.ResourceSlice, {"spec": devices}),
    ):
        try:
            read = kind.from_wire(raw)
        except ValidationError:
            continue
        json.dumps(read.to_wire())


@pytest.mark.parametrize("api", RESOURCE_APIS.values(), ids=RESOURCE_APIS)
def test_empty_lists_may_be_null(api: ResourceApi) -> None:
    """Seen on 1.32, for devices of a slice; requests are written so by all releases."""
    spec = {"driver": "d.example.com", "pool": {"name": "p", "generation": 1, "resourceSliceCount": 1}, "devices": None}
    assert api.slices.from_wire({"metadata": {"name": "slice"}, "spec": spec}).spec.devices == ()
    claim = api.claims.from_wire({"metadata": {"name": "claim"}, "spec": {"devices": {"requests": None}}})
    assert claim.spec.devices.requests == ()

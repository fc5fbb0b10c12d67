"""The CRDs: identifiers and shapes of the Go driver's, with bounds, defaults and rules on top."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from fake_dra_driver.api.fake import DeviceClassParameters, FakeClaimParameters, NodeAllocationState
from fake_dra_driver.api.kinds import KINDS
from fake_dra_driver.api.schema import CustomResource
from fake_dra_driver.codegen import definition, file_name, render_crd


def _schema(kind: type[CustomResource]) -> dict[str, Any]:
    schema: dict[str, Any] = definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def _at(schema: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    for step in path.split("."):
        schema = {"[]": lambda s: s["items"], "*": lambda s: s["additionalProperties"]}.get(
            step, lambda s, step=step: s["properties"][step]
        )(schema)
    return schema


def _nodes(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield schema
    for member in schema.get("properties", {}).values():
        yield from _nodes(member)
    for keyword in ("items", "additionalProperties"):
        if keyword in schema:
            yield from _nodes(schema[keyword])


@pytest.mark.parametrize(
    ("kind", "group", "plural", "singular", "scope"),
    [
        (NodeAllocationState, "nas.fake.resource.3-shake.com", "nodeallocationstates", "nas", "Namespaced"),
        (
            DeviceClassParameters,
            "fake.resource.3-shake.com",
            "deviceclassparameters",
            "deviceclassparameters",
            "Cluster",
        ),
        (FakeClaimParameters, "fake.resource.3-shake.com", "fakeclaimparameters", "fakeclaimparameters", "Namespaced"),
    ],
)
def test_identifiers(kind: type[CustomResource], group: str, plural: str, singular: str, scope: str) -> None:
    crd = definition(kind)
    spec = crd["spec"]
    assert crd["metadata"]["name"] == f"{plural}.{group}"
    assert file_name(kind) == f"{group}_{plural}.yaml"
    assert (spec["group"], spec["scope"]) == (group, scope)
    assert spec["names"]["kind"] == kind.__name__
    assert spec["names"]["listKind"] == f"{kind.__name__}List"
    assert (spec["names"]["plural"], spec["names"]["singular"]) == (plural, singular)
    (version,) = spec["versions"]
    assert (version["name"], version["served"], version["storage"]) == ("v1alpha1", True, True)
    assert "subresources" not in version, "status is written with the whole object"


@pytest.mark.parametrize(
    ("kind", "path", "type_", "required"),
    [
        (NodeAllocationState, "status", "string", False),
        (NodeAllocationState, "spec.allocatableDevice.[].fake.uuid", "string", True),
        (NodeAllocationState, "spec.allocatableDevice.[].fake.name", "string", True),
        (NodeAllocationState, "spec.allocatedClaims.*.fake.devices.[].uuid", "string", False),
        (NodeAllocationState, "spec.allocatedClaims.*.fake.devices.[].split", "integer", False),
        (NodeAllocationState, "spec.preparedDevices.*.fake.devices.[].uuid", "string", False),
        (NodeAllocationState, "spec.preparedDevices.*.fake.devices.[].parentUUID", "string", False),
        (DeviceClassParameters, "spec.deviceSelector", "array", True),
        (DeviceClassParameters, "spec.deviceSelector.[].type", "string", True),
        (DeviceClassParameters, "spec.deviceSelector.[].name", "string", True),
        (FakeClaimParameters, "spec", "object", False),
        (FakeClaimParameters, "spec.count", "integer", False),
        (FakeClaimParameters, "spec.split", "integer", False),
        (FakeClaimParameters, "spec.selector.model", "string", True),
    ],
)
def test_fields(kind: type[CustomResource], path: str, type_: str, required: bool) -> None:
    schema = _schema(kind)
    parent, _, name = path.rpartition(".")
    assert _at(schema, path)["type"] == type_
    assert (name in (_at(schema, parent) if parent else schema).get("required", ())) is required


def test_only_defaults_that_are_meant_for_the_api_server_are_in_the_crds() -> None:
    assert [node["default"] for node in _nodes(_schema(FakeClaimParameters)) if "default" in node] == [
        {"count": 1, "split": 0},
        1,
        0,
    ]
    for kind in (NodeAllocationState, DeviceClassParameters):
        assert not [node for node in _nodes(_schema(kind)) if "default" in node]


def test_bounds_and_rule_of_claim_parameters() -> None:
    spec = _at(_schema(FakeClaimParameters), "spec")
    assert (_at(spec, "count")["minimum"], _at(spec, "count")["maximum"]) == (1, 128)
    assert (_at(spec, "split")["minimum"], _at(spec, "split")["maximum"]) == (0, 64)
    assert (_at(spec, "selector.model")["minLength"], _at(spec, "selector.model")["maxLength"]) == (1, 63)
    (rule,) = spec["x-kubernetes-validations"]
    assert rule["rule"] == "self.count * self.split <= 1024"
    assert "1024" in rule["message"]


def test_empty_device_selector_is_out_of_bounds() -> None:
    assert _at(_schema(DeviceClassParameters), "spec.deviceSelector")["minItems"] == 1


def test_what_claims_hold_of_a_node_is_not_bounded() -> None:
    """A write for one claim must not be refused for what is there of another."""
    bounded = {"maximum", "minLength", "maxLength", "minItems", "maxItems", "pattern", "x-kubernetes-validations"}
    for path in ("spec.allocatedClaims", "spec.preparedDevices"):
        for node in _nodes(_at(_schema(NodeAllocationState), path)):
            assert not bounded & node.keys()


def test_the_devices_of_a_node_have_any_number_and_names_that_forge_no_row() -> None:
    devices = _at(_schema(NodeAllocationState), "spec.allocatableDevice")
    assert "maxItems" not in devices
    for name in ("uuid", "name"):
        assert _at(devices, f"[].fake.{name}")["pattern"] == "^[!-~]*$"


@pytest.mark.parametrize("kind", KINDS)
def test_everything_is_described(kind: type[CustomResource]) -> None:
    schema = _schema(kind)
    for path in ("apiVersion", "kind", "spec"):
        assert _at(schema, path)["description"]
    named = [member for node in _nodes(schema["properties"]["spec"]) for member in node.get("properties", {}).values()]
    assert all(member["description"] for member in named)
    assert "``" not in render_crd(kind, "")


@pytest.mark.parametrize("kind", KINDS)
def test_columns_name_fields_that_exist(kind: type[CustomResource]) -> None:
    for column in definition(kind)["spec"]["versions"][0]["additionalPrinterColumns"]:
        path = re.sub(r"\[(0|\?\(.*?\))\]", ".[]", column["jsonPath"].removeprefix("."))
        if not path.startswith("metadata."):
            # kubectl shows a list as JSON, which is a string.
            assert _at(_schema(kind), path)["type"].replace("array", "string") == column["type"]
        assert "[*]" not in path, "kubectl would show the first result alone"


@pytest.mark.parametrize("kind", KINDS)
def test_text_is_the_definition(kind: type[CustomResource]) -> None:
    text = render_crd(kind, "Code generated by a test. DO NOT EDIT.")
    assert text.startswith("# Code generated by a test. DO NOT EDIT.\n")
    assert yaml.safe_load(text) == definition(kind)

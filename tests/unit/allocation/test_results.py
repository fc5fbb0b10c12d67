"""The choice as the API has it."""

from typing import Any

import pytest

from fake_dra_driver.api.resource.v1 import ResourceClaim
from tests.unit.allocation.gpus import (
    CLASS,
    DRIVER,
    Json,
    allocator,
    claim,
    device_class,
    granted,
    node,
    on_node,
    request,
    slice_of,
)


def wire(wanted: ResourceClaim, *things: Any, **behaviour: Any) -> Json:
    decision = granted(allocator(*things, **behaviour).allocate([wanted], node()))
    found: Json = decision.results[0].to_wire()
    return found


def test_a_plain_result_has_no_more_than_it_needs() -> None:
    assert wire(claim(), slice_of("a", allNodes=True)) == {
        "devices": {"results": [{"request": "gpu", "driver": DRIVER, "pool": "n1", "device": "a"}]}
    }


def test_a_result_carries_what_others_need_to_know() -> None:
    device = {
        "name": "a",
        "allowMultipleAllocations": True,
        "capacity": {"memory": {"value": "80Gi"}},
        "bindingConditions": ["ready"],
        "bindingFailureConditions": ["failed"],
    }
    tolerations = [{"key": "k", "operator": "Exists"}]
    wanted = claim(request(adminAccess=True, tolerations=tolerations, capacity={"requests": {"memory": "1024Mi"}}))
    assert wire(wanted, slice_of(device, allNodes=True)) == {
        "devices": {
            "results": [
                {
                    "request": "gpu",
                    "driver": DRIVER,
                    "pool": "n1",
                    "device": "a",
                    "adminAccess": True,
                    "tolerations": tolerations,
                    "shareID": "share-1",
                    "consumedCapacity": {"memory": "1Gi"},
                    "bindingConditions": ["ready"],
                    "bindingFailureConditions": ["failed"],
                }
            ]
        }
    }


def test_tolerations_were_once_not_copied() -> None:
    wanted = claim(request(tolerations=[{"key": "k", "operator": "Exists"}]))
    [result] = wire(wanted, slice_of("a"), copies_tolerations=False)["devices"]["results"]
    assert "tolerations" not in result


# --- Nodes -----------------------------------------------------------------------------------------------------------

HERE = {"nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}]}


@pytest.mark.parametrize(
    ("slices", "selector"),
    [
        ([slice_of("a")], HERE),
        ([slice_of("a", allNodes=True)], None),
        ([slice_of({"name": "a", "bindsToNode": True}, allNodes=True)], HERE),
        ([slice_of("a", nodeSelector=on_node("n1"))], on_node("n1")),
        ([slice_of({"name": "a", "nodeName": "n1"}, perDeviceNodeSelection=True)], HERE),
        ([slice_of({"name": "a", "nodeSelector": on_node("n1")}, perDeviceNodeSelection=True)], on_node("n1")),
        ([slice_of("a", nodeSelector=on_node("n1")), slice_of("b", pool="z", nodeName="n1")], HERE),
        (
            [slice_of("a", nodeSelector=on_node("n1")), slice_of("b", pool="z", nodeSelector=on_node("n1"))],
            on_node("n1"),
        ),
    ],
)
def test_an_allocation_says_on_which_nodes_it_can_be_used(slices: list[Any], selector: Json | None) -> None:
    assert wire(claim(request(count=len(slices))), *slices).get("nodeSelector") == selector


def test_requirements_of_several_slices_are_put_together() -> None:
    exists = {"key": "host", "operator": "Exists"}
    other = {"nodeSelectorTerms": [{"matchExpressions": [exists]}]}
    slices = slice_of("a", nodeSelector=on_node("n1")), slice_of("b", pool="z", nodeSelector=other)
    [term] = wire(claim(request(count=2)), *slices)["nodeSelector"]["nodeSelectorTerms"]
    assert term["matchExpressions"] == [on_node("n1")["nodeSelectorTerms"][0]["matchExpressions"][0], exists]


# --- Configuration ---------------------------------------------------------------------------------------------------


def opaque(value: str, *requests: str) -> Json:
    config = {"opaque": {"driver": DRIVER, "parameters": {"value": value}}}
    return {**config, **({"requests": list(requests)} if requests else {})}


def config_of(found: Json) -> list[tuple[str, str, list[str]]]:
    config = found["devices"].get("config", [])
    return [(each["source"], each["opaque"]["parameters"]["value"], each.get("requests", [])) for each in config]


SLICE = slice_of("a", "b", "c")
CLASSES = device_class(CLASS, config=[opaque("1"), opaque("2")]), device_class("other", config=[opaque("3")])
TWO = request("one"), request("two")


def test_configuration_of_a_class_names_the_requests_that_use_it() -> None:
    wanted = claim(request("one"), request("two", deviceClassName="other"), request("three"))
    assert config_of(wire(wanted, SLICE, *CLASSES)) == [
        ("FromClass", "1", ["one", "three"]),
        ("FromClass", "2", ["one", "three"]),
        ("FromClass", "3", ["two"]),
    ]


def test_configuration_for_all_requests_names_none() -> None:
    wanted = claim(*TWO, config=[opaque("x"), opaque("y", "two", "one"), opaque("z", "two")])
    assert config_of(wire(wanted, SLICE, *CLASSES)) == [
        ("FromClass", "1", []),
        ("FromClass", "2", []),
        ("FromClaim", "x", []),
        ("FromClaim", "y", []),
        ("FromClaim", "z", ["two"]),
    ]


def test_configuration_was_once_repeated_for_each_request() -> None:
    wanted = claim(*TWO, config=[opaque("x"), opaque("y", "two", "one"), opaque("z", "two")])
    assert config_of(wire(wanted, SLICE, *CLASSES, claim_config="per-request")) == [
        ("FromClass", "1", ["one", "two"]),
        ("FromClass", "2", ["one", "two"]),
        ("FromClaim", "x", []),
        ("FromClaim", "y", ["two", "one"]),
        ("FromClaim", "y", ["two", "one"]),
        ("FromClaim", "z", ["two"]),
    ]


def test_configuration_of_a_class_was_once_repeated_for_each_request_without_naming_it() -> None:
    wanted = claim(*TWO, config=[opaque("y", "two", "one")])
    found = wire(wanted, SLICE, *CLASSES, claim_config="once", class_config_shared=False)
    assert config_of(found) == [
        ("FromClass", "1", []),
        ("FromClass", "2", []),
        ("FromClass", "1", []),
        ("FromClass", "2", []),
        ("FromClaim", "y", ["two", "one"]),
    ]


def test_configuration_of_an_alternative_counts_when_it_is_chosen() -> None:
    alternatives = [{**request(count=count)["exactly"], "name": name} for name, count in (("big", 9), ("small", 1))]
    wanted = claim(
        {"name": "gpu", "firstAvailable": alternatives},
        request("two"),
        config=[opaque("x", "gpu/big"), opaque("y", "gpu/small"), opaque("z", "gpu", "two")],
    )
    assert config_of(wire(wanted, SLICE)) == [("FromClaim", "y", ["gpu/small"]), ("FromClaim", "z", [])]

"""Equal parts of claims are one object, for as long as it is in use."""

import weakref
from typing import Any

import pytest
from pydantic import ValidationError

from fake_dra_driver.api.kube.meta import ObjectMeta
from fake_dra_driver.api.resource.v1alpha2 import AllocationResult, ResourceClaim


def claim(name: str, *, class_name: str = "fake", node: str = "n") -> dict[str, Any]:
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"resourceClassName": class_name, "parametersRef": {"kind": "FakeClaimParameters", "name": "one"}},
        "status": {"allocation": {"availableOnNodes": {"nodeSelectorTerms": [term]}, "shareable": True}},
    }


def allocation(found: ResourceClaim) -> AllocationResult:
    assert found.status.allocation is not None
    return found.status.allocation


def test_equal_parts_are_one_object_and_the_rest_is_not() -> None:
    first, second = ResourceClaim.from_wire(claim("a")), ResourceClaim.from_wire(claim("b"))
    assert first.spec is second.spec
    assert allocation(first).available_on_nodes is allocation(second).available_on_nodes
    assert (first.metadata.name, second.metadata.name) == ("a", "b")


def test_what_differs_is_not_shared() -> None:
    first = ResourceClaim.from_wire(claim("a"))
    second = ResourceClaim.from_wire(claim("b", class_name="other", node="m"))
    assert (first.spec.resource_class_name, second.spec.resource_class_name) == ("fake", "other")
    assert allocation(first).available_on_nodes != allocation(second).available_on_nodes


def test_what_is_sent_is_what_was_read() -> None:
    kinds = {"apiVersion": "resource.k8s.io/v1alpha2", "kind": "ResourceClaim"}
    for name in ("a", "b"):
        assert ResourceClaim.from_wire(claim(name)).to_wire() == {**claim(name), **kinds}


def test_a_part_that_was_put_together_by_hand_is_its_own() -> None:
    read = ResourceClaim.from_wire(claim("a"))
    made = ResourceClaim(
        metadata=ObjectMeta(name="b"), spec=read.spec.model_copy(update={"allocation_mode": "Immediate"})
    )
    assert (read.spec.allocation_mode, made.spec.allocation_mode) == ("WaitForFirstConsumer", "Immediate")
    odd = ResourceClaim.model_validate({"spec": {"resourceClassName": "fake", "unknown": {1, 2}}})
    assert odd.spec.resource_class_name == "fake"


def test_what_the_model_refuses_is_refused_each_time() -> None:
    wrong = claim("a")
    wrong["spec"]["allocationMode"] = "Never"
    for _ in range(2):
        with pytest.raises(ValidationError):
            ResourceClaim.from_wire(wrong)


def test_what_is_no_longer_in_use_is_forgotten() -> None:
    first, second = ResourceClaim.from_wire(claim("a")), ResourceClaim.from_wire(claim("b"))
    seen = weakref.ref(first.spec)
    del first
    assert seen() is second.spec
    del second
    assert seen() is None

"""What makes claims impossible to handle, in kube-scheduler's words."""

from collections.abc import Mapping
from typing import Any

import pytest

from fake_dra_driver.allocation import AllocationError
from fake_dra_driver.api.resource.v1 import ResourceClaim
from tests.unit.allocation.gpus import Json, allocator, claim, device_class, devices_of, node, request, slice_of

CAPACITY: Mapping[str, Any] = {"capacity": {"requests": {"memory": "1Gi"}}}


def listed(**fields: Any) -> Json:
    return {"name": "gpu", "firstAvailable": [{**request(**fields)["exactly"], "name": "sub"}]}


@pytest.mark.parametrize(
    ("wanted", "behaviour", "words"),
    [
        (
            listed(),
            {"prioritized_list": False},
            "request gpu: has subrequests, but the DRAPrioritizedList feature is disabled",
        ),
        (
            request(**CAPACITY),
            {"consumable_capacity": False},
            "request gpu: has capacity requests, but the DRAConsumableCapacity feature is disabled",
        ),
        (
            listed(**CAPACITY),
            {"consumable_capacity": False},
            "subrequest sub: has capacity requests, but the DRAConsumableCapacity feature is disabled",
        ),
        (
            request(derivedAttributes=[{"name": "a", "expression": "1"}]),
            {},
            "request gpu: cannot handle request with derived attributes, the feature is disabled",
        ),
        (
            request(selectors=[{"future": {}}]),
            {},
            "request gpu, selector #0: CEL expression empty (unsupported selector type?)",
        ),
        (
            request(adminAccess=False),
            {"admin_access": False},
            "request gpu: admin access is requested, but the feature is disabled",
        ),
        (request(deviceClassName=""), {}, "request gpu: missing device class name (unsupported request type?)"),
        ({"name": "gpu"}, {}, "request gpu: missing device class name (unsupported request type?)"),
        (
            request(deviceClassName="none"),
            {},
            'request gpu: could not retrieve device class none: deviceclass.resource.k8s.io "none" not found',
        ),
        (
            listed(deviceClassName="none"),
            {},
            'request sub: could not retrieve device class none: deviceclass.resource.k8s.io "none" not found',
        ),
        (request(allocationMode="Some"), {}, "request gpu: unsupported count mode Some"),
    ],
)
def test_claims_that_cannot_be_handled_end_the_cycle(wanted: Json, behaviour: dict[str, bool], words: str) -> None:
    found = allocator(slice_of("a"), **behaviour)
    with pytest.raises(AllocationError) as error:
        found.allocate([claim(wanted)], node())
    assert str(error.value) == f"claim default/c, {words}"
    assert found.survey([claim(wanted)], node()).problems == (str(error.value),)


def test_the_first_problem_is_told_in_the_order_of_claims_and_requests() -> None:
    claims = [
        claim(request("a"), request("b", allocationMode="Some"), name="one", constraints=[{"requests": []}]),
        claim(request("c", deviceClassName="none"), name="two"),
    ]
    with pytest.raises(AllocationError, match="claim default/one, request b: unsupported count mode Some"):
        allocator(slice_of("a")).allocate(claims, node())


def test_what_comes_before_a_problem_is_looked_at_first() -> None:
    incomplete = slice_of("a", count=2)
    with pytest.raises(AllocationError, match="request a: asks for all devices"):
        allocator(incomplete).allocate(
            [claim(request("a", allocationMode="All"), request("b", allocationMode="Some"))], node()
        )


def test_a_class_that_changes_is_read_again() -> None:
    found, wanted = allocator(slice_of("a")), claim(request(deviceClassName="late"))
    with pytest.raises(AllocationError, match="could not retrieve device class late"):
        found.allocate([wanted], node())
    found.put_class(device_class("late"))
    assert devices_of(found.allocate([wanted], node())) == ["a"]
    found.put_class(device_class("late", "false"))
    assert devices_of(found.allocate([wanted], node())) == []
    found.put_class(device_class("late", "true"))
    assert devices_of(found.allocate([wanted], node())) == ["a"]
    found.drop_class("late")
    found.drop_class("late")
    with pytest.raises(AllocationError, match="could not retrieve device class late"):
        found.allocate([wanted], node())


def test_claims_are_read_once_for_all_nodes() -> None:
    found, wanted = allocator(slice_of("a")), claim()
    requests = found.survey([wanted], node()).requests
    assert found.survey([wanted], node("n2")).requests == requests
    assert found.survey([ResourceClaim.from_wire(wanted.to_wire())], node()).requests != requests

"""Constraints of a claim."""

from typing import Any

import pytest

from fake_dra_driver.allocation import AllocationError, DeviceId
from fake_dra_driver.allocation.constraints import attribute_of
from fake_dra_driver.allocation.obstacles import ConstraintBroken
from fake_dra_driver.api.resource.v1 import Device
from tests.unit.allocation.gpus import DRIVER, Json, allocator, claim, devices_of, node, request, slice_of

NUMA = f"{DRIVER}/numa"


def gpu(name: str, **value: Any) -> Json:
    return {"name": name, "attributes": {"numa": value} if value else {}}


def match(*requests: str, attribute: str = NUMA) -> Json:
    return {"matchAttribute": attribute, "requests": list(requests)}


def distinct(*requests: str) -> Json:
    return {"distinctAttribute": NUMA, "requests": list(requests)}


PAIR = request(count=2)
NODES = (gpu("a", int=0), gpu("b", int=1), gpu("c", int=0), gpu("d", int=1))


@pytest.mark.parametrize(
    ("devices", "constraint", "chosen"),
    [
        (NODES, match(), ["a", "c"]),
        (NODES[1:], match(), ["b", "d"]),
        (NODES[:2], match(), []),
        (NODES, distinct(), ["a", "b"]),
        ((NODES[0], NODES[2]), distinct(), []),
        ((gpu("a"), gpu("b", int=1)), match(), []),
        ((gpu("a"), gpu("b", int=1)), distinct(), []),
        ((gpu("a", string="1"), gpu("b", int=1)), match(), []),
        ((gpu("a", string="1"), gpu("b", int=1)), distinct(), ["a", "b"]),
        ((gpu("a", bool=True), gpu("b", int=1)), match(), []),
        ((gpu("a", bool=True), gpu("b", bool=True)), match(), ["a", "b"]),
        ((gpu("a", version="1.0.0"), gpu("b", version="1.0.0")), match(), ["a", "b"]),
        ((gpu("a", version="1.0.0"), gpu("b", string="1.0.0")), match(), []),
    ],
)
def test_devices_have_the_attribute_in_common_or_differ(
    devices: tuple[Json, ...], constraint: Json, chosen: list[str]
) -> None:
    wanted = claim(PAIR, constraints=[constraint])
    assert devices_of(allocator(slice_of(*devices)).allocate([wanted], node())) == chosen


@pytest.mark.parametrize(
    ("constraint", "chosen"),
    [
        (match("one", "two"), ["a", "c", "b"]),
        (match("one", "three"), ["a", "b", "c"]),
        (match("two"), ["a", "b", "c"]),
        (distinct("one", "three"), ["a", "b", "d"]),
    ],
)
def test_a_constraint_can_be_about_some_requests(constraint: Json, chosen: list[str]) -> None:
    wanted = claim(request("one"), request("two"), request("three"), constraints=[constraint])
    assert devices_of(allocator(slice_of(*NODES)).allocate([wanted], node())) == chosen


@pytest.mark.parametrize(
    ("requests", "chosen"), [(("one",), ["a", "c"]), (("one/small",), ["a", "c"]), (("one/large",), ["a", "b"])]
)
def test_a_constraint_can_be_about_an_alternative(requests: tuple[str, ...], chosen: list[str]) -> None:
    small = {**request()["exactly"], "name": "small"}
    large = {**request(count=9)["exactly"], "name": "large"}
    wanted = claim(
        {"name": "one", "firstAvailable": [large, small]}, request("two"), constraints=[match(*requests, "two")]
    )
    assert devices_of(allocator(slice_of(*NODES)).allocate([wanted], node())) == chosen


def test_the_attribute_of_a_driver_may_go_without_its_domain() -> None:
    device = Device.model_validate(
        {
            "name": "a",
            "attributes": {"numa": {"int": 1}, "x.example.com/numa": {"int": 2}, f"{DRIVER}/full": {"int": 3}},
        }
    )
    found = [
        attribute_of(DRIVER, device, name) for name in (NUMA, "x.example.com/numa", f"{DRIVER}/full", "y/numa", "numa")
    ]
    assert [None if each is None else each.int_value for each in found] == [1, 2, 3, None, 1]


def test_what_is_broken_is_named_with_both_values() -> None:
    found = allocator(slice_of(*NODES[:2]))
    wanted = claim(PAIR, constraints=[match(attribute=f"{DRIVER}/no")])
    survey = found.survey([wanted], node())
    device = DeviceId(DRIVER, "n1", "a")
    [broken] = survey.judge(survey.requests[0], device)
    assert broken == ConstraintBroken(device, 0, "match", f"{DRIVER}/no", None, {})


def test_a_constraint_that_all_devices_cannot_satisfy_ends_the_cycle() -> None:
    wanted = claim(request(allocationMode="All"), constraints=[match()])
    with pytest.raises(AllocationError) as error:
        allocator(slice_of(*NODES)).allocate([wanted], node())
    assert str(error.value) == (
        "claim default/c, request gpu: cannot add device gpu.example.com/n1/b"
        " because a claim constraint would not be satisfied"
    )


def test_a_constraint_of_a_kind_that_is_not_known_ends_the_cycle() -> None:
    with pytest.raises(AllocationError) as error:
        allocator(slice_of("a")).allocate([claim(constraints=[{"requests": []}])], node())
    assert str(error.value) == "claim default/c, constraint #0: empty constraint (unsupported constraint type?)"


def test_a_device_once_had_to_differ_from_the_last_one_of_each_request_only() -> None:
    wanted = claim(request(count=3), constraints=[distinct()])
    found = allocator(slice_of(gpu("a", int=0), gpu("b", int=1), gpu("c", int=0)), distinct_from_last=True)
    assert devices_of(found.allocate([wanted], node())) == ["a", "b", "c"]
    two = claim(request("one"), request("two"), constraints=[distinct()])
    assert devices_of(found.allocate([two], node())) == ["a", "b"]


LISTS = (gpu("a", ints=[0, 1]), gpu("b", ints=[2]), gpu("c", ints=[1, 2]), gpu("d", int=1))


@pytest.mark.parametrize(
    ("devices", "constraint", "count", "chosen"),
    [
        (LISTS, match(), 2, ["a", "c"]),
        (LISTS, match(), 3, ["a", "c", "d"]),
        (LISTS[:3], match(), 3, []),
        (LISTS, distinct(), 2, ["a", "b"]),
        (LISTS, distinct(), 3, []),
        ((gpu("a"), gpu("b", strings=["x"]), gpu("c", string="x")), match(), 2, ["b", "c"]),
    ],
)
def test_lists_have_a_value_in_common_or_none(
    devices: tuple[Json, ...], constraint: Json, count: int, chosen: list[str]
) -> None:
    wanted = claim(request(count=count), constraints=[constraint])
    assert devices_of(allocator(slice_of(*devices), list_attributes=True).allocate([wanted], node())) == chosen

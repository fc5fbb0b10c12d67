"""What a request consumes of a device's capacities, and whether that is left."""

from typing import Any

import pytest

from fake_dra_driver.allocation import AllocationError, Behaviour
from fake_dra_driver.allocation.capacity import CapacityError, demand_on
from fake_dra_driver.allocation.obstacles import CapacityShort, CapacityUnknown, PolicyRefused
from fake_dra_driver.api.resource.v1 import DeviceCapacity
from fake_dra_driver.quantity import Quantity
from tests.unit.allocation.gpus import (
    Json,
    allocated,
    allocator,
    claim,
    devices_of,
    granted,
    names,
    node,
    request,
    slice_of,
)

RANGE = {"default": "1Gi", "validRange": {"min": "1Gi", "max": "8Gi", "step": "2Gi"}}
VALUES = {"default": "10", "validValues": ["10", "20", "40"]}
HALVES = {"default": "500m", "validRange": {"min": "250m", "max": "2", "step": "500m"}}


def consumed(value: str, policy: Json | None, asked: str | None, **behaviour: Any) -> tuple[str, bool]:
    capacity = DeviceCapacity.model_validate({"value": value, "requestPolicy": policy})
    wanted = frozenset() if asked is None else frozenset({("x", Quantity.parse(asked))})
    demand = demand_on({"x": capacity}, wanted, Behaviour(**behaviour))
    return str(demand.consumed["x"]), demand.refused is None and demand.fits_alone


@pytest.mark.parametrize(
    ("value", "policy", "asked", "outcome"),
    [
        ("80Gi", None, None, ("80Gi", True)),
        ("80Gi", None, "10Gi", ("10Gi", True)),
        ("80Gi", None, "81Gi", ("81Gi", False)),
        ("80Gi", RANGE, None, ("1Gi", True)),
        ("80Gi", RANGE, "1Mi", ("1Gi", True)),
        ("80Gi", RANGE, "1Gi", ("1Gi", True)),
        ("80Gi", RANGE, "2Gi", ("3Gi", True)),
        ("80Gi", RANGE, "3Gi", ("3Gi", True)),
        ("80Gi", RANGE, "8Gi", ("9Gi", False)),
        ("80Gi", {"default": "1", "validRange": {"min": "1", "max": "8"}}, "1500m", ("1500m", True)),
        ("80Gi", {"default": "1"}, "5", ("5", True)),
        ("100", VALUES, None, ("10", True)),
        ("100", VALUES, "11", ("20", True)),
        ("100", VALUES, "40", ("40", True)),
        ("100", VALUES, "41", ("41", False)),
        ("30", VALUES, "40", ("40", False)),
    ],
)
def test_a_policy_rounds_up_what_is_asked_for(
    value: str, policy: Json | None, asked: str | None, outcome: tuple[str, bool]
) -> None:
    assert consumed(value, policy, asked) == outcome


def test_steps_below_one_count_where_the_feature_is_on() -> None:
    assert consumed("2", HALVES, "300m", fractional_capacity=True) == ("750m", True)
    assert consumed("2", HALVES, "1250m", fractional_capacity=True) == ("1250m", True)
    # Without it, each figure is rounded up to a whole number before it is reckoned with.
    assert consumed("2", HALVES, "500m") == ("1", True)


def test_a_rounded_amount_was_once_written_in_binary_form() -> None:
    policy = {"default": "1M", "validRange": {"min": "1M", "step": "1M"}}
    assert consumed("100M", policy, "1500k") == ("2M", True)
    assert consumed("100M", policy, "1500k", binary_amounts=True) == ("2000000", True)


@pytest.mark.parametrize(
    ("policy", "asked", "words"),
    [
        (HALVES, "300u", None),
        (HALVES, "1000300u", "request 1000300u is not a representable milli value"),
        (
            {"default": "1", "validRange": {"min": "1", "step": "2"}},
            str(2**63 - 1),
            None,
        ),
        (
            {"default": "2", "validRange": {"min": "2", "step": "4"}},
            str(2**63 - 1),
            f"rounding request {2**63 - 1} up to the next step passes MaxInt64",
        ),
    ],
)
def test_amounts_that_cannot_be_reckoned_with_are_errors(policy: Json, asked: str, words: str | None) -> None:
    capacity = {"x": DeviceCapacity.model_validate({"value": "1", "requestPolicy": policy})}
    wanted = frozenset({("x", Quantity.parse(asked))})
    behaviour = Behaviour(fractional_capacity=policy is HALVES)
    if words is None:
        demand_on(capacity, wanted, behaviour)
        return
    with pytest.raises(CapacityError) as error:
        demand_on(capacity, wanted, behaviour)
    assert str(error.value) == (
        f'capacity "x": capacity request cannot be represented in the device\'s range arithmetic: {words}'
    )


def test_what_cannot_be_reckoned_with_ends_the_cycle() -> None:
    shared = {"name": "a", "allowMultipleAllocations": True, "capacity": {"x": {"value": "-1"}}}
    for wanted, device in ((claim(), "gpu.example.com/n1/a"), (claim(request(allocationMode="All")), "a")):
        with pytest.raises(AllocationError) as error:
            allocator(slice_of(shared)).allocate([wanted], node())
        words = f'checking capacity for device {device}: capacity "x": capacity value is negative'
        assert str(error.value) == f"claim default/c, request gpu: {words}"


def gpu(name: str = "a", value: str = "80Gi", **fields: Any) -> Json:
    return {"name": name, "capacity": {"memory": {"value": value}}, **fields}


def asking(amount: str, capacity: str = "memory", name: str = "gpu", **fields: Any) -> Json:
    return request(name, capacity={"requests": {capacity: amount}}, **fields)


def test_a_device_for_one_claim_has_to_be_large_enough_and_nothing_is_consumed() -> None:
    decision = granted(allocator(slice_of(gpu("a", "40Gi"), gpu("b"))).allocate([claim(asking("41Gi"))], node()))
    assert devices_of(decision) == ["b"]
    [result] = decision.results[0].devices.results
    assert (result.share_id, dict(result.consumed_capacity)) == (None, {})


def test_claims_share_a_device_until_its_capacity_is_used_up() -> None:
    found = allocator(slice_of(gpu(allowMultipleAllocations=True)))
    for index in range(2):
        wanted = claim(asking("40Gi"), name=f"c{index}")
        decision = granted(found.allocate([wanted], node()))
        [result] = decision.results[0].devices.results
        assert (result.device, result.share_id) == ("a", f"share-{index + 1}")
        assert dict(result.consumed_capacity) == {"memory": "40Gi"}
        found.assume(wanted, decision.results[0])
    last = claim(asking("1Gi"), name="last")
    assert devices_of(found.allocate([last], node())) == []
    survey = found.survey([last], node())
    [short] = survey.judge(survey.requests[0], survey.pools[0].devices[0])
    assert isinstance(short, CapacityShort)
    figures = (short.name, str(short.asked), str(short.consumed), str(short.left), str(short.total))
    assert figures == ("memory", "1Gi", "1Gi", "0", "80Gi")
    assert [(holder.claim.name, str(amount)) for holder, amount in short.holders] == [("c0", "40Gi"), ("c1", "40Gi")]


def test_requests_of_one_claim_may_share_a_device() -> None:
    wanted = claim(asking("50Gi", name="one"), asking("30Gi", name="two"), asking("1Gi", name="three"))
    found = allocator(slice_of(gpu("a", allowMultipleAllocations=True), gpu("b", allowMultipleAllocations=True)))
    assert devices_of(found.allocate([wanted], node())) == ["a", "a", "b"]


def test_one_request_gets_a_device_once() -> None:
    found = allocator(slice_of(gpu("a", allowMultipleAllocations=True)))
    assert devices_of(found.allocate([claim(asking("1Gi", count=2))], node())) == []


def test_what_is_not_asked_for_is_consumed_whole_or_by_default() -> None:
    capacity = {"memory": {"value": "80Gi", "requestPolicy": RANGE}, "slots": {"value": "4"}}
    found = allocator(slice_of({"name": "a", "allowMultipleAllocations": True, "capacity": capacity}))
    decision = granted(found.allocate([claim()], node()))
    [result] = decision.results[0].devices.results
    assert dict(result.consumed_capacity) == {"memory": "1Gi", "slots": "4"}


@pytest.mark.parametrize(
    ("wanted", "obstacle"),
    [
        (asking("1", capacity="cores"), CapacityUnknown),
        (asking("9Gi"), PolicyRefused),
        (asking("8Gi"), PolicyRefused),
        (asking("7Gi"), CapacityShort),
    ],
)
def test_a_device_that_is_too_small_says_why(wanted: Json, obstacle: type) -> None:
    small = {
        "name": "a",
        "allowMultipleAllocations": True,
        "capacity": {"memory": {"value": "4Gi", "requestPolicy": RANGE}},
    }
    survey = allocator(slice_of(small)).survey([claim(wanted)], node())
    found = survey.judge(survey.requests[0], survey.pools[0].devices[0])
    assert names(found) == [obstacle.__name__]


def test_a_request_for_all_wants_those_that_are_large_enough_and_is_refused_while_they_are_not_free() -> None:
    devices = slice_of(
        gpu("a", "1Gi"), gpu("b", allowMultipleAllocations=True), gpu("c", allowMultipleAllocations=True)
    )
    wanted = claim(asking("50Gi", allocationMode="All"))
    used = allocated(claim(name="used"), "b", shareID="1", consumedCapacity={"memory": "40Gi"})
    assert devices_of(allocator(devices).allocate([wanted], node())) == ["b", "c"]
    assert devices_of(allocator(devices, used).allocate([wanted], node())) == []
    assert devices_of(allocator(devices, used, all_skips_used_up=True).allocate([wanted], node())) == ["c"]


def test_without_the_feature_a_device_is_for_one_claim() -> None:
    found = allocator(slice_of(gpu("a", allowMultipleAllocations=True)), consumable_capacity=False)
    decision = granted(found.allocate([claim()], node()))
    [result] = decision.results[0].devices.results
    assert result.share_id is None
    found.put_claim(allocated(claim(name="used"), "a"))
    assert devices_of(found.allocate([claim()], node())) == []

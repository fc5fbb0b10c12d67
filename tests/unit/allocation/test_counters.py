"""Counters that the devices of a pool share."""

from collections.abc import Sequence

from fake_dra_driver.allocation import Allocator, DeviceId
from fake_dra_driver.allocation.obstacles import CounterShortage, CountersShort
from fake_dra_driver.quantity import Quantity
from tests.unit.allocation.gpus import (
    DRIVER,
    Json,
    allocated,
    allocator,
    claim,
    devices_of,
    names,
    node,
    request,
    slice_of,
)

SETS: Sequence[Json] = [{"name": "gpu-0", "counters": {"memory": {"value": "40Gi"}, "engines": {"value": "4"}}}]


def partition(name: str, memory: str, engines: str = "1", **fields: object) -> Json:
    counters = {"memory": {"value": memory}, "engines": {"value": engines}}
    return {"name": name, "consumesCounters": [{"counterSet": "gpu-0", "counters": counters}], **fields}


WHOLE, HALF, OTHER_HALF = partition("whole", "40Gi", "4"), partition("half", "20Gi"), partition("other-half", "20Gi")


def partitioned(*devices: Json, sets: Sequence[Json] = SETS, **behaviour: bool) -> Allocator:
    counters = slice_of(name="counters", count=2, sharedCounters=sets)
    return allocator(counters, slice_of(*devices, name="devices", count=2), **behaviour)


def test_partitions_are_had_as_long_as_the_counters_last() -> None:
    found = partitioned(WHOLE, HALF, OTHER_HALF)
    assert devices_of(found.allocate([claim(request(count=2))], node())) == ["half", "other-half"]
    assert devices_of(found.allocate([claim(request(count=3))], node())) == []
    found.put_claim(allocated(claim(name="used"), "half"))
    assert devices_of(found.allocate([claim()], node())) == ["other-half"]
    found.put_claim(claim(name="used"))
    assert devices_of(found.allocate([claim()], node())) == ["whole"]


def test_a_shortage_says_what_is_needed_and_who_consumes_the_rest() -> None:
    found = partitioned(WHOLE, HALF)
    found.put_claim(allocated(claim(name="used"), "half"))
    survey = found.survey([claim()], node())
    [short] = survey.judge(survey.requests[0], DeviceId(DRIVER, "n1", "whole"))
    half = DeviceId(DRIVER, "n1", "half")
    gi = 2**30 * 10**9
    assert short == CountersShort(
        DeviceId(DRIVER, "n1", "whole"),
        (
            CounterShortage(
                "gpu-0",
                "memory",
                needed=Quantity(40 * gi, "binary"),
                left=Quantity(20 * gi, "binary"),
                total=Quantity(40 * gi, "binary"),
                consumers=((half, Quantity(20 * gi, "binary")),),
            ),
            CounterShortage(
                "gpu-0",
                "engines",
                needed=Quantity.parse("4"),
                left=Quantity.parse("3"),
                total=Quantity.parse("4"),
                consumers=((half, Quantity.parse("1")),),
            ),
        ),
    )


def test_devices_on_other_nodes_consume_too() -> None:
    counters = slice_of(name="counters", count=3, sharedCounters=SETS, allNodes=True)
    found = allocator(
        counters,
        slice_of(WHOLE, name="here", count=3),
        slice_of(HALF, name="there", count=3, nodeName="n2"),
        allocated(claim(name="used"), "half"),
    )
    assert devices_of(found.allocate([claim()], node())) == []


def test_nothing_that_consumes_fits_while_a_counter_is_overdrawn() -> None:
    sets = [*SETS, {"name": "gpu-1", "counters": {"memory": {"value": "10Gi"}}}]
    overdrawn = {"counterSet": "gpu-1", "counters": {"memory": {"value": "20Gi"}}}
    found = partitioned(HALF, {"name": "large", "consumesCounters": [overdrawn]}, {"name": "plain"}, sets=sets)
    assert devices_of(found.allocate([claim()], node())) == ["half"]
    found.put_claim(allocated(claim(name="used"), "large"))
    assert devices_of(found.allocate([claim()], node())) == ["plain"]
    survey = found.survey([claim()], node())
    [short] = survey.judge(survey.requests[0], DeviceId(DRIVER, "n1", "half"))
    assert isinstance(short, CountersShort)
    [shortage] = short.shortages
    assert (shortage.counter_set, str(shortage.needed), str(shortage.left)) == ("gpu-1", "0", "-10Gi")


def test_admin_access_needs_counters_as_well() -> None:
    found = partitioned(WHOLE, HALF)
    assert devices_of(found.allocate([claim(request(allocationMode="All", adminAccess=True))], node())) == []
    assert devices_of(found.allocate([claim(request(adminAccess=True))], node())) == ["whole"]


def test_shares_of_a_device_consume_once() -> None:
    shared = partition("shared", "40Gi", allowMultipleAllocations=True, capacity={"slots": {"value": "2"}})
    wanted = [request(name, capacity={"requests": {"slots": "1"}}) for name in ("one", "two")]
    found = partitioned(shared)
    assert devices_of(found.allocate([claim(*wanted)], node())) == ["shared", "shared"]
    found.put_claim(allocated(claim(name="used"), "shared", shareID="1", consumedCapacity={"slots": "1"}))
    assert devices_of(found.allocate([claim(wanted[0])], node())) == ["shared"]
    assert devices_of(found.allocate([claim(*wanted)], node())) == [], "the slots are used up"


def test_counters_of_what_was_undone_are_there_again() -> None:
    # The first request tries the whole device, after which the second finds nothing.
    found = partitioned(WHOLE, HALF, OTHER_HALF)
    assert devices_of(found.allocate([claim(request("one"), request("two"))], node())) == ["half", "other-half"]


def test_without_the_feature_devices_that_consume_are_not_had() -> None:
    found = allocator(slice_of(HALF, "plain"), partitionable_devices=False)
    assert devices_of(found.allocate([claim()], node())) == ["plain"]
    survey = found.survey([claim()], node())
    assert names(survey.judge(survey.requests[0], DeviceId(DRIVER, "n1", "half"))) == ["FeatureOff"]


def test_counters_were_once_those_of_a_slice_beside_its_devices() -> None:
    used = allocated(claim(name="used"), "half")
    one = slice_of(WHOLE, HALF, OTHER_HALF, name="s1", count=2, sharedCounters=SETS)
    two = slice_of(partition("another", "40Gi", "4"), name="s2", count=2, sharedCounters=SETS)
    found = allocator(one, two, used, counters_in_slices=True)
    assert devices_of(found.allocate([claim(request(count=2))], node())) == ["other-half", "another"]
    assert devices_of(found.allocate([claim(request(count=3))], node())) == []

"""Which slices a node sees, which pools count, and in which order."""

import pytest

from fake_dra_driver.allocation import CANNOT_ALLOCATE, INVALID_POOLS, AllocationError, DeviceId, PoolId, Refusal
from fake_dra_driver.allocation.obstacles import PoolIncomplete, PoolInvalid, PoolReplaced
from fake_dra_driver.api.resource.v1 import ResourceSlice
from tests.unit.allocation.gpus import DRIVER, Json, allocator, claim, devices_of, node, on_node, request, slice_of

ALL = claim(request(allocationMode="All"))
MANY = claim(request(count=3))
POOL = PoolId(DRIVER, "n1")


@pytest.mark.parametrize(
    ("spec", "nodes"),
    [
        ({"nodeName": "n1"}, ["n1"]),
        ({"allNodes": True}, ["n1", "n2"]),
        ({"nodeSelector": on_node("n2")}, ["n2"]),
        ({"nodeName": None}, []),
    ],
)
def test_a_slice_is_seen_where_it_says(spec: Json, nodes: list[str]) -> None:
    found = allocator(slice_of("a", **spec))
    assert [each for each in ("n1", "n2") if devices_of(found.allocate([claim()], node(each)))] == nodes


def test_a_slice_can_say_for_each_device_on_which_nodes_it_is() -> None:
    devices: list[Json] = [
        {"name": "a", "nodeName": "n1"},
        {"name": "b", "allNodes": True},
        {"name": "c", "nodeSelector": on_node("n2")},
    ]
    found = allocator(slice_of(*devices, perDeviceNodeSelection=True))
    seen = {each: devices_of(found.allocate([ALL], node(each))) for each in ("n1", "n2", "n3")}
    assert seen == {"n1": ["a", "b"], "n2": ["b", "c"], "n3": ["b"]}


def test_a_node_with_other_labels_sees_other_slices() -> None:
    found = allocator(slice_of("a", nodeSelector=on_node("n1")))
    assert devices_of(found.allocate([claim()], node("n1"))) == ["a"]
    assert devices_of(found.allocate([claim()], node("n1", host="renamed"))) == []
    assert devices_of(found.allocate([claim()], node("n1"))) == ["a"]


def test_pools_are_tried_by_driver_and_name_slices_by_name_devices_as_listed() -> None:
    slices = [
        slice_of("f", driver="b.example.com", pool="n1", name="s1"),
        slice_of("e", driver="a.example.com", pool="z", name="s2", nodeName="n1"),
        slice_of("d", "c", driver="a.example.com", pool="n1", name="s4", count=2),
        slice_of("a", "b", driver="a.example.com", pool="n1", name="s3", count=2),
    ]
    for order in (slices, slices[::-1]):
        assert devices_of(allocator(*order).allocate([ALL], node())) == ["a", "b", "d", "c", "e", "f"]


def test_pools_with_binding_conditions_come_last() -> None:
    conditional = {"name": "a", "bindingConditions": ["ready"], "bindingFailureConditions": ["failed"]}
    found = allocator(slice_of(conditional, "b", pool="a", nodeName="n1"), slice_of("c", pool="z", nodeName="n1"))
    assert devices_of(found.allocate([MANY], node())) == ["c", "a", "b"]


def test_slices_with_binding_conditions_once_came_last_in_their_pool() -> None:
    conditional = {"name": "a", "bindingConditions": ["ready"], "bindingFailureConditions": ["failed"]}
    slices = slice_of(conditional, name="s1", count=2), slice_of("b", name="s2", count=2)
    wanted = claim(request(count=2))
    assert devices_of(allocator(*slices).allocate([wanted], node())) == ["a", "b"]
    assert devices_of(allocator(*slices, conditional_slices_last=True).allocate([wanted], node())) == ["b", "a"]


def test_only_the_newest_generation_counts() -> None:
    found = allocator(slice_of("old", generation=1), slice_of("new", generation=2))
    assert devices_of(found.allocate([claim()], node())) == ["new"]
    found.drop_slice("n1-2")
    assert devices_of(found.allocate([claim()], node())) == ["old"]


def test_nothing_is_had_of_a_pool_that_is_not_complete() -> None:
    found = allocator(slice_of("a", name="s1", count=2))
    assert found.allocate([claim()], node()) == Refusal("n1", CANNOT_ALLOCATE)
    [pool] = found.survey([claim()], node()).pools
    assert pool.obstacle == PoolIncomplete(POOL, generation=1, slices=1, expected_slices=2)
    with pytest.raises(
        AllocationError,
        match=f"request gpu: asks for all devices, but resource pool {POOL} is currently being updated",
    ):
        found.allocate([ALL], node())
    found.put_slice(slice_of("b", name="s2", count=2))
    assert devices_of(found.allocate([ALL], node())) == ["a", "b"]


def test_too_many_slices_are_as_wrong_as_too_few() -> None:
    found = allocator(slice_of("a", name="s1"), slice_of("b", name="s2"))
    [pool] = found.survey([claim()], node()).pools
    assert pool.obstacle == PoolIncomplete(POOL, generation=1, slices=2, expected_slices=1)


def test_an_incomplete_pool_was_once_usable_unless_all_was_asked_for() -> None:
    found = allocator(slice_of("a", count=2), incomplete_pools_usable=True, pools_over_cluster=False)
    assert devices_of(found.allocate([claim()], node())) == ["a"]
    with pytest.raises(AllocationError, match="currently being updated"):
        found.allocate([ALL], node())


def test_slices_on_other_nodes_make_a_pool_complete() -> None:
    slices = slice_of("a", name="s1", count=2), slice_of("b", name="s2", count=2, nodeName="n2")
    assert devices_of(allocator(*slices).allocate([ALL], node())) == ["a"]
    with pytest.raises(AllocationError, match="currently being updated"):
        allocator(*slices, pools_over_cluster=False).allocate([ALL], node())


def test_a_newer_generation_elsewhere_hides_what_is_left_of_the_older_one() -> None:
    slices = slice_of("a", name="s1", count=2), slice_of("b", name="s2", generation=2, count=2, nodeName="n2")
    found = allocator(*slices)
    assert found.allocate([ALL], node()) == Refusal("n1", CANNOT_ALLOCATE)
    [pool] = found.survey([claim()], node()).pools
    assert pool.obstacle == PoolReplaced(POOL, generation=1, slices=1, expected_slices=2, newer_generation=2)


def test_a_generation_that_a_node_sees_whole_is_good_though_there_is_a_newer_one_elsewhere() -> None:
    found = allocator(slice_of("a", name="s1"), slice_of("b", name="s2", generation=2, nodeName="n2"))
    assert devices_of(found.allocate([claim()], node())) == ["a"]


COUNTERS = {"name": "set", "counters": {"memory": {"value": "8Gi"}}}


def consumer(name: str = "a", counter_set: str = "set", counter: str = "memory") -> Json:
    consumed = {"counterSet": counter_set, "counters": {counter: {"value": "4Gi"}}}
    return {"name": name, "consumesCounters": [consumed]}


@pytest.mark.parametrize(
    ("slices", "reason"),
    [
        ([slice_of("a", "a")], "duplicate device name a"),
        ([slice_of("a", name="s1", count=2), slice_of("a", name="s2", count=2)], "duplicate device name a"),
        ([slice_of(sharedCounters=[COUNTERS, COUNTERS])], "duplicate counter set name set"),
        ([slice_of(consumer())], "counter set set not found"),
        (
            [
                slice_of(name="s1", count=2, sharedCounters=[COUNTERS]),
                slice_of(consumer(counter="x"), name="s2", count=2),
            ],
            "counter x not found in counter set set",
        ),
        (
            [
                slice_of("a", name="s1", count=2),
                slice_of(consumer("b"), name="s2", count=2, nodeName="n2"),
            ],
            "counter set set not found",
        ),
    ],
)
def test_a_pool_that_contradicts_itself_is_left_out(slices: list[ResourceSlice], reason: str) -> None:
    found = allocator(*slices)
    assert found.allocate([claim()], node()) == Refusal("n1", INVALID_POOLS)
    [pool] = found.survey([claim()], node()).pools
    assert isinstance(pool.obstacle, PoolInvalid)
    assert pool.obstacle.reason == reason
    with pytest.raises(AllocationError, match=f"but resource pool {POOL} is currently invalid"):
        found.allocate([ALL], node())
    found.put_slice(slice_of("fine", pool="other", nodeName="n1"))
    assert devices_of(found.allocate([claim()], node())) == ["fine"]


def test_an_invalid_pool_once_ended_the_cycle_when_a_device_of_it_fitted() -> None:
    found = allocator(slice_of("a", "a"), slice_of("fine", pool="a", nodeName="n1"), invalid_pools_abort=True)
    assert devices_of(found.allocate([claim()], node())) == ["fine"]
    with pytest.raises(AllocationError, match=r"^pool n1 is invalid: duplicate device name a$"):
        found.allocate([claim(request(count=2))], node())


def test_slices_that_need_what_is_off_are_ignored() -> None:
    per_device = slice_of({"name": "a", "allNodes": True}, perDeviceNodeSelection=True)
    counted = slice_of(name="s1", pool="b", nodeName="n1", count=2, sharedCounters=[COUNTERS])
    consuming = slice_of(consumer(), name="s2", pool="b", nodeName="n1", count=2)
    found = allocator(per_device, counted, consuming, partitionable_devices=False)
    assert [each.id.pool for each in found.survey([claim()], node()).pools] == ["b"]
    assert found.allocate([claim()], node()) == Refusal("n1", CANNOT_ALLOCATE)


def test_a_slice_of_counters_was_once_about_every_node() -> None:
    slices = [
        slice_of(name="s1", count=2, sharedCounters=[COUNTERS]),
        slice_of(consumer(), name="s2", count=2),
    ]
    assert allocator(*slices).survey([claim()], node("n2")).pools == ()
    [pool] = allocator(*slices, counter_slices_everywhere=True).survey([claim()], node("n2")).pools
    assert (pool.id, pool.devices, pool.obstacle) == (POOL, (), None)


def test_devices_that_go_together_only_with_some_are_not_allocated() -> None:
    grouped = {"counterSet": "set", "counters": {"memory": {"value": "1"}}, "compatibilityGroups": ["g"]}
    found = allocator(
        slice_of(name="s1", count=2, sharedCounters=[COUNTERS]),
        slice_of({"name": "a", "consumesCounters": [grouped]}, name="s2", count=2),
    )
    assert found.allocate([claim()], node()) == Refusal("n1", CANNOT_ALLOCATE)


def test_what_changes_is_looked_at_again() -> None:
    found = allocator(slice_of("a"))
    assert devices_of(found.allocate([ALL], node())) == ["a"]
    found.put_slice(slice_of("a", "b"))
    assert devices_of(found.allocate([ALL], node())) == ["a", "b"]
    found.drop_slice("n1-1")
    assert found.allocate([ALL], node()) == Refusal("n1", CANNOT_ALLOCATE)
    found.drop_slice("never was")


def test_a_survey_names_the_devices_of_each_pool() -> None:
    [pool] = allocator(slice_of("b", "a")).survey([claim()], node()).pools
    assert pool.devices == (DeviceId(DRIVER, "n1", "b"), DeviceId(DRIVER, "n1", "a"))

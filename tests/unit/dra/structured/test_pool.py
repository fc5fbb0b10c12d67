"""How devices are split into slices, and how these are named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_dra_driver.api.kube.core import NodeSelector, NodeSelectorTerm
from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.structured.pool import Pool, PoolError, is_name_of_pool, slices_of
from tests.support.slice_world import DRIVER, NODE, devices, pool_of, taint

MANY = devices(300)


def sizes(pool: Pool) -> list[int]:
    return [len(one.spec.devices) for one in slices_of(DRIVER, pool)]


def test_plain_devices_are_split_by_128() -> None:
    assert sizes(pool_of(devices(128))) == [128]
    assert sizes(pool_of(devices(300))) == [128, 128, 44]


def test_one_device_with_more_to_it_splits_all_by_64() -> None:
    consumed = v1.DeviceCounterConsumption(counter_set="set", counters={"memory": v1.Counter(value="1")})
    listed = v1.DeviceAttribute.model_validate({"strings": ["a", "b"]})
    for extra in ({"taints": (taint(),)}, {"consumes_counters": (consumed,)}, {"attributes": {"lists": listed}}):
        special = v1.Device.model_validate({"name": "special", **extra})
        assert sizes(pool_of(devices(128), (special,))) == [64, 64, 1]


def test_counters_are_in_slices_of_their_own_before_the_devices() -> None:
    sets = tuple(v1.CounterSet(name=f"set-{n}", counters={"memory": v1.Counter(value="1")}) for n in range(9))
    found = slices_of(DRIVER, pool_of(devices(1), shared_counters=sets))
    assert [(len(one.spec.shared_counters), len(one.spec.devices)) for one in found] == [(8, 0), (1, 0), (0, 1)]
    assert {one.spec.pool.resource_slice_count for one in found} == {3}
    for one in found:
        assert not {"devices", "sharedCounters"} <= one.spec.to_wire().keys(), "an empty list counts as one that is set"


def counted(name: str, *sets: str, counters: int = 1) -> v1.Device:
    amounts = {f"counter-{n}": v1.Counter(value="1") for n in range(counters)}
    used = tuple(v1.DeviceCounterConsumption(counter_set=one, counters=amounts) for one in sets)
    return v1.Device(name=name, consumes_counters=used)


def counter_sets(*names: str, counters: int = 1) -> tuple[v1.CounterSet, ...]:
    amounts = {f"counter-{n}": v1.Counter(value="8") for n in range(counters)}
    return tuple(v1.CounterSet(name=name, counters=amounts) for name in names)


def test_before_1_35_counters_are_beside_the_devices_that_use_them() -> None:
    """A slice for all that has counters in common, also by way of a device that uses two sets; and others apart."""
    offered = (counted("a-0", "a"), counted("plain"), counted("b-0", "b"), counted("a-1", "a"), counted("bc", "b", "c"))
    pool = pool_of(offered, (counted("c-0", "c"),), shared_counters=counter_sets("a", "b", "c"))
    found = slices_of(DRIVER, pool, is_counted_beside=True)
    assert [
        ([one.name for one in each.spec.shared_counters], [device.name for device in each.spec.devices])
        for each in found
    ] == [(["a"], ["a-0", "a-1"]), (["b", "c"], ["b-0", "bc", "c-0"]), ([], ["plain"])]
    assert {one.spec.pool.resource_slice_count for one in found} == {3}


def test_before_1_35_what_has_to_be_in_one_slice_has_to_fit() -> None:
    crowd = tuple(counted(f"a-{n}", "a") for n in range(129))
    with pytest.raises(PoolError, match=r"counter set a .* takes at most 128 devices .* and have 129"):
        slices_of(DRIVER, pool_of(crowd, shared_counters=counter_sets("a")), is_counted_beside=True)
    wide = pool_of((counted("ab", "a", "b", counters=17),), shared_counters=counter_sets("a", "b", counters=17))
    with pytest.raises(PoolError, match=r"counter set a, b .* takes at most 32 counters .* and have 34"):
        slices_of(DRIVER, wide, is_counted_beside=True)


def test_a_pool_without_devices_has_no_slices() -> None:
    assert slices_of(DRIVER, pool_of()) == ()


def test_a_slice_says_on_which_nodes_in_exactly_one_way() -> None:
    selector = NodeSelector(node_selector_terms=(NodeSelectorTerm(),))
    for fields, expected in (
        ({"node_name": NODE}, {"nodeName": NODE}),
        ({"node_selector": selector}, {"nodeSelector": {"nodeSelectorTerms": [{}]}}),
        ({"all_nodes": True}, {"allNodes": True}),
        ({"per_device_node_selection": True}, {"perDeviceNodeSelection": True}),
    ):
        (one,) = slices_of(DRIVER, Pool("p", devices(1), **fields))
        wire = one.spec.to_wire()
        assert {name: wire[name] for name in wire if name not in ("driver", "pool", "devices")} == expected


# A domain, as drivers, nodes and pools have it.
subdomains = st.from_regex(r"[a-z0-9]{1,20}([-.][a-z0-9]{1,20}){0,9}", fullmatch=True)


@given(subdomains, st.lists(subdomains, min_size=1, max_size=3).map("/".join))
def test_names_are_those_of_objects_in_the_order_of_the_devices(driver: str, pool: str) -> None:
    found = [one.name for one in slices_of(driver, Pool(pool, MANY, all_nodes=True))]
    assert len(found) == 3
    assert found == sorted(found)
    for name in found:
        assert len(name) <= 253
        for label in name.split("."):
            assert label
            assert label.strip("-") == label
        assert is_name_of_pool(name, driver, pool)
        assert not is_name_of_pool(name, driver, f"{pool}x")


def test_names_that_are_cut_or_joined_alike_differ_all_the_same() -> None:
    long = "x" * 250
    pairs = [("a-b", "c"), ("a", "b-c"), ("a", "b/c"), ("a", long + "1"), ("a", long + "2")]
    found = {slices_of(driver, Pool(pool, devices(1), all_nodes=True))[0].name for driver, pool in pairs}
    assert len(found) == len(pairs)


def test_names_that_are_not_ours_are_told_apart() -> None:
    (one,) = slices_of(DRIVER, pool_of(devices(1)))
    rest = one.name.removeprefix("00000")
    assert is_name_of_pool(f"0000a{rest}", DRIVER, NODE)
    for name in (rest, f"0000{rest}", f"0000g{rest}", f"{one.name}x", "by-hand", ""):
        assert not is_name_of_pool(name, DRIVER, NODE)


def test_the_name_of_a_slice_is_the_same_in_every_release_of_this_project() -> None:
    """Another name would be another slice, and an upgrade would replace all of them."""
    (one,) = slices_of("fake.resource.3-shake.com", Pool("node-0", devices(1), node_name="node-0"))
    assert one.name == "00000-fake.resource.3-shake.com-node-0-lki26742"

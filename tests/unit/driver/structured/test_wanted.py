"""What a claim gets by allocation and parameters: splits, and parameters that say something else than was allocated."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_dra_driver.api.fake import DRIVER_NAME
from fake_dra_driver.api.kube.meta import ObjectMeta
from fake_dra_driver.api.resource import v1
from fake_dra_driver.device.inventory import make_inventory
from fake_dra_driver.dra.node.driver import PrepareError
from fake_dra_driver.dra.node.prepared import RequestResult
from fake_dra_driver.dra.structured.claims import AllocatedClaim
from fake_dra_driver.dra.structured.config import ConfigError
from fake_dra_driver.driver.node.prepared import WantedDevice
from fake_dra_driver.driver.structured.inventory import devices_by_name
from fake_dra_driver.driver.structured.parameters import MockConfigs
from fake_dra_driver.driver.structured.wanted import wanted_devices
from tests.support.node import NODE, UUIDS
from tests.support.structurednode import parameters, result

DEVICES = devices_by_name(make_inventory(NODE, 32, ["ULTRA_10", "ULTRA_100"]))
Results = Sequence[v1.DeviceRequestAllocationResult]
Configs = Sequence[v1.DeviceAllocationConfiguration]


def allocated(results: Results, config: Configs = ()) -> AllocatedClaim:
    devices = v1.DeviceAllocationResult(results=tuple(results), config=tuple(config))
    status = v1.ResourceClaimStatus(allocation=v1.AllocationResult(devices=devices))
    claim = v1.ResourceClaim(metadata=ObjectMeta(name="c", namespace="default"), status=status)
    return AllocatedClaim.of(claim, DRIVER_NAME, NODE)


def wanted(results: Results, config: Configs = ()) -> Sequence[WantedDevice]:
    return wanted_devices(allocated(results, config), DEVICES, MockConfigs(DRIVER_NAME))


def splits(results: Results, *config: v1.DeviceAllocationConfiguration) -> list[int]:
    return [entry.split for entry in wanted(results, config)]


def problems(results: Results, *config: v1.DeviceAllocationConfiguration) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        wanted(results, config)
    return [f"{problem.path.rpartition('parameters.')[2]}: {problem.message}" for problem in caught.value.problems]


def test_devices_come_in_the_order_of_the_allocation() -> None:
    share = "29af2b1c-7d3e-4f5a-9b60-000000000001"
    found = wanted([result(2, "b/x"), result(0, "a", admin_access=True), result(1, "a", share_id=share)])
    assert found == [
        WantedDevice(UUIDS[2], 0, RequestResult("b", NODE, "fake-2")),
        WantedDevice(UUIDS[0], 0, RequestResult("a", NODE, "fake-0", admin_access=True)),
        WantedDevice(UUIDS[1], 0, RequestResult("a", NODE, "fake-1", share_id=share)),
    ]


def test_each_request_has_its_own_split() -> None:
    results = [result(0, "a"), result(1, "b"), result(2, "c/first")]
    every, of_a, of_c = parameters(split=2), parameters("a", split=3), parameters("c/first", split=4)
    assert splits(results) == [0, 0, 0]
    assert splits(results, every) == [2, 2, 2]
    assert splits(results, every, of_a, of_c) == [3, 2, 4]
    assert splits(results, of_a, every) == [2, 2, 2], "the later entry wins"
    assert splits(results, parameters("c", split=5), parameters("c/second", split=6)) == [0, 0, 5]


def test_a_claims_parameters_have_precedence_over_those_of_a_class() -> None:
    of_class = parameters(source="FromClass", split=2)
    assert splits([result(0)], of_class, parameters(split=3)) == [3]
    assert splits([result(0)], parameters(split=3), of_class) == [3]


def test_what_agrees_with_the_allocation_is_accepted() -> None:
    results = [result(0, "a"), result(2, "a"), result(1, "b")]
    assert splits(results, parameters("a", count=2, split=2, selector={"model": "ULTRA_10"})) == [2, 2, 0]
    assert splits(results, parameters(count=3)) == [0, 0, 0]
    assert splits(results, parameters("a", "b", count=3)) == [0, 0, 0]


def test_a_count_counts_only_the_alternative_that_was_chosen() -> None:
    results = [result(0, "a/second"), result(1, "a/second")]
    assert splits(results, parameters("a", count=2)) == [0, 0]
    assert splits(results, parameters("a/first", count=1), parameters("a/second", count=2)) == [0, 0]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (
            parameters(count=2),
            "spec.count: must be 3, the number of devices that were allocated, or left out; is 2",
        ),
        (
            parameters("a", count=3),
            "spec.count: must be 2, the number of devices that were allocated, or left out; is 3",
        ),
        (
            parameters(selector={"model": "ULTRA_10"}),
            "spec.selector.model: must be the model of each allocated device, or left out; is ULTRA_10, and fake-1 is "
            "of model ULTRA_100",
        ),
    ],
)
def test_what_contradicts_the_allocation_is_refused(config: v1.DeviceAllocationConfiguration, expected: str) -> None:
    assert problems([result(0, "a"), result(1, "a"), result(2, "b")], config) == [expected]


def test_parameters_that_others_take_the_place_of_need_not_agree() -> None:
    assert splits([result(0)], parameters(source="FromClass", count=2), parameters(split=1)) == [1]


def test_children_are_bounded_for_the_claim_as_a_whole() -> None:
    sixteen = [result(number, "a" if number < 16 else "b") for number in range(32)]
    assert sum(splits(sixteen, parameters(split=32))) == 1024
    assert problems(sixteen, parameters("a", split=64), parameters("b", split=1)) == [
        "spec.split: must be less, is 64: the devices of the claim would get 1040 children together, at most 1024 are "
        "allowed"
    ]


def test_all_problems_are_told_at_once_with_where_they_were_written() -> None:
    config = [parameters("a", count=2), parameters("b", selector={"model": "X"})]
    with pytest.raises(ConfigError, match=r"count: .*; .*selector\.model: ") as caught:
        wanted([result(0, "a"), result(1, "b")], config)
    assert len(caught.value.problems) == 2
    assert len({problem.path for problem in caught.value.problems}) == 2


def test_a_device_of_another_inventory_is_refused() -> None:
    with pytest.raises(PrepareError, match=r"claim default/c: this node has no device gpu-0, .* for request fakes;"):
        wanted([result("gpu-0")])


def test_a_device_that_is_allocated_twice_is_refused() -> None:
    with pytest.raises(PrepareError, match="its allocation has device fake-0 twice"):
        wanted([result(0, "a"), result(0, "b")])
    assert len(wanted([result(0, "a", share_id="1"), result(0, "a", share_id="2")])) == 2


NAMES = st.sampled_from(["a", "b", "a/x", "b/y", ""])
RESULTS = st.lists(
    st.builds(
        result,
        st.one_of(st.integers(0, 40), st.text(max_size=4)),
        NAMES,
        share_id=st.sampled_from([None, "1", "2"]),
        admin_access=st.sampled_from([None, True, False]),
        pool=st.sampled_from([NODE, "other"]),
        driver=st.sampled_from([DRIVER_NAME, "other.example.com"]),
    ),
    max_size=32,
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["apiVersion", "kind", "spec", "count", "split", "selector", "model", "x"]), inner
        ),
    ),
    max_leaves=8,
)
CONFIGS = st.lists(
    st.one_of(
        st.builds(
            parameters,
            NAMES,
            split=st.integers(0, 65),
            count=st.integers(0, 40),
            source=st.sampled_from(["FromClass", "FromClaim", "?"]),
        ),
        st.builds(
            v1.DeviceAllocationConfiguration,
            source=st.sampled_from(["FromClass", "FromClaim"]),
            requests=st.lists(NAMES, max_size=2).map(tuple),
            opaque=st.builds(v1.OpaqueDeviceConfiguration, driver=st.just(DRIVER_NAME), parameters=JSON),
        ),
    ),
    max_size=4,
)


@given(results=RESULTS, config=CONFIGS)
def test_whatever_an_allocation_says_it_is_served_or_refused(results: Results, config: Configs) -> None:
    try:
        entries = wanted(results, config)
    except PrepareError:
        return
    ours = [each for each in results if (each.driver, each.pool) == (DRIVER_NAME, NODE)]
    assert [entry.result.device for entry in entries if entry.result is not None] == [each.device for each in ours]
    assert sum(entry.split for entry in entries) <= 1024

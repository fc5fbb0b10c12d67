"""What an API server makes of a slice says the same as what was sent; an edit does not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.structured.slicespec import at_generation, in_words_of, says
from tests.support.slice_world import taint

AT = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def spec(device: v1.Device, **fields: Any) -> v1.ResourceSliceSpec:
    pool = v1.ResourcePool(name="p", generation=3, resource_slice_count=1)
    return v1.ResourceSliceSpec(driver="d", pool=pool, node_name="n", devices=(device,), **fields)


def device(**fields: Any) -> v1.Device:
    return v1.Device.model_validate({"name": "dev-0", **fields})


def test_the_generation_is_not_what_a_slice_says() -> None:
    assert says(spec(device()), at_generation(spec(device()), 7))
    assert at_generation(spec(device()), 7).pool.generation == 7


@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        (device(capacity={"m": {"value": "1024Mi"}}), device(capacity={"m": {"value": "1Gi"}})),
        (device(capacity={"m": {"value": "0.5"}}), device(capacity={"m": {"value": "500m"}})),
        (
            device(
                capacity={
                    "m": {
                        "value": "2Gi",
                        "requestPolicy": {"default": "1024Mi", "validRange": {"min": "1024Mi", "step": "1024Mi"}},
                    }
                }
            ),
            device(
                capacity={
                    "m": {
                        "value": "2Gi",
                        "requestPolicy": {"default": "1Gi", "validRange": {"min": "1Gi", "step": "1Gi"}},
                    }
                }
            ),
        ),
        (
            device(
                capacity={"m": {"value": "2", "requestPolicy": {"default": "1000m", "validValues": ["1000m", "2"]}}}
            ),
            device(capacity={"m": {"value": "2", "requestPolicy": {"default": "1", "validValues": ["1", "2"]}}}),
        ),
        (
            device(consumesCounters=[{"counterSet": "s", "counters": {"c": {"value": "1000m"}}}]),
            device(consumesCounters=[{"counterSet": "s", "counters": {"c": {"value": "1"}}}]),
        ),
        (
            device(nodeAllocatableResources={"cpu": {"mapping": {"capacityKey": "c", "capacityMultiplier": "0.5"}}}),
            device(nodeAllocatableResources={"cpu": {"mapping": {"capacityKey": "c", "capacityMultiplier": "500m"}}}),
        ),
        (device(taints=[taint()]), device(taints=[taint(time_added=AT)])),
        (
            device(taints=[taint(time_added=AT + timedelta(seconds=0.9))]),
            device(taints=[taint(time_added=AT)]),
        ),
        (device(attributes={}, capacity={}, taints=[]), device()),
    ],
)
def test_what_means_the_same_is_not_written_and_where_it_is_written_keeps_its_words(
    wanted: v1.Device, there: v1.Device
) -> None:
    assert says(spec(there), spec(wanted))
    assert in_words_of(spec(wanted), spec(there)) == spec(there)
    changed = in_words_of(spec(wanted, all_nodes=True), spec(there))
    assert changed == spec(there, all_nodes=True), "a change of something else leaves it as it is"


@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        (device(capacity={"m": {"value": "1Gi"}}), device(capacity={"m": {"value": "1G"}})),
        (device(capacity={"m": {"value": "1Gi"}}), device()),
        (device(), device(capacity={"m": {"value": "1Gi"}})),
        (device(capacity={"m": {"value": "1Gi"}}), device(capacity={"m": {"value": "no quantity"}})),
        (device(attributes={"a": {"string": "1024Mi"}}), device(attributes={"a": {"string": "1Gi"}})),
        (device(attributes={"a": {"int": 1}}), device(attributes={"a": {"bool": True}})),
        (device(nodeAllocatableResources={"cpu": {"overhead": {"perPod": "1"}}}), device()),
        (device(taints=[taint()]), device()),
        (device(), device(taints=[taint(time_added=AT)])),
        (device(taints=[taint()]), device(taints=[taint(effect="NoExecute", time_added=AT)])),
        (device(taints=[taint()]), device(taints=[taint(value="x", time_added=AT)])),
        (device(taints=[taint(time_added=AT + timedelta(seconds=1.1))]), device(taints=[taint(time_added=AT)])),
        (device(), device(somethingNew=True)),
        (device(), v1.Device(name="dev-1")),
    ],
)
def test_what_means_something_else_is_written(wanted: v1.Device, there: v1.Device) -> None:
    assert not says(spec(there), spec(wanted))


def test_the_order_of_devices_matters() -> None:
    """The scheduler tries them in that order."""
    first, second = v1.Device(name="dev-0"), v1.Device(name="dev-1")
    one = spec(first).model_copy(update={"devices": (first, second)})
    other = spec(first).model_copy(update={"devices": (second, first)})
    assert not says(one, other)


def test_counter_sets_are_compared_by_their_amounts() -> None:
    def with_amount(amount: str) -> v1.ResourceSliceSpec:
        pool = v1.ResourcePool(name="p", generation=3, resource_slice_count=1)
        sets = (v1.CounterSet(name="s", counters={"c": v1.Counter(value=amount)}),)
        return v1.ResourceSliceSpec(driver="d", pool=pool, node_name="n", shared_counters=sets)

    assert says(with_amount("1Gi"), with_amount("1024Mi"))
    assert not says(with_amount("1Gi"), with_amount("1G"))
    assert "devices" not in in_words_of(with_amount("1Gi"), with_amount("1024Mi")).to_wire()

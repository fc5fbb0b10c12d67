"""The tests' stand-in for kube-scheduler: what it allocates, and what it does not understand."""

from collections.abc import Mapping
from typing import Any

import pytest

from fake_dra_driver.api.resource import v1
from tests.support.standinscheduler import CannotAllocate, Offer, allocate, offered, taken_by

DRIVER = "driver.example.com"
PARAMETERS = {"opaque": {"driver": DRIVER, "parameters": {"a": 1}}}


def slice_of(*names: str, node: str = "n1", generation: int = 1, count: int = 1, **spec: Any) -> v1.ResourceSlice:
    devices = [{"name": name, "attributes": {"model": {"string": name.upper()}}} for name in names]
    pool = {"name": node, "generation": generation, "resourceSliceCount": count}
    whole = {"driver": DRIVER, "nodeName": node, "pool": pool, "devices": devices, **spec}
    name = f"{node}-{generation}-{'-'.join(names)}"
    fields = {key: value for key, value in whole.items() if value is not None}
    return v1.ResourceSlice.from_wire({"metadata": {"name": name}, "spec": fields})


def claim(*requests: Mapping[str, Any], config: Any = ()) -> v1.ResourceClaim:
    spec = {"devices": {"requests": list(requests), "config": list(config)}}
    return v1.ResourceClaim.from_wire({"metadata": {"name": "c"}, "spec": spec})


def exactly(name: str = "req", **fields: Any) -> Mapping[str, Any]:
    return {"name": name, "exactly": {"deviceClassName": "class", "allocationMode": "ExactCount", "count": 1, **fields}}


def offer(*slices: v1.ResourceSlice, taken: set[tuple[str, str, str]] | None = None, **spec: Any) -> Offer:
    device_class = v1.DeviceClass.from_wire({"metadata": {"name": "class"}, "spec": spec})
    devices = list(offered("n1", slices or [slice_of("a", "b", "c")]))
    return Offer("n1", devices, {"class": device_class}, taken or set())


def names_of(allocation: v1.AllocationResult) -> list[tuple[str, str]]:
    return [(each.request, each.device) for each in allocation.devices.results]


def test_first_fit_and_no_device_twice() -> None:
    there = offer(taken={(DRIVER, "n1", "a")})
    allocation = allocate(claim(exactly("one"), exactly("two")), there)
    assert names_of(allocation) == [("one", "b"), ("two", "c")]
    with pytest.raises(CannotAllocate, match="request req: 0 of 1 devices are free"):
        allocate(claim(exactly()), there)


def test_the_nodes_of_an_allocation() -> None:
    local = allocate(claim(exactly()), offer())
    assert local.node_selector is not None
    assert local.node_selector.node_selector_terms[0].match_fields[0].values == ("n1",)
    anywhere = slice_of("a", nodeName=None, allNodes=True)
    assert allocate(claim(exactly()), offer(anywhere)).node_selector is None


def test_all_needs_every_device_free() -> None:
    everything = exactly(allocationMode="All", count=0)
    assert len(names_of(allocate(claim(everything), offer()))) == 3
    with pytest.raises(CannotAllocate, match="not all devices are free"):
        allocate(claim(everything), offer(taken={(DRIVER, "n1", "a")}))


def test_admin_access_takes_nothing_away() -> None:
    there = offer(taken={(DRIVER, "n1", "a")})
    allocation = allocate(claim(exactly(adminAccess=True)), there)
    assert [(each.device, each.admin_access) for each in allocation.devices.results] == [("a", True)]
    holder = v1.ResourceClaim.from_wire(
        {"metadata": {"name": "c"}, "spec": {}, "status": {"allocation": allocation.to_wire()}}
    )
    assert taken_by([holder]) == set()


def test_of_alternatives_the_first_is_taken() -> None:
    alternatives = [{**exactly(name)["exactly"], "name": name} for name in ("big", "small")]
    assert names_of(allocate(claim({"name": "req", "firstAvailable": alternatives}), offer())) == [("req/big", "a")]


@pytest.mark.parametrize(
    ("expression", "devices"),
    [
        (f'device.driver == "{DRIVER}"', ["a", "b", "c"]),
        ('device.driver == "other"', []),
        (f'device.driver == "{DRIVER}" && device.attributes["{DRIVER}"].model == "B"', ["b"]),
    ],
)
def test_selectors_that_are_recognised(expression: str, devices: list[str]) -> None:
    wanted = exactly(allocationMode="All", count=0, selectors=[{"cel": {"expression": expression}}])
    if devices:
        assert [device for _, device in names_of(allocate(claim(wanted), offer()))] == devices
    else:
        with pytest.raises(CannotAllocate):
            allocate(claim(wanted), offer())


def test_other_selectors_are_refused() -> None:
    with pytest.raises(CannotAllocate, match="does not understand the selector 'true'"):
        allocate(claim(exactly()), offer(selectors=[{"cel": {"expression": "true"}}]))


def test_configurations_are_collected() -> None:
    """The class's with the requests that use it, then the claim's for requests that exist."""
    config = [PARAMETERS, {**PARAMETERS, "requests": ["two"]}]
    there = offer(config=[PARAMETERS])
    allocation = allocate(claim(exactly("one"), exactly("two"), config=config), there)
    assert [(each.source, each.requests) for each in allocation.devices.config] == [
        ("FromClass", ("one", "two")),
        ("FromClaim", ()),
        ("FromClaim", ("two",)),
    ]


def test_only_complete_pools_of_the_highest_generation_count() -> None:
    old, new = slice_of("a", generation=1), slice_of("b", generation=2)
    assert [each.device.name for each in offered("n1", [old, new])] == ["b"]
    half = slice_of("a", count=2)
    assert list(offered("n1", [half])) == []
    assert list(offered("n1", [slice_of("a", node="n2")])) == []

"""Which devices are chosen: order, backtracking, all devices, prioritized lists, admin access, limits."""

from typing import Any

import pytest

from fake_dra_driver.allocation import Allocation, AllocationError, SearchTooLongError
from tests.unit.allocation.gpus import (
    Json,
    allocated,
    allocator,
    claim,
    device_class,
    devices_of,
    granted,
    node,
    request,
    slice_of,
)


def gpu(name: str, model: str) -> Json:
    return {"name": name, "attributes": {"model": {"string": model}}}


def is_model(model: str) -> str:
    return f'device.attributes["gpu.example.com"].model == "{model}"'


MIXED = slice_of(gpu("a", "small"), gpu("b", "large"), gpu("c", "small"), gpu("d", "large"))
LARGE, SMALL = is_model("large"), is_model("small")


def listed(*alternatives: Json, name: str = "gpu") -> Json:
    """A prioritized list of requests."""
    return {"name": name, "firstAvailable": [{"name": each["name"], **each["exactly"]} for each in alternatives]}


def test_the_first_devices_are_chosen() -> None:
    assert devices_of(allocator(slice_of("b", "a", "c")).allocate([claim(request(count=2))], node())) == ["b", "a"]


def test_what_is_in_use_is_passed_over() -> None:
    used = allocated(claim(name="used"), "a", "c")
    assert devices_of(allocator(slice_of("a", "b", "c"), used).allocate([claim()], node())) == ["b"]


def test_selectors_of_class_and_request_must_all_hold() -> None:
    found = allocator(MIXED, device_class("small", SMALL))
    assert devices_of(found.allocate([claim(request("r", LARGE))], node())) == ["b"]
    assert devices_of(found.allocate([claim(request(deviceClassName="small", count=2))], node())) == ["a", "c"]
    assert devices_of(found.allocate([claim(request("r", LARGE, deviceClassName="small"))], node())) == []


def test_all_claims_of_a_pod_are_served_together() -> None:
    found = allocator(slice_of("a", "b"))
    pair = [claim(name="one"), claim(name="two")]
    assert devices_of(found.allocate(pair, node())) == ["a", "b"]
    assert devices_of(found.allocate([*pair, claim(name="three")], node())) == []


def test_an_earlier_choice_gives_way_to_a_later_request() -> None:
    # The first request would take a, the only device that fits the second one.
    found = allocator(slice_of(gpu("a", "large"), gpu("b", "small")))
    assert devices_of(found.allocate([claim(request("any"), request("large", LARGE))], node())) == ["b", "a"]
    claims = [claim(request("any"), name="one"), claim(request("large", LARGE), name="two")]
    assert devices_of(found.allocate(claims, node())) == ["b", "a"]


def test_all_devices_that_fit_are_wanted_or_none() -> None:
    wanted = claim(request("all", LARGE, allocationMode="All"))
    assert devices_of(allocator(MIXED).allocate([wanted], node())) == ["b", "d"]
    used = allocated(claim(name="used"), "d")
    assert devices_of(allocator(MIXED, used).allocate([wanted], node())) == []


def test_all_of_none_is_refused_but_was_once_granted() -> None:
    wanted = claim(request("all", is_model("none"), allocationMode="All"))
    assert not isinstance(allocator(MIXED).allocate([wanted], node()), Allocation)
    once = allocator(MIXED, all_needs_one=False).allocate([wanted], node())
    assert isinstance(once, Allocation)
    assert devices_of(once) == []


def test_the_first_alternative_that_can_be_had_is_chosen() -> None:
    wanted = claim(listed(request("many", LARGE, count=3), request("two", LARGE, count=2), request("one")))
    decision = granted(allocator(MIXED).allocate([wanted], node()))
    assert [each.request for each in decision.results[0].devices.results] == ["gpu/two", "gpu/two"]
    assert (devices_of(decision), decision.score) == (["b", "d"], 7)


def test_a_list_goes_on_to_the_next_alternative_for_the_sake_of_later_requests() -> None:
    wanted = claim(listed(request("two", LARGE, count=2), request("one", LARGE)), request("other", LARGE))
    decision = granted(allocator(MIXED).allocate([wanted], node()))
    assert [each.request for each in decision.results[0].devices.results] == ["gpu/one", "other"]


def test_scores_of_lists_add_up() -> None:
    wanted = claim(listed(request("a"), name="one"), listed(request("b", count=9), request("c"), name="two"))
    decision = granted(allocator(MIXED).allocate([wanted], node()))
    assert decision.score == 8 + 7


def test_admin_access_may_have_what_is_in_use_but_nothing_twice() -> None:
    used = allocated(claim(name="used"), "a", "b")
    found = allocator(slice_of("a", "b"), used)
    wanted = claim(request("one", adminAccess=True), request("two", adminAccess=True))
    assert devices_of(found.allocate([wanted], node())) == ["a", "b"]
    assert devices_of(found.allocate([claim(request(adminAccess=True, count=3))], node())) == []
    everything = claim(request(adminAccess=True, allocationMode="All"))
    decision = granted(found.allocate([everything], node()))
    assert [each.admin_access for each in decision.results[0].devices.results] == [True, True]


def test_admin_access_once_had_a_device_twice() -> None:
    found = allocator(slice_of("a"), admin_devices_distinct=False)
    wanted = claim(request("one", adminAccess=True), request("two", adminAccess=True))
    assert devices_of(found.allocate([wanted], node())) == ["a", "a"]


def test_what_one_claim_of_the_pod_has_with_admin_access_the_others_cannot_have() -> None:
    admin, plain = claim(request(adminAccess=True), name="admin"), claim(name="plain")
    found = allocator(slice_of("a"))
    assert devices_of(found.allocate([admin, plain], node())) == []
    assert devices_of(found.allocate([plain, admin], node())) == ["a", "a"]


MANY = slice_of(*[f"gpu-{index}" for index in range(40)])


@pytest.mark.parametrize(
    ("requests", "words"),
    [
        (
            [request(count=33)],
            "request gpu: adding 33 devices exceeds the claim limit of 32, with 0 already accounted for",
        ),
        (
            [request("a", count=20), request("b", count=13)],
            "request b: adding 13 devices exceeds the claim limit of 32, with 20 already accounted for",
        ),
        (
            [request(allocationMode="All")],
            "request gpu: adding 40 devices exceeds the claim limit of 32, with 0 already accounted for",
        ),
        (
            [listed(request("x", count=50), request("y", count=40))],
            "request gpu: adding 40 devices exceeds the claim limit of 32, with 0 already accounted for",
        ),
    ],
)
def test_a_claim_has_at_most_32_devices(requests: list[Json], words: str) -> None:
    with pytest.raises(AllocationError) as error:
        allocator(MANY).allocate([claim(*requests)], node())
    assert str(error.value) == f"claim default/c, {words}"


def test_the_limit_was_once_told_without_the_request() -> None:
    found = allocator(MANY, limit_names_request=False)
    with pytest.raises(AllocationError) as error:
        found.allocate([claim(request("a", count=20), request("b", count=13))], node())
    assert str(error.value) == "claim default/c: number of requested devices 33 exceeds the claim limit of 32"


def test_alternatives_that_are_too_many_are_passed_over() -> None:
    wanted = claim(request("a", count=20), listed(request("x", count=13), request("y", count=12), name="b"))
    decision = granted(allocator(MANY).allocate([wanted], node()))
    assert [each.request for each in decision.results[0].devices.results][20:] == ["b/y"] * 12


def test_a_list_gives_up_many_devices_for_a_later_request_of_the_claim() -> None:
    wanted = claim(listed(request("x", count=30), request("y", count=2)), request("b", count=5))
    decision = allocator(MANY).allocate([wanted], node())
    assert len(devices_of(decision)) == 7


def test_pods_may_have_more_claims_than_python_has_stack() -> None:
    slices = [slice_of(*[f"gpu-{index}" for index in range(128)], pool=f"p{pool}", nodeName="n1") for pool in range(20)]
    wanted = [claim(request(count=32), name=f"c{index}") for index in range(80)]
    decision = allocator(*slices).allocate(wanted, node())
    assert len(set(devices_of(decision))) == 128
    assert len(devices_of(decision)) == 80 * 32


def test_a_search_ends_after_so_many_steps() -> None:
    names = [gpu(f"gpu-{index}", "small") for index in range(24)]
    wanted = claim(request("many", count=12), request("none", LARGE))
    with pytest.raises(SearchTooLongError) as error:
        allocator(slice_of(*names)).allocate([wanted], node(), max_steps=50)
    assert (str(error.value), error.value.steps) == ("node n1: timed out trying to allocate devices", 50)


NAMELESS = slice_of({"name": "a"}, gpu("b", "small"))


def error_of(*things: Any, wanted: Any = None, **behaviour: bool) -> str:
    found = allocator(*things, **behaviour)
    with pytest.raises(AllocationError) as error:
        found.allocate([wanted or claim(request("r", SMALL))], node())
    return str(error.value)


def test_a_selector_that_cannot_be_evaluated_ends_the_cycle_though_others_fit() -> None:
    assert error_of(NAMELESS) == (
        "claim default/c: selector #0 on device gpu.example.com/n1/a: CEL runtime error: no such key: model."
        " consider using CEL optional chaining (.? followed by orValue()) or guarding the check with has() for"
        " optional fields"
    )
    assert error_of(NAMELESS, errors_name_device=False) == (
        "claim default/c: selector #0: CEL runtime error: no such key: model"
    )


def test_an_error_of_a_class_names_the_class() -> None:
    found = error_of(NAMELESS, device_class("small", "true", SMALL), wanted=claim(request(deviceClassName="small")))
    assert found.startswith("class small: selector #1 on device gpu.example.com/n1/a: CEL runtime error: no such key")


def test_a_selector_that_cannot_be_compiled_ends_the_cycle_when_a_device_is_looked_at() -> None:
    broken = claim(request("r", "device.driver =="))
    words = "claim default/c: selector #0: CEL compile error: compilation failed: ERROR: <input>:1:17: Syntax error"
    assert error_of(NAMELESS, wanted=broken).startswith(words)
    assert devices_of(allocator().allocate([broken], node())) == []


def test_what_a_release_does_not_know_cannot_be_compiled() -> None:
    wanted = claim(request("r", "device.allowMultipleAllocations"))
    assert "undefined field 'allowMultipleAllocations'" in error_of(NAMELESS, wanted=wanted, consumable_capacity=False)
    assert devices_of(allocator(NAMELESS).allocate([wanted], node())) == []


def test_devices_in_use_are_not_evaluated() -> None:
    used = allocated(claim(name="used"), "a")
    assert devices_of(allocator(NAMELESS, used).allocate([claim(request("r", SMALL))], node())) == ["b"]


def test_a_request_for_all_evaluates_devices_in_use_too() -> None:
    used = allocated(claim(name="used"), "a")
    assert "no such key" in error_of(NAMELESS, used, wanted=claim(request("r", SMALL, allocationMode="All")))


def test_devices_that_need_what_is_off_are_not_had() -> None:
    conditional = {"name": "a", "bindingConditions": ["ready"], "bindingFailureConditions": ["failed"]}
    found = allocator(slice_of(conditional, "b"), binding_conditions=False)
    assert devices_of(found.allocate([claim(request(count=2))], node())) == []
    assert devices_of(found.allocate([claim()], node())) == ["b"]
    skipping = slice_of("a", skipNodeOperations=["*"])
    assert devices_of(allocator(skipping).allocate([claim()], node())) == []


@pytest.mark.parametrize("in_use", [0, 6])
def test_more_devices_than_there_are_is_not_looked_for_in_every_subset(in_use: int) -> None:
    names = [f"gpu-{number:02}" for number in range(12)]
    used = [allocated(claim(name="used"), *names[::2])] if in_use else []
    wanted = claim(request(count=len(names) - in_use + 1))
    # A few rounds over the devices; there are 4096 subsets.
    refused = allocator(slice_of(*names), *used).allocate([wanted], node(), max_steps=200)
    assert not isinstance(refused, Allocation)


def test_an_error_is_met_even_where_too_few_devices_are_left() -> None:
    found = allocator(slice_of(gpu("a", "large"), gpu("b", "large"), "without-model"))
    with pytest.raises(AllocationError, match="no such key: model"):
        found.allocate([claim(request("r", LARGE, count=9))], node())

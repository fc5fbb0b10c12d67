"""What the allocator is told, and what it keeps."""

from collections.abc import Callable

import pytest

from fake_dra_driver.allocation import Allocator, Refusal, score_of
from fake_dra_driver.api.resource.v1 import ResourceClaim
from tests.unit.allocation.gpus import (
    allocated,
    allocator,
    claim,
    device_class,
    devices_of,
    granted,
    node,
    request,
    rule,
    slice_of,
)


def test_everything_can_be_told_at_once() -> None:
    found = allocator(slice_of("old"), device_class("old"), allocated(claim(name="old"), "old"), rule("old", {}))
    found.replace(
        slices=[slice_of("a", "b"), slice_of("c", pool="z", nodeName="n1")],
        classes=[device_class()],
        claims=[allocated(claim(name="used"), "a")],
        taint_rules=[rule("new", {"device": "b"})],
    )
    assert devices_of(found.allocate([claim()], node())) == ["c"]
    found.replace()
    found.put_class(device_class())
    assert devices_of(found.allocate([claim()], node())) == []


def test_what_is_decided_is_in_use_until_it_is_forgotten() -> None:
    found, wanted = allocator(slice_of("a", "b")), claim(name="one")
    decision = granted(found.allocate([wanted], node()))
    found.assume(wanted, decision.results[0])
    assert devices_of(found.allocate([claim(name="two")], node())) == ["b"]
    found.forget(wanted)
    assert devices_of(found.allocate([claim(name="two")], node())) == ["a"]


def free(found: Allocator, used: ResourceClaim) -> None:
    found.put_claim(claim(name="used"))


def delete(found: Allocator, used: ResourceClaim) -> None:
    found.drop_claim(used)
    found.drop_claim(used)


def widen(found: Allocator, used: ResourceClaim) -> None:
    found.put_slice(slice_of("a", "b"))


@pytest.mark.parametrize("change", [free, delete, widen])
def test_what_was_refused_is_looked_at_again_when_something_has_changed(
    change: Callable[[Allocator, ResourceClaim], None],
) -> None:
    used = allocated(claim(name="used"), "a")
    found = allocator(slice_of("a"), used)
    for _ in range(2):
        assert isinstance(found.allocate([claim()], node()), Refusal)
    change(found, used)
    assert devices_of(found.allocate([claim()], node())) == ["b" if change is widen else "a"]


def test_what_was_refused_to_one_claim_may_be_had_by_another() -> None:
    found = allocator(slice_of("a"))
    assert isinstance(found.allocate([claim(request(count=2))], node()), Refusal)
    assert devices_of(found.allocate([claim(request(count=1))], node())) == ["a"]


def test_a_share_makes_room_for_others_of_its_device() -> None:
    # The device does not fit while its counters are used up, and fits once it has them itself.
    counters = slice_of(name="s1", count=2, sharedCounters=[{"name": "set", "counters": {"x": {"value": "1"}}}])
    consumed = {"consumesCounters": [{"counterSet": "set", "counters": {"x": {"value": "1"}}}]}
    devices = slice_of(
        {"name": "alone", **consumed},
        {"name": "shared", "allowMultipleAllocations": True, **consumed},
        name="s2",
        count=2,
    )
    found = allocator(counters, devices, allocated(claim(name="used"), "alone"))
    assert isinstance(found.allocate([claim()], node()), Refusal)
    found.put_claim(allocated(claim(name="sharer"), "shared", shareID="1"))
    assert devices_of(found.allocate([claim()], node())) == ["shared"]


def test_a_score_counts_all_claims_of_a_pod() -> None:
    alternatives = [{**request(count=count)["exactly"], "name": name} for name, count in (("big", 9), ("small", 1))]
    wanted = claim({"name": "gpu", "firstAvailable": alternatives})
    decision = granted(allocator(slice_of("a")).allocate([wanted], node()))
    assert score_of([(wanted, decision.results[0]), (claim(), decision.results[0])]) == decision.score == 7

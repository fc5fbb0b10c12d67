"""What the search leaves out makes no difference: it finds what a plain search finds, and meets the same errors."""

from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fake_dra_driver.allocation import Allocation, AllocationError, Behaviour, SelectorFailedError
from fake_dra_driver.allocation.checks import Choice
from fake_dra_driver.allocation.pools import NodeView, PoolIndex
from fake_dra_driver.allocation.requests import Plan, read_claims
from fake_dra_driver.allocation.search import Search
from fake_dra_driver.allocation.selectorcache import SelectorCache
from fake_dra_driver.allocation.usage import Usage
from fake_dra_driver.api.resource.v1 import ResourceClaim, ResourceSlice
from tests.unit.allocation.gpus import (
    CLASS,
    DRIVER,
    Json,
    allocated,
    allocator,
    claim,
    device_class,
    node,
    request,
    slice_of,
    taint,
)
from tests.unit.allocation.plainsearch import MAX_STEPS, PlainSearch, TooLong

FEW_STEPS: Final = 2_000


def uuids(count: int) -> ResourceSlice:
    """Devices that differ in their UUIDs, as real ones do."""
    return slice_of(*({"name": f"gpu-{at:02}", "attributes": {"uuid": {"string": f"u{at}"}}} for at in range(count)))


def is_refused(devices: ResourceSlice, *wanted: ResourceClaim, **behaviour: Any) -> bool:
    found = allocator(devices, **behaviour).allocate(wanted, node(), max_steps=FEW_STEPS)
    return not isinstance(found, Allocation)


def test_one_request_more_than_there_are_devices_is_refused_soon() -> None:
    # There are 40,320 orders of eight devices.
    assert is_refused(uuids(8), claim(*(request(f"r{at}") for at in range(9))))


def test_one_claim_more_than_there_are_devices_is_refused_soon() -> None:
    assert is_refused(uuids(16), *(claim(name=f"c{at}") for at in range(17)))


def test_devices_that_are_missing_for_the_last_request_are_not_looked_for_in_every_subset() -> None:
    assert is_refused(uuids(16), claim(request("many", count=8), request("none", "false")))
    assert is_refused(uuids(16), claim(*(request(f"r{at}") for at in range(5)), request("none", "false")))


def test_a_constraint_that_no_two_devices_satisfy_is_not_tried_with_every_subset() -> None:
    constraint = {"matchAttribute": f"{DRIVER}/uuid", "requests": ["equal"]}
    assert is_refused(uuids(16), claim(request("many", count=8), request("equal", count=2), constraints=[constraint]))


def test_devices_that_use_up_counters_are_not_tried_in_every_order() -> None:
    consumed = [{"counterSet": "set", "counters": {"x": {"value": "1"}}}]
    sets = [{"name": "set", "counters": {"x": {"value": "6"}}}]
    devices = slice_of(
        *({"name": f"part-{at}", "consumesCounters": consumed} for at in range(12)),
        sharedCounters=sets,
    )
    wanted = claim(*(request(f"r{at}") for at in range(7)))
    assert is_refused(devices, wanted, counters_in_slices=True)


def test_shares_of_equal_devices_are_not_tried_in_every_order() -> None:
    device = {"allowMultipleAllocations": True, "capacity": {"memory": {"value": "2"}}}
    devices = slice_of(*({"name": f"gpu-{at}", **device} for at in range(8)))
    half = {"capacity": {"requests": {"memory": "1"}}}
    assert is_refused(devices, claim(*(request(f"r{at}", **half) for at in range(17))))


def test_an_error_after_dead_ends_is_met() -> None:
    # The last request is looked at only with devices of two models chosen; then the device without one is met.
    pair = {"distinctAttribute": f"{DRIVER}/model", "requests": ["a", "b"]}
    models = ["s", "s", "s", "s", "s", "s", "l"]
    devices = slice_of(
        *({"name": f"gpu-{at}", "attributes": {"model": {"string": model}}} for at, model in enumerate(models)), "bare"
    )
    expression = f'device.attributes["{DRIVER}"].model == "xl"'
    with pytest.raises(SelectorFailedError, match=f"on device {DRIVER}/n1/bare"):
        is_refused(devices, claim(request("a"), request("b"), request("c", expression), constraints=[pair]))


# --- Held against a plain search -------------------------------------------------------------------------------------

SETS: Final = [{"name": "set", "counters": {"x": {"value": "5"}}}]
SELECTORS: Final = ("true", "false", f'device.attributes["{DRIVER}"].numa == 1', f'device.attributes["{DRIVER}"].b')


def device(name: str) -> st.SearchStrategy[Json]:
    consumed = [{"counterSet": "set", "counters": {"x": {"value": "2"}}}]
    numbers = st.sampled_from([{"int": 0}, {"int": 1}, {"int": 2}])
    attributes = st.fixed_dictionaries(
        {"uuid": st.just({"string": name})},
        # What lacks one of these ends the cycle of a pod that looks at it, or breaks a constraint.
        optional={"numa": numbers, "b": st.just({"bool": True})},
    )
    sometimes = {
        "consumesCounters": st.just(consumed),
        "taints": st.just([taint()]),
        "allowMultipleAllocations": st.just(True),
        "capacity": st.sampled_from([{"memory": {"value": "2", "requestPolicy": {"default": "1"}}}, {}]),
    }
    return st.fixed_dictionaries({"name": st.just(name), "attributes": attributes}, optional=sometimes)


@st.composite
def devices(draw: st.DrawFn) -> tuple[ResourceSlice, ...]:
    """Two pools, one of which is on every node, most of whose devices are alike."""
    found: list[ResourceSlice] = []
    for pool, where in (("p", {"nodeName": "n1"}), ("q", {"allNodes": True})):
        alike = draw(device("x"))
        listed: list[Json] = []
        for at in range(draw(st.integers(0, 5))):
            name = f"{pool}{at}"
            other = draw(st.one_of(st.just(alike), st.just(alike), device(name)))
            listed.append({**other, "name": name, "attributes": {**other["attributes"], "uuid": {"string": name}}})
        found.append(slice_of(name=f"{pool}-counters", pool=pool, count=2, sharedCounters=SETS, **where))
        found.append(slice_of(*listed, name=f"{pool}-devices", pool=pool, count=2, **where))
    return tuple(found)


@st.composite
def details(draw: st.DrawFn) -> dict[str, Any]:
    selectors = draw(st.lists(st.sampled_from(SELECTORS), max_size=1))
    found: dict[str, Any] = {
        "deviceClassName": CLASS,
        "selectors": [{"cel": {"expression": each}} for each in selectors],
    }
    if draw(st.integers(0, 5)):
        found["count"] = draw(st.sampled_from([1, 1, 1, 2, 3, 5, 30]))
    else:
        found["allocationMode"] = "All"
    if draw(st.booleans()):
        found["tolerations"] = [{"operator": "Exists"}]
    if not draw(st.integers(0, 4)):
        found["capacity"] = {"requests": {"memory": "1"}}
    return found


@st.composite
def claims(draw: st.DrawFn, name: str) -> ResourceClaim:
    """A claim of up to five requests, many of them equal."""
    requests: list[Json] = []
    usual = draw(details())
    for at in range(draw(st.integers(1, 5))):
        alternatives = draw(st.lists(st.one_of(st.just(usual), details()), min_size=1, max_size=2))
        if len(alternatives) == 1:
            admin = {} if draw(st.integers(0, 7)) else {"adminAccess": True}
            requests.append(request(f"r{at}", **{**alternatives[0], **admin}))
        else:
            listed = [{**request(**each)["exactly"], "name": f"s{sub}"} for sub, each in enumerate(alternatives)]
            requests.append({"name": f"r{at}", "firstAvailable": listed})
    constraints = [
        {kind: f"{DRIVER}/{attribute}", "requests": sorted(named)}
        for kind, attribute, named in draw(
            st.lists(
                st.tuples(
                    st.sampled_from(["matchAttribute", "distinctAttribute"]),
                    st.sampled_from(["numa", "uuid"]),
                    st.sets(st.sampled_from([each["name"] for each in requests])),
                ),
                max_size=2,
            )
        )
    ]
    return claim(*requests, name=name, constraints=constraints)


def read(
    slices: tuple[ResourceSlice, ...], wanted: tuple[ResourceClaim, ...], used: ResourceClaim, behaviour: Behaviour
) -> tuple[Plan, NodeView]:
    """What the searches are about."""
    usage = Usage(shares=True)
    usage.observe(used)
    pools = PoolIndex(behaviour, usage)
    for each in slices:
        pools.put(each)
    plan = read_claims(wanted, {CLASS: device_class()}, behaviour, SelectorCache(behaviour))
    return plan, pools.view_of(node())


@settings(max_examples=150)
@given(
    devices(),
    st.lists(claims("c"), min_size=1, max_size=2).map(tuple),
    st.sets(st.sampled_from(["p0", "p1", "p2"])),
    st.booleans(),
    st.sampled_from([0, 0, 3]),
)
def test_leaving_out_changes_neither_the_first_solution_nor_which_error_comes_first(
    slices: tuple[ResourceSlice, ...], wanted: tuple[ResourceClaim, ...], used: set[str], old: bool, patience: int
) -> None:
    behaviour = Behaviour(distinct_from_last=old, admin_devices_distinct=not old)
    plan, view = read(slices, wanted, allocated(claim(name="used"), *sorted(used), pool="p"), behaviour)
    try:
        plain = outcome(lambda: PlainSearch(plan, view, behaviour).run())
    except TooLong:
        assume(False)
    # Where older releases compare distinct attributes, hardly anything is left out.
    found = outcome(Search(plan, view, behaviour, node="n1", max_steps=2 * MAX_STEPS, max_dead_ends=patience).run)
    assume("exceeds the claim limit" not in str(found))
    assert found == plain


def outcome(search: Callable[[], list[list[Choice]] | None]) -> object:
    """The devices for each claim, or which error came first."""
    try:
        chosen = search()
    except SelectorFailedError as error:
        return error.found
    except AllocationError as error:
        return str(error)
    return None if chosen is None else [[each.candidate.id for each in choices] for choices in chosen]

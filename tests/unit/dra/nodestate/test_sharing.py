"""Shares of devices: what goes together, what is left, and when there is more than before."""

from collections.abc import Hashable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_dra_driver.dra.nodestate.sharing import Holding, Occupancy, Room, Share, contested_devices, is_within

NIC: Mapping[Hashable, Share] = {"nic": {"bandwidth": 10}}


def bandwidth(amount: int) -> Holding:
    return {"nic": {"bandwidth": amount}}


WHOLE: Holding = {"nic": None}


@pytest.mark.parametrize(
    ("mine", "others", "contested"),
    [
        pytest.param(bandwidth(4), [bandwidth(6)], set(), id="up to the last bit"),
        pytest.param(bandwidth(5), [bandwidth(6)], {"nic"}, id="too much"),
        pytest.param(bandwidth(4), [bandwidth(3), bandwidth(3)], set(), id="three claims"),
        pytest.param(bandwidth(4), [bandwidth(3), bandwidth(4)], {"nic"}, id="three claims, too much"),
        pytest.param(bandwidth(11), [], set(), id="no other claim"),
        pytest.param(WHOLE, [bandwidth(1)], {"nic"}, id="all of it beside a share"),
        pytest.param(bandwidth(1), [WHOLE], {"nic"}, id="a share beside all of it"),
        pytest.param({"nic": {"queues": 1}}, [bandwidth(1)], {"nic"}, id="of what there is nothing"),
        pytest.param({"nic": {}}, [bandwidth(10)], set(), id="nothing of it"),
        pytest.param({"disk": None}, [WHOLE], set(), id="another device"),
        pytest.param({"disk": {}}, [{"disk": {}}], {"disk"}, id="a device that is not shared"),
        pytest.param({"disk": None, "nic": None}, [{"disk": None}, {"fan": None}], {"disk"}, id="whole devices"),
    ],
)
def test_what_a_claim_cannot_have_beside_others(mine: Holding, others: list[Holding], contested: set[str]) -> None:
    assert contested_devices(mine, others, NIC) == contested


def test_a_device_without_capacities_can_be_shared_by_any_number() -> None:
    assert contested_devices({"bus": {}}, [{"bus": {}}] * 5, {"bus": {}}) == set()
    occupancy = Occupancy({"bus": {}})
    for claim in "abc":
        occupancy.add(claim, {"bus": {}})
    assert occupancy.has_room("bus")


def test_what_several_sources_say_of_one_claim_counts_once() -> None:
    occupancy = Occupancy(NIC)
    occupancy.add("a", bandwidth(4))
    occupancy.add("a", bandwidth(4))
    occupancy.add("b", bandwidth(1))
    assert occupancy.left_of("nic") == {"bandwidth": 5}


def test_of_what_they_say_differently_the_greater_counts() -> None:
    occupancy = Occupancy(NIC)
    occupancy.add("a", bandwidth(2))
    occupancy.add("a", bandwidth(7))
    assert occupancy.left_of("nic") == {"bandwidth": 3}
    occupancy.add("a", WHOLE)
    assert not occupancy.has_room("nic")


def room(*holdings: Holding, devices: tuple[str, ...] = ("nic", "disk")) -> Room:
    occupancy = Occupancy(NIC)
    for number, holding in enumerate(holdings):
        occupancy.add(str(number), holding)
    return occupancy.room(devices)


def test_the_room_of_a_node() -> None:
    assert room() == Room(frozenset({"nic", "disk"}))
    assert room({"disk": None}, bandwidth(4)) == Room(frozenset(), {"nic": {"bandwidth": 6}})
    assert room({"disk": None}, bandwidth(10)).is_empty
    assert room({"disk": None}, bandwidth(12)).is_empty
    assert room(devices=()).is_empty


@pytest.mark.parametrize(
    ("before", "after", "has_gained"),
    [
        pytest.param(room(), room(), False, id="the same"),
        pytest.param(room(bandwidth(4)), room(bandwidth(3)), True, id="more of a device"),
        pytest.param(room(bandwidth(4)), room(bandwidth(5)), False, id="less of it"),
        pytest.param(room(bandwidth(4)), room(), True, id="all of it"),
        pytest.param(room(), room(bandwidth(4)), False, id="not all of it any more"),
        pytest.param(room(bandwidth(10)), room(bandwidth(9)), True, id="some of what was used up"),
        pytest.param(room({"disk": None}), room(), True, id="a whole device"),
        pytest.param(room(devices=("disk",)), room(bandwidth(4)), True, id="a device that is new, or healthy again"),
    ],
)
def test_when_waiting_claims_have_something_to_hope_for(before: Room, after: Room, has_gained: bool) -> None:
    assert after.has_gained(before) is has_gained


shares = st.dictionaries(st.sampled_from(["bandwidth", "queues"]), st.integers(0, 4))
holdings = st.dictionaries(st.sampled_from(["nic0", "nic1", "disk"]), st.none() | shares)
capacities = st.dictionaries(
    st.sampled_from(["nic0", "nic1"]),
    st.fixed_dictionaries({"bandwidth": st.integers(0, 8), "queues": st.integers(0, 8)}),
)


@given(holdings, st.lists(holdings, max_size=4), capacities)
def test_claims_that_are_let_in_one_after_the_other_never_have_too_much(
    first: Holding, wishes: list[Holding], capacities: Mapping[Hashable, Share]
) -> None:
    had = [first]
    for wish in wishes:
        if not contested_devices(wish, had, capacities):
            had.append(wish)
    for key in ("nic0", "nic1", "disk"):
        parts = [holding[key] for holding in had if key in holding]
        if len(parts) > 1:
            assert key in capacities
            assert None not in parts
            assert is_within(capacities[key], [part for part in parts if part is not None])


@given(st.lists(holdings, max_size=4), holdings, capacities)
def test_what_is_left_is_what_a_claim_can_have(
    had: list[Holding], wish: Holding, capacities: Mapping[Hashable, Share]
) -> None:
    """The two ways to look at it, that of the allocator and that of the ledger, agree."""
    occupancy = Occupancy(capacities)
    for number, holding in enumerate(had):
        occupancy.add(str(number), holding)
    contested = contested_devices(wish, had, capacities)
    for key, share in wish.items():
        others = [holding[key] for holding in had if key in holding]
        if not others:
            assert occupancy.has_room(key)
        elif share is None or (left := occupancy.left_of(key)) is None:
            assert key in contested
        elif is_within(capacities[key], [part for part in others if part is not None]):
            assert (key in contested) is not is_within(left, [share])

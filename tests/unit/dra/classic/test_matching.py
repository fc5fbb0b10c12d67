"""All requests of a pod are served together, whenever that is possible without shared devices."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_dra_driver.dra.classic.matching import Wish, assign
from fake_dra_driver.dra.nodestate.sharing import Share, is_within


def wish(count: int, *places: int) -> Wish:
    return Wish(count, dict.fromkeys(places))


@pytest.mark.parametrize(
    ("wishes", "assigned"),
    [
        pytest.param([], (), id="nothing is asked for"),
        pytest.param([wish(1, 0, 1), wish(1, 0, 1)], ((0,), (1,)), id="the first are taken first"),
        pytest.param([wish(1, 0, 1), wish(1, 0)], ((1,), (0,)), id="one gives way to another with fewer choices"),
        pytest.param([wish(2, 0, 1, 2), wish(1, 1)], ((0, 2), (1,)), id="with one of its devices"),
        pytest.param(
            [wish(1, 0, 1), wish(1, 1, 2), wish(1, 1, 3), wish(1, 0)], ((1,), (2,), (3,), (0,)), id="a whole chain"
        ),
        pytest.param([wish(1, 0, 1), wish(1, 0, 1), wish(1, 0, 1)], None, id="too many"),
        pytest.param([wish(3, 0, 1)], None, id="more than there are"),
    ],
)
def test_whole_devices(wishes: list[Wish], assigned: tuple[tuple[int, ...], ...] | None) -> None:
    assert assign(wishes, {}) == assigned


def part(count: int, amount: int, *places: int) -> Wish:
    return Wish(count, {place: {"bandwidth": amount} for place in places})


TEN: Mapping[int, Share] = {0: {"bandwidth": 10}, 1: {"bandwidth": 10}}


@pytest.mark.parametrize(
    ("wishes", "assigned"),
    [
        pytest.param([part(1, 6, 0, 1), part(1, 4, 0, 1)], ((0,), (0,)), id="both fit into one"),
        pytest.param([part(1, 6, 0, 1), part(1, 5, 0, 1)], ((0,), (1,)), id="one of them goes elsewhere"),
        pytest.param([part(2, 6, 0, 1), part(1, 4, 0, 1)], ((0, 1), (0,)), id="devices of one claim are different"),
        pytest.param([part(1, 6, 0, 1), part(1, 6, 0)], ((1,), (0,)), id="a part gives way"),
        pytest.param([part(1, 3, 0, 1), part(1, 3, 0, 1), part(1, 6, 0)], ((1,), (0,), (0,)), id="one of two parts"),
        pytest.param([part(1, 6, 0, 1), part(1, 6, 0, 1), part(1, 6, 0, 1)], None, id="too much"),
        pytest.param([part(1, 4, 0), wish(1, 0)], None, id="all of a device beside a part of it"),
    ],
)
def test_parts_of_devices(wishes: list[Wish], assigned: tuple[tuple[int, ...], ...] | None) -> None:
    assert assign(wishes, TEN) == assigned


def solvable(free: Sequence[int], wishes: Sequence[Wish]) -> bool:
    """Tries everything."""
    if not wishes:
        return True
    first, *rest = wishes
    usable = [place for place in free if place in first.places]
    return any(
        solvable([place for place in free if place not in chosen], rest) for chosen in combinations(usable, first.count)
    )


shares = st.none() | st.fixed_dictionaries({"bandwidth": st.integers(0, 6)})
whole = st.builds(Wish, st.integers(0, 3), st.dictionaries(st.integers(0, 5), st.none()))
parts = st.builds(Wish, st.integers(0, 3), st.dictionaries(st.integers(0, 3), shares))


@given(st.lists(whole, max_size=4))
def test_an_assignment_of_whole_devices_is_found_whenever_there_is_one(wishes: list[Wish]) -> None:
    assigned = assign(wishes, {})
    assert (assigned is not None) is solvable(range(6), wishes)


@given(st.lists(whole | parts, max_size=5))
def test_an_assignment_is_sound(wishes: list[Wish]) -> None:
    left: Mapping[int, Share] = {place: {"bandwidth": 6} for place in range(6)}
    assigned = assign(wishes, left)
    if assigned is None:
        return
    taken: dict[int, list[Share | None]] = {}
    for one, places in zip(wishes, assigned, strict=True):
        assert len(set(places)) == one.count
        for place in places:
            taken.setdefault(place, []).append(one.places[place])
    for place, amounts in taken.items():
        both = [amount for amount in amounts if amount is not None]
        assert len(amounts) == 1 or (len(both) == len(amounts) and is_within(left[place], both))

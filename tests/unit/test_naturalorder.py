"""Names with numbers in them, in the order that people expect."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_dra_driver.naturalorder import natural_order


@pytest.mark.parametrize(
    ("names", "ordered"),
    [
        ("worker10 worker2 worker20 worker", "worker worker2 worker10 worker20"),
        ("b a-b a", "a a-b b"),
        ("ip-10-0-10-7.internal ip-10-0-2-7.internal", "ip-10-0-2-7.internal ip-10-0-10-7.internal"),
        ("a1 10a 10 2 1", "1 2 10 10a a1"),
        ("a1-c a01-b a1", "a1 a01-b a1-c"),
        ("", ""),
    ],
)
def test_numbers_count_by_their_size(names: str, ordered: str) -> None:
    assert sorted(names.split(), key=natural_order) == ordered.split()


@given(st.sets(st.text("ab01-²٣")))
def test_names_of_any_kind_have_one_order(names: set[str]) -> None:
    ordered = sorted(names, key=natural_order)
    # Strictly rising: no two of them are equal, and any two can be compared.
    assert all(natural_order(one) < natural_order(next_one) for one, next_one in pairwise(ordered))

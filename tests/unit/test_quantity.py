"""Quantities that are dear to read."""

import pytest

from fake_dra_driver.quantity import Quantity, QuantityError, canonical, number_of


@pytest.mark.parametrize("text", ["1e9999", "1e-9999", "1E99999999999999999999", "1e+99999999"])
def test_an_exponent_that_makes_a_number_of_many_digits_is_refused(text: str) -> None:
    for read in (Quantity.parse, canonical, number_of):
        with pytest.raises(QuantityError, match="suffix"):
            read(text)


@pytest.mark.parametrize(("text", "written"), [("1e3", "1e3"), ("12e-3", "12e-3"), ("1E12", "1e12"), ("1e+6", "1e6")])
def test_an_exponent_within_reason_is_read(text: str, written: str) -> None:
    assert canonical(text) == written

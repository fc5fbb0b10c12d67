"""What selectors are made of."""

import pytest

from fake_dra_driver.allocation.selectorparts import Reference, conditions_of, references_of
from fake_dra_driver.allocation.selectors import compile_selector


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('device.driver == "d"', [Reference("driver")]),
        ("device.allowMultipleAllocations", [Reference("allowMultipleAllocations")]),
        ('device.attributes["d"].model == "X"', [Reference("attributes", "d", "model")]),
        ('device.attributes.d["model"] == "X"', [Reference("attributes", "d", "model")]),
        ('device.attributes[?"d"].?model.orValue("") == "X"', [Reference("attributes", "d", "model")]),
        ('has(device.attributes["d"].model)', [Reference("attributes", "d", "model")]),
        (
            'cel.bind(a, device.attributes["d"], a.n > 1 && a.s == "x" && a.n < 5)',
            [Reference("attributes", "d", "n"), Reference("attributes", "d", "s")],
        ),
        (
            'device.capacity["d"].memory.isGreaterThan(quantity("1Gi")) || "a" in [device.driver]',
            [Reference("capacity", "d", "memory"), Reference("driver")],
        ),
        (
            '[1].all(device, device == 1) && {device.driver: device.attributes["d"].v}.size() == 1',
            [Reference("driver"), Reference("attributes", "d", "v")],
        ),
        ('device.attributes["d"].exists(k, k == "model")', []),
    ],
)
def test_values_that_are_named(expression: str, expected: list[Reference]) -> None:
    assert list(references_of(compile_selector(expression))) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a", ["a"]),
        ("a && (b && c) && d.e(f && g)", ["a", "(b && c)", "d.e(f && g)"]),
        ("a.?b.orValue(true) && c", ["a.?b.orValue(true)", "c"]),
        ('"&&" == a &&\n  b // && c', ['"&&" == a', "b // && c"]),
        ("a && b || c", ["a && b || c"]),
        ("a && b ? c : d", ["a && b ? c : d"]),
        ("a && $", ["a && $"]),
    ],
)
def test_conditions_that_are_joined(expression: str, expected: list[str]) -> None:
    assert list(conditions_of(expression)) == expected

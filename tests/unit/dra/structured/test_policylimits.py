"""Request policies that an API server would refuse."""

from typing import Any

import pytest

from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.structured.policylimits import policy_problems


def problems(value: str, policy: Any) -> list[str]:
    capacity = v1.DeviceCapacity.model_validate({"value": value, "requestPolicy": policy})
    assert capacity.request_policy is not None
    return list(policy_problems("p", capacity, capacity.request_policy))


@pytest.mark.parametrize(
    "policy",
    [
        {},
        {"default": "1"},
        {"default": "1", "validValues": ["1", "2", "4"]},
        {"default": "2Gi", "validRange": {"min": "1Gi"}},
        {"default": "2Gi", "validRange": {"min": "1Gi", "max": "4Gi", "step": "1Gi"}},
    ],
)
def test_a_policy_that_is_taken(policy: Any) -> None:
    assert problems("4Gi", policy) == []


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        (
            {"default": "1", "validValues": ["1"], "validRange": {"min": "1"}},
            ["p: validValues or validRange, not both"],
        ),
        ({"default": "1Qi"}, ["p.default: must be a quantity such as 80Gi, is 1Qi"]),
        (
            {"default": "1", "validRange": {"min": "x", "step": "y"}},
            [
                "p.validRange.min: must be a quantity such as 80Gi, is x",
                "p.validRange.step: must be a quantity such as 80Gi, is y",
            ],
        ),
        ({"validValues": ["1"]}, ["p.default: must be set where validValues or validRange is"]),
        ({"default": "1", "validValues": ["2"]}, ["p.validValues: the default, 1, must be one of them"]),
        (
            {"default": "1", "validValues": ["2", "1", "1000m"]},
            ["p.validValues[1]: must not be less than the one before, 2, is 1", "p.validValues: 1 is there twice"],
        ),
        ({"default": "1", "validValues": ["1", "9"]}, ["p.validValues[1]: at most what the device has, 8, is 9"]),
        (
            {"default": "1", "validValues": [f"{n}00m" for n in range(10, 21)]},
            ["p.validValues: at most 10, are 11"],
        ),
        ({"default": "1", "validRange": {"max": "2"}}, ["p.validRange.min: must be set"]),
        (
            {"default": "9", "validRange": {"min": "9"}},
            ["p.validRange.min: at most what the device has, 8, is 9"],
        ),
        (
            {"default": "4", "validRange": {"min": "4", "max": "3"}},
            ["p.validRange.max: at least min, 4, is 3", "p.default: at most max, 3, is 4"],
        ),
        (
            {"default": "1", "validRange": {"min": "2", "max": "9"}},
            [
                "p.validRange.max: at most what the device has, 8, is 9",
                "p.default: at least min, 2, is 1",
            ],
        ),
        (
            {"default": "3", "validRange": {"min": "1", "max": "6", "step": "3"}},
            [
                "p.default: must be min, 1, and a whole number of steps of 3, is 3",
                "p.validRange.max: must be min, 1, and a whole number of steps of 3, is 6",
            ],
        ),
        (
            {"default": "1", "validRange": {"min": "1", "step": "0"}},
            ["p.validRange.step: must be more than 0, is 0"],
        ),
        (
            {"default": "1", "validRange": {"min": "1", "step": "8"}},
            ["p.validRange.step: min and one step are at most what the device has, 8, is 8"],
        ),
    ],
)
def test_a_policy_that_is_refused(policy: Any, told: list[str]) -> None:
    assert problems("8", policy) == told

"""FakeClaimParameters as opaque configuration: what was given can be told from what was left out."""

import pytest
from pydantic import ValidationError

from fake_dra_driver.api.fake import FakeClaimConfig, FakeClaimConfigSpec


def test_what_is_left_out_stands_for_nothing() -> None:
    spec = FakeClaimConfig.model_validate({}).spec
    assert (spec.count, spec.split, spec.selector) == (None, 0, None)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"count": 0}, "greater than or equal to 1"),
        ({"count": 129}, "less than or equal to 128"),
        ({"split": 65}, "less than or equal to 64"),
        ({"split": -1}, "greater than or equal to 0"),
        ({"selector": {}}, "Field required"),
        ({"selector": {"model": ""}}, "at least 1 character"),
        ({"count": 20, "split": 64}, "count times split must be at most 1024, is 1280"),
    ],
)
def test_bounds_are_those_of_the_parameters_in_classic_dra(spec: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        FakeClaimConfig.model_validate({"spec": spec})


def test_any_split_is_taken_without_a_count() -> None:
    assert FakeClaimConfigSpec(split=64).split == 64

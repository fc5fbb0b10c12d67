"""What a schema asks beyond forms: rules and texts, as an API server checks them in objects of a CRD's kind."""

from typing import Any

import pytest

from fake_dra_driver.dra.structured.schemacheck import SchemaCheck

LAMP: dict[str, Any] = {
    "type": "object",
    "properties": {
        "watts": {"type": "integer", "default": 5},
        "volts": {"type": "integer"},
        "color": {"type": "string", "pattern": "^[a-z]*$", "maxLength": 6},
        "shade": {
            "type": "object",
            "properties": {"size": {"type": "integer"}},
            "x-kubernetes-validations": [{"rule": "self.size != 13", "message": "size 13 is not made"}],
        },
        "colors": {"type": "array", "items": {"type": "string", "pattern": "^[a-z]+$"}},
        "labels": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 2}},
    },
    "x-kubernetes-validations": [
        {"rule": "self.watts <= 60", "message": "watts must be at most 60"},
        {"rule": "!has(self.shade) || self.watts < 40", "message": "a shade takes less than 40 watts"},
        {"rule": "self.watts == oldSelf.watts", "message": "watts cannot be changed"},
    ],
}


def problems(value: Any, schema: dict[str, Any] = LAMP) -> list[str]:
    return [str(problem) for problem in SchemaCheck(schema).problems(value)]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({}, []),
        ({"watts": 60, "color": "red", "shade": None, "colors": [], "unknown": 1}, []),
        ({"watts": 61}, ["watts must be at most 60"]),
        ({"watts": 40, "shade": {"size": 1}}, ["a shade takes less than 40 watts"]),
        ({"shade": {"size": 13}}, ["shade: size 13 is not made"]),
        ({"color": "Red"}, ['color: must match ^[a-z]*$, is "Red"']),
        ({"color": "vermilion"}, ['color: must have at most 6 characters, is "vermilion"']),
        ({"colors": ["red", "Blue"]}, ['colors[1]: must match ^[a-z]+$, is "Blue"']),
        ({"labels": {"room": "attic"}}, ['labels.room: must have at most 2 characters, is "attic"']),
    ],
)
def test_what_is_wrong_is_named_with_its_path(value: Any, found: list[str]) -> None:
    assert problems(value) == found


def test_a_rule_that_cannot_be_evaluated_is_a_problem_as_for_an_api_server() -> None:
    schema = {**LAMP, "x-kubernetes-validations": [{"rule": "self.volts > 0", "message": "volts must be positive"}]}
    assert problems({"volts": 0}, schema) == ["volts must be positive"]
    assert problems({}, schema) == ["rule self.volts > 0 cannot be evaluated: no such key: volts"]

"""Parameters by a schema that is only known at run time: what is wrong with them, and with such a schema."""

from typing import Any

import pytest

from fake_dra_driver.dra.structured.strictschema import StrictSchema, schema_problems

SHARING: dict[str, Any] = {
    "type": "object",
    "required": ["strategy"],
    "properties": {
        "strategy": {"type": "string", "enum": ["TimeSlicing", "MPS"]},
        "interval": {"type": "string", "default": "Default"},
        "percentage": {"type": "integer", "minimum": 1, "maximum": 100},
        "names": {"type": "array", "maxItems": 2, "minItems": 1, "items": {"type": "string", "minLength": 2}},
        "limits": {"type": "object", "maxProperties": 1, "additionalProperties": {"x-kubernetes-int-or-string": True}},
        "anything": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "ratio": {"type": "number", "minimum": 0, "exclusiveMinimum": True, "maximum": 1, "exclusiveMaximum": True},
        "note": {"type": "string", "nullable": True, "maxLength": 4, "pattern": "^[a-z]*$"},
    },
    "x-kubernetes-validations": [
        {"rule": "self.strategy == 'MPS' || !has(self.percentage)", "message": "percentage needs strategy MPS"},
        {"rule": "self.interval != 'Never'"},
    ],
}
SCHEMA = {"type": "object", "properties": {"sharing": SHARING}}


def problems(sharing: Any) -> list[str]:
    return list(map(str, StrictSchema(SCHEMA).problems({"sharing": sharing})))


def test_the_schema_of_these_tests_is_one() -> None:
    assert schema_problems(SCHEMA) == ()


@pytest.mark.parametrize(
    "sharing",
    [
        {"strategy": "TimeSlicing"},
        {"strategy": "MPS", "percentage": 50, "interval": None},
        {"strategy": "MPS", "percentage": 50.0, "names": ["ab", "cd"]},
        {"strategy": "MPS", "limits": {"a": "10Gi"}},
        {"strategy": "MPS", "limits": {"a": 10}, "anything": {"any": ["thing"]}, "ratio": 0.5, "note": None},
    ],
)
def test_what_is_of_the_form_is_accepted(sharing: dict[str, Any]) -> None:
    assert problems(sharing) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"strategy": "Never"}, 'sharing.strategy: must be "TimeSlicing" or "MPS", is "Never"'),
        ({"strategy": None}, "sharing.strategy: must be a string, is null"),
        (
            {"stratgy": "MPS"},
            "sharing.stratgy: there is no such field, only anything, interval, limits, names, note, percentage, "
            "ratio, strategy",
        ),
        ({"percentage": 0}, "sharing.percentage: must be at least 1, is 0"),
        ({"percentage": 101}, "sharing.percentage: must be at most 100, is 101"),
        ({"percentage": 1.5}, "sharing.percentage: must be a whole number, is 1.5"),
        ({"percentage": True}, "sharing.percentage: must be a whole number, is true"),
        ({"ratio": 0}, "sharing.ratio: must be more than 0, is 0"),
        ({"ratio": 1}, "sharing.ratio: must be less than 1, is 1"),
        ({"names": []}, "sharing.names: must have at least 1 entries, has 0"),
        ({"names": ["ab", "cd", "ef"]}, "sharing.names: must have at most 2 entries, has 3"),
        ({"names": ["ab", "c"]}, "sharing.names[1]: must have at least 2 characters, has 1"),
        ({"limits": {"a": 1.5}}, "sharing.limits.a: must be a whole number or a string, is 1.5"),
        ({"limits": {"a": 1, "b": 1}}, "sharing.limits: must have at most 1 fields, has 2"),
        ({"note": "Abc"}, 'sharing.note: must match ^[a-z]*$, is "Abc"'),
        ({"note": "abcde"}, 'sharing.note: must have at most 4 characters, is "abcde"'),
        ({"strategy": "TimeSlicing", "percentage": 50}, "sharing: percentage needs strategy MPS"),
        ({"interval": "Never"}, "sharing: failed rule: self.interval != 'Never'"),
    ],
)
def test_what_is_wrong_is_said_with_its_path(change: dict[str, Any], expected: str) -> None:
    assert problems({"strategy": "MPS", **change}) == [expected]


def test_all_that_is_wrong_is_said() -> None:
    assert problems({"percentage": 0, "names": "a"}) == [
        "sharing.strategy: must be set",
        "sharing.percentage: must be at least 1, is 0",
        'sharing.names: must be a list, is "a"',
    ]


def test_the_value_itself_has_to_be_an_object() -> None:
    assert list(map(str, StrictSchema(SCHEMA).problems([]))) == ["must be an object, is a list"]


def test_defaults_are_filled_in() -> None:
    assert StrictSchema(SCHEMA).with_defaults({"sharing": {"strategy": "MPS"}}) == {
        "sharing": {"strategy": "MPS", "interval": "Default"}
    }


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ([], "must be an object, is a list"),
        ({}, "type: must be one of array, boolean, integer, number, object, string"),
        ({"type": "string"}, 'type: must be object, is "string"'),
        ({"type": ["object"]}, "type: must be one of array, boolean, integer, number, object, string, is a list"),
        ({"type": "map"}, 'type: must be one of array, boolean, integer, number, object, string, is "map"'),
        ({"type": "object", "properties": {"a": {"type": "array"}}}, "properties.a.items: must be set for an array"),
        ({"type": "object", "properties": []}, "properties: must be an object, is a list"),
        (
            {"type": "object", "properties": {"a": {"type": "string", "minLength": -1}}},
            "properties.a.minLength: must be a whole number, at least 0, is -1",
        ),
        (
            {"type": "object", "properties": {"a": {"type": "integer", "minimum": "1"}}},
            'properties.a.minimum: must be a number, is "1"',
        ),
        ({"type": "object", "nullable": 1}, "nullable: must be true or false, is 1"),
        ({"type": "object", "required": "a"}, 'required: must be a list of names, is "a"'),
        (
            {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "string"}},
            "additionalProperties: must be left out beside properties",
        ),
        (
            {"type": "object", "properties": {"a": {"type": "string", "pattern": "("}}},
            "properties.a.pattern: cannot be used: error parsing regexp: missing closing ): `(`",
        ),
        (
            {"type": "object", "properties": {"a": {"type": "integer", "maximum": 1, "default": 2}}},
            "properties.a.default: must be at most 1, is 2",
        ),
        (
            {"type": "object", "x-kubernetes-validations": [{"message": "no rule"}]},
            "x-kubernetes-validations[0]: must have a rule in CEL",
        ),
    ],
)
def test_what_is_wrong_with_a_schema_is_said_with_its_path(schema: Any, expected: str) -> None:
    assert list(map(str, schema_problems(schema))) == [expected]


def test_what_a_schema_may_not_say_is_named() -> None:
    (problem,) = schema_problems({"type": "object", "oneOf": []})
    assert str(problem).startswith("oneOf: is not supported, only additionalProperties, default,")


def test_a_rule_that_cannot_be_compiled_is_named() -> None:
    (problem,) = schema_problems({"type": "object", "x-kubernetes-validations": [{"rule": "self.a =="}]})
    assert problem.path == "x-kubernetes-validations[0].rule"
    assert problem.message.startswith("cannot be compiled: ")


def test_a_schema_has_bounds() -> None:
    deep: dict[str, Any] = {"type": "object"}
    for _ in range(40):
        deep = {"type": "object", "properties": {"a": deep}}
    assert [problem.message for problem in schema_problems(deep)] == ["must not be nested more than 32 levels deep"]
    wide = {"type": "object", "properties": {f"a{number}": {"type": "string"} for number in range(1025)}}
    assert [problem.message for problem in schema_problems(wide)] == [
        "must describe at most 1024 fields, describes 1025"
    ]

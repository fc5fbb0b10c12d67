"""The rules of custom kinds, when they cost more than they may or cannot be evaluated."""

from typing import Any

import pytest

from tests.conformance.api import Api, Json, causes
from tests.conformance.definitions import install
from tests.conformance.objects import CRD_PATH, crd, widget

_TEXTS: Json = {"type": "array", "maxItems": 1000, "items": {"type": "string", "maxLength": 3}}
_NUMBER: Json = {"type": "integer"}
_QUADRATIC = "self.all(a, self.all(b, a + 'x' != b))"


def _definition(group: str, name: str, schema: Json, *rules: Json) -> Json:
    definition = crd(group)
    spec = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["properties"][name] = {**schema, "x-kubernetes-validations": list(rules)}
    return definition


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("true && " * 20_000 + "true", "expression code point size exceeds limit: size: 160004, limit 100000"),
        ("(" * 5000 + "true" + ")" * 5000, "expression recursion limit exceeded: "),
        ("[" * 300 + "1" + "]" * 300 + " == []", "expression recursion limit exceeded: "),
        ("true ? true : " * 300 + "true", "expression recursion limit exceeded: "),
        ("9223372036854775808 > 1", "invalid int literal"),
        ("1" * 5000 + " > 1", "invalid int literal"),
        ("1e999 < 1.0", "invalid double literal"),
        ("string(self).matches('(?=a)')", "invalid matches argument"),
        ("has(self)", "invalid argument to has() macro"),
    ],
    ids=range(9),
)
def test_refused_rule(api: Api, namespace: str, rule: str, problem: str) -> None:
    definition = _definition(f"{namespace}.example.com", "n", _NUMBER, {"rule": rule})
    status = api.refused(422, "Invalid", "POST", CRD_PATH, definition)
    assert f": {problem}" in str(status["message"])


def _widgets(api: Api, namespace: str, name: str, schema: Json, *rules: Json) -> str:
    group = f"{namespace}.example.com"
    install(api, _definition(group, name, schema, *rules))
    return f"/apis/{group}/v1/namespaces/{namespace}/widgets"


def _messages(status: Json) -> list[Any]:
    return [each["message"] for each in status["details"]["causes"]]


def test_rule_that_costs_too_much(api: Api, namespace: str) -> None:
    """No other rule is asked then."""
    rules = {"rule": _QUADRATIC, "message": "first"}, {"rule": "false", "message": "second"}
    path = _widgets(api, namespace, "texts", _TEXTS, *rules)
    body = widget("a", f"{namespace}.example.com", size=1, texts=["abc"] * 1000)
    status = api.refused(422, "Invalid", "POST", path, body)
    assert causes(status) == {"spec.texts": "FieldValueInvalid"}
    assert _messages(status) == [
        "Invalid value: \"array\": 'operation cancelled: actual cost limit exceeded': no further validation rules will "
        "be run due to call cost exceeds limit for rule: first"
    ]


def test_rules_that_cost_too_much_together(api: Api, namespace: str) -> None:
    rules = [{"rule": _QUADRATIC, "message": f"{number}"} for number in range(40)]
    schema = {**_TEXTS, "maxItems": 300}
    path = _widgets(api, namespace, "texts", schema, *rules)
    body = widget("a", f"{namespace}.example.com", size=1, texts=["abc"] * 300)
    status = api.refused(422, "Invalid", "POST", path, body)
    assert _messages(status) == [
        'Invalid value: "array": validation failed due to running out of cost budget, no further validation rules '
        "will be run"
    ]


def test_rules_that_cannot_be_evaluated(api: Api, namespace: str) -> None:
    rules = ["self + 1 > 0", "self * 2 > 0", "1 / (self - self) == 1", "1 % (self - self) == 1", "[1][self] == 1"]
    path = _widgets(api, namespace, "n", _NUMBER, *({"rule": rule} for rule in rules))
    body = widget("a", f"{namespace}.example.com", size=1, n=2**63 - 1)
    status = api.refused(422, "Invalid", "POST", path, body)
    found = ["integer overflow", "integer overflow", "division by zero", "modulus by zero"]
    found.append(f"index out of bounds: {2**63 - 1}")
    assert _messages(status) == [
        f'Invalid value: "integer": {problem} evaluating rule: {rule}'
        for problem, rule in zip(found, rules, strict=True)
    ]


@pytest.mark.parametrize(
    ("schema", "value", "rule", "shown"),
    [
        ({"type": "integer"}, 1, "self > 1", " 1:"),
        ({"type": "string"}, "a", "self != 'a'", ' "a":'),
        ({"type": "array", "items": {"type": "string"}}, ["a"], "size(self) < 1", ""),
        ({"type": "object", "properties": {"a": {"type": "integer"}}}, {"a": 1}, "self.a != 1", ""),
    ],
)
def test_what_is_said_of_a_value(
    api: Api, namespace: str, minor: int, schema: Json, value: Any, rule: str, shown: str
) -> None:
    """Its type until 1.34; then itself, unless there are others in it."""
    path = _widgets(api, namespace, "n", schema, {"rule": rule})
    body = widget("a", f"{namespace}.example.com", size=1, n=value)
    status = api.refused(422, "Invalid", "POST", path, body)
    said = shown if minor > 30 else f' "{schema["type"]}":'
    assert _messages(status) == [f"Invalid value:{said} failed rule: {rule}"]


@pytest.mark.parametrize(
    ("default", "rule", "problem"),
    [
        ({}, "self > 1.5.5", 'Invalid value: "object":  in body must be of type integer: "object"'),
        (1, "self.a == 1", 'Invalid value: "integer": rule compile error: compilation failed: ERROR: <input>:1:5: '),
        (1, "self > 1", "failed rule: self > 1"),
    ],
)
def test_default_that_has_a_rule(api: Api, namespace: str, default: Any, rule: str, problem: str) -> None:
    """Values are checked before rules, and rules are compiled for them."""
    definition = _definition(f"{namespace}.example.com", "n", {**_NUMBER, "default": default}, {"rule": rule})
    status = api.refused(422, "Invalid", "POST", CRD_PATH, definition)
    assert len(_messages(status)) == 1
    assert problem in _messages(status)[0]

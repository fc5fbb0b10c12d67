"""Sentences about objects that a model refuses."""

import json
from collections.abc import Mapping
from typing import Any, Literal

import pytest
from hypothesis import given
from pydantic import BaseModel, Field, ValidationError
from pydantic_core import from_json

from fake_dra_driver.api.fieldproblem import FieldProblem, join_path, problems_of
from tests.support.untrusted import assert_harmless, hostile_text


class Leaf(BaseModel):
    size: int = Field(default=4, multiple_of=2, gt=0, lt=100)
    shape: Literal["round", "long"] = "round"
    color: str = Field(default="green", pattern="^[a-z]+$", min_length=3)
    weight: float = Field(default=1.0, allow_inf_nan=False)


class Tree(BaseModel):
    name: str
    leaves: tuple[Leaf, ...] = Field(default=(), max_length=2)
    roots: list[str] = Field(default_factory=lambda: ["main"], min_length=1)
    by_branch: Mapping[str, Leaf | None] = Field(default_factory=dict, alias="byBranch")


def problems(text: str) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        Tree.model_validate_json(text, strict=True, extra="forbid")
    return [str(problem) for problem in problems_of(caught.value, Tree)]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("{}", "name: must be set"),
        ("[]", "must be an object, is a list"),
        ('{"name": 3}', "name: must be a string, is 3"),
        ('{"name": "a", "nam": 3}', "nam: there is no such field, only byBranch, leaves, name and roots"),
        ('{"name": "a", "leaves": [{}, {}, {}]}', "leaves: must have at most 2 entries, has 3"),
        ('{"name": "a", "roots": []}', "roots: must not be empty"),
        ('{"name": "a", "leaves": [{"size": 3}]}', "leaves[0].size: must be a multiple of 2, is 3"),
        ('{"name": "a", "leaves": [{"size": 0}]}', "leaves[0].size: must be more than 0, is 0"),
        ('{"name": "a", "leaves": [{"size": 100}]}', "leaves[0].size: must be less than 100, is 100"),
        ('{"name": "a", "leaves": [{"shape": "x"}]}', "leaves[0].shape: must be 'round' or 'long', is \"x\""),
        ('{"name": "a", "leaves": [{"color": "no"}]}', 'leaves[0].color: must have at least 3 characters, is "no"'),
        ('{"name": "a", "leaves": [{"color": "RED"}]}', 'leaves[0].color: must match ^[a-z]+$, is "RED"'),
        ('{"name": "a", "leaves": [{"weight": "1"}]}', 'leaves[0].weight: must be a number, is "1"'),
        ('{"name": "a", "leaves": [{"weight": 1e999}]}', "leaves[0].weight: must be a finite number, is Infinity"),
        ('{"name": "a", "byBranch": []}', "byBranch: must be an object, is a list"),
        (
            '{"name": "a", "byBranch": {"top.left": {"sice": 3}}}',
            'byBranch["top.left"].sice: there is no such field, only color, shape, size and weight',
        ),
    ],
)
def test_each_problem_has_its_path_what_is_allowed_and_what_is_there(given: str, said: str) -> None:
    assert problems(given) == [said]


def test_a_long_value_is_cut() -> None:
    [said] = problems(f'{{"name": {"1" * 100}}}')
    assert said == f"name: must be a string, is {'1' * 59}…"
    [said] = problems(json.dumps({"name": "a", "leaves": "x" * 900_000}))
    assert said == f'leaves: must be a list, is "{"x" * 58}…'
    [said] = problems(json.dumps({"name": "a", "x" * 900_000: 1}))
    assert said == f'["{"x" * 58}…]: there is no such field, only byBranch, leaves, name and roots'


@given(hostile_text(), hostile_text())
def test_what_others_wrote_is_one_harmless_line(name: str, value: str) -> None:
    text = json.dumps({"name": "a", name: value, "byBranch": {name: {"color": value, name: value}}})
    for problem in problems(text):
        assert_harmless(problem, longest=500)


def test_an_error_that_has_no_sentence_keeps_what_pydantic_says() -> None:
    class Timed(BaseModel):
        after: frozenset[bytes]

    with pytest.raises(ValidationError) as caught:
        Timed.model_validate(from_json('{"after": 3}'))
    assert [str(problem) for problem in problems_of(caught.value, Timed)] == ["after: must be a valid frozenset, is 3"]


@pytest.mark.parametrize(
    ("outer", "inner", "path"),
    [("spec", "size", "spec.size"), ("spec", "", "spec"), ("spec", "[0].a", "spec[0].a"), ("", "size", "size")],
)
def test_a_problem_is_told_from_further_outside(outer: str, inner: str, path: str) -> None:
    assert FieldProblem(inner, "m").inside(outer) == FieldProblem(path, "m")


@pytest.mark.parametrize(
    ("parts", "path"),
    [
        (("a", 0, "b"), "a[0].b"),
        (("a", "x/y"), 'a["x/y"]'),
        ((0,), "[0]"),
        (("a", ""), 'a[""]'),
        (("a", "Ü\n"), 'a["Ü\\n"]'),
    ],
)
def test_a_path_is_written_as_kubernetes_does(parts: tuple[Any, ...], path: str) -> None:
    assert join_path("", *parts) == path

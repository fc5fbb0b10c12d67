"""Models as structural schemas: what Python reads is what an API server takes, and what neither can is refused."""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from fake_dra_driver.api.kube.meta import ResourceKind
from fake_dra_driver.api.schema import (
    Crd,
    CustomResource,
    ListMap,
    ListSet,
    Nullable,
    OneOf,
    SchemaModel,
    ServerDefault,
)
from fake_dra_driver.codegen import SchemaError, definition, kind_page
from tests.support.kiln import BAD, BROKEN_RULES, GOOD, Firing, FiringSpec


@pytest.mark.parametrize("spec", GOOD, ids=lambda spec: json.dumps(spec)[:60])
def test_python_reads_what_an_api_server_takes(spec: Mapping[str, Any]) -> None:
    assert FiringSpec.model_validate(spec).model_dump(mode="json", by_alias=True, exclude_unset=True) == spec


@pytest.mark.parametrize("spec", [spec for spec, _ in BAD], ids=lambda spec: json.dumps(spec)[:60])
def test_python_refuses_what_an_api_server_refuses(spec: Mapping[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FiringSpec.model_validate(spec)


def test_rules_are_left_to_the_api_server() -> None:
    for spec, _ in BROKEN_RULES:
        FiringSpec.model_validate(spec)


def test_python_says_what_is_there_too_often() -> None:
    step = {"name": "dry", "degrees": 80}
    for spec, message in (
        ({"cones": ["6", "6"]}, "6 is there twice"),
        ({"steps": [step, step]}, "dry, 1 is there twice"),
    ):
        with pytest.raises(ValidationError, match=message):
            FiringSpec.model_validate(spec)
    with pytest.raises(ValidationError, match="exactly one of bag, pit has to be set, not bag, pit"):
        FiringSpec.model_validate({"clay": {"bag": "a", "pit": "b"}})


def test_the_reference_says_what_is_allowed() -> None:
    rows = {row.path: row for row in kind_page(Firing).fields}
    expected = {
        "spec.glaze": ("string", "matt", "one of `matt`, `glossy`"),
        "spec.shelf": ("integer", "", "one of `1`, `2`"),
        "spec.steps": ("list of object", "", "no two entries with the same name and part"),
        "spec.steps[].degrees": ("integer", "**required**", "more than 0, less than 1400, a multiple of 5"),
        "spec.cones": ("list of string", "", "no entry twice, at most 20 entries"),
        "spec.chimney": ("integer or string", "", ""),
        "spec.seal": ("string or null", "", "at most 5 characters"),
        "spec.bought": ("string", "", "a date"),
        "spec.bricks": ("integer", "", "32 bits, -2147483648 to 2147483647"),
        "spec.labels": ("map of string", "", ""),
    }
    assert {path: (rows[path].type, rows[path].default, rows[path].allowed) for path in expected} == expected


# --- What no schema can say


class _Odd(CustomResource):
    resource = ResourceKind("example.com", "v1", "Odd", "odds")
    crd = Crd(singular="odd")


class _Twig(SchemaModel):
    kind: Literal["twig"] = "twig"
    length: int = 1
    leaves: Annotated[int, ServerDefault()] = 3


class _Stone(SchemaModel):
    kind: Literal["stone"] = "stone"
    length: str = ""


class _Leaf(SchemaModel):
    kind: Literal["leaf"] = "leaf"
    length: int = 1


class _Shell(SchemaModel):
    kind: Literal["shell"] = "shell"


class _Pebble(SchemaModel):
    kind: Literal["stone"] = "stone"


class _Both(OneOf):
    first: int
    second: int | None = None


class _Nest(SchemaModel):
    inner: "_Nest | None" = None


class _Named(SchemaModel):
    name: str = ""


@pytest.mark.parametrize(
    ("annotation", "default", "message"),
    [
        (Any, None, r"Kind\.field: a CRD cannot say Any: say what it is, or write Mapping\[str, Any\]"),
        (bytes, b"", r"Kind\.field: a CRD cannot say bytes: write str"),
        (timedelta, None, "a CRD cannot say timedelta: write a number, with the unit in the field's name"),
        (set[str], (), r"a CRD cannot say set\[str\]: write Annotated\[tuple\[\.\.\., \.\.\.\], ListSet\(\)\]"),
        (tuple[int, str], (), "write a model with a field for each entry"),
        (Mapping[int, str], {}, "keys are str"),
        (bool | str, "", r"int \| str is the only union of scalars"),
        (Literal["a", 1], "a", "write values that are all texts, or all whole numbers"),
        (
            _Twig | _Stone,
            None,
            r"tell the models apart by a field that is a Literal in each, with Field\(discriminator=",
        ),
        (
            Annotated[_Stone | _Leaf, Field(discriminator="kind")],
            None,
            r"Kind\.field: length of _Leaf is not what it is in another model of the union",
        ),
        (
            Annotated[_Twig | _Shell, Field(discriminator="kind")],
            None,
            r"Kind\.field: the API server would fill in leaves of _Twig for the other models, too: leave out",
        ),
        (_Both, None, "_Both: of a OneOf one field alone is set: first needs a default, None"),
        (_Nest, None, "_Nest contains _Nest, which it is a part of itself, and a CRD has no references"),
        (Annotated[str, Field(pattern="^(?!a)")], "", r"a CRD cannot say '\^\(\?!a\)': it is not in RE2's syntax"),
        (Annotated[int, BeforeValidator(int)], 0, r"Kind\.field: a CRD cannot say BeforeValidator"),
        (Annotated[tuple[_Twig, ...], ListSet()], (), "it is for lists of scalars; ListMap is for lists of objects"),
        (Annotated[tuple[_Twig, ...], ListMap("colour")], (), "colour is no scalar field of the list's entries"),
        (Annotated[tuple[_Named, ...], ListMap("name")], (), "name has to be required, or to have a ServerDefault"),
        (Annotated[int, Nullable()], 0, r"Kind\.field: Nullable is for X \| None"),
        (Annotated[Literal["a"] | None, Nullable()], None, "an API server refuses null where there are choices"),
        (Annotated[int | None, ServerDefault()], None, r"Kind\.field: ServerDefault needs a default that is not None"),
        (Annotated[Literal["a"], ServerDefault()], "b", r"Odd\.field: the default 'b' is none of \['a'\]"),
    ],
)
def test_what_a_crd_cannot_say_is_an_error_that_says_what_to_do(annotation: Any, default: Any, message: str) -> None:
    members: dict[str, Any] = {"__annotations__": {"field": annotation}, "field": default, "__module__": __name__}
    kind = type("Kind", (_Odd,), members)
    with pytest.raises(SchemaError, match=message):
        definition(kind)


def test_models_of_a_union_have_tags_of_their_own() -> None:
    """pydantic itself refuses them when the model is used; a CRD is made without that."""

    class Kind(_Odd):
        field: Annotated[_Pebble | _Stone, Field(discriminator="kind")] | None = None

    with pytest.raises(SchemaError, match="kind has to be different in each of _Pebble, _Stone"):
        definition(Kind)


def test_what_only_narrows_a_value_down_is_left_to_the_program() -> None:
    class Kind(_Odd):
        field: Annotated[int, AfterValidator(abs), Field(strict=True)] = 0
        others: list[Sequence[float]] = Field(default_factory=list)

    (version,) = definition(Kind)["spec"]["versions"]
    properties = version["schema"]["openAPIV3Schema"]["properties"]
    assert properties["field"] == {"type": "integer"}
    assert properties["others"] == {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}

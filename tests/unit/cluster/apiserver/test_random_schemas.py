"""Any schema is one or is refused, and so is any value that it is about: no error but the server's own comes out."""

import json
from typing import Any

import hypothesis.strategies as st
from hypothesis import given

from fake_dra_driver.cluster.apiserver.custom.crdschema import validate_schema
from fake_dra_driver.cluster.apiserver.custom.customobject import apply_defaults, validate_custom
from fake_dra_driver.cluster.apiserver.types.decode import prune_custom
from fake_dra_driver.cluster.apiserver.types.objecttype import TypeRegistry
from tests.crash.bounds import examples

_SCALARS = st.sampled_from([None, True, 0, -1, 1.5, 2**63 - 1, 1e308, "", "a", "aaab", "1", "1970-01-01T00:00:00Z"])
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
_RULES = st.fixed_dictionaries(
    {
        "rule": st.sampled_from(
            [
                "", "(", "self", "self == oldSelf", "size(self) > 1", "self.a.b", "self.all(x, x > 1)", "1 / 0 == self",
                "has(self.a) && self.a", "self + self == self", "self.matches(self)", "self['a'] in self",
                "self * 2 > 1",
            ]
        )
    },
    optional={
        "message": st.sampled_from(["", " ", "m", "m\n"]),
        "messageExpression": st.sampled_from(["self", "'a' + self", "string(self)", "'a' +", "' '"]),
        "reason": st.sampled_from(["FieldValueForbidden", "FieldValueDuplicate", "FieldValueRequired", "other"]),
        "fieldPath": st.sampled_from([".a", ".a.b", "a", "['a']", ".x"]),
    },
)  # fmt: skip
_NUMBERS = st.sampled_from([-1, 0, 1, 3, 1.5, 5e-324, 1e308, 2**63 - 1])
_SIZES = st.sampled_from([-1, 0, 1, 3, 2**63 - 1])
_KEYWORDS: dict[str, st.SearchStrategy[Any]] = {
    "default": _VALUES,
    "enum": st.lists(_VALUES, max_size=3),
    "pattern": st.sampled_from(["^a+$", "(a+)+$", "(", r"\pL", "(?=a)", ""]),
    "format": st.sampled_from(["date-time", "int32", "byte", "duration", "other"]),
    **dict.fromkeys(("minimum", "maximum", "multipleOf"), _NUMBERS),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), _SIZES),
    **dict.fromkeys(("exclusiveMinimum", "exclusiveMaximum", "nullable", "uniqueItems"), st.booleans()),
    "required": st.lists(st.sampled_from("abx"), max_size=2),
    "x-kubernetes-int-or-string": st.booleans(),
    "x-kubernetes-preserve-unknown-fields": st.booleans(),
    "x-kubernetes-embedded-resource": st.booleans(),
    "x-kubernetes-list-type": st.sampled_from(["set", "map", "atomic", "other"]),
    "x-kubernetes-list-map-keys": st.lists(st.sampled_from("ab"), max_size=2),
    "x-kubernetes-map-type": st.sampled_from(["atomic", "granular", "other"]),
    "x-kubernetes-validations": st.lists(_RULES, min_size=1, max_size=2),
}
_TYPE = {"type": st.sampled_from(["object", "array", "string", "integer", "number", "boolean"])}
_LEAVES = st.fixed_dictionaries(_TYPE, optional=_KEYWORDS)


def _larger(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    parts = {
        "properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
        "items": inner,
        "additionalProperties": inner | st.booleans(),
        "not": inner,
        **dict.fromkeys(("allOf", "anyOf", "oneOf"), st.lists(inner, max_size=2)),
    }
    objects = st.fixed_dictionaries({"type": st.just("object"), "properties": parts["properties"]})
    arrays = st.fixed_dictionaries({"type": st.just("array"), "items": inner})
    return objects | arrays | st.fixed_dictionaries(_TYPE, optional={**parts, **_KEYWORDS})


_SCHEMAS = st.recursive(_LEAVES, _larger, max_leaves=6)


@examples(300, 50_000)
@given(_SCHEMAS, st.lists(_VALUES, min_size=2, max_size=2))
def test_any_schema_and_any_value(schema: dict[str, Any], values: list[Any]) -> None:
    whole = json.loads(json.dumps({"type": "object", "properties": {"spec": schema}}))
    if validate_schema(whole, "schema"):
        return
    type_ = TypeRegistry.load("1.30").custom(whole)
    old, new = [{"metadata": {"name": "a"}, "spec": value} for value in values]
    for obj in (old, new):
        prune_custom(obj, type_)
        apply_defaults(obj, type_)
    problems = [*validate_custom(old, type_), *validate_custom(new, type_, old)]
    assert all(problem.message and problem.reason for problem in problems)

"""Expressions of strangers: how long they may be, how deep they may nest, how much they may evaluate."""

import re
from contextlib import suppress
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from fake_dra_driver.cel import (
    MAX_COST,
    CelCompileError,
    CelCostError,
    CelError,
    CelSyntaxError,
    Meter,
    compile_rule,
)
from tests.crash.bounds import examples


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("true && " * 20_000 + "true", "expression code point size exceeds limit: size: 160004, limit 100000"),
        ("(" * 5000 + "true" + ")" * 5000, "expression recursion limit exceeded: 60"),
        ("[" * 5000, "expression recursion limit exceeded: 60"),
        ("{1:" * 5000, "expression recursion limit exceeded: 60"),
        ("true ? true : " * 5000 + "true", "expression recursion limit exceeded: 60"),
        ("self[" * 5000, "expression recursion limit exceeded: 60"),
        ("size(" * 5000, "expression recursion limit exceeded: 60"),
        ("self.all(a, " * 5000, "expression recursion limit exceeded: 60"),
        ("has(self[" * 5000, "expression recursion limit exceeded: 60"),
        ("self" + ".a" * 5000, "max recursion depth exceeded"),
        ("self" + "[0]" * 5000, "max recursion depth exceeded"),
        ("self" + ".trim()" * 5000, "max recursion depth exceeded"),
        ("1" + " + 1" * 5000, "max recursion depth exceeded"),
        ("1" * 5000 + " < 1", "invalid int literal"),
        ("9223372036854775808 > 1", "invalid int literal"),
        ("0xFFFFFFFFFFFFFFFFF > 1", "invalid int literal"),
        ("1e999 < 1.0", "invalid double literal"),
        ("'a'.matches('(?=a)')", "invalid matches argument"),
    ],
    ids=range(18),
)
def test_rule_without_bounds_is_refused(rule: str, problem: str) -> None:
    with pytest.raises(CelSyntaxError, match=f": {re.escape(problem)}"):
        compile_rule(rule)


@pytest.mark.parametrize(
    "rule",
    [
        "(" * 59 + "true" + ")" * 59,
        "true" + " && true" * 12_000,
        "true" + " || true" * 12_000,
        "!" * 50_000 + "true",
        "0" + " + 1" * 140 + " == 140",
        "-9223372036854775808 < 0",
        "-" * 2001 + "1 == -1",
        "[1]" + ".map(a, a)" * 140 + " == [1]",
    ],
    ids=range(8),
)
def test_long_rule_holds(rule: str) -> None:
    assert compile_rule(rule).holds(None)


def test_nested_has_is_read_once() -> None:
    """Not twice for each level."""
    argument = "self.a"
    for _ in range(25):
        argument = f"self[has({argument}) ? 0 : 1].a"
    with pytest.raises(CelError, match="unsupported index type 'string' in list"):
        compile_rule(f"has({argument})").holds([])


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("self.all(a, self.all(b, a + 'x' != b))", ["abc"] * 1000),
        ("self.map(a, self.map(b, self.map(c, 1))).size() > 0", [1] * 200),
        ("self.exists(a, self.exists(b, self.exists_one(c, a + b == c)))", [1] * 200),
        ("self" + ".map(a, a + a)" * 40 + " == []", ["ab"]),
        ("self" + ".map(a, a + a)" * 40 + " == []", [[1]]),
        ("self" + ".map(a, [a, a])" * 40 + " == self" + ".map(a, [a, a])" * 40, [1]),
        ("[1] in [[2]] || self" + ".map(a, [a, a])" * 40 + " in [self" + ".map(a, [a, a])" * 40 + "]", [1]),
        ("self.a" + ".replace('', 'aaaaaaaaaa')" * 20 + " == ''", {"a": "a"}),
        ("self" + ".map(a, [a, a].join(a))" * 40 + " == []", ["ab"]),
        ("self.all(a, !a.matches('(x+x+)+y'))", ["x" * 10_000] * 3000),
        ("self.all(a, a.findAll('a?').size() > 0)", ["a" * 10_000] * 100),
        ("self.all(a, !a.contains('b'))", ["a" * 100_000] * 1000),
        ("self.all(a, self.indexOf(a) >= 0)", list(range(3000))),
        ("self.all(a, self == self)", list(range(3000))),
        ("lists.range(10000000).size() > 0", None),
        ("self.sort() == []", list(range(3000))),
    ],
    ids=range(16),
)
def test_evaluation_without_bounds_ends(rule: str, value: Any) -> None:
    with pytest.raises(CelCostError):
        compile_rule(rule).evaluate(value, None, Meter(MAX_COST // 10))


def test_steps_are_reported_while_they_are_made() -> None:
    reported: list[int] = []
    meter = Meter(MAX_COST, reported.append)
    assert compile_rule("self.all(a, a > 0)").holds([1] * 10_000, None, meter)
    assert len(reported) > 10
    assert meter.spent == sum(reported)
    assert max(reported) < 2000


def test_steps_of_a_short_evaluation_are_reported() -> None:
    """Many short ones take long, too."""
    reported: list[int] = []
    meter = Meter(MAX_COST, reported.append)
    with pytest.raises(CelError):
        compile_rule("self + self + [1] == self").evaluate(1, None, meter)
    assert sum(reported) == meter.spent > 0


@pytest.mark.parametrize(
    ("rule", "value", "problem"),
    [
        ("self + 1 > 0", 2**63 - 1, "integer overflow"),
        ("self * self > 0", 2**62, "integer overflow"),
        ("-self < 0", -(2**63), "integer overflow"),
        ("self / -1 > 0", -(2**63), "integer overflow"),
        ("[self, self].sum() > dyn(0)", 2**63 - 1, "integer overflow"),
        ("int(self * 1e300) > 0", 1.0, "integer overflow"),
        ("1 / self == 1", 0, "division by zero"),
        ("1 % self == 1", 0, "modulus by zero"),
        ("int(self) == 1", "1" * 5000, "type conversion error from 'string' to 'int'"),
        ("int(self) == 1", "٣", "type conversion error from 'string' to 'int'"),
        ("int(self) == 1", "1_0", "type conversion error from 'string' to 'int'"),
        ("double(self) == 1.0", "1" * 5000, "type conversion error from 'string' to 'double'"),
        ("double(self) == 1.0", "x", "type conversion error from 'string' to 'double'"),
        ("self[7] == 1", [1], "index out of bounds: 7"),
        ("self.charAt(7) == ''", "a", "index out of range: 7"),
        ("self.substring(0, 9) == ''", "a", "index out of range: 9"),
        ("self.matches(self)", "(", "error parsing regexp: missing closing ): `(`"),
        ("{self: 1} == {}", [1], "unsupported key type"),
        ("{'a' + 'b': 1, 'ab': 2} == {}", "a", "Failed with repeated key: ab"),
        ("self < self", [1], "no such overload"),
        ("self.isSorted()", [[1], [2]], "no such overload: isSorted(list)"),
        ("string(self) == ''", [1], "no such overload: string(list)"),
        ("self.all(x, x)", "abc", "got 'types.String', expected iterable type"),
        ("self + 1.0 > 0.0", 1, "no such overload"),
        ("self.s.contains(self.n)", {"s": "a", "n": 1}, "no such overload"),
        ("self.s.substring(self.s) == ''", {"s": "a"}, "no such overload: substring(string, string)"),
    ],
)
def test_error_of_evaluation(rule: str, value: Any, problem: str) -> None:
    with pytest.raises(CelError) as error:
        compile_rule(rule).evaluate(value)
    assert str(error.value) == problem


def test_error_of_one_item_does_not_matter_if_another_decides() -> None:
    assert compile_rule("self.exists(i, 1 / i == 1)").holds([0, 1])
    assert not compile_rule("self.all(i, 1 / i == 1)").holds([0, 2])


# --- any expression ---

_LEAVES = st.sampled_from(
    [
        "self", "oldSelf", "x", "true", "null", "0", "-1", "9223372036854775807", "1.5", "1e308", "''", "'aé'",
        "r'\\d+'", "[]", "{}", "self.s", "self.n", "self.l", "self.m", "self.d", "self.missing", "1u", "b'a'",
        "duration('1s')", "timestamp(0)", "quantity('1Gi')", "semver('1.2.3')", "ip('::1')", "cidr('::/9')",
        "url('/a')", "dyn([self.s])", "dyn({'a': self.n})", "dyn(optional.of(1))", "optional.of(self.n)",
        "optional.none()", "int", "format.uuid()", "lists.range(3)", "self.?s", "self[?'n']",
    ]
)  # fmt: skip
_OPERATORS = ("==", "!=", "<", ">=", "in", "+", "-", "*", "/", "%", "&&", "||")
_METHODS = (
    "size", "startsWith", "contains", "matches", "lowerAscii", "trim", "charAt", "find", "findAll", "replace", "split",
    "substring", "join", "indexOf", "lastIndexOf", "isSorted", "sum", "min", "max", "getFullYear", "nothing", "format",
    "slice", "flatten", "sort", "reverse", "distinct", "first", "unwrapOpt", "value", "hasValue", "or", "orValue",
    "add", "isGreaterThan", "compareTo", "isLessThan", "major", "asInteger", "containsIP", "getQuery", "validate",
    "getHours", "includes",
)  # fmt: skip
_MACROS = ("all", "exists", "exists_one", "filter", "map", "sortBy", "optMap", "optFlatMap")
_FUNCTIONS = (
    "size", "int", "double", "string", "!", "-", "dyn", "uint", "bytes", "bool", "type", "duration", "timestamp",
    "quantity", "semver", "ip", "cidr", "url", "isIP", "optional.of", "optional.ofNonZeroValue", "optional.unwrap",
    "sign", "strings.quote", "lists.range",
)  # fmt: skip
_TWO_VARIABLE_MACROS = ("all", "exists", "existsOne", "transformList", "transformMap", "transformMapEntry")


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators, methods, macros = map(st.sampled_from, (_OPERATORS, _METHODS, _MACROS))
    arguments = st.lists(inner, max_size=2).map(", ".join)
    return st.one_of(
        st.builds("({} {} {})".format, inner, operators, inner),
        st.builds("({}).{}({})".format, inner, methods, arguments),
        st.builds("({}).{}(x, {})".format, inner, macros, inner),
        st.builds("({}).{}(x, y, {})".format, inner, st.sampled_from(_TWO_VARIABLE_MACROS), inner),
        st.builds("({} ? {} : {})".format, inner, inner, inner),
        st.builds("{}[{}]".format, inner, inner),
        st.builds("[{}]".format, arguments),
        st.builds("{{{}: {}}}".format, inner, inner),
        st.builds("has({}.s)".format, inner),
        st.builds("{}({})".format, st.sampled_from(_FUNCTIONS), inner),
    )


_EXPRESSIONS = st.recursive(_LEAVES, _larger, max_leaves=12)
_VALUE = {"s": "a1é", "n": -(2**63), "l": [1, "a", [1.5], None, {"s": []}], "m": {"s": {"s": 1}}, "d": 1.5}


@examples(300, 50_000)
@given(_EXPRESSIONS)
def test_any_expression_gives_a_value_or_one_of_the_errors(rule: str) -> None:
    meter = Meter(10_000)
    with suppress(CelCompileError, CelError, CelCostError):
        compile_rule(rule).evaluate(_VALUE, _VALUE, meter)


@examples(200, 50_000)
@given(st.text(alphabet="(){}[]!-'\"\\.,:?1aeux_ \n&|=<>+*%$é", max_size=30))
def test_any_text_is_a_rule_or_refused(text: str) -> None:
    with suppress(CelCompileError, CelError, CelCostError):
        compile_rule(text).evaluate(_VALUE, None, Meter(10_000))

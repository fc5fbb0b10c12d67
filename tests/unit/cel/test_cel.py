"""The subset of CEL."""

from typing import Any

import pytest

from fake_dra_driver.cel import CelError, CelSyntaxError, compile_rule


@pytest.mark.parametrize(
    ("rule", "value", "expected"),
    [
        ("self.count * self.split <= 1024", {"count": 32, "split": 32}, True),
        ("self.count * self.split <= 1024", {"count": 32, "split": 33}, False),
        ("self.a + 1 == 3 && !(self.a > 2)", {"a": 2}, True),
        ("has(self.a) ? self.a == 'x' : true", {}, True),
        ("has(self.a.b) && self.a.b in [1, 2]", {"a": {"b": 2}}, True),
        ("size(self.items) == 2 && self.items.all(i, i > 0)", {"items": [1, 2]}, True),
        ("self.items.exists(i, i.name == 'b')", {"items": [{"name": "a"}]}, False),
        ("self.items.filter(i, i > 1).map(i, i * 2) == [4]", {"items": [1, 2]}, True),
        ("self.items.exists_one(i, i == 1)", {"items": [1, 1]}, False),
        ("self.s.matches('^a+$') && self.s.startsWith('a') && !self.s.contains('b')", {"s": "aa"}, True),
        ("-7 / 2 == -3 && -7 % 2 == -1", None, True),
        ("self.x == 1 || true", {}, True),
        ("'k' in self && self['k'] == 1", {"k": 1}, True),
        ("{'a': 1}.a == int('1') && string(5) == '5'", None, True),
        ('"a\\"b" == \'a"b\'', None, True),
    ],
)
def test_a_rule_holds_or_not(rule: str, value: Any, expected: bool) -> None:
    assert compile_rule(rule).holds(value) is expected


def test_a_rule_with_old_self_is_a_transition_rule() -> None:
    program = compile_rule("self == oldSelf")
    assert program.uses_old_self
    assert program.holds("a", "a")
    assert not program.holds("a", "b")


@pytest.mark.parametrize(
    "rule",
    [
        "self.x ==",
        "foo(self)",
        "self.isSorted(1)",
        "duration('1x') == self",
        "other",
        "self.all(1, true)",
        "has(self)",
        "self $ 1",
        "(self",
        "'a",
    ],
)
def test_what_is_outside_the_subset_is_refused(rule: str) -> None:
    with pytest.raises(CelSyntaxError):
        compile_rule(rule)


@pytest.mark.parametrize(
    "rule", ["self.missing == 1", "self.a + 'x' == 'x'", "self.a", "self.a / 0 == 1", "self.a < 'b'"]
)
def test_what_cannot_be_evaluated_is_an_error(rule: str) -> None:
    with pytest.raises(CelError):
        compile_rule(rule).holds({"a": 1})

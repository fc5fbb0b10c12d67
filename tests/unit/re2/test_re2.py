"""Regular expressions of strangers."""

import re
import tracemalloc

import hypothesis.strategies as st
import pytest
from hypothesis import given

from fake_dra_driver.re2 import PatternError, compile_pattern
from tests.crash.bounds import examples
from tests.support.patterns import REFUSED, pattern_texts


class Steps:
    """Counts the steps of a search, and ends one that takes more than it may."""

    def __init__(self, most: int) -> None:
        self.left = most

    def spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise AssertionError("too many steps")


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "(a|aa)+$", "(a|a?)+$", "(.*a){20}$", "^(([a-z])+.)+[A-Z]([a-z])+$", "(a?){60}a{60}", "(?:(?:a*)*)*$"],
)
def test_time_is_linear(pattern: str) -> None:
    """What takes a backtracking engine longer than anyone lives."""
    steps = Steps(100_000)
    text = "a" * 10_000 + "b"
    compile_pattern(pattern).search(text, steps.spend)


def test_what_is_remembered_is_bounded() -> None:
    """A text of many different characters leaves no more behind than one of few."""
    text = "".join(map(chr, range(0x10000, 0x10000 + 150_000)))
    pattern = compile_pattern("ab$")
    tracemalloc.start()
    try:
        assert not pattern.search(text)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 * 1024 * 1024


def test_time_of_finding_is_linear() -> None:
    steps = Steps(200_000)
    assert compile_pattern("(a+)+c").find("a" * 10_000 + "b", 0, steps.spend) is None


@pytest.mark.parametrize(("pattern", "problem"), REFUSED.items())
def test_go_says_what_is_wrong(pattern: str, problem: str) -> None:
    with pytest.raises(PatternError) as refusal:
        compile_pattern(pattern)
    assert str(refusal.value) == f"error parsing regexp: {problem}"


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("(" * 1001 + ")" * 1001, "expression nests too deeply"),
        ("(" * 50_000, "missing closing )"),
        ("a{1000}" * 11, "expression too large"),
        ("a" * 3_000_000, "expression too large"),
        ("(a{100}){100}", "invalid repeat count"),
        ("a{1001}", "invalid repeat count"),
        ("a{9" + "9" * 5000 + "}", "invalid repeat count"),
        (r"\x{" + "f" * 5000 + "}", "invalid escape sequence"),
        ("a" + "*?" * 5000, "invalid nested repetition operator"),
    ],
    ids=range(9),
)
def test_size_is_bounded(pattern: str, problem: str) -> None:
    with pytest.raises(PatternError, match=f"^error parsing regexp: {re.escape(problem)}: "):
        compile_pattern(pattern)


def test_states_are_made_when_they_are_needed_and_counted() -> None:
    pattern = compile_pattern("a{1000}" * 9 + "b")
    steps = Steps(100_000)
    assert not pattern.search("b", steps.spend)
    assert steps.left < 100_000 - 9000
    left = steps.left
    assert not pattern.search("b", steps.spend)
    assert left - steps.left < 100


def test_nesting_without_captures_is_free() -> None:
    assert compile_pattern("(?:" * 3000 + "a" + ")" * 3000).search("a")


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("^a$", "a\n", False),
        ("(?m)^b$", "a\nb\nc", True),
        ("a.b", "a\nb", False),
        ("(?s)a.b", "a\nb", True),
        ("(?s:a.)b.", "a\nb\n", False),
        (r"\Aa\z", "a", True),
        (r"\pL+\PL", "é1", True),
        (r"^\p{^Lu}$", "É", False),
        (r"^[\p{Nd}x]$", "٣", True),
        (r"^\d$", "٣", False),
        (r"^\w$", "é", False),
        ("^[[:alpha:]]$", "z", True),
        ("^[[:^alpha:]]$", "z", False),
        ("^[^[:^alpha:]]$", "z", True),
        ("^[]a]$", "]", True),
        ("^[a-]$", "-", True),
        (r"^[\d-z]$", "-", True),
        (r"^[^\W]$", "_", True),
        (r"^\Qa.b\E+$", "a.bb", True),
        (r"^\Qa.b\E$", "axb", False),
        ("(?i)^straße$", "STRAßE", True),
        ("(?i)^k$", "\u212a", True),
        ("(?i)^[a-k]$", "K", True),
        ("(?i)^[^k]$", "\u212a", False),
        ("(?i:A)b", "ab", True),
        ("(?i:A)b", "aB", False),
        ("(?i)a(?-i)b", "AB", False),
        (r"^\x41\x{1F600}\101$", "A\U0001f600A", True),
        (r"\bfoo\b", "a foo.", True),
        (r"\Bo\B", "of", False),
        ("^a{0}$", "", True),
        ("^a{2,}$", "a", False),
        ("^a{2,}$", "aaa", True),
        ("^a{1,2}$", "aaa", False),
        ("^a{,2}$", "a{,2}", True),
        ("^(?P<x>a)(?<y>b)$", "ab", True),
        ("^(|a)*$", "aa", True),
        ("^(?:a|)$", "", True),
        ("^*a", "a", True),
        ("", "", True),
    ],
)
def test_a_text_matches_or_not(pattern: str, text: str, expected: bool) -> None:
    assert compile_pattern(pattern).search(text) is expected
    assert (compile_pattern(pattern).find(text) is not None) is expected


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("a|ab", "xab", ["a"]),
        ("(a|ab)(c|bcd)", "abcd", ["abcd"]),
        ("a+?", "aaa", ["a", "a", "a"]),
        ("(?U)a+", "aa", ["a", "a"]),
        ("(?U)a+?", "aa", ["aa"]),
        ("a*", "baac", ["", "aa", ""]),
        ("", "ab", ["", "", ""]),
        ("b*", "abc", ["", "b", ""]),
        (r"\bx", "x xx", ["x", "x"]),
    ],
)
def test_all_matches(pattern: str, text: str, expected: list[str]) -> None:
    assert list(compile_pattern(pattern).find_all(text)) == expected


_SIGNS = ["a", "b", "(", "(?:", ")", "|", "*", "+", "?", "*?", "{1,2}", "{2}", ".", "^", "[ab]", "[^a]", r"\b", r"\d"]


@examples(200, 20_000)
@given(st.lists(st.sampled_from(_SIGNS), max_size=9).map("".join), st.text("ab1 \n", max_size=8))
def test_what_both_accept_matches_as_in_python(pattern: str, text: str) -> None:
    try:
        python, ours = re.compile(pattern), compile_pattern(pattern)
    except (re.error, PatternError):
        return
    found = python.search(text)
    assert ours.search(text) is (found is not None)
    assert ours.find(text) == (found and found.span())


@examples(200, 20_000)
@given(pattern_texts(), st.text(max_size=20))
def test_any_text_is_a_pattern_or_refused(pattern: str, text: str) -> None:
    try:
        compiled = compile_pattern(pattern)
    except PatternError:
        return
    steps = Steps(100_000)
    found = compiled.find(text, 0, steps.spend)
    assert compiled.search(text, steps.spend) is (found is not None)
    list(compiled.find_all(text, steps.spend))

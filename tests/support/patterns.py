"""Regular expressions as strangers write them, and what Go says of those that are none."""

from collections.abc import Mapping
from typing import Final

import hypothesis.strategies as st

__all__ = ["PIECES", "REFUSED", "pattern_texts"]

REFUSED: Final[Mapping[str, str]] = {
    "(?=a)": "invalid or unsupported Perl syntax: `(?=`",
    "(?!a)": "invalid or unsupported Perl syntax: `(?!`",
    "(?<=a)": "invalid named capture: `(?<=a)`",
    "(?>a)": "invalid or unsupported Perl syntax: `(?>`",
    "(?#a)": "invalid or unsupported Perl syntax: `(?#`",
    "(?P=n)": "invalid or unsupported Perl syntax: `(?P`",
    "(?P<n": "invalid named capture: `(?P<n`",
    "(?P<x y>a)": "invalid named capture: `(?P<x y>`",
    "(?i": "invalid or unsupported Perl syntax: `(?i`",
    "(?-)": "invalid or unsupported Perl syntax: `(?-)`",
    "(a": "missing closing ): `(a`",
    "a)": "unexpected ): `a)`",
    "[a": "missing closing ]: `[a`",
    "[]": "missing closing ]: `[]`",
    "[z-a]": "invalid character class range: `z-a`",
    "[[:foo:]]": "invalid character class range: `[:foo:]`",
    r"\p{Foo}": r"invalid character class range: `\p{Foo}`",
    "*": "missing argument to repetition operator: `*`",
    "(?i)+": "missing argument to repetition operator: `+`",
    "a**": "invalid nested repetition operator: `**`",
    "a++": "invalid nested repetition operator: `++`",
    "a{1}{2}": "invalid nested repetition operator: `{1}{2}`",
    "a{2,1}": "invalid repeat count: `{2,1}`",
    "a{1001}": "invalid repeat count: `{1001}`",
    "((a{10}){10}){11}": "invalid repeat count: `{11}`",
    r"(a)\1": r"invalid escape sequence: `\1`",
    r"\Z": r"invalid escape sequence: `\Z`",
    r"\C": r"invalid escape sequence: `\C`",
    r"[\b]": r"invalid escape sequence: `\b`",
    r"\u00e9": r"invalid escape sequence: `\u`",
    r"\x4": r"invalid escape sequence: `\x4`",
    "a\\": "trailing backslash at end of expression: ``",
}
"""What is no expression in RE2's syntax, with the words of Go."""

PIECES: Final = (
    *"abzkK4-<>,:é\n\x00|*+?.^$()[]{}\\", "(?:", "(?i)", "(?i:", "(?s)", "(?P<n>", "(?<n>", "(?=", "(?", "[^", "[a-z]",
    "[[:alpha:]]", "[:", "{1,2}", "{2}", "{1000}", r"\b", r"\d", r"\W", r"\p", r"\pL", r"\p{L}", r"\P{^Nd}", r"\x",
    r"\x{41}", r"\x41", r"\0", r"\1", r"\Q", r"\E", r"\z", r"\C", "*?",
)  # fmt: skip


def pattern_texts() -> st.SearchStrategy[str]:
    """Texts that are nearly, or indeed, regular expressions."""
    return st.lists(st.sampled_from(PIECES), max_size=10).map("".join)

"""Text that others wrote: escaped, cut, and otherwise left alone."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_dra_driver.untrustedtext import MAX_SENTENCE, escape, json_escape, one_line, some_lines
from tests.crash.bounds import examples
from tests.support.untrusted import HOSTILE_NAMES, assert_harmless, hostile_text, id_of


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain-name.example", "plain-name.example"),
        ("", ""),
        ("two\nlines\r\n", r"two\nlines\r\n"),
        ("\x1b[2J\x07", r"\x1b[2J\x07"),
        ("\x7f\x9b1m\x85", r"\x7f\x9b1m\x85"),
        ("a\u202eb\u2066\u061c\u200f", r"a\u202eb\u2066\u061c\u200f"),
        ("a\u2028b\u2029", r"a\u2028b\u2029"),
        ("a\u200bb\ufeff\u00ad\u200d", r"a\u200bb\ufeff\xad\u200d"),
        ("a\u00a0b\u3000", r"a\xa0b\u3000"),
        ("\ud800\udfff", r"\ud800\udfff"),
        ("\ue000\u0378\U000e0041", r"\ue000\u0378\U000e0041"),
        ("a\u3164b\u2800\u034f\ufe00", r"a\u3164b\u2800\u034f\ufe00"),
        ("\u0301a\u0301", "\\u0301a\u0301"),
        ("\n\u0301", r"\n\u0301"),
        ("e" + "\u0301" * 6, "e" + "\u0301" * 4 + r"\u0301\u0301"),
        (r"C:\new", r"C:\new"),
    ],
)
def test_what_does_harm_is_escaped(text: str, shown: str) -> None:
    assert one_line(text) == escape(text) == shown


@pytest.mark.parametrize(
    "text",
    ["Übergröße", "节点-1", "ノード", "узел", "عقدة", "צומת", "e\u0301\u0323", "👩‍👩‍👧 ❤️ 🧑🏽‍🚀 🏳️‍🌈", "« … » – ½ €"],
)
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert one_line(text) == escape(text) == text


@pytest.mark.parametrize(
    ("text", "limit", "shown"),
    [
        ("a" * 100, 100, "a" * 100),
        ("a" * 101, 100, "a" * 78 + "… (23 more characters)"),
        ("a" * 101, 60, "a" * 59 + "…"),
        ("a" * 900_000, 100, "a" * 74 + "… (899926 more characters)"),
        ("abcdef", 5, "abcd…"),
        ("abcdef", 1, "…"),
        ("abc\x1bdef", 6, "abc…"),
        ("👩\u200d👩\u200d👩", 4, "👩\u200d👩…"),
        ("👩\u200d👩\u200d👩", 3, "👩…"),
        ("abc\x1b", 7, r"abc\x1b"),
    ],
)
def test_what_is_too_long_is_cut(text: str, limit: int, shown: str) -> None:
    assert one_line(text, limit) == shown


@examples(100, 20_000)
@given(hostile_text(), st.integers(1, 300))
def test_nothing_harmful_is_left_of_any_text(text: str, limit: int) -> None:
    shown = one_line(text, limit)
    assert_harmless(shown, longest=limit)
    assert one_line(shown, limit) == shown
    assert_harmless(escape(text), longest=10 * len(text))


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=id_of)
def test_nothing_harmful_is_left_of_what_is_meant_to_harm(name: str) -> None:
    assert_harmless(one_line(name), longest=MAX_SENTENCE)


@examples(100, 20_000)
@given(st.dictionaries(hostile_text(), st.lists(hostile_text(), max_size=3), max_size=3))
def test_json_keeps_its_values(value: object) -> None:
    text = json_escape(json.dumps(value, ensure_ascii=False))
    # json.dumps has escaped what is below the blank, so that what is left is in strings.
    assert_harmless(text, longest=12 * len(json.dumps(value, ensure_ascii=False)))
    assert json.loads(text) == json.loads(json.dumps(value))


def test_json_stays_readable() -> None:
    text = '{"a": "Ü节\u202e\U000e0041", "b": "e\u0301👩\u200d👩\x7f"}\n'
    assert json_escape(text) == '{"a": "Ü节\\u202e\\udb40\\udc41", "b": "e\u0301👩\u200d👩\\u007f"}\n'


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one\ntwo", "one\ntwo"),
        ("one\n", "one\n"),
        ("a\tb\n\x1b[2J\r\n\u2028", "a       b\n\\x1b[2J\\r\n\\u2028"),
        ("line\n" * 1000, "line\n" * 400 + "… (601 more lines)"),
    ],
)
def test_what_was_said_in_lines_keeps_them(text: str, shown: str) -> None:
    assert some_lines(text) == shown


@examples(100, 20_000)
@given(hostile_text())
def test_nothing_harmful_is_left_of_lines(text: str) -> None:
    assert_harmless(some_lines(text), longest=401 * (MAX_SENTENCE + 1), keeps_newlines=True)

"""Where lines end: widths, names that are shortened, sentences that are wrapped, and what must not reach a terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_dra_driver.tablelayout import Cell, Column, Layout, Row, Tone, printable, shorten, width_of, wrap


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("", 0),
        ("abc", 3),
        ("é", 1),
        ("e\u0301", 1),
        ("节点", 4),
        ("ｆ", 2),
        ("…", 1),
        ("├─", 2),
        ("a\u200db", 2),
        ("❤️", 2),
        ("👩‍👩‍👧", 6),
    ],
)
def test_widths(text: str, width: int) -> None:
    assert width_of(text) == width


@pytest.mark.parametrize(
    ("text", "columns", "short"),
    [
        ("long-pod-name-xyz12", 19, "long-pod-name-xyz12"),
        ("long-pod-name-xyz12", 18, "long-pod-…me-xyz12"),
        ("long-pod-name-xyz12", 5, "lo…12"),
        ("long-pod-name-xyz12", 2, "l…"),
        ("long-pod-name-xyz12", 1, "…"),
        ("long-pod-name-xyz12", 0, ""),
        ("节点节点节点", 7, "节…点"),
    ],
)
def test_names_are_shortened_in_the_middle(text: str, columns: int, short: str) -> None:
    assert shorten(text, columns) == short


@given(st.text(), st.integers(0, 30))
def test_nothing_is_wider_than_it_may_be(text: str, columns: int) -> None:
    assert width_of(shorten(printable(text), columns)) <= columns


@given(st.text(), st.integers(2, 30))
def test_wrapping_loses_nothing(text: str, columns: int) -> None:
    lines = wrap(text, columns)
    assert all(width_of(line) <= columns for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_words_are_not_broken_where_they_fit() -> None:
    assert wrap("one two three extraordinarily", 9) == ["one two", "three", "extraordi", "narily"]


ROWS = [
    Row([Cell("节点-1"), Cell("")], "same"),
    Row([Cell("b"), Cell("")], "same"),
    Row([Cell("c"), Cell("")], "other"),
]
COLUMNS = [Column("NAME", shrinks=True), Column("EMPTY")]


def test_a_row_is_a_line_in_a_pipe() -> None:
    assert Layout().table(COLUMNS, ROWS, sentences="WHY", indent="  ") == [
        "  NAME    WHY",
        "  节点-1  same",
        "  b       same",
        "  c       other",
    ]


def test_fields_can_be_counted_in_a_pipe() -> None:
    rows = [Row([Cell("a"), Cell(""), Cell("c")]), Row([Cell("a"), Cell("b"), Cell("")])]
    columns = [Column("A"), Column("B"), Column("C")]
    assert Layout().table(columns, rows) == ["A  B  C", "a  -  c", "a  b"]
    assert Layout(80).table(columns, rows) == ["A  B  C", "a     c", "a  b"]


def test_rows_that_say_the_same_say_it_once_on_a_terminal() -> None:
    assert Layout(40).table(COLUMNS, ROWS, sentences="WHY") == ["NAME", "节点-1", "b", "  same", "c", "  other"]


def test_the_widest_columns_shrink_first() -> None:
    columns = [Column("A", shrinks=True), Column("B", shrinks=True), Column("C")]
    row = Row([Cell("a" * 30), Cell("b" * 14), Cell("c" * 5)])
    _, line = Layout(40).table(columns, [row])
    assert line == f"{'a' * 9}…{'a' * 8}  {'b' * 14}  ccccc".replace("aaaaaaaaa…aaaaaaaa", shorten("a" * 30, 17))
    _, line = Layout(30).table(columns, [row])
    assert len(line) == 30
    _, line = Layout(10).table(columns, [row])
    assert len(line) <= 10


def test_colours() -> None:
    assert Layout(is_colored=True).paint("x", Tone.BAD) == "\x1b[31mx\x1b[0m"
    assert Layout(is_colored=True).paint("x", Tone.PLAIN) == "x"
    assert Layout().paint("x", Tone.BAD) == "x"
    lines = Layout(is_colored=True).table([Column("A"), Column("B")], [Row([Cell("x", Tone.GOOD), Cell("y")])])
    assert lines == ["\x1b[1mA\x1b[0m  \x1b[1mB\x1b[0m", "\x1b[32mx\x1b[0m  y"]

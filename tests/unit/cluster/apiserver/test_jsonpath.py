"""JSONPath beyond what the conformance tests compare with a real API server."""

from contextlib import suppress
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from fake_dra_driver.cluster.apiserver.tables.jsonpath import JsonPathError, parse_path
from tests.crash.bounds import examples

_VALUE: dict[str, Any] = {
    "list": [1, 2, 3, 4],
    "map": {"b": 2, "a": 1},
    "items": [{"n": "x", "v": 1, "ok": True}, {"n": "y]", "v": 2.5}, {"v": 3, "n": "x"}],
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("", [_VALUE]),
        (".", [_VALUE]),
        (".list[*]", [1, 2, 3, 4]),
        (".list[0,-1]", [1, 4]),
        (".list[1:3]", [2, 3]),
        (".list[::2]", [1, 3]),
        (".map.*", [1, 2]),
        (".map['b','a']", [2, 1]),
        (".items[?(@.n == 'x')].v", [1, 3]),
        ('.items[?(@.n=="y]")].v', [2.5]),
        (".items[?(@.v >= 2.5)].v", [2.5, 3]),
        (".items[?(@.ok==true)].n", ["x"]),
        (".items[?(@.ok)].n", ["x"]),
        (".items[?(@.v==@.v)].v", [1, 2.5, 3]),
        ("..v", [1, 2.5, 3]),
        (".items[?(@.n>1)].v", []),
        (".map[0]", []),
        (".list[99999999999]", []),
    ],
)
def test_paths(path: str, found: list[Any]) -> None:
    assert parse_path(path)(_VALUE, lambda _: None) == found


@pytest.mark.parametrize("path", ["list", ".list[", ".list[]", ".list[x]", ".a b", ".a{.b}", ".items[?(@.n=~'x')]"])
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(JsonPathError):
        parse_path(path)


@pytest.mark.parametrize(
    "path",
    [
        ".a" * 5000,
        ".a" + "[?(@" * 11 + ".b" + ")]" * 11,
        ".a" + "['b" * 12 + "']" * 12,
        f".list[{'9' * 1000}]",
        f".list[0:{'9' * 1000}]",
        ".list[::0]",
        ".list[::-1]",
        ".list[" * 300,
    ],
)
def test_path_without_bounds_is_none(path: str) -> None:
    with pytest.raises(JsonPathError):
        parse_path(path)


@pytest.mark.parametrize(
    "path",
    [
        ".." + "..".join("*" * 30),
        ".list[*][*][*].list[*]",
        f".list[{','.join('*' * 900)}]",
        f".list[{','.join(['0:'] * 600)}]",
        ".list[?(@[?(@[?(@.list)])])]",
        ".list[?(@.." + "..".join("*" * 30) + ")]",
        "..list[?(@..list)]..list",
    ],
)
def test_what_a_path_looks_at_is_counted(path: str) -> None:
    """Whoever counts may end it, and nothing large is made first."""
    left = 20_000

    def spend(steps: int) -> None:
        nonlocal left
        left -= steps
        if left < 0:
            raise JsonPathError("too much")

    value = {"list": [[[{"list": [1]}] * 50] * 50] * 50}
    assert parse_path(path)(value, spend) == []
    assert left < 0


_PIECES = st.sampled_from(
    [
        *r""".*@,:'" \\[](){}?$=<>-019ab""",
        "..",
        "[*]",
        "[0]",
        "[::2]",
        "[?(@.",
        ")]",
        "['",
        "']",
        " == ",
        "1e999",
        ".list",
    ]
)


@examples(300, 50_000)
@given(st.lists(_PIECES, max_size=12).map("".join))
def test_any_text_is_a_path_or_none(text: str) -> None:
    with suppress(JsonPathError):
        parse_path(text)(_VALUE, lambda _: None)

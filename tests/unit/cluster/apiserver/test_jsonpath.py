"""JSONPath beyond what the conformance tests compare with a real API server."""

from typing import Any

import pytest

from fake_dra_driver.cluster.apiserver.tables.jsonpath import JsonPathError, parse_path

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
    ],
)
def test_paths(path: str, found: list[Any]) -> None:
    assert parse_path(path)(_VALUE) == found


@pytest.mark.parametrize("path", ["list", ".list[", ".list[]", ".list[x]", ".a b", ".a{.b}", ".items[?(@.n=~'x')]"])
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(JsonPathError):
        parse_path(path)

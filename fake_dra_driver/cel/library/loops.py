"""``cel.bind``, and loops with two variables (cel-go's ext/bindings.go and ext/comprehensions.go)."""

from collections.abc import Mapping
from typing import Any

from fake_dra_driver.cel.loop import insert
from fake_dra_driver.cel.macro import BINDING_MACROS, MAP_INSERT, TWO_VARIABLE_MACROS
from fake_dra_driver.cel.overload import Library, function
from fake_dra_driver.cel.types import map_of, parameter

__all__ = ["BINDINGS", "TWO_VARIABLES"]

_K, _V = parameter("K"), parameter("V")
_MAP = map_of(_K, _V)


def _insert_entry(target: Mapping[Any, Any], key: Any, value: Any) -> Mapping[Any, Any]:
    return _insert_map(target, {key: value})


def _insert_map(target: Mapping[Any, Any], entries: Mapping[Any, Any]) -> Mapping[Any, Any]:
    result = dict(target)
    insert(result, entries)
    return result


BINDINGS = Library(macros=BINDING_MACROS)
TWO_VARIABLES = Library(
    {
        MAP_INSERT: (
            function("@mapInsert_map_key_value", (_MAP, _K, _V), _MAP, _insert_entry),
            function("@mapInsert_map_map", (_MAP, _MAP), _MAP, _insert_map),
        )
    },
    TWO_VARIABLE_MACROS,
)

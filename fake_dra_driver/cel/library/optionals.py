"""Values that may not be there (cel-go's cel/library.go, OptionalTypes)."""

from collections.abc import Mapping, Sequence
from typing import Any

from fake_dra_driver.cel.errors import CelError
from fake_dra_driver.cel.macro import OPTIONAL_MACROS
from fake_dra_driver.cel.operators import find_optional, index
from fake_dra_driver.cel.overload import Library, function, method
from fake_dra_driver.cel.types import BOOL, DYN, INT, STRING, list_of, map_of, optional_of, parameter
from fake_dra_driver.cel.value import NONE, Duration, Optional

__all__ = ["OPTIONALS"]

_K, _V = parameter("K"), parameter("V")
_OPTIONAL = optional_of(_V)
_LIST, _MAP = list_of(_V), map_of(_K, _V)
_OPTIONALS = list_of(_OPTIONAL)


def _of(value: Any) -> Optional:
    return Optional(has_value=True, value=value)


def _of_non_zero(value: Any) -> Optional:
    is_zero = value is None or value == Duration(0)
    if isinstance(value, bool | int | float | str | bytes | list | Mapping):
        is_zero = not value
    if isinstance(value, Optional):
        is_zero = not value.has_value
    return NONE if is_zero else _of(value)


def _none() -> Optional:
    return NONE


def _value(optional: Optional) -> Any:
    if not optional.has_value:
        raise CelError("optional.none() dereference")
    return optional.value


def _or(first: Optional, second: Optional) -> Optional:
    return first if first.has_value else second


def _or_value(first: Optional, second: Any) -> Any:
    return first.value if first.has_value else second


def _first(values: Sequence[Any]) -> Optional:
    return _of(values[0]) if values else NONE


def _last(values: Sequence[Any]) -> Optional:
    return _of(values[-1]) if values else NONE


def _unwrap(values: Sequence[Any]) -> list[Any]:
    for each in values:
        if not isinstance(each, Optional):
            raise CelError(f"value {each} is not optional")
    return [each.value for each in values if each.has_value]


OPTIONALS = Library(
    {
        "optional.of": (function("optional_of", (_V,), _OPTIONAL, _of),),
        "optional.ofNonZeroValue": (function("optional_ofNonZeroValue", (_V,), _OPTIONAL, _of_non_zero),),
        "optional.none": (function("optional_none", (), _OPTIONAL, _none),),
        "value": (method("optional_value", (_OPTIONAL,), _V, _value),),
        "hasValue": (method("optional_hasValue", (_OPTIONAL,), BOOL, lambda optional: optional.has_value),),
        "or": (method("optional_or_optional", (_OPTIONAL, _OPTIONAL), _OPTIONAL, _or),),
        "orValue": (method("optional_orValue_value", (_OPTIONAL, _V), _V, _or_value),),
        "_?._": (function("select_optional_field", (DYN, STRING), _OPTIONAL, find_optional),),
        "_[?_]": (
            function("list_optindex_optional_int", (_LIST, INT), _OPTIONAL, find_optional),
            function("optional_list_optindex_optional_int", (optional_of(_LIST), INT), _OPTIONAL, find_optional),
            function("map_optindex_optional_value", (_MAP, _K), _OPTIONAL, find_optional),
            function("optional_map_optindex_optional_value", (optional_of(_MAP), _K), _OPTIONAL, find_optional),
        ),
        "_[_]": (
            function("optional_list_index_int", (optional_of(_LIST), INT), _OPTIONAL, index),
            function("optional_map_index_value", (optional_of(_MAP), _K), _OPTIONAL, index),
        ),
        "first": (method("list_first", (_LIST,), _OPTIONAL, _first),),
        "last": (method("list_last", (_LIST,), _OPTIONAL, _last),),
        "optional.unwrap": (function("optional_unwrap", (_OPTIONALS,), _LIST, _unwrap),),
        "unwrapOpt": (method("optional_unwrapOpt", (_OPTIONALS,), _LIST, _unwrap),),
    },
    OPTIONAL_MACROS,
    {"optional_type": optional_of(DYN)},
    has_optional_syntax=True,
)

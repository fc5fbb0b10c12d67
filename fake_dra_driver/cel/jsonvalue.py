"""Values of JSON as values of CEL, where the schema says that they mean more than JSON can."""

import binascii
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Any

from fake_dra_driver.cel.errors import CelError
from fake_dra_driver.cel.types import Type
from fake_dra_driver.cel.value import parse_duration, parse_timestamp

__all__ = ["converter"]


def converter(type_: Type) -> Callable[[Any], Any] | None:
    """What makes a value of the type from JSON; None: it already is one."""
    return _CONVERTERS.get(type_.kind)


def _double(value: Any) -> Any:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _timestamp(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    # A date alone is the beginning of the day.
    found = parse_timestamp(value if "T" in value else f"{value}T00:00:00Z")
    if found is None:
        raise CelError(f"invalid timestamp: {value}")
    return found


def _duration(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    found = parse_duration(value)
    if found is None:
        raise CelError(f"invalid duration: {value}")
    return found


def _bytes(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return b64decode(value, validate=True)
    except binascii.Error as error:
        raise CelError(f"invalid base64: {value}") from error


_CONVERTERS: Mapping[str, Callable[[Any], Any]] = {
    "double": _double,
    "timestamp": _timestamp,
    "duration": _duration,
    "bytes": _bytes,
}

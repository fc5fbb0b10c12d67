"""JSON in the bodies of requests: read as Go's encoding/json does it, with its words for what cannot be read.

What is not UTF-8, and half a surrogate pair, becomes U+FFFD; numbers beyond 64 bits become floats, and those beyond
floats are refused. Beside the size of a body its depth and the number of its values are bounded, so that what walks
through it may be recursive, and takes a time that is bounded, too.
"""

import json
import math
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from fake_dra_driver.cluster.apiserver.errors import StatusError, go_quoted, too_large

__all__ = ["MAX_DEPTH", "MAX_VALUES", "plain_text", "read_json", "too_many_values"]

MAX_DEPTH = 128
"""Deepest nesting. Go allows 10,000; Python's stack ends before, and no kind of Kubernetes needs a hundred."""
MAX_VALUES = 100_000
"""Most values, members and items together. A real server only bounds the bytes, and is a hundred times faster."""
_MAX_STRICT_ERRORS = 100
"""Duplicate fields beyond are not named (sigs.k8s.io/json)."""
_MAX_PATH = 1000
"""How many characters of a duplicate field's path are shown. A real server writes all of them."""
_SURELY_FEW_VALUES = 16 * 1024
"""A body of so many bytes is not worth counting."""
_INT64, _UINT64 = -(2**63), 2**64
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{},]', re.DOTALL)
"""A string, perhaps without its end, or a sign of structure."""
_LONG_NUMBER = re.compile(r"\d{19}")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_PLACES = {
    "Expecting property name": "looking for beginning of object key string",
    "Expecting ':' delimiter": "after object key",
    "Expecting ',' delimiter": "after object key:value pair",
    "Extra data": "after top-level value",
    "Invalid \\": "in string escape code",
    "Invalid control character": "in string literal",
}
"""Go's message by that of Python's decoder."""


def read_json(raw: bytes) -> tuple[Any, list[str]]:
    """The value, and what is to be said of its duplicate fields.

    Raises:
        ValueError: it cannot be read; the message is that of Go's decoder.
        StatusError: 413, it has too many values.
    """
    text = raw.decode(errors="replace")
    _check_structure(text)
    is_twice = False

    def make(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal is_twice
        made = dict(pairs)
        is_twice = is_twice or len(made) != len(pairs)
        return made

    integer = _integer if _LONG_NUMBER.search(text) else None
    try:
        decoded = json.loads(
            text, object_pairs_hook=make, parse_constant=_no_constant, parse_float=_float, parse_int=integer
        )
    except json.JSONDecodeError as error:
        raise ValueError(_go_problem(raw)) from error
    if _SURROGATE_ESCAPE.search(text):
        decoded = plain_text(decoded)
    return decoded, _duplicates(text) if is_twice else []


def too_many_values() -> StatusError:
    """413: a body has more values than ``MAX_VALUES``."""
    return too_large(f"{MAX_VALUES} values")


def plain_text(value: Any) -> Any:
    """The value with U+FFFD in the place of each half of a surrogate pair, which no UTF-8 can express."""
    if isinstance(value, str):
        return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, dict):
        return {plain_text(key): plain_text(each) for key, each in value.items()}
    return [plain_text(each) for each in value] if isinstance(value, list) else value


def _check_structure(text: str) -> None:
    """Bounds depth and number of values before anything is made of them. Raises ValueError, StatusError (413)."""
    if len(text) < _SURELY_FEW_VALUES and text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth, values = 0, 1
    for match in _TOKEN.finditer(text):
        sign = match[0]
        if sign in ("[", "{"):
            depth += 1
            values += 1
            if depth > MAX_DEPTH:
                raise ValueError(f"invalid character '{sign}' exceeded max depth")
        elif sign in ("]", "}"):
            depth -= 1
        elif sign == ",":
            values += 1
        if values > MAX_VALUES:
            raise too_many_values()


def _no_constant(name: str) -> NoReturn:
    if name == "NaN":
        raise ValueError("invalid character 'N' looking for beginning of value")
    place = "in numeric literal" if name.startswith("-") else "looking for beginning of value"
    raise ValueError(f"invalid character 'I' {place}")


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"json: cannot unmarshal number {text} into Go value of type float64")
    return value


def _integer(text: str) -> int | float:
    # Beyond some thousand digits Python refuses to read an integer.
    value = _float(text)
    if abs(value) >= 2 * _UINT64:
        return value
    whole = int(text)
    return whole if _INT64 <= whole < _UINT64 else value


class _Pairs(list[tuple[str, Any]]):
    """An object as the pairs that it was written with."""


def _duplicates(text: str) -> list[str]:
    """The fields that are there more than once, each with its path."""
    found: dict[tuple[str | int, ...], None] = {}
    path: list[str | int] = []

    def walk(value: Any) -> None:
        if len(found) >= _MAX_STRICT_ERRORS:
            return
        if isinstance(value, _Pairs):
            seen = set()
            for key, each in value:
                path.append(key)
                if key in seen and len(found) < _MAX_STRICT_ERRORS:
                    found[tuple(path)] = None
                seen.add(key)
                walk(each)
                path.pop()
        elif isinstance(value, list):
            for at, each in enumerate(value):
                path.append(at)
                walk(each)
                path.pop()

    walk(json.loads(text, object_pairs_hook=_Pairs, parse_int=float))
    # A path is written only where it is named: a long key may be in the paths of all values.
    return [f"duplicate field {go_quoted(_path_text(each))}" for each in found]


def _path_text(path: Sequence[str | int]) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part[:_MAX_PATH]}" for part in path)
    return str(plain_text("".join(parts).removeprefix(".")[:_MAX_PATH]))


def _go_problem(raw: bytes) -> str:
    """What Go's decoder says about a body that Python's cannot read. It looks at bytes, not at characters."""
    text = raw.decode("latin-1")
    try:
        json.loads(text, parse_int=float)
    except json.JSONDecodeError as error:
        at, problem = error.pos, error.msg
    if at >= len(text.rstrip(" \t\r\n")) or problem.startswith("Unterminated string"):
        return "unexpected end of JSON input"
    for start, place in _PLACES.items():
        if problem.startswith(start):
            if start == "Expecting ',' delimiter" and _is_in_array(text[:at]):
                place = "after array element"
            return f"invalid character {_quoted(text[at])} {place}"
    for literal in ("null", "true", "false"):
        if text[at] == literal[0]:
            rest = next((index for index, sign in enumerate(literal) if text[at + index : at + index + 1] != sign), 0)
            if at + rest >= len(text):
                return "unexpected end of JSON input"
            return f"invalid character {_quoted(text[at + rest])} in literal {literal} (expecting '{literal[rest]}')"
    return f"invalid character {_quoted(text[at])} looking for beginning of value"


def _quoted(sign: str) -> str:
    """A byte in the quotes of Go (quoteChar)."""
    if sign in "'\\":
        return f"'\\{sign}'"
    if sign.isprintable():
        return f"'{sign}'"
    escapes = {"\a": "a", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t", "\v": "v"}
    code = ord(sign)
    escape = escapes.get(sign) or (f"x{code:02x}" if code < 0x80 else f"u{code:04x}")
    return f"'\\{escape}'"


def _is_in_array(text: str) -> bool:
    """Whether the innermost bracket that is open at the end of this text is that of an array."""
    open_brackets = []
    for match in _TOKEN.finditer(text):
        sign = match[0]
        if sign in ("[", "{"):
            open_brackets.append(sign)
        elif sign in ("]", "}") and open_brackets:
            open_brackets.pop()
    return open_brackets[-1:] == ["["]

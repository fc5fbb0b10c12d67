"""The library for texts.

Follows cel-go's ext/strings.go, version 2.
"""

from collections.abc import Callable, Sequence
from typing import Any

from fake_dra_driver.cel.bounds import UNLIMITED, Bounds, exactly, scaled
from fake_dra_driver.cel.errors import CelError
from fake_dra_driver.cel.library.costs import list_walk, read
from fake_dra_driver.cel.library.textformat import formatted
from fake_dra_driver.cel.meter import text_cost
from fake_dra_driver.cel.operators import size_of
from fake_dra_driver.cel.overload import CallEstimate, Cost, Functions, Library, Operand, function, method
from fake_dra_driver.cel.types import DYN, INT, STRING, list_of

__all__ = ["EARLY_STRINGS", "STRINGS"]

_TEXTS = list_of(STRING)
_SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
"""What Go's unicode.IsSpace says."""


def _char_at(text: str, at: int) -> str:
    if not 0 <= at <= len(text):
        raise CelError(f"index out of range: {at}")
    return text[at : at + 1]


def _index_of(text: str, part: str, start: int = 0) -> int:
    if start < 0:
        raise CelError(f"index out of range: {start}")
    if not part:
        return min(start, len(text))
    return text.find(part, start)


def _last_index_of(text: str, part: str, start: int | None = None) -> int:
    if start is not None and start < 0:
        raise CelError(f"index out of range: {start}")
    if not part:
        return len(text) if start is None else min(start, len(text))
    if start is not None and start >= len(text):
        return -1
    end = len(text) if start is None else min(start + len(part), len(text))
    at = text[:end][::-1].find(part[::-1])  # str.rfind is not linear
    return -1 if at < 0 else end - len(part) - at


def _replace(text: str, old: str, new: str, count: int = -1) -> str:
    return text.replace(old, new, max(count, -1))


def _split(text: str, separator: str, count: int = -1) -> list[str]:
    if count == 0:
        return []
    if separator:
        return text.split(separator, count - 1 if count > 0 else -1)
    return list(text) if count < 0 or count >= len(text) else [*text[: count - 1], text[count - 1 :]]


def _substring(text: str, start: int, end: int | None = None) -> str:
    stop = len(text) if end is None else end
    if end is not None and start > stop:
        raise CelError(f"invalid substring range. start: {start}, end: {stop}")
    if not 0 <= start <= len(text):
        raise CelError(f"index out of range: {start}")
    if not 0 <= stop <= len(text):
        raise CelError(f"index out of range: {stop}")
    return text[start:stop]


def _trim(text: str) -> str:
    return text.strip(_SPACES)


def _swap_ascii_case(first: str, last: str) -> Callable[[str], str]:
    table = {ord(char): char.swapcase() for char in map(chr, range(ord(first), ord(last) + 1))}
    return lambda text: text.translate(table)


def _join(values: Sequence[Any], separator: str = "") -> str:
    for each in values:
        if not isinstance(each, str):
            raise CelError(f"join: invalid input: {each}")
    return separator.join(values)


_QUOTED = str.maketrans(
    {
        "\a": "\\a",
        "\b": "\\b",
        "\f": "\\f",
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
        "\v": "\\v",
        "\\": "\\\\",
        '"': '\\"',
    }
)


def _quote(text: str) -> str:
    return f'"{text.translate(_QUOTED)}"'


# --- what they cost ---


def _replace_estimate(operands: Sequence[Operand]) -> CallEstimate:
    text, old, new = (each.size for each in operands[:3])
    if old.least == 0:
        most = (min(text.most + 1, UNLIMITED), text.most)
    elif new.most <= old.least:
        most = (0, text.most)
    else:
        most = (scaled(text.most, 1 / old.least), 0)
    if old.most == 0:
        least = (min(text.least + 1, UNLIMITED), text.least)
    elif old.most <= new.least:
        least = (0, text.least)
    else:
        least = (scaled(text.least, 1 / old.most), 0)
    size = Bounds(least[0], most[0]).times(new).plus(Bounds(least[1], most[1]))
    return CallEstimate(text.scaled(0.2), size)


def _replace_cost(text: str, old: str, new: str, count: int = -1) -> int:
    found = text.count(old)
    times = found if count < 0 else min(found, count)
    return text_cost(2 * len(text) + times * len(new))


def _split_estimate(operands: Sequence[Operand]) -> CallEstimate:
    size = operands[0].size
    most = size.most
    if len(operands) > 2 and isinstance(operands[2].constant, int):
        most = operands[2].constant % 2**64
    return CallEstimate(size.scaled(0.2), Bounds(0, most))


def _join_estimate(operands: Sequence[Operand]) -> CallEstimate:
    length, items = operands[0].size, operands[0].items
    size = exactly(0) if items is None else length.times(items.size)
    if len(operands) > 1:
        separators = Bounds(max(length.least - 1, 0), max(length.most - 1, 0))
        size = size.plus(operands[1].size.times(separators))
    return CallEstimate(size.read, size)


def _join_cost(values: Sequence[Any], separator: str = "") -> int:
    return text_cost(sum(map(size_of, values)) + len(values) * (len(separator) + 1))


def _format_cost(text: str, values: Sequence[Any]) -> int:
    return text_cost(len(text)) + sum(map(size_of, values))


_READ = read(result=True)
_SPLIT = Cost(_split_estimate, lambda text, separator, *_: text_cost(2 * len(text)) + text.count(separator))
_REPLACE = Cost(_replace_estimate, _replace_cost)
_JOIN = Cost(_join_estimate, _join_cost)
_SEARCH = Cost(list_walk.estimate, lambda text, part, *_: text_cost(len(text) + len(part)))

_EARLY: Functions = {
    "charAt": (method("string_char_at_int", (STRING, INT), STRING, _char_at),),
    "indexOf": (
        method("string_index_of_string", (STRING, STRING), INT, _index_of, cost=_SEARCH),
        method("string_index_of_string_int", (STRING, STRING, INT), INT, _index_of, cost=_SEARCH),
    ),
    "lastIndexOf": (
        method("string_last_index_of_string", (STRING, STRING), INT, _last_index_of, cost=_SEARCH),
        method("string_last_index_of_string_int", (STRING, STRING, INT), INT, _last_index_of, cost=_SEARCH),
    ),
    "lowerAscii": (method("string_lower_ascii", (STRING,), STRING, _swap_ascii_case("A", "Z"), cost=_READ),),
    "upperAscii": (method("string_upper_ascii", (STRING,), STRING, _swap_ascii_case("a", "z"), cost=_READ),),
    "replace": (
        method("string_replace_string_string", (STRING, STRING, STRING), STRING, _replace, cost=_REPLACE),
        method("string_replace_string_string_int", (STRING, STRING, STRING, INT), STRING, _replace, cost=_REPLACE),
    ),
    "split": (
        method("string_split_string", (STRING, STRING), _TEXTS, _split, cost=_SPLIT),
        method("string_split_string_int", (STRING, STRING, INT), _TEXTS, _split, cost=_SPLIT),
    ),
    "substring": (
        method("string_substring_int", (STRING, INT), STRING, _substring, cost=_READ),
        method("string_substring_int_int", (STRING, INT, INT), STRING, _substring, cost=_READ),
    ),
    "trim": (method("string_trim", (STRING,), STRING, _trim, cost=_READ),),
    "join": (
        method("list_join", (_TEXTS,), STRING, _join, cost=_JOIN),
        method("list_join_string", (_TEXTS, STRING), STRING, _join, cost=_JOIN),
    ),
}
_QUOTE = Cost(
    lambda operands: CallEstimate(operands[0].size.read, operands[0].size.scaled(2).plus(exactly(2))),
    lambda text: text_cost(len(text)),
)
_FORMAT = Cost(lambda operands: CallEstimate(operands[0].size.read), _format_cost)

EARLY_STRINGS = Library(_EARLY)
"""Version 0, before there was ``format``."""
STRINGS = Library(
    {
        **_EARLY,
        "format": (
            method("string_format", (STRING, list_of(DYN)), STRING, formatted, cost=_FORMAT, counts_steps=True),
        ),
        "strings.quote": (function("strings_quote", (STRING,), STRING, _quote, cost=_QUOTE),),
    }
)

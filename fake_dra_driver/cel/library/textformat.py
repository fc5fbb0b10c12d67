"""``text.format(values)``.

Follows cel-go's ext/formatting.go, with the numbers of American English.
"""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from fake_dra_driver.cel.errors import CelError
from fake_dra_driver.cel.library.conversions import text_of
from fake_dra_driver.cel.meter import text_cost
from fake_dra_driver.cel.types import Type
from fake_dra_driver.cel.value import Duration, Timestamp, type_of

__all__ = ["FormatProblem", "format_problem", "formatted"]

_PATTERN = re.compile(r"%(?:(%)|(?:\.(\d*))?(.)?)", re.DOTALL | re.ASCII)
_PRECISION = 6
_MAX_PRECISION = 1000
"""Ours: Go has no limit."""
_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_SPECIAL = ("NaN", "Infinity", "-Infinity")
Spend = Callable[[int], None]


def formatted(spend: Spend, text: str, values: Sequence[Any]) -> str:
    """The text, with values in the place of its clauses. Raises CelError."""

    def write(clause: _Clause, at: int) -> str:
        result = _written(spend, clause, values[at])
        spend(text_cost(len(result)))
        return result

    return _replaced(text, len(values), write)


class FormatProblem(NamedTuple):
    """What is wrong with a constant text and the values for it."""

    message: str
    position: int | None = None
    """Of the value; None: it is about the whole."""


def format_problem(text: str, types: Sequence[Type]) -> FormatProblem | None:
    """What is wrong with formatting values of these types."""
    used = 0
    wrong: FormatProblem | None = None

    def check(clause: _Clause, at: int) -> str:
        nonlocal used, wrong
        used = at + 1
        problem = _CLAUSES[clause.letter].problem(types[at].kind, types[at].name)
        if problem is not None:
            wrong = FormatProblem(f"error during formatting: {problem}", at)
            raise CelError(problem)
        return ""

    try:
        _replaced(text, len(types), check)
    except CelError as error:
        return wrong or FormatProblem(str(error))
    if len(types) > used:
        problem = f"too many arguments supplied to string.format (expected {used}, got {len(types)})"
        return FormatProblem(problem)
    return None


class _Clause(NamedTuple):
    letter: str
    precision: int


def _replaced(text: str, count: int, write: Callable[[_Clause, int], str]) -> str:
    """The text with what is written for each of its clauses, which are at most so many. Raises CelError."""
    used = 0

    def replaced(found: re.Match[str]) -> str:
        nonlocal used
        if found[1]:
            return "%"
        if used >= count:
            raise CelError(f"index {used} out of range")
        used += 1
        return write(_clause(found[3] or "", found[2]), used - 1)

    return _PATTERN.sub(replaced, text)


def _clause(letter: str, digits: str | None) -> _Clause:
    problem = "could not parse formatting clause: "
    if not letter:
        if digits is None:
            raise CelError("unexpected end of string")
        raise CelError(f"{problem}error while parsing precision: could not find end of precision specifier")
    if digits == "":
        reason = 'error while converting precision to integer: strconv.Atoi: parsing "": invalid syntax'
        raise CelError(f"{problem}error while parsing precision: {reason}")
    if letter not in _CLAUSES:
        raise CelError(f'{problem}unrecognized formatting clause "{letter}"')
    return _Clause(letter, _PRECISION if digits is None else min(int(digits[:5]), _MAX_PRECISION))


def _written(spend: Spend, clause: _Clause, value: Any) -> str:
    form = _CLAUSES[clause.letter]
    type_ = type_of(value)
    is_text = type_.kind == "string" and value not in _SPECIAL
    problem = form.problem("" if is_text and form.takes_special else type_.kind, type_.name)
    if problem is not None:
        raise CelError(f"error during formatting: {problem}")
    try:
        return form.write(value, clause.precision) if form.write is not None else _text(spend, value)
    except CelError as error:
        raise CelError(f"error during formatting: {error}") from error


# --- %s ---


def _text(spend: Spend, value: Any) -> str:
    match value:
        case None:
            return "null"
        case list():
            return f"[{', '.join(_literal(spend, each) for each in value)}]"
        case Mapping():
            pairs = sorted((_key(key), _literal(spend, each)) for key, each in value.items())
            return f"{{{', '.join(f'{key}:{each}' for key, each in pairs)}}}"
        case _:
            return text_of(value)


def _literal(spend: Spend, value: Any) -> str:
    """A value in a list or a map, as an expression would have it."""
    spend(1)
    match value:
        case str():
            return _quoted(value)
        case bytes():
            return f"b{_quoted(text_of(value))}"
        case float():
            text = f"{value:.6f}" if math.isfinite(value) else text_of(value)
            return text if math.isfinite(value) else _quoted(text)
        case Duration():
            return f"duration({_quoted(text_of(value))})"
        case Timestamp():
            return f"timestamp({_quoted(text_of(value))})"
        case None | list() | Mapping() | bool() | int() | Type():
            return _text(spend, value)
        case _:
            raise CelError(f"no formatting function for {type_of(value).name}")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _key(key: Any) -> str:
    return _quoted(key) if isinstance(key, str) else text_of(key)


# --- numbers ---


def _decimal(value: Any, _: int) -> str:
    return str(int(value))


def _fixed(value: Any, precision: int) -> str:
    number = float(value)
    return f"{number:,.{precision}f}" if math.isfinite(number) else _infinite(number)


def _scientific(value: Any, precision: int) -> str:
    number = float(value)
    if not math.isfinite(number):
        return _infinite(number)
    mantissa, _, exponent = f"{number:.{precision}e}".partition("e")
    return f"{mantissa}\u202f×\u202f10{exponent.removeprefix('+').translate(_SUPERSCRIPT)}"  # as Go writes it


def _infinite(number: float) -> str:
    return "NaN" if math.isnan(number) else "∞" if number > 0 else "-∞"


def _binary(value: Any, _: int) -> str:
    return f"{int(value):b}"


def _octal(value: Any, _: int) -> str:
    return f"{int(value):o}"


def _hexadecimal(value: Any, _: int) -> str:
    if isinstance(value, str | bytes):
        return (value.encode() if isinstance(value, str) else value).hex()
    return f"{int(value):x}"


def _upper_hexadecimal(value: Any, precision: int) -> str:
    return _hexadecimal(value, precision).upper()


@dataclass(frozen=True, slots=True)
class _Form:
    """What a clause does."""

    write: Callable[[Any, int], str] | None
    """None: as ``%s``, which takes whatever it can."""
    kinds: Sequence[str]
    """The types of values that it takes."""
    rule: str
    takes_special: bool = False
    """Whether it takes the texts of infinity, and of what is no number."""

    def problem(self, kind: str, name: str) -> str | None:
        """What is wrong with a value of a type."""
        is_right = kind in ("dyn", *self.kinds) or (kind == "string" and self.takes_special)
        return None if is_right else f"{self.rule}, was given {name}"


_WRITABLE = ["list", "map", "int", "uint", "double", "bool", "string", "timestamp", "bytes", "duration", "type", "null"]
_HEXADECIMAL = "only integers, byte buffers, and strings can be formatted as hex"
_CLAUSES: Mapping[str, _Form] = {
    "s": _Form(
        None,
        _WRITABLE,
        "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and "
        "timestamps",
    ),
    "d": _Form(_decimal, ("int", "uint"), "decimal clause can only be used on integers"),
    "f": _Form(_fixed, ("double",), "fixed-point clause can only be used on doubles", takes_special=True),
    "e": _Form(_scientific, ("double",), "scientific clause can only be used on doubles", takes_special=True),
    "b": _Form(_binary, ("int", "uint", "bool"), "only integers and bools can be formatted as binary"),
    "o": _Form(_octal, ("int", "uint"), "octal clause can only be used on integers"),
    "x": _Form(_hexadecimal, ("int", "uint", "string", "bytes"), _HEXADECIMAL),
    "X": _Form(_upper_hexadecimal, ("int", "uint", "string", "bytes"), _HEXADECIMAL),
}

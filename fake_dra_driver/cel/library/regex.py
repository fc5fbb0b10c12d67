"""``text.find(pattern)`` and ``text.findAll(pattern)`` (Kubernetes' pkg/cel/library/regex.go)."""

from collections.abc import Callable
from typing import Any

from fake_dra_driver.cel.errors import CelError
from fake_dra_driver.cel.library.costs import pattern_search
from fake_dra_driver.cel.overload import Library, method
from fake_dra_driver.cel.types import INT, STRING, list_of
from fake_dra_driver.re2 import PatternError, compile_pattern

__all__ = ["REGEX"]

Spend = Callable[[int], None]


def _pattern(text: str) -> Any:
    try:
        return compile_pattern(text)
    except PatternError as error:
        raise CelError(f"Illegal regex: {error}") from error


def _find(spend: Spend, text: str, pattern: str) -> str:
    found = _pattern(pattern).find(text, 0, spend)
    return text[found[0] : found[1]] if found else ""


def _find_all(spend: Spend, text: str, pattern: str, count: int = -1) -> list[str]:
    found: list[str] = []
    for each in _pattern(pattern).find_all(text, spend) if count else ():
        found.append(each)
        if len(found) == count:
            break
    return found


_COUNTED: dict[str, Any] = {"cost": pattern_search, "counts_steps": True}
REGEX = Library(
    {
        "find": (method("string_find_string", (STRING, STRING), STRING, _find, **_COUNTED),),
        "findAll": (
            method("string_find_all_string", (STRING, STRING), list_of(STRING), _find_all, **_COUNTED),
            method("string_find_all_string_int", (STRING, STRING, INT), list_of(STRING), _find_all, **_COUNTED),
        ),
    }
)

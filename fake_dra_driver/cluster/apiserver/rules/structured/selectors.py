"""Selectors of device classes and requests."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from fake_dra_driver.allocation.selectors import SelectorLanguage, SelectorProblem, check_selector
from fake_dra_driver.cluster.apiserver.errors import (
    Problem,
    cannot_validate,
    exceeds_bytes,
    forbidden,
    go_value,
    invalid_value,
    required,
)
from fake_dra_driver.cluster.apiserver.heavywork import spend
from fake_dra_driver.cluster.apiserver.rules.structured.fields import checked_list
from fake_dra_driver.cluster.apiserver.rules.surroundings import Surroundings

__all__ = ["validate_selectors"]

_MAX_SELECTORS = 32
_MAX_EXPRESSION_BYTES = 10 * 1024
_COMPILE_STEPS = 4
"""How long it takes to compile a character of an expression."""


def validate_selectors(selectors: Sequence[Any], path: str, surroundings: Surroundings) -> list[Problem]:
    """What is wrong with the selectors of a class or a request."""

    def selector(value: Any, at: str) -> list[Problem]:
        if value.get("cel") is None:
            return [required(f"{at}.cel")]
        return _expression(value["cel"].get("expression", ""), f"{at}.cel.expression", surroundings)

    return checked_list(selectors, _MAX_SELECTORS, selector, path)


def _expression(expression: str, path: str, surroundings: Surroundings) -> list[Problem]:
    if len(expression.encode()) > _MAX_EXPRESSION_BYTES:
        return [exceeds_bytes(path, _MAX_EXPRESSION_BYTES)]
    problem = _check(expression, surroundings.release.selector_language)
    match problem:
        case None:
            return []
        case SelectorProblem("Forbidden", message):
            return [forbidden(path, message)]
        case SelectorProblem("InternalError", message):
            return [cannot_validate(path, message)]
        case SelectorProblem(_, message):
            return [invalid_value(path, go_value(expression), message)]


@lru_cache(maxsize=256)
def _check(expression: str, language: SelectorLanguage) -> SelectorProblem | None:
    """Claims of one template, and each write of a class, have the same expressions."""
    spend(_COMPILE_STEPS * len(expression))
    return check_selector(expression, language)

"""What calls cost, in the forms that several functions share.

Follows cel-go's checker/cost.go and interpreter/runtimecost.go, and Kubernetes' pkg/cel/library/cost.go.
"""

from collections.abc import Sequence
from typing import Any

from fake_dra_driver.cel.bounds import Bounds, exactly, scaled
from fake_dra_driver.cel.operators import size_of
from fake_dra_driver.cel.overload import CallEstimate, Cost, Operand

__all__ = ["allocating", "list_walk", "pattern_search", "read", "smaller_of_both", "walked"]

_CHARS_FACTOR, _PATTERN_FACTOR = 0.1, 0.25
_LIST_COST = 10


def read(at: int = 0, factor: float = 1, *, result: bool = False) -> Cost:
    """Reading an argument once, or ``factor`` times. ``result``: the result may be as long."""

    def estimate(operands: Sequence[Operand]) -> CallEstimate:
        size = operands[at].size
        return CallEstimate(size.scaled(factor * _CHARS_FACTOR), size if result else None)

    return Cost(estimate, lambda *values: scaled(size_of(values[at]), factor * _CHARS_FACTOR))


def _smaller(operands: Sequence[Operand]) -> CallEstimate:
    smallest = min(each.size.most for each in operands)
    return CallEstimate(Bounds(min(1, smallest), smallest).read)


smaller_of_both = Cost(_smaller, lambda *values: scaled(min(map(size_of, values)), _CHARS_FACTOR))
"""Comparing two texts, or whatever two values."""


def _search(operands: Sequence[Operand]) -> CallEstimate:
    size = operands[0].size
    cost = size.plus(exactly(1)).read.times(operands[1].size.scaled(_PATTERN_FACTOR))
    return CallEstimate(cost, Bounds(0, size.most))


pattern_search = Cost(_search, lambda _, pattern, *__: len(pattern))
"""Searching for a pattern, which itself tells of the steps that it makes."""


def _walk(operands: Sequence[Operand]) -> CallEstimate:
    items, each = operands[0].items, exactly(1)
    if items is None:
        size = operands[0].size
        return CallEstimate(size.read if operands[0].type.kind == "string" else size)
    if items.type.kind in ("string", "bytes"):
        each = each.plus(items.size.read)
    return CallEstimate(operands[0].size.times(each))


list_walk = Cost(_walk, lambda values, *_: walked(values))
"""Going through a list once, or through a text."""


def walked(value: Any) -> int:
    """The cost of going through a list of whatever values."""
    if isinstance(value, list):
        return len(value) + sum(len(each) // 10 for each in value if isinstance(each, str | bytes))
    return size_of(value) // 10


def allocating(factor: float, size: Bounds) -> CallEstimate:
    """Of a call that makes a list of that size."""
    return CallEstimate(size.scaled(factor).plus(exactly(_LIST_COST + 1)), size)

"""Lists taken as sets (cel-go's ext/sets.go)."""

from collections.abc import Callable, Sequence
from typing import Any

from fake_dra_driver.cel.bounds import exactly
from fake_dra_driver.cel.operators import contains
from fake_dra_driver.cel.overload import CallEstimate, Cost, Library, Operand, function
from fake_dra_driver.cel.types import BOOL, list_of, parameter

__all__ = ["SETS"]

Spend = Callable[[int], None]
_LISTS = (list_of(parameter("T")),) * 2


def _contains(spend: Spend, values: Sequence[Any], others: Sequence[Any]) -> bool:
    return all(contains(each, values, spend) for each in others)


def _equivalent(spend: Spend, values: Sequence[Any], others: Sequence[Any]) -> bool:
    return _contains(spend, values, others) and _contains(spend, others, values)


def _intersects(spend: Spend, values: Sequence[Any], others: Sequence[Any]) -> bool:
    return any(contains(each, others, spend) for each in values)


def _cost(factor: float) -> Cost:
    def estimate(operands: Sequence[Operand]) -> CallEstimate:
        return CallEstimate(operands[0].size.times(operands[1].size).scaled(factor).plus(exactly(1)))

    # The comparisons tell of their steps themselves.
    return Cost(estimate, lambda *_: 1)


def _overload(name: str, call: Callable[..., bool], factor: float) -> Any:
    return (function(f"list_sets_{name}_list", _LISTS, BOOL, call, cost=_cost(factor), counts_steps=True),)


SETS = Library(
    {
        "sets.contains": _overload("contains", _contains, 1),
        "sets.equivalent": _overload("equivalent", _equivalent, 2),
        "sets.intersects": _overload("intersects", _intersects, 1),
    }
)

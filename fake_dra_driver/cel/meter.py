"""What the evaluation of an expression costs, and when that is too much.

Follows cel-go's interpreter (runtimecost.go) in what costs how much, roughly: a step for each name, field, operator and
call, a tenth of one for each character of a text, ten for a list and thirty for a map.
"""

from collections.abc import Callable

from fake_dra_driver.cel.errors import CelCostError

__all__ = ["Meter", "text_cost"]

_CHARS_FOR_A_STEP = 10
_BETWEEN_REPORTS = 1000


class Meter:
    """Counts the steps of one evaluation."""

    def __init__(self, limit: int, report: Callable[[int], None] | None = None) -> None:
        """``report`` is told of every some thousand steps, and may raise an error to end the evaluation."""
        self.spent = 0
        self._limit = limit
        self._report = report
        self._reported = 0
        self._next_look = min(limit, _BETWEEN_REPORTS)

    def spend(self, steps: int) -> None:
        """Counts steps before they are made. Raises CelCostError, and what ``report`` raises."""
        self.spent += steps
        if self.spent > self._next_look:
            self._look()

    def settle(self) -> None:
        """Reports what is not reported yet, when an evaluation has ended. Raises what ``report`` raises."""
        unreported, self._reported = self.spent - self._reported, self.spent
        if self._report is not None and unreported:
            self._report(unreported)

    def _look(self) -> None:
        if self.spent > self._limit:
            raise CelCostError
        self.settle()
        self._next_look = min(self._limit, self.spent + _BETWEEN_REPORTS)


def text_cost(length: int) -> int:
    """The steps that reading or writing so many characters takes."""
    return 1 + length // _CHARS_FOR_A_STEP

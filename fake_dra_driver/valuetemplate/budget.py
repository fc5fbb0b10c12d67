"""How much many renders may take together: for those of an object that has thousands of templates."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from fake_dra_driver.valuetemplate.text import TemplateError

__all__ = ["limited_together", "spend_together"]


@dataclass(slots=True)
class _Budget:
    steps: int
    left: int


_BUDGET: Final[ContextVar[_Budget | None]] = ContextVar("budget", default=None)


@contextmanager
def limited_together(steps: int) -> Iterator[None]:
    """All that is rendered in there takes at most so many steps: TemplateError is raised for what begins after them."""
    token = _BUDGET.set(_Budget(steps, steps))
    try:
        yield
    finally:
        _BUDGET.reset(token)


def spend_together(steps: int) -> None:
    """Takes this much from the budget that holds here, if there is one. Raises TemplateError."""
    budget = _BUDGET.get()
    if budget is None:
        return
    if budget.left < 0:
        raise TemplateError(f"templates take more than {budget.steps} steps together")
    budget.left -= steps

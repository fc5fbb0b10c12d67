"""Selectors that were compiled before."""

from collections import OrderedDict
from typing import Final

from fake_dra_driver.allocation.behaviour import Behaviour
from fake_dra_driver.allocation.selectors import CelCompileError, Selector, SelectorLanguage, compile_selector

__all__ = ["SelectorCache"]

_MAX_EXPRESSIONS: Final = 1_000
"""Most clusters have a few dozen; claims can be written by programs that put a number into each."""


class SelectorCache:
    """Compiles each expression once; forgets those that were not asked for in a long time."""

    def __init__(self, behaviour: Behaviour) -> None:
        """Has compiled nothing yet."""
        self._language = SelectorLanguage(
            multiple_allocations=behaviour.consumable_capacity, list_attributes=behaviour.list_attributes
        )
        self._compiled: OrderedDict[str, Selector | CelCompileError] = OrderedDict()

    def compile(self, expression: str) -> Selector | CelCompileError:
        """The selector, or why there is none."""
        if expression not in self._compiled:
            self._compiled[expression] = self._compile(expression)
            if len(self._compiled) > _MAX_EXPRESSIONS:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(expression)
        return self._compiled[expression]

    def _compile(self, expression: str) -> Selector | CelCompileError:
        try:
            return compile_selector(expression, self._language)
        except CelCompileError as error:
            return error

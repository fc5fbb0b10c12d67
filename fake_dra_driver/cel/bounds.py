"""Sizes and costs that are only known to lie between two bounds, without overflow.

Follows SizeEstimate and CostEstimate of cel-go's checker/cost.go.
"""

import math
from typing import NamedTuple, Self

__all__ = ["UNKNOWN", "UNLIMITED", "Bounds", "exactly", "scaled"]

UNLIMITED = 2**64 - 1
"""Stands for whatever is larger, too."""
_CHARS_FACTOR = 0.1


class Bounds(NamedTuple):
    """From at least ``least`` to at most ``most``."""

    least: int
    most: int

    def plus(self, other: "Bounds") -> "Bounds":
        """Both together."""
        return Bounds(min(self.least + other.least, UNLIMITED), min(self.most + other.most, UNLIMITED))

    def times(self, other: "Bounds") -> "Bounds":
        """One for each of the other."""
        return Bounds(min(self.least * other.least, UNLIMITED), min(self.most * other.most, UNLIMITED))

    def scaled(self, factor: float) -> "Bounds":
        """With a factor, rounded up."""
        return Bounds(scaled(self.least, factor), scaled(self.most, factor))

    def union(self, other: "Bounds") -> "Bounds":
        """Either of them."""
        return Bounds(min(self.least, other.least), max(self.most, other.most))

    @property
    def read(self) -> Self:
        """What it costs to read as many characters."""
        return type(self)(scaled(self.least, _CHARS_FACTOR), scaled(self.most, _CHARS_FACTOR))


UNKNOWN = Bounds(0, UNLIMITED)


def exactly(number: int) -> Bounds:
    """What is known."""
    return Bounds(number, number)


def scaled(number: int, factor: float) -> int:
    """The product, rounded up, and never more than UNLIMITED."""
    product = float(number) * factor
    return UNLIMITED if product >= 2.0**64 else math.ceil(product)

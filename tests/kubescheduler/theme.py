"""What an example is about: a few features of structured DRA at a time, so that they meet and none drowns."""

import enum
import random
from collections.abc import Sequence
from typing import TypeVar

from tests.kubescheduler.example import MARK

__all__ = ["DRIVERS", "Draw", "Theme"]

T = TypeVar("T")

DRIVERS = (f"{MARK}a.example.com", f"{MARK}b.example.com")


class Theme(enum.Enum):
    """A feature that an example may be rich in."""

    POOLS = "pools of several slices and generations, incomplete and invalid ones"
    ALL = "requests for all devices"
    SELECTORS = "selectors in CEL, with errors"
    CLAIMS = "several claims of a pod, and claims that pods share"
    CONSTRAINTS = "matchAttribute and distinctAttribute"
    ADMIN = "adminAccess"
    ALTERNATIVES = "prioritized lists"
    COUNTERS = "shared counters and partitions"
    SHARES = "consumable capacity with request policies"
    TAINTS = "taints, tolerations and taint rules"
    BINDING = "binding conditions"
    PLACEMENT = "slices and devices by node selector, for all nodes, device by device"
    EXTENDED = "extended resources"
    ROOM = "CPU, memory, storage, hugepages and the number of pods"
    CONFIG = "opaque configuration"
    HELD = "devices that others hold"


class Draw(random.Random):
    """Makes the choices of an example. Not hypothesis: it took a hundred times as long to choose, and what it shrinks,
    one run after the other, ``smaller`` does with all attempts at once, side by side in one cluster."""

    def coin(self) -> bool:
        """One way or the other."""
        return self.random() < 0.5

    def sometimes(self, one_in: int) -> bool:
        """True once in so many times."""
        return self.randrange(one_in) == 0

    def some(self, of: Sequence[T], least: int, most: int) -> list[T]:
        """That many different ones of a sequence, as far as it has them, in any order."""
        return self.sample(of, min(self.randint(least, most), len(of)))

    def shuffled(self, of: Sequence[T]) -> list[T]:
        """All, in any order."""
        return self.sample(of, len(of))

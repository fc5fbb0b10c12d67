"""What is known of a node's devices beyond its NodeAllocationState: the seam between ``build`` and ResourceSlices."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from fake_dra_driver.status.report import AmountReport, CounterSetReport, ShareReport, TaintReport

__all__ = ["CLOSING_EFFECTS", "NOTHING_KNOWN", "UNPUBLISHED", "DeviceFacts", "PoolFacts"]

CLOSING_EFFECTS: Final = ("NoSchedule", "NoExecute")
"""Of taints that keep claims away."""


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """What is known of a device."""

    name: str = ""
    type: str = ""
    parent: str = ""
    is_shared: bool = False
    taints: tuple[TaintReport, ...] = ()
    shares: tuple[ShareReport, ...] = ()
    capacity: tuple[AmountReport, ...] = ()
    counters: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()

    @property
    def keeps_claims_away(self) -> bool:
        """Whether a claim cannot get it although it is healthy and no claim holds it."""
        return bool(self.lacks) or any(taint.effect in CLOSING_EFFECTS for taint in self.taints)


UNPUBLISHED: Final = DeviceFacts()
"""A device that no slice has."""


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """What is known of a node's devices."""

    devices: Mapping[str, DeviceFacts] = field(default_factory=dict)
    """By name, and by UUID where it has one: one of them is the key that the NodeAllocationState has for it."""
    counter_sets: tuple[CounterSetReport, ...] = ()


NOTHING_KNOWN: Final = PoolFacts()
"""In classic DRA there are no slices."""

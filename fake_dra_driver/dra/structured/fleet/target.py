"""What a node's slices are to be, in a few hundred bytes: enough to know whether a change of one of them matters."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fake_dra_driver.api.kube.meta import UID, ObjectMeta
from fake_dra_driver.dra.structured.fleet.mark import Mark
from fake_dra_driver.dra.structured.fleet.plan import is_owned_by
from fake_dra_driver.runtime.ratelimiter import TokenBucket

__all__ = ["REPAIR_PAUSE_SECONDS", "Target"]

_REPAIRS_AT_ONCE: Final = 10
REPAIR_PAUSE_SECONDS: Final = 10.0
"""Pause between repairs of a node beyond those, as in ``dra.structured.publisher``."""


@dataclass(slots=True)
class Target:
    """Of one node."""

    owner: UID
    """The Node's."""
    digests: Mapping[str, str]
    """By name of the slice."""
    generation: int = 0
    """Of the pool; 0 until it is known."""
    is_settled: bool = False
    """Whether the slices have been seen or made so."""
    repairs: TokenBucket | None = None
    """None while there was nothing to repair."""
    is_slow: bool = False
    """Whether the last repair had to wait."""

    def is_met_by(self, metadata: ObjectMeta, mark: Mark | None) -> bool:
        """Whether a slice with this mark is as it is to be."""
        return (
            mark is not None
            and mark.pool_generation == self.generation
            and mark.digest == self.digests.get(metadata.name)
            and mark.fits(metadata)
            and is_owned_by(metadata, self.owner)
        )

    def may_repair(self, now: float) -> bool:
        """Whether it is time for another repair; it is then taken for made."""
        if self.repairs is None:
            self.repairs = TokenBucket(1 / REPAIR_PAUSE_SECONDS, _REPAIRS_AT_ONCE)
        return self.repairs.try_take(now)

"""What there is to say about a node: what was found about its devices, and what keeps the pod from it."""

from dataclasses import dataclass

from fake_dra_driver.allocation.explanation import Finding
from fake_dra_driver.api.resource import v1
from fake_dra_driver.why.nodefilter import Away

__all__ = ["NodeAnswer"]


@dataclass(frozen=True, slots=True)
class NodeAnswer:
    """What there is to say about a node."""

    finding: Finding
    away: tuple[Away, ...]
    elsewhere: tuple[v1.ResourceClaim, ...]
    """Claims that are allocated, and not there."""

    @property
    def name(self) -> str:
        return self.finding.node.metadata.name

    @property
    def is_reached(self) -> bool:
        """Whether the scheduler gets as far as to look for devices on it."""
        return not self.away

    @property
    def fits(self) -> bool:
        return self.finding.fits and not self.away and not self.elsewhere

    @property
    def distance(self) -> tuple[bool, int, int]:
        """How far it is from fitting: a node that the pod does not even want is the farthest."""
        is_unwanted = any(each.reason == "NodeAffinity" for each in self.away)
        obstacles = len(self.away) + len(self.elsewhere)
        return is_unwanted, obstacles, 0 if self.finding.fits else 1 + self.finding.unmet

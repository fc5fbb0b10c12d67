"""What a fleet remembers of each of its nodes: little, since there are thousands."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.driver.profile.selection import ChosenProfile

if TYPE_CHECKING:
    from fake_dra_driver.driver.profile.rendering import ProfileRenderer

__all__ = ["Description", "Member"]


@dataclass(frozen=True, slots=True)
class Description:
    """What a node's devices are made of."""

    renderer: "ProfileRenderer | None"
    """Of its profile; None: it has the devices of the quickstart."""
    labels: Mapping[str, str]
    """Of the Node, as templates have used them."""
    reason: str
    """Why it is this profile, for people."""


@dataclass(slots=True)
class Member:
    """A node that is simulated."""

    node: Node
    """Its metadata, and nothing else."""
    chosen: ChosenProfile
    """The profile that is for the node."""
    last_good: Description | None = None
    """What its devices were made of when they were made last; None: they have not been."""
    effects: bytes | None = None
    """Digest of the effects of faults that subscribers were told to look at; None: they have to be told."""

    @property
    def profile_in_force(self) -> str:
        """Name of the profile that its devices were made of; empty where they are those of the quickstart, or none."""
        return "" if self.last_good is None or self.last_good.renderer is None else self.last_good.renderer.name

    def is_like(self, node: Node, chosen: ChosenProfile) -> bool:
        """Whether it is the same Node, with the same labels and profile."""
        return (
            self.node.uid == node.uid
            and self.node.metadata.labels == node.metadata.labels
            and _state_of(self.chosen) == _state_of(chosen)
        )


def _state_of(chosen: ChosenProfile) -> tuple[object, ...]:
    if chosen.profile is None:
        return ()
    return chosen.profile.uid, chosen.profile.metadata.generation, chosen.reason

"""Which DeviceProfile describes a node, and why it is this one. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from fake_dra_driver.api.deviceprofile import DeviceProfile

__all__ = ["ChosenProfile", "choose_profile"]

_MAX_LISTED: Final = 5
"""How many other profiles a reason lists; the rest are counted."""


@dataclass(frozen=True, slots=True)
class ChosenProfile:
    """What was found for a node."""

    profile: DeviceProfile | None
    """None: no profile is for the node."""
    reason: str = "no DeviceProfile is for this node"
    """For people."""
    rivals: tuple[str, ...] = ()
    """The other profiles of the same priority that are for the node, sorted: names alone decide between them."""


def choose_profile(profiles: Iterable[DeviceProfile], driver_name: str, labels: Mapping[str, str]) -> ChosenProfile:
    """The profile with the highest priority, and of those the first by name.

    Args:
        profiles: all that there are.
        driver_name: of the release.
        labels: of the node.
    """
    matching = sorted(
        (
            profile
            for profile in profiles
            if profile.spec.driver_name == driver_name
            and (profile.spec.node_selector is None or profile.spec.node_selector.matches(labels))
        ),
        key=lambda profile: (-profile.spec.priority, profile.metadata.name),
    )
    if not matching:
        return ChosenProfile(None)
    chosen, *others = matching
    if not others:
        return ChosenProfile(chosen, "no other DeviceProfile is for this node")
    listed = ", ".join(f"{other.metadata.name} ({other.spec.priority})" for other in others[:_MAX_LISTED])
    if more := len(others) - _MAX_LISTED:
        listed += f" and {more} more" if more > 0 else ""
    priority = chosen.spec.priority
    rivals = tuple(other.metadata.name for other in others if other.spec.priority == priority)
    if rivals:
        why = f"of the DeviceProfiles with priority {priority} for this node it is the first by name"
    else:
        why = f"its priority {priority} is the highest of the DeviceProfiles for this node"
    return ChosenProfile(chosen, f"{why}; the others are {listed}", rivals)

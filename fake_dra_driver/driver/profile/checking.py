"""Everything that is wrong with a profile, as far as that can be known without its nodes."""

from collections.abc import Sequence
from typing import Final

from fake_dra_driver.api.deviceprofile import DeviceProfile
from fake_dra_driver.dra import FieldProblem
from fake_dra_driver.driver.profile.rendering import ProfileError, ProfileRenderer

__all__ = ["checked_renderer", "profile_problems"]

SAMPLE_NODE: Final = "node-0"
"""The node for which a profile is rendered where no other is known."""


def checked_renderer(profile: DeviceProfile) -> ProfileRenderer:
    """The profile, compiled and tried on a node. Raises ProfileError, also for what would keep claims from being
    prepared.

    Templates that read the labels of a node are left for when these are known, and what depends on a claim for when
    there is one.
    """
    renderer = ProfileRenderer(profile)
    if not renderer.reads_labels:
        renderer.render(SAMPLE_NODE)
    return renderer


def profile_problems(profile: DeviceProfile) -> Sequence[FieldProblem]:
    """What keeps a profile from being used, as far as ``checked_renderer`` finds it."""
    try:
        checked_renderer(profile)
    except ProfileError as error:
        return error.problems
    return ()

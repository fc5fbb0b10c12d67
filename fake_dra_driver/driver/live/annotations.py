"""What a node's NodeAllocationState says of its driver and its profile, where they are not the default."""

from collections.abc import Mapping

from fake_dra_driver.api.fake import DRIVER_ANNOTATION, DRIVER_NAME, PROFILE_ANNOTATION, PROFILE_PROBLEM_ANNOTATION
from fake_dra_driver.driver.profile.mocknode import ProfileName

__all__ = ["profile_annotations"]


def profile_annotations(driver: str, profile: ProfileName | None, problem: str) -> Mapping[str, str]:
    """By annotation its text; empty: there is to be none.

    Args:
        driver: its name.
        profile: which profile is in force; None: that is not known, and what is said of it stays.
        problem: why it is not the one that is for the node; empty where it is.
    """
    said = {
        DRIVER_ANNOTATION: driver if driver != DRIVER_NAME else "",
        PROFILE_PROBLEM_ANNOTATION: problem,
    }
    if profile is not None:
        said[PROFILE_ANNOTATION] = f"{profile.name}: {profile.reason}" if profile.name else ""
    return said

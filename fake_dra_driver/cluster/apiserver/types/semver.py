"""Versions in the form of semver.org 2.0.0, strict: three numbers, perhaps with a pre-release and a build."""

import re

__all__ = ["is_semver"]

_SEMVER = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-((0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-]"
    r"[0-9a-zA-Z-]*))*))?(\+([0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*))?"
)


def is_semver(text: str) -> bool:
    """Whether the text is such a version."""
    return _SEMVER.fullmatch(text) is not None

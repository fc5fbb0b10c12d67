"""What the rules of structured DRA look at beyond the object that is written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fake_dra_driver.cluster.releases import Release

__all__ = ["Surroundings"]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The server around the rules."""

    release: Release
    now_text: Callable[[], str]
    """The present time, as Kubernetes writes it."""
    namespace_labels: Callable[[str], Mapping[str, str]]
    """The labels of a namespace."""

"""What a publisher of ResourceSlices tells while it works, for Events and metrics: to one observer."""

from collections.abc import Sequence
from typing import Protocol

from typing_extensions import override

from fake_dra_driver.dra.structured.featuregates import DroppedFields

__all__ = ["PublishObserver", "SilentPublishObserver"]


class PublishObserver(Protocol):
    """Must return at once, and must not raise.

    Repairs are told once they are made: each with all the slices that it took, so one call may stand for many slices.
    Their pace is the publisher's, which slows down when another writer keeps changing the slices.
    """

    def slices_restored(self, pool: str, names: Sequence[str]) -> None:
        """Slices of the pool had been deleted by others, as by a kubelet that starts, and exist again."""
        ...

    def slices_corrected(self, pool: str, names: Sequence[str]) -> None:
        """Slices of the pool had been edited by others, and say again what they should."""
        ...

    def slices_removed(self, pool: str, names: Sequence[str]) -> None:
        """Slices that others had made in this driver's name, for its node, were deleted."""
        ...

    def fields_dropped(self, pool: str, dropped: DroppedFields) -> None:
        """The API server keeps only a part of what the slices should say. Told once for the same fields."""
        ...


class SilentPublishObserver(PublishObserver):
    """Keeps it to itself."""

    @override
    def slices_restored(self, pool: str, names: Sequence[str]) -> None:
        return None

    @override
    def slices_corrected(self, pool: str, names: Sequence[str]) -> None:
        return None

    @override
    def slices_removed(self, pool: str, names: Sequence[str]) -> None:
        return None

    @override
    def fields_dropped(self, pool: str, dropped: DroppedFields) -> None:
        return None

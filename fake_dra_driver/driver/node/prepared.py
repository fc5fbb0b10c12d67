"""The Fake devices of claims on a node: what a claim is to get, and what a container sees for it."""

from dataclasses import dataclass

from fake_dra_driver.dra import PreparedClaim, RequestResult

__all__ = ["FakePreparedClaim", "FakePreparedDevice", "WantedDevice"]


@dataclass(frozen=True, slots=True)
class WantedDevice:
    """A device that a claim is to get."""

    uuid: str
    split: int = 0
    """Number of children; 0 for the whole device."""
    result: RequestResult | None = None
    """None in classic DRA, which knows no requests."""


@dataclass(frozen=True, slots=True)
class FakePreparedDevice:
    """A device, or a child of one, as a container sees it."""

    uuid: str
    model: str
    parent_uuid: str | None = None
    """The device that this is a child of; None for a whole device."""
    result: RequestResult | None = None
    """What the device, or the one that it is a child of, was allocated as; None in classic DRA."""

    @property
    def key(self) -> str:
        """The whole device that is in use: itself, or the parent."""
        return self.parent_uuid or self.uuid


FakePreparedClaim = PreparedClaim[FakePreparedDevice]

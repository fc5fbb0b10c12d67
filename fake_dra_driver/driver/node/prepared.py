"""The Fake devices of claims on a node: what a claim is to get, and what a container sees for it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fake_dra_driver.dra import PreparedClaim, RequestResult

__all__ = ["FakePreparedClaim", "FakePreparedDevice", "PreparedFile", "WantedDevice", "quickstart_variables"]


@dataclass(frozen=True, slots=True)
class WantedDevice:
    """A device that a claim is to get."""

    uuid: str
    split: int = 0
    """Number of children; 0 for the whole device."""
    result: RequestResult | None = None
    """None in classic DRA, which knows no requests."""
    config: Mapping[str, Any] | None = None
    """What claim or class say about it, in the words of a kind that the profile lists; None: nothing."""
    capacity: Mapping[str, str] = field(default_factory=dict)
    """How much of a shared device the claim has; empty: all of it."""


@dataclass(frozen=True, slots=True)
class PreparedFile:
    """A file that the containers of a claim find."""

    path: str
    """In the container."""
    content: str
    mode: int


@dataclass(frozen=True, slots=True)
class FakePreparedDevice:
    """A device, or a child of one, as a container sees it."""

    uuid: str
    model: str
    parent_uuid: str | None = None
    """The device that this is a child of; None for a whole device."""
    result: RequestResult | None = None
    """What the device, or the one that it is a child of, was allocated as; None in classic DRA."""
    environment: tuple[tuple[str, str], ...] | None = None
    """The variables of the profile, as they were when the claim was prepared; None: ``quickstart_variables``."""
    files: tuple[PreparedFile, ...] = ()
    """What containers find whichever device of the claim they use: kept with the first one alone."""

    @property
    def key(self) -> str:
        """The whole device that is in use: itself, or the parent."""
        return self.parent_uuid or self.uuid


FakePreparedClaim = PreparedClaim[FakePreparedDevice]


def quickstart_variables(claim_uid: str, index: int, uuid: str, model: str) -> Mapping[str, str]:
    """What a container gets for a device of a profile that says nothing about that: as the Go driver has it.

    Args:
        claim_uid: of the claim.
        index: of the device among those of the claim.
        uuid: of the device, or of the child.
        model: of the device.
    """
    variable = f"FAKE_CLAIM_{re.sub('[^A-Za-z0-9]', '_', claim_uid).upper()}"
    return {f"FAKE_DEVICE_{index}": uuid, f"{variable}_DEVICE_{index}": uuid, f"{variable}_MODEL_{index}": model}

"""What the controller tells the kubelet plugin about a claim: the contents of ``resourceHandles[].data``.

The handle carries the device list, so that preparing needs no read from the API server. It is this driver's own
format; an allocation made by the Go driver has no handle, and the plugin looks into the ledger instead.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from fake_dra_driver.api.fake import MAX_COUNT, MAX_SPLIT

__all__ = ["ClaimHandle", "HandleDevice"]


class _Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")


class HandleDevice(_Model):
    """One device that the claim holds."""

    uuid: str
    split: int = Field(default=0, ge=0, le=MAX_SPLIT)
    """Number of children; 0 for the whole device."""


class ClaimHandle(_Model):
    """The devices of a claim, in the order in which containers see them."""

    version: Literal["v1"] = "v1"
    devices: tuple[HandleDevice, ...] = Field(max_length=MAX_COUNT)

    def to_data(self) -> str:
        """The handle as the string that goes into ``resourceHandles[].data``.

        The API takes at most 16 KiB; 128 devices need about 8, which is why a device's model, which its node knows
        anyway, is not in here.
        """
        return self.model_dump_json(by_alias=True)

    @classmethod
    def from_data(cls, data: str) -> "ClaimHandle":
        """Reads what ``to_data`` wrote. Raises pydantic.ValidationError, a ValueError, on anything else."""
        return cls.model_validate_json(data)

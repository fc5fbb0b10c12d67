"""Which opaque configuration this driver takes, in claims and in DeviceClasses."""

from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel

from fake_dra_driver.api.fake import FakeClaimConfig, FakeClaimParameters

__all__ = ["PARAMETER_KINDS"]

_KIND: Final = FakeClaimParameters.resource

PARAMETER_KINDS: Final[Mapping[tuple[str, str], type[BaseModel]]] = {
    (_KIND.api_version, _KIND.kind): FakeClaimConfig,
}
"""By ``apiVersion`` and ``kind``: what stands beside them."""

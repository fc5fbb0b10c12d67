"""A device that a claim has."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.driver.config import DeviceConfig
from fake_dra_driver.dra.driver.device import Device
from fake_dra_driver.dra.node.claim import NodeClaim

__all__ = ["AllocatedDevice"]

ConfigT = TypeVar("ConfigT", bound=DeviceConfig)

_ANY_CLAIM: Final = NodeClaim("default", "claim", UID("00000000-0000-0000-0000-000000000000"))


@dataclass(frozen=True, slots=True)
class AllocatedDevice(Generic[ConfigT]):
    """A device, or a share of one, that is to be made ready for the containers of a claim."""

    device: Device
    """As the node has it now; with its name alone where the node does not have it any more."""
    config: ConfigT
    """What claim and class say; where they say nothing, the defaults."""
    claim: NodeClaim = _ANY_CLAIM
    """The default is for an author's unit tests."""
    index: int = 0
    """Its place among the devices that the claim has on the node, from 0, for names of variables."""
    request: str = ""
    """The request of the claim that it is for; empty in classic DRA, which knows none."""
    capacity: Mapping[str, str] = field(default_factory=dict)
    """How much of a shared device the claim has; empty: all of it."""
    share_id: str | None = None
    """Which share of the device this is; None: the claim has it for itself."""
    admin_access: bool = False
    """Whether the claim only looks after the device, which another claim may use meanwhile."""

    @property
    def name(self) -> str:
        """Of the device."""
        return self.device.name

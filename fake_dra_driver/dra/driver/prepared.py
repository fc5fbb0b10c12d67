"""What a node keeps of a device that a claim has, for any driver: enough to make it ready, and to undo that."""

from collections.abc import Mapping
from dataclasses import dataclass

from fake_dra_driver.dra.driver.config import DeviceConfig
from fake_dra_driver.dra.node.containeredits import ContainerEdits
from fake_dra_driver.dra.node.prepared import RequestResult

__all__ = ["DriverPreparedDevice", "config_text", "prepared_device"]


@dataclass(frozen=True, slots=True)
class DriverPreparedDevice:
    """A device, or a share of one."""

    name: str
    index: int
    """Its place among the devices that the claim has on the node."""
    config: str
    """What claim and class say about it, see ``config_text``."""
    capacity: tuple[tuple[str, str], ...] = ()
    """How much of a shared device the claim has, by name; none: all of it."""
    result: RequestResult | None = None
    """What it was allocated as; None in classic DRA where the claim has it for itself."""
    edits: ContainerEdits | None = None
    """What containers get for it; None: it is not ready yet."""

    @property
    def key(self) -> str:
        """The device in use."""
        return self.name

    @property
    def is_ready(self) -> bool:
        """Whether the author's code has made it ready for containers."""
        return self.edits is not None


def prepared_device(
    name: str, index: int, config: DeviceConfig, capacity: Mapping[str, str], result: RequestResult | None
) -> DriverPreparedDevice:
    """A device that is to be made ready."""
    return DriverPreparedDevice(name, index, config_text(config), tuple(sorted(capacity.items())), result)


def config_text(config: DeviceConfig) -> str:
    """The fields that claim and class have set, as JSON: what they leave out may get another default. Empty: none."""
    text = config.model_dump_json(by_alias=True, exclude_unset=True)
    return "" if text == "{}" else text

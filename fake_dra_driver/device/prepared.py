"""What is prepared on a node: which claim has which devices or children, and which claims are in each other's way."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from fake_dra_driver.device.inventory import Device
from fake_dra_driver.device.split import children

__all__ = ["PreparedClaim", "PreparedDevice", "UnknownDeviceError", "WantedDevice", "find_holder", "prepared_devices"]


class UnknownDeviceError(ValueError):
    """A claim holds a device that the node does not have."""


@dataclass(frozen=True, slots=True)
class WantedDevice:
    """A device that a claim is to get."""

    uuid: str
    split: int = 0
    """Number of children; 0 for the whole device."""


@dataclass(frozen=True, slots=True)
class PreparedDevice:
    """A device, or a child of one, as a container sees it."""

    uuid: str
    model: str
    parent_uuid: str | None = None
    """The device that this is a child of; None for a whole device."""

    @property
    def whole_uuid(self) -> str:
        """The device that is in use: itself, or the parent."""
        return self.parent_uuid or self.uuid


@dataclass(frozen=True, slots=True)
class PreparedClaim:
    """A claim whose devices are ready on this node."""

    uid: str
    namespace: str
    name: str
    devices: tuple[PreparedDevice, ...]
    """In the order in which containers see them: the children of the first device, then those of the second."""

    @property
    def whole_uuids(self) -> frozenset[str]:
        """The devices that no other claim can have meanwhile."""
        return frozenset(device.whole_uuid for device in self.devices)


def prepared_devices(inventory: Mapping[str, Device], wanted: Iterable[WantedDevice]) -> tuple[PreparedDevice, ...]:
    """What containers get for the devices of a claim.

    Args:
        inventory: the devices of the node, by UUID.
        wanted: what the claim holds, in its order.

    Raises:
        UnknownDeviceError: one of the devices is not in the inventory.
    """
    found: list[PreparedDevice] = []
    for entry in wanted:
        device = inventory.get(entry.uuid)
        if device is None:
            raise UnknownDeviceError(f"this node has no device {entry.uuid}")
        if entry.split:
            found += [PreparedDevice(uuid, device.model, device.uuid) for uuid in children(device.uuid, entry.split)]
        else:
            found.append(PreparedDevice(device.uuid, device.model))
    return tuple(found)


def find_holder(claims: Mapping[str, PreparedClaim], uid: str, whole_uuids: Collection[str]) -> PreparedClaim | None:
    """A claim other than ``uid`` for which one of the devices is prepared; the first by UID."""
    for other in sorted(claims):
        if other != uid and not claims[other].whole_uuids.isdisjoint(whole_uuids):
            return claims[other]
    return None

"""What is prepared on a node: which claim has which devices or children, and which claims are in each other's way."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fake_dra_driver.device.inventory import Device
from fake_dra_driver.device.split import children

__all__ = [
    "PreparedClaim",
    "PreparedDevice",
    "RequestResult",
    "UnknownDeviceError",
    "WantedDevice",
    "disputed_devices",
    "find_holder",
    "prepared_devices",
]


class UnknownDeviceError(ValueError):
    """A claim holds a device that the node does not have."""


@dataclass(frozen=True, slots=True)
class RequestResult:
    """What structured DRA says of an allocated device: its names, which request it is for, who else may have it."""

    request: str
    """The request of the claim that it is for, without a subrequest."""
    pool: str
    device: str
    """Its name in the pool."""
    share_id: str | None = None
    """Which share of the device the claim has; None: it has no other user."""
    admin_access: bool = False
    """Whether the claim only looks at the device, which another claim may use meanwhile."""


@dataclass(frozen=True, slots=True)
class WantedDevice:
    """A device that a claim is to get."""

    uuid: str
    split: int = 0
    """Number of children; 0 for the whole device."""
    result: RequestResult | None = None
    """None in classic DRA, which knows no requests."""


@dataclass(frozen=True, slots=True)
class PreparedDevice:
    """A device, or a child of one, as a container sees it."""

    uuid: str
    model: str
    parent_uuid: str | None = None
    """The device that this is a child of; None for a whole device."""
    result: RequestResult | None = None
    """What the device, or the one that it is a child of, was allocated as; None in classic DRA."""

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
        """The devices that it has, itself or their children."""
        return frozenset(device.whole_uuid for device in self.devices)

    @property
    def devices_in_use(self) -> tuple[PreparedDevice, ...]:
        """Its devices but for those that it only looks at: adminAccess."""
        return tuple(device for device in self.devices if device.result is None or not device.result.admin_access)

    def results_of(self, whole_uuid: str) -> frozenset[RequestResult | None]:
        """What a whole device was allocated as; several results are shares of it."""
        return frozenset(device.result for device in self.devices if device.whole_uuid == whole_uuid)


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
            parts = children(device.uuid, entry.split)
            found += [PreparedDevice(uuid, device.model, device.uuid, entry.result) for uuid in parts]
        else:
            found.append(PreparedDevice(device.uuid, device.model, result=entry.result))
    return tuple(found)


def disputed_devices(one: PreparedClaim, other: PreparedClaim) -> frozenset[str]:
    """The devices of two claims that only one of them can have; not those that adminAccess or shares let both have."""
    common = one.whole_uuids & other.whole_uuids
    if not common:
        return common
    return frozenset(
        uuid
        for uuid in common
        if not all(_may_coexist(mine, theirs) for mine in one.results_of(uuid) for theirs in other.results_of(uuid))
    )


def _may_coexist(one: RequestResult | None, other: RequestResult | None) -> bool:
    """Whether two claims may have what these say of one device."""
    if any(result is not None and result.admin_access for result in (one, other)):
        return True
    if one is None or other is None:
        return False
    return one.share_id is not None and other.share_id is not None and one.share_id != other.share_id


def find_holder(claims: Mapping[str, PreparedClaim], wanted: PreparedClaim) -> PreparedClaim | None:
    """Another claim for which a device is prepared that ``wanted`` cannot share with it; the first by UID."""
    # Asked at each preparation about all that is prepared, which as a rule has nothing to do with it.
    devices = wanted.whole_uuids
    rivals = [
        uid
        for uid, other in claims.items()
        if not devices.isdisjoint(device.whole_uuid for device in other.devices)
        and uid != wanted.uid
        and disputed_devices(wanted, other)
    ]
    return claims[min(rivals)] if rivals else None

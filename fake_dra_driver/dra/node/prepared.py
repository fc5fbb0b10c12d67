"""What is prepared on a node: which claim has which devices, and which claims are in each other's way.

Of a device the code that prepares knows no more than ``PreparedDevice`` says; what else there is to keep and to show of
it, its ``preparedmodel.PreparedModel`` knows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

__all__ = [
    "PreparedClaim",
    "PreparedDevice",
    "PreparedT",
    "RequestResult",
    "disputed_devices",
    "find_holder",
]


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


class PreparedDevice(Protocol):
    """A device, or a part of one, that is prepared for a claim. A value."""

    @property
    def key(self) -> str:
        """The device that is in use, unique on its node: itself, or the one that it is a part of."""
        ...

    @property
    def result(self) -> RequestResult | None:
        """What that device was allocated as; None in classic DRA."""
        ...


PreparedT = TypeVar("PreparedT", bound=PreparedDevice)
"""The devices of one driver."""


@dataclass(frozen=True, slots=True)
class PreparedClaim(Generic[PreparedT]):
    """A claim whose devices are ready on this node, or are just being made ready."""

    uid: str
    namespace: str
    name: str
    devices: tuple[PreparedT, ...]
    """In the order in which containers see them: the parts of the first device, then those of the second."""

    @property
    def keys(self) -> frozenset[str]:
        """The devices that it has, themselves or parts of them."""
        return frozenset(device.key for device in self.devices)

    @property
    def devices_in_use(self) -> tuple[PreparedT, ...]:
        """Its devices but for those that it only looks at: adminAccess."""
        return tuple(device for device in self.devices if device.result is None or not device.result.admin_access)

    def results_of(self, key: str) -> frozenset[RequestResult | None]:
        """What a device was allocated as; several results are shares of it."""
        return frozenset(device.result for device in self.devices if device.key == key)


def disputed_devices(one: PreparedClaim[PreparedT], other: PreparedClaim[PreparedT]) -> frozenset[str]:
    """The devices of two claims that only one of them can have; not those that adminAccess or shares let both have."""
    common = one.keys & other.keys
    if not common:
        return common
    return frozenset(
        key
        for key in common
        if not all(_may_coexist(mine, theirs) for mine in one.results_of(key) for theirs in other.results_of(key))
    )


def _may_coexist(one: RequestResult | None, other: RequestResult | None) -> bool:
    """Whether two claims may have what these say of one device."""
    if any(result is not None and result.admin_access for result in (one, other)):
        return True
    if one is None or other is None:
        return False
    return one.share_id is not None and other.share_id is not None and one.share_id != other.share_id


def find_holder(
    claims: Mapping[str, PreparedClaim[PreparedT]], wanted: PreparedClaim[PreparedT]
) -> PreparedClaim[PreparedT] | None:
    """Another claim for which a device is prepared that ``wanted`` cannot share with it; the first by UID."""
    # Asked at each preparation about all that is prepared, which as a rule has nothing to do with it.
    keys = wanted.keys
    rivals = [
        uid
        for uid, other in claims.items()
        if not keys.isdisjoint(device.key for device in other.devices)
        and uid != wanted.uid
        and disputed_devices(wanted, other)
    ]
    return claims[min(rivals)] if rivals else None

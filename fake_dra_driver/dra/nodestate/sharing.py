"""Which devices claims have, all of a device or a share of one, and whether that goes together. Pure.

A device that claims share (consumable capacity, KEP-5075) has room for a claim as long as the shares in it, added up,
are within its capacity. Of any other device a claim has all or nothing, whatever it says of shares: when a device is no
longer shared, those who have shares of it keep it from all others.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import TypeVar

__all__ = ["Holding", "Occupancy", "Room", "Share", "contested_devices", "is_within"]

DeviceT = TypeVar("DeviceT")

Share = Mapping[str, int]
"""An amount of each capacity of a device, by the name of the capacity, in billionths. Empty for a share of a device
that has no capacities, of which there can be any number."""

Holding = Mapping[Hashable, Share | None]
"""What a claim has, by the key of a device: a share of it, or None for all of it."""


def is_within(capacity: Share, shares: Iterable[Share]) -> bool:
    """Whether a device of this capacity has room for all of the shares."""
    total = _sum(shares)
    return all(amount <= capacity.get(name, 0) for name, amount in total.items())


def contested_devices(
    holding: Holding, others: Iterable[Holding], capacities: Mapping[Hashable, Share]
) -> Set[Hashable]:
    """The devices of a claim that it cannot have beside the other claims.

    Args:
        holding: what the claim has, or is to get.
        others: what each of the other claims has.
        capacities: of the devices that claims share, by their keys.
    """
    contested = set[Hashable]()
    shares: dict[Hashable, list[Share]] = {}
    """Of devices that other claims have shares of: the claim's own, and theirs."""
    for other in others:
        for key in holding.keys() & other.keys():
            mine, theirs = holding[key], other[key]
            if mine is None or theirs is None or key not in capacities:
                contested.add(key)
            else:
                shares.setdefault(key, [mine]).append(theirs)
    contested.update(key for key, both in shares.items() if not is_within(capacities[key], both))
    return contested


@dataclass(frozen=True, slots=True)
class Room:
    """What is left of the devices of a node."""

    free: Set[Hashable] = frozenset()
    """The devices of which no claim has anything."""
    left: Mapping[Hashable, Share] = field(default_factory=dict)
    """What is left of each shared device of which claims have a part; not of those of which nothing is left."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing for any claim."""
        return not self.free and not self.left

    def has_gained(self, before: "Room") -> bool:
        """Whether there is room now for a claim that there was none for before."""
        return bool(self.free - before.free) or any(
            key not in before.free and (key not in before.left or not is_within(before.left[key], [left]))
            for key, left in self.left.items()
        )


class Occupancy:
    """What claims have of the devices of a node. What several sources say of one claim counts once.

    Args:
        capacities: of the devices that claims share, by their keys.
        taken: devices of which claims have all.
    """

    def __init__(self, capacities: Mapping[Hashable, Share], taken: Iterable[Hashable] = ()) -> None:
        self._capacities = capacities
        self._taken = set(taken)
        self._shares: dict[Hashable, dict[str, Share]] = {}
        """By device and claim."""

    def add(self, uid: str, holding: Holding) -> None:
        """A claim has this, as one of the sources says."""
        for key, share in holding.items():
            if share is None or key not in self._capacities:
                self._taken.add(key)
            else:
                shares = self._shares.setdefault(key, {})
                shares[uid] = _greatest(shares[uid], share) if uid in shares else share

    def left_of(self, key: Hashable) -> Share | None:
        """What is left of a device that claims share, and have shares of; None: all of it or nothing."""
        if key in self._taken or key not in self._shares:
            return None
        total = _sum(self._shares[key].values())
        return {name: max(0, amount - total.get(name, 0)) for name, amount in self._capacities[key].items()}

    def has_room(self, key: Hashable) -> bool:
        """Whether anything is left of a device."""
        left = self.left_of(key)
        if left is None:
            return key not in self._taken
        return not left or any(left.values())

    def rest(
        self, devices: Mapping[Hashable, DeviceT], rest_of: Callable[[DeviceT, Share], DeviceT]
    ) -> Sequence[DeviceT]:
        """Those of the devices of which anything is left.

        Args:
            devices: by their keys.
            rest_of: a device of which only so much is left.
        """
        if not self._shares:
            return [device for key, device in devices.items() if key not in self._taken]
        return [
            device if (left := self.left_of(key)) is None else rest_of(device, left)
            for key, device in devices.items()
            if self.has_room(key)
        ]

    def room(self, devices: Collection[Hashable]) -> Room:
        """What is left of all of these devices."""
        if not self._shares:
            return Room(frozenset(devices) - self._taken)
        with_room = [key for key in devices if self.has_room(key)]
        parts = {key: left for key in with_room if (left := self.left_of(key)) is not None}
        return Room(frozenset(with_room) - parts.keys(), parts)


def _sum(shares: Iterable[Share]) -> Share:
    total: dict[str, int] = {}
    for share in shares:
        for name, amount in share.items():
            total[name] = total.get(name, 0) + amount
    return total


def _greatest(one: Share, other: Share) -> Share:
    return {name: max(one.get(name, 0), other.get(name, 0)) for name in one.keys() | other.keys()}

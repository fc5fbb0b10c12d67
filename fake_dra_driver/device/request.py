"""Which devices go to which request: an assignment of distinct devices to all requests whenever there is one.

Requests are judged together, since the first that fits may take the only device that another can use. It is a
bipartite matching, by augmenting paths (Kuhn): each unit of a request takes a free device, or one that its holder can
exchange for another.
The same input always gives the same answer; devices are tried in the order of the inventory, so that without selectors
the lowest free ones are taken.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from fake_dra_driver.device.inventory import Device

__all__ = ["DeviceRequest", "Selector", "allocate"]

_MAX_GLOB = 253
"""The longest glob: Python's translation of one into an expression is quadratic in its length."""


@dataclass(frozen=True, slots=True)
class Selector:
    """Matches devices by globs (``*``, ``?``, ``[...]``; case matters) on both their type and their model."""

    type: str
    name: str
    """Glob on the model."""

    def matches(self, device: Device) -> bool:
        """Whether both globs match. One longer than any model, which takes long to be read, matches nothing."""
        if max(len(self.type), len(self.name)) > _MAX_GLOB:
            return False
        return fnmatchcase(device.type, self.type) and fnmatchcase(device.model, self.name)


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """What one claim asks for: a number of devices of one node."""

    count: int
    split: int = 0
    """Children of each device; 0 for the whole device. It does not matter for the choice of devices."""
    model: str | None = None
    """The exact model of every device; None for any."""
    selectors: tuple[Selector, ...] = ()
    """At least one of them must match; without any, every device does."""

    def matches(self, device: Device) -> bool:
        """Whether the device can serve the request."""
        if self.model is not None and device.model != self.model:
            return False
        return not self.selectors or any(selector.matches(device) for selector in self.selectors)


def allocate(free: Sequence[Device], requests: Sequence[DeviceRequest]) -> tuple[tuple[Device, ...], ...] | None:
    """Devices for each of the requests, in their order, or None when the free devices cannot serve all of them.

    Args:
        free: distinct devices.
        requests: none of them is served in part.
    """
    if sum(request.count for request in requests) > len(free):
        return None
    usable = {number: _usable(free, request) for number, request in enumerate(requests)}
    holders: dict[int, int] = {}
    for number, request in enumerate(requests):
        for _ in range(request.count):
            if not _take(number, usable, holders, set()):
                return None
    return tuple(
        tuple(device for place, device in enumerate(free) if holders.get(place) == number)
        for number in range(len(requests))
    )


def _usable(free: Sequence[Device], request: DeviceRequest) -> Sequence[int]:
    return [place for place, device in enumerate(free) if request.matches(device)]


def _take(number: int, usable: Mapping[int, Sequence[int]], holders: dict[int, int], tried: set[int]) -> bool:
    """Gives one more device to request ``number``: a free one, or one that its holder can exchange for another.

    Args:
        usable: by request: places of the devices it could have.
        holders: by place of a device: the request that has it.
        tried: places that were looked at since this unit was asked for.
    """
    for place in usable[number]:
        if place not in holders and place not in tried:
            holders[place] = number
            return True
    for place in usable[number]:
        holder = holders.get(place)
        if holder is None or holder == number or place in tried:
            continue
        tried.add(place)
        if _take(holder, usable, holders, tried):
            holders[place] = number
            return True
    return False

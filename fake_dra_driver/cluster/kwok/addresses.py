"""The addresses of pods: one for each, and one that is free again comes before one that was never used.

Follows ipPool of KWOK (pkg/kwok/controllers/utils.go), which goes on after the end of its network as well.
"""

import heapq
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import Final

__all__ = ["AddressPool"]

_NETWORK: Final = IPv4Network("10.0.0.0/8")
_FIRST: Final = IPv4Address("10.0.0.1")
"""The default of KWOK's ``--cidr``, 10.0.0.1/24."""


class AddressPool:
    """Addresses, each in use or free."""

    def __init__(self, first: IPv4Address = _FIRST) -> None:
        self._next = first
        self._free: list[IPv4Address] = []
        self._used: set[IPv4Address] = set()

    def take(self) -> str:
        """An address that nothing has."""
        while self._free:
            address = heapq.heappop(self._free)
            if address not in self._used:
                break
        else:
            while self._next in self._used:
                self._next += 1
            address, self._next = self._next, self._next + 1
        self._used.add(address)
        return str(address)

    def use(self, address: str) -> None:
        """Something has this one already; addresses of other networks are left alone."""
        found = _parse(address)
        if found is not None:
            self._used.add(found)

    def give_back(self, address: str) -> None:
        """Nothing has it any more."""
        found = _parse(address)
        if found is not None and found in self._used:
            self._used.discard(found)
            heapq.heappush(self._free, found)


def _parse(address: str) -> IPv4Address | None:
    """An address of the network; None: it is none."""
    try:
        found = IPv4Address(address)
    except AddressValueError:
        return None
    return found if found in _NETWORK else None

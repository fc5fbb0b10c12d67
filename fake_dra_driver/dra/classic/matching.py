"""Which devices go to which request: an assignment to all requests of a pod together, for any driver. Pure.

Requests are judged together, since the first that fits may take the only device that another can use. It is a
bipartite matching, by augmenting paths (Kuhn): each unit of a request takes a device that has room for it, or one where
a holder can make room by exchanging it for another. Without shared devices an assignment is found whenever there is
one. With them it is a packing problem, for which no quick way is known: here one holder at a time makes room, so a pod
with several claims for parts of the same few devices may have to wait although they could just be packed.

The same input always gives the same answer; devices are tried in their order, so that the first are taken first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fake_dra_driver.dra.nodestate.sharing import Share, is_within

__all__ = ["Wish", "assign"]


@dataclass(frozen=True, slots=True)
class Wish:
    """What one request could have."""

    count: int
    """How many different devices it needs."""
    places: Mapping[int, Share | None]
    """The devices that could serve it, by their places among those that are free and in that order, and how much it
    would take of each; None: all. Each has room for that."""


def assign(wishes: Sequence[Wish], left: Mapping[int, Share]) -> tuple[tuple[int, ...], ...] | None:
    """The places that each request gets, in the order of the requests; None when not all of them can be served.

    Args:
        wishes: none of them is served in part.
        left: of devices that claims share, by place: what is left of their capacity.
    """
    if any(wish.count > len(wish.places) for wish in wishes):
        return None
    seating = _Seating(wishes, left)
    for number, wish in enumerate(wishes):
        for _ in range(wish.count):
            if not seating.take_one(number, set()):
                return None
    return tuple(tuple(sorted(seating.places_of(number))) for number in range(len(wishes)))


class _Seating:
    """Who has which device, while it is worked out."""

    def __init__(self, wishes: Sequence[Wish], left: Mapping[int, Share]) -> None:
        self._wishes = wishes
        self._left = left
        self._holders: dict[int, dict[int, Share | None]] = {}
        """By place: how much of the device each of the requests has that hold it."""

    def places_of(self, number: int) -> Sequence[int]:
        return [place for place, holders in self._holders.items() if number in holders]

    def take_one(self, number: int, tried: set[int]) -> bool:
        """Gives one more device to request ``number``; a holder may have to exchange one for another.

        Args:
            tried: places that were looked at since this unit was asked for.
        """
        places = self._wishes[number].places
        for place in places:
            if place not in tried and self._has_room(place, number):
                self._holders.setdefault(place, {})[number] = places[place]
                return True
        for place in places:
            holders = self._holders.get(place, {})
            if not holders or number in holders or place in tried:
                continue
            tried.add(place)
            for holder in list(holders):
                share = holders.pop(holder)
                if self._has_room(place, number) and self.take_one(holder, tried):
                    holders[number] = places[place]
                    return True
                holders[holder] = share
        return False

    def _has_room(self, place: int, number: int) -> bool:
        holders = self._holders.get(place)
        if not holders:
            return True
        shares = [self._wishes[number].places[place], *holders.values()]
        parts = [share for share in shares if share is not None]
        return number not in holders and len(parts) == len(shares) and is_within(self._left[place], parts)

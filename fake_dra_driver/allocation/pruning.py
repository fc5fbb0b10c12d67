"""What a search leaves out, because it has been shown to lead nowhere.

A real scheduler tries every combination until its time is over. Here the search stops early where that changes neither
the first solution nor which error comes first; kube-scheduler then comes to the same answer, only later. Three things
are known once every device has been looked at for every request:

- Some requests together want more devices than are left which suit any of them.
- Two devices are of one sort: no request, constraint or counter tells them apart. What is a dead end with one of them
  is a dead end with the other.
- The same devices, or others of the same sorts, were chosen for other requests before, and the rest was a dead end.

A part of the search that was gone through without a solution had no error in it either, so its like has none. A sum,
which is reckoned instead of being tried, counts only requests up to the first that may end in an error.
"""

from collections import Counter as Tally
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, NamedTuple

from fake_dra_driver.allocation.behaviour import Behaviour
from fake_dra_driver.allocation.candidate import Candidate
from fake_dra_driver.allocation.capacity import CapacityRequest
from fake_dra_driver.allocation.checks import Choice, Trial
from fake_dra_driver.allocation.identity import DeviceId
from fake_dra_driver.allocation.pools import Pool
from fake_dra_driver.allocation.requests import Ask, Plan, Problem, Request
from fake_dra_driver.api.resource.v1 import MAX_RESULTS

__all__ = ["Place", "Pruning", "Slot", "Verdict"]

Place = tuple[Pool, Candidate]

_ALONE: Final = "alone"
"""Stands for values that no other device has."""


class Verdict(Enum):
    """What becomes of a device that is looked at for a request while nothing else is chosen."""

    FITS = auto()
    UNFIT = auto()
    """It never fits, whatever else is chosen: what is chosen only takes away."""
    FAILS = auto()
    """The cycle ends with an error."""


class Slot(NamedTuple):
    """A place in the plan: a request of a claim."""

    claim: int
    request: int


@dataclass(frozen=True, slots=True)
class _Want:
    """What a request needs at least, whichever of its alternatives it gets."""

    devices: int
    """The places that suit it, as bits; 0, with a count of 0, where devices can serve several requests."""
    count: int
    may_fail: bool
    """Whether looking for its devices may end in an error."""


@dataclass(frozen=True, slots=True)
class _Bound:
    """Some requests, from one on, together."""

    devices: int
    """The places that suit any of them, as bits."""
    count: int
    """How many devices they need at least."""
    has_first: bool
    """Whether the first request is among them."""


class Pruning:
    """Knows the devices and requests of one search."""

    def __init__(
        self,
        plan: Plan,
        places: Sequence[Place],
        trial: Trial,
        behaviour: Behaviour,
        *,
        whole: Mapping[Request, Collection[Place]],
        judge: Callable[[Request, Place], Verdict],
    ) -> None:
        """Looks at every device for every request.

        Args:
            plan: what is asked for.
            places: the devices, in the order of trying.
            trial: what is chosen, now and later.
            behaviour: that of the release.
            whole: what there is for each request that wants all.
            judge: what becomes of a device that is looked at for a request.
        """
        self._trial = trial
        self._behaviour = behaviour
        self._whole = whole
        self._index: Mapping[DeviceId, int] = {candidate.id: at for at, (_, candidate) in enumerate(places)}
        self._verdicts = {request: [judge(request, place) for place in places] for request in _requests(plan)}
        self._devices = {
            request: sum(1 << at for at, verdict in enumerate(verdicts) if verdict is Verdict.FITS)
            for request, verdicts in self._verdicts.items()
        }
        self._shareable = sum(1 << at for at, (_, candidate) in enumerate(places) if self._is_shareable(candidate))
        self._sorts = self._sort(places)
        self._wants = {
            Slot(ask.index, at): self._want(alternatives)
            for ask in plan.asks
            for at, alternatives in enumerate(ask.requests)
            if not isinstance(alternatives, Problem)
        }
        self._bounds: dict[Slot, tuple[_Bound, ...]] = {}
        self._amounts: dict[CapacityRequest, int] = {}
        self._dead_ends: set[Hashable] = set()
        self.is_exact = not trial.forgets and not any(map(self._may_have_too_many, plan.asks))
        """Whether what follows depends on nothing but what is chosen, so that dead ends can be told without trying."""

    def left(self, request: Request, start: int) -> int:
        """How many devices from this place on a request can get, at most."""
        return ((self._devices[request] & ~self._taken(request)) >> start).bit_count()

    def may_fail(self, request: Request) -> bool:
        """Whether looking for the request's devices may end in an error."""
        return Verdict.FAILS in self._verdicts[request] or (request.wants_all and self._trial.is_constrained(request))

    def is_hopeless(self, slot: Slot, request: Request, have: int) -> bool:
        """Whether too few devices are left for a request, or one of its alternatives, and for those after it.

        Args:
            slot: the request's place.
            request: it, or one of its alternatives.
            have: how many devices it has.
        """
        if not self.is_exact:
            return False
        if slot not in self._bounds:
            self._bounds[slot] = self._bounds_from(slot)
        taken = self._taken()
        more = self._count_of(request) - have - self._wants[slot].count
        return any(
            bound.count + (more if bound.has_first else 0) > (bound.devices & ~taken).bit_count()
            for bound in self._bounds[slot]
        )

    def likeness(self, index: int) -> Hashable:
        """Equal for places that make no difference to one another now, unless all do."""
        if not self.is_exact:
            return index, None
        held = tuple(sorted(self._holding(choice) for choice in self._choices() if self._place_of(choice) == index))
        return self._sorts[index], held

    def is_dead_end(self, slot: Slot) -> bool:
        """Whether the requests from this one on cannot be served after what is chosen now."""
        return self.is_exact and self._state(slot) in self._dead_ends

    def note_dead_end(self, slot: Slot) -> None:
        """They cannot."""
        if self.is_exact:
            self._dead_ends.add(self._state(slot))

    # --- What is chosen ------------------------------------------------------------------------------------------

    def _choices(self) -> list[Choice]:
        return [choice for choices in self._trial.chosen for choice in choices]

    def _place_of(self, choice: Choice) -> int:
        return self._index[choice.candidate.id]

    def _taken(self, request: Request | None = None) -> int:
        """The places that are chosen for a claim alone, as bits; none, for a request that may have them all the same.

        A claim with admin access has a device for itself as far as others of the pod are concerned.
        """
        if request is not None and request.admin_access:
            return 0
        taken = 0
        for choice in self._choices():
            if choice.share is None:
                taken |= 1 << self._place_of(choice)
        return taken

    def _state(self, slot: Slot) -> Hashable:
        """Equal where the rest of the search is the same, but for which devices of a sort it is about."""
        held: dict[int, list[tuple[int, int]]] = {}
        for choice in self._choices():
            held.setdefault(self._place_of(choice), []).append(self._holding(choice))
        tally = Tally((self._sorts[at], tuple(sorted(holdings))) for at, holdings in held.items())
        return slot, frozenset(tally.items()), self._trial.constraint_state(slot.claim)

    def _holding(self, choice: Choice) -> tuple[int, int]:
        """What later choices notice of one: whose it is, and what a share consumes."""
        if choice.share is None:
            return choice.request.claim, -1
        return choice.request.claim, self._amounts.setdefault(choice.request.capacity, len(self._amounts))

    def _count_of(self, request: Request) -> int:
        return len(self._whole[request]) if request.wants_all else request.count

    # --- What there is -------------------------------------------------------------------------------------------

    def _is_shareable(self, candidate: Candidate) -> bool:
        return self._behaviour.consumable_capacity and candidate.is_shareable

    def _may_have_too_many(self, ask: Ask) -> bool:
        """Whether the search may pass over devices because of the limit of a claim: then their order matters."""
        most = 0
        for alternatives in ask.requests:
            most += 0 if isinstance(alternatives, Problem) else max(map(self._count_of, alternatives))
        return most > MAX_RESULTS

    def _want(self, alternatives: Sequence[Request]) -> _Want:
        devices = 0
        for request in alternatives:
            devices |= self._devices[request]
        count = min(map(self._count_of, alternatives))
        if devices & self._shareable or any(request.admin_access for request in alternatives):
            devices = count = 0
        return _Want(devices, count, any(map(self.may_fail, alternatives)))

    def _bounds_from(self, slot: Slot) -> tuple[_Bound, ...]:
        wants: list[_Want] = []
        for other, want in self._wants.items():
            if other >= slot:
                if want.may_fail:
                    break
                wants.append(want)
        if not wants:
            return ()
        together = 0
        for want in wants:
            together |= want.devices
        return tuple(
            _Bound(
                devices,
                sum(want.count for want in wants if not want.devices & ~devices),
                has_first=wants[0].count > 0 and not wants[0].devices & ~devices,
            )
            for devices in {together, *(want.devices for want in wants)}
        )

    def _sort(self, places: Sequence[Place]) -> list[int]:
        """A number for each place: the same for devices that nothing tells apart."""
        # They are chosen in their order, up to the first that cannot be had, so each of them is of its own sort.
        wanted_whole = {self._index[candidate.id] for devices in self._whole.values() for _, candidate in devices}
        values = [self._trial.values_under_constraints(candidate) for _, candidate in places]
        occurrences = Tally((at, value) for each in values for at, found in enumerate(each) for value in found or ())
        numbers: dict[Hashable, int] = {}
        sorts: list[int] = []
        for index, (pool, candidate) in enumerate(places):
            counters = pool.counters.get(candidate.resource_slice.metadata.name) if candidate.consumes else None
            sort = (
                tuple(verdicts[index] for verdicts in self._verdicts.values()),
                # Which value it is makes no difference where no other device has it.
                tuple(
                    _ALONE if found and all(occurrences[at, each] == 1 for each in found) else found
                    for at, found in enumerate(values[index])
                ),
                None if counters is None else (id(counters), frozenset(candidate.consumes.items())),
                _capacity(pool, candidate) if self._is_shareable(candidate) else None,
                index if index in wanted_whole else None,
            )
            sorts.append(numbers.setdefault(sort, len(numbers)))
        return sorts


def _requests(plan: Plan) -> list[Request]:
    return [
        request
        for ask in plan.asks
        for alternatives in ask.requests
        if not isinstance(alternatives, Problem)
        for request in alternatives
    ]


def _capacity(pool: Pool, candidate: Candidate) -> Hashable:
    """What a device has for shares, and what is left of it."""
    device = candidate.id.device
    return (
        device in pool.usage.shares,
        tuple(
            (name, each.value, repr(each.request_policy), pool.usage.consumed(device, name))
            for name, each in sorted(candidate.device.capacity.items())
        ),
    )

"""What is in a pool: its devices, the counters that they share, and whether that goes together.

Follows buildPool of k8s.io/dynamic-resource-allocation. The API server looks at one slice at a time, so what several of
them say together may be wrong.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from fake_dra_driver.allocation.behaviour import Behaviour
from fake_dra_driver.allocation.candidate import Candidate, CounterName
from fake_dra_driver.allocation.counters import Counters
from fake_dra_driver.allocation.usage import PoolUsage
from fake_dra_driver.api.resource.v1 import CounterSet, ResourceSlice
from fake_dra_driver.quantity import Quantity

__all__ = ["Contents", "read_contents"]


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a pool, as a node sees it."""

    candidates: tuple[Candidate, ...]
    """The devices that it sees, in the order of trying."""
    counters: Mapping[str, Counters]
    """By slice: those that its devices consume."""
    contradiction: str | None
    """What does not go together, in kube-scheduler's words."""


def read_contents(
    seen: Sequence[ResourceSlice],
    everything: Sequence[ResourceSlice],
    read: Callable[[ResourceSlice], tuple[Candidate, ...]],
    usage: PoolUsage,
    behaviour: Behaviour,
) -> Contents:
    """Reads a pool.

    Args:
        seen: the slices that a node sees, in the order of trying.
        everything: all slices of the generation, those of other nodes among them: their devices consume counters too.
        read: gives the devices of a slice.
        usage: which devices are in use.
        behaviour: that of the release.
    """
    if behaviour.partitionable_devices and behaviour.counters_in_slices:
        candidates = tuple(candidate for each in seen for candidate in read(each))
        counters = {each.metadata.name: _counters_of(each.spec.shared_counters, read(each), usage) for each in seen}
        return Contents(candidates, counters, _find_duplicate(candidates))
    counted = behaviour.partitionable_devices
    candidates = tuple(
        candidate for each in seen if not (counted and each.spec.shared_counters) for candidate in read(each)
    )
    contradiction = _find_duplicate(candidates)
    sets = [counter_set for each in everything if counted for counter_set in each.spec.shared_counters]
    names = {each.metadata.name for each in seen}
    others = [
        candidate
        for each in everything
        if each.metadata.name not in names and not each.spec.shared_counters
        for candidate in read(each)
    ]
    if counted and contradiction is None:
        contradiction = _find_twin(sets) or _find_unknown((*candidates, *others), sets)
    consumers = (*candidates, *others) if contradiction is None else ()
    shared = _counters_of(sets, consumers, usage)
    return Contents(candidates, dict.fromkeys(names, shared), contradiction)


def _counters_of(sets: Iterable[CounterSet], consumers: Iterable[Candidate], usage: PoolUsage) -> Counters:
    totals = {
        CounterName(each.name, name): Quantity.parse(counter.value)
        for each in sets
        for name, counter in each.counters.items()
    }
    return Counters(totals, consumers, usage)


def _find_duplicate(candidates: Iterable[Candidate]) -> str | None:
    names: set[str] = set()
    for candidate in candidates:
        if candidate.id.device in names:
            return f"duplicate device name {candidate.id.device}"
        names.add(candidate.id.device)
    return None


def _find_twin(sets: Iterable[CounterSet]) -> str | None:
    names: set[str] = set()
    for counter_set in sets:
        if counter_set.name in names:
            return f"duplicate counter set name {counter_set.name}"
        names.add(counter_set.name)
    return None


def _find_unknown(candidates: Iterable[Candidate], sets: Iterable[CounterSet]) -> str | None:
    known = {each.name: each.counters for each in sets}
    for candidate in candidates:
        for consumption in candidate.device.consumes_counters:
            if consumption.counter_set not in known:
                return f"counter set {consumption.counter_set} not found"
            for name in consumption.counters:
                if name not in known[consumption.counter_set]:
                    return f"counter {name} not found in counter set {consumption.counter_set}"
    return None

"""Which writes bring the ResourceSlices of a pool in line with what is wanted. Pure.

Follows the resource slice controller of k8s.io/dynamic-resource-allocation, and what kube-scheduler makes of slices: of
a pool, those of the highest generation count and no others, and the pool is complete when there are as many of them as
each says. So:

- While at most one slice of that generation is wrong, the generation stays: the first write puts that one right, which
  takes effect at once if nothing else is to be done. Slices that are missing, or of an earlier generation, are added
  after it, until the pool is complete again. So a deleted slice comes back, and an interrupted publication goes on.
- Otherwise all slices get a new generation, so that no mixture of old and new is ever complete.

Deletes come first, so that devices which are gone are not offered even if nothing else can be written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.structured.pool import WantedSlice
from fake_dra_driver.dra.structured.slicespec import at_generation, in_words_of, says

__all__ = ["Accepted", "Plan", "SliceUpdate", "is_owned_by", "plan_pool"]

FIRST_GENERATION: Final = 1
_MAX_GENERATION: Final = 2**62
"""Half of what the API takes. A slice with a higher one was edited, and would leave no room for the next one."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the API server has made of a slice that was written: a field whose feature gate is off is dropped."""

    sent: v1.ResourceSliceSpec
    stored: v1.ResourceSliceSpec


@dataclass(frozen=True, slots=True)
class SliceUpdate:
    """A slice that exists and has to say something else."""

    before: v1.ResourceSlice
    spec: v1.ResourceSliceSpec
    is_wrong: bool
    """Whether it says something else than its pool's new generation alone."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The writes, in the order in which they are to be made."""

    deletes: tuple[v1.ResourceSlice, ...] = ()
    updates: tuple[SliceUpdate, ...] = ()
    creates: tuple[WantedSlice, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.deletes or self.updates or self.creates)


def plan_pool(
    wanted: Sequence[WantedSlice],
    existing: Sequence[v1.ResourceSlice],
    accepted: Mapping[str, Accepted],
    *,
    owner: str | None = None,
) -> Plan:
    """The writes after which the slices of one pool are as wanted; none when they are.

    Args:
        wanted: the slices of the pool; none to remove it.
        existing: all slices of the driver that name the pool.
        accepted: by name of the slice, what the API server has made of what was sent.
        owner: the Node that each slice must belong to, so that it goes when the Node goes.
    """
    by_name = {one.name: one for one in wanted}
    kept = {
        one.metadata.name: one
        for one in existing
        if one.metadata.name in by_name and _can_become(one.spec, by_name[one.metadata.name].spec)
    }
    deletes = tuple(one for one in existing if one.metadata.name not in kept)
    missing = [one for one in wanted if one.name not in kept]
    wrong = {
        name
        for name, there in kept.items()
        if not _is_right(there.spec, by_name[name].spec, accepted.get(name))
        or (owner is not None and not is_owned_by(there, owner))
    }
    newest = max((there.spec.pool.generation for there in kept.values()), default=FIRST_GENERATION)
    first = [name for name in wrong if kept[name].spec.pool.generation == newest]
    generation = newest if len(first) <= 1 else newest + 1
    updates = tuple(
        SliceUpdate(
            kept[one.name],
            in_words_of(at_generation(one.spec, generation), kept[one.name].spec),
            is_wrong=one.name in wrong,
        )
        # Those that are wrong already in the newest generation before those that complete it.
        for one in sorted(wanted, key=lambda one: one.name not in first)
        if one.name in wrong or (one.name in kept and kept[one.name].spec.pool.generation != generation)
    )
    creates = tuple(WantedSlice(one.name, at_generation(one.spec, generation)) for one in missing)
    return Plan(deletes, updates, creates)


def is_owned_by(there: v1.ResourceSlice, node: str) -> bool:
    """Whether the slice goes when the Node goes."""
    return any(
        owner.kind == "Node" and owner.name == node and owner.controller for owner in there.metadata.owner_references
    )


def _can_become(there: v1.ResourceSliceSpec, wanted: v1.ResourceSliceSpec) -> bool:
    """Whether an update can make the one of the other: the fields that must not change are the same."""
    fixed = (there.driver, there.pool.name, there.node_name) == (wanted.driver, wanted.pool.name, wanted.node_name)
    return fixed and there.pool.generation <= _MAX_GENERATION


def _is_right(there: v1.ResourceSliceSpec, wanted: v1.ResourceSliceSpec, accepted: Accepted | None) -> bool:
    if says(there, wanted):
        return True
    return accepted is not None and says(accepted.sent, wanted) and says(there, accepted.stored)

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

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.structured.pool import WantedSlice
from fake_dra_driver.dra.structured.slicespec import at_generation, in_words_of, says

__all__ = [
    "MAX_GENERATION",
    "Accepted",
    "Plan",
    "SliceUpdate",
    "WriteOrder",
    "can_become",
    "goes_with_node",
    "plan_pool",
    "published_annotation",
    "write_order",
]

FIRST_GENERATION: Final = 1
MAX_GENERATION: Final = 2**62
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


@dataclass(frozen=True, slots=True)
class WriteOrder:
    """In which generation a pool is to be, and the slices that are to be updated for it, the first one first."""

    generation: int
    updates: tuple[str, ...]


def write_order(
    wanted: Sequence[str], generations: Mapping[str, int], wrong: Collection[str], *, above: int = 0
) -> WriteOrder:
    """The order of writes for one pool.

    Args:
        wanted: the names of its slices, in their order.
        generations: the generation of each of them that exists.
        wrong: those of them that do not say what they should, whatever the generation.
        above: a generation that the pool must leave behind, as that of slices that are not its publisher's.
    """
    newest = max(generations.values(), default=FIRST_GENERATION)
    first = [name for name in wrong if generations[name] == newest]
    generation = max(newest if len(first) <= 1 else newest + 1, above + 1)
    # Those that are wrong already in the newest generation before those that complete it.
    updates = (
        name
        for name in sorted(wanted, key=lambda name: name not in first)
        if name in wrong or generations.get(name, generation) != generation
    )
    return WriteOrder(generation, tuple(updates))


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
        if one.metadata.name in by_name and can_become(one.spec, by_name[one.metadata.name].spec)
    }
    deletes = tuple(one for one in existing if one.metadata.name not in kept)
    missing = [one for one in wanted if one.name not in kept]
    wrong = {
        name
        for name, there in kept.items()
        if not _is_right(there.spec, by_name[name].spec, accepted.get(name))
        or (owner is not None and not goes_with_node(there, owner))
        # The node has a plugin now, and a fleet would take away what it has published for it.
        or published_annotation(there.spec.driver) in there.metadata.annotations
    }
    generations = {name: there.spec.pool.generation for name, there in kept.items()}
    order = write_order([one.name for one in wanted], generations, wrong)
    updates = tuple(
        SliceUpdate(
            kept[name],
            in_words_of(at_generation(by_name[name].spec, order.generation), kept[name].spec),
            is_wrong=name in wrong,
        )
        for name in order.updates
    )
    creates = tuple(WantedSlice(one.name, at_generation(one.spec, order.generation)) for one in missing)
    return Plan(deletes, updates, creates)


def published_annotation(driver: str) -> str:
    """The annotation that ``fleet`` gives each slice that it publishes for a node on which no plugin runs."""
    return f"{driver}/published"


def goes_with_node(there: v1.ResourceSlice, node: str) -> bool:
    """Whether the slice goes when the Node of that name goes; a plugin reads the UID of its own only to write it."""
    return any(
        owner.kind == "Node" and owner.name == node and owner.controller for owner in there.metadata.owner_references
    )


def can_become(there: v1.ResourceSliceSpec, wanted: v1.ResourceSliceSpec) -> bool:
    """Whether an update can make the one of the other: the fields that must not change are the same."""
    fixed = (there.driver, there.pool.name, there.node_name) == (wanted.driver, wanted.pool.name, wanted.node_name)
    return fixed and there.pool.generation <= MAX_GENERATION


def _is_right(there: v1.ResourceSliceSpec, wanted: v1.ResourceSliceSpec, accepted: Accepted | None) -> bool:
    if says(there, wanted):
        return True
    return accepted is not None and says(accepted.sent, wanted) and says(there, accepted.stored)

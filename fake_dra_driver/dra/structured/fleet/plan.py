"""Which writes bring the slices of one node in line with what is wanted, by their metadata. Pure.

The order of writes is that of ``slices``: at no moment is a mixture of old and new complete. What others have made
without the publisher's mark is never deleted: the pool gets a generation above it, so that it does not count.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from fake_dra_driver.api.kube.meta import UID, ObjectMeta
from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.structured.fleet.encoding import EncodedSlice
from fake_dra_driver.dra.structured.fleet.mark import Mark
from fake_dra_driver.dra.structured.slices import MAX_GENERATION, can_become, write_order

__all__ = ["FleetPlan", "FleetUpdate", "SeenSlice", "plan_node"]


@dataclass(frozen=True, slots=True)
class SeenSlice:
    """A slice that exists."""

    metadata: ObjectMeta
    mark: Mark | None
    """None: it has none, or one that cannot be read."""
    spec: v1.ResourceSliceSpec | None = None
    """Where it had to be read: ``is_clear`` says when."""

    @property
    def name(self) -> str:
        """Of the slice."""
        return self.metadata.name

    @property
    def is_clear(self) -> bool:
        """Whether its mark says what the slice says."""
        return self.mark is not None and self.mark.fits(self.metadata)

    @property
    def pool_generation(self) -> int:
        """Generation of its pool. Raises ValueError where it would have to be read for that."""
        if self.spec is not None:
            return self.spec.pool.generation
        if self.mark is None or not self.is_clear:
            raise ValueError(f"ResourceSlice {self.name} has to be read")
        return self.mark.pool_generation


@dataclass(frozen=True, slots=True)
class FleetUpdate:
    """A slice that exists and has to say something else, or to have another owner."""

    before: ObjectMeta
    slice: EncodedSlice
    is_wrong: bool
    """Whether it says something else than its pool's new generation alone."""
    changes_spec: bool
    """Whether the API server is expected to count it as a change of the spec."""


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """The writes, in the order in which they are to be made."""

    generation: int
    """Of the pool, after them."""
    deletes: tuple[ObjectMeta, ...] = ()
    updates: tuple[FleetUpdate, ...] = ()
    creates: tuple[EncodedSlice, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.deletes or self.updates or self.creates)


def plan_node(
    wanted: Sequence[EncodedSlice],
    seen: Collection[SeenSlice],
    owner: UID,
    is_accepted: Callable[[EncodedSlice], bool],
) -> FleetPlan:
    """The writes after which a node's slices are as wanted; none when they are.

    Args:
        wanted: the slices of its pool.
        seen: all slices of the driver that go with the node, or have the name of one that is wanted; each of them
            clear, or read.
        owner: UID of the Node.
        is_accepted: whether what the API server keeps of a slice, though it is a part only, is taken for all of it.
    """
    by_name = {one.name: one for one in wanted}
    kept = {one.name: one for one in seen if one.name in by_name and _can_become(one, by_name[one.name])}
    others = [one for one in seen if one.name not in kept]
    deletes = tuple(one.metadata for one in others if one.mark is not None or one.name in by_name)
    wrong = {name for name, there in kept.items() if not _is_right(there, by_name[name], owner, is_accepted)}
    generations = {name: there.pool_generation for name, there in kept.items()}
    order = write_order(list(by_name), generations, wrong, above=_foreign_generation(others, by_name))
    updates = tuple(
        FleetUpdate(
            kept[name].metadata,
            by_name[name],
            is_wrong=name in wrong,
            changes_spec=_changes_spec(kept[name], by_name[name], order.generation),
        )
        for name in order.updates
    )
    creates = tuple(one for one in wanted if one.name not in kept)
    return FleetPlan(order.generation, deletes, updates, creates)


def _can_become(there: SeenSlice, wanted: EncodedSlice) -> bool:
    return there.spec is None or can_become(there.spec, wanted.wanted.spec)


def _is_right(there: SeenSlice, wanted: EncodedSlice, owner: UID, is_accepted: Callable[[EncodedSlice], bool]) -> bool:
    mark = there.mark
    if mark is None or not there.is_clear or mark.digest != wanted.digest or not is_owned_by(there.metadata, owner):
        return False
    return not mark.is_partial or is_accepted(wanted)


def is_owned_by(metadata: ObjectMeta, owner: UID) -> bool:
    """Whether the slice goes when the Node of that UID goes."""
    return any(each.uid == owner and each.kind == "Node" and each.controller for each in metadata.owner_references)


def _changes_spec(there: SeenSlice, wanted: EncodedSlice, generation: int) -> bool:
    mark = there.mark
    same = mark is not None and there.is_clear and mark.digest == wanted.digest
    return not same or there.pool_generation != generation


def _foreign_generation(others: Collection[SeenSlice], wanted: Mapping[str, EncodedSlice]) -> int:
    """The highest generation in which slices of the same pool, which are not the publisher's, stay."""
    pools = {one.wanted.spec.pool.name for one in wanted.values()}
    theirs = (one.spec.pool for one in others if one.mark is None and one.name not in wanted and one.spec is not None)
    # Above one that leaves no room there is none.
    return max(
        (pool.generation for pool in theirs if pool.name in pools and pool.generation < MAX_GENERATION), default=0
    )

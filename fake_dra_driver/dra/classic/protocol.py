"""The protocol: which write follows which, so that a device is never given to two claims and nothing is lost by a stop.

Pure: it sees claims as they were at some version, decides, and acts only through ``Effects``, each of them a call to
the API server. ``writer`` and ``ledger`` do these calls; ``tests/unit/dra/classic/test_protocol.py`` runs this very
code, and that of ``ledgerchange``, against all that two controllers with old caches can do to each other. No lock and
no lease is counted on: what keeps writers apart is what each write is conditional on.

A *record* says that a claim holds devices of a node. It is written before the claim's status says so, and taken out
after it says so no more. Five rules, of which each is needed:

1. Each write to the records of a node is a compare-and-swap on a revision that it also raises, and on their value
   (``ledgerchange``).
2. Order: finalizer, record, claim status. The status write is conditional on the version that the claim had *before*
   the record was written.
3. A record that is there already is not simply used: it is written again before the status is (``ledgerchange``).
4. The record of a claim that still exists is taken out only after *fencing* the claim: a write to it, conditional on a
   version at which it was not allocated there, after which any allocation that goes by an older version fails.
   A claim that is allocated elsewhere is fenced by that: an allocation cannot be changed, only taken away.
5. That removal is void if another writer has changed the records since a *mark* that was made before the fence.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Generic, Protocol, TypeVar

from fake_dra_driver.api.kube.meta import UID

__all__ = [
    "AllocationEffects",
    "Claim",
    "Duty",
    "Effects",
    "GoneEffects",
    "Marks",
    "RecordEffects",
    "allocate",
    "duty_of",
    "forget_elsewhere",
    "forget_gone",
    "is_outdated",
    "release",
    "restore",
]

SourceT = TypeVar("SourceT")
RecordT = TypeVar("RecordT")

Marks = Mapping[str, int]
"""By node: which of the changes made by others to the node's records had been seen when the mark was made."""


@dataclass(frozen=True, slots=True)
class Claim(Generic[SourceT]):
    """A claim at one version, as far as the protocol looks at it."""

    source: SourceT
    """What it was read from. Every write to the claim is conditional on this version."""
    uid: UID
    is_protected: bool
    """Whether it has the driver's finalizer, and so stays in existence."""
    is_protected_by_others: bool
    is_deleting: bool
    is_deallocation_requested: bool
    """``deallocationRequested``: no pod uses it any more, and it is to be free for another node."""
    is_reserved: bool
    """Whether pods may use it, or still do."""
    is_ours: bool
    """Whether its status names this driver."""
    is_allocated: bool
    node: str | None
    """Where it is allocated; None also when that cannot be read from the allocation."""


class Duty(Enum):
    """What is to be done about a claim."""

    NOTHING = auto()
    RELEASE = auto()
    """``release`` it: it is to be free."""
    DROP = auto()
    """``release`` it, too: it is not allocated, and has a record that no allocation is about to use."""
    KEEP = auto()
    """It is allocated, and stays so, if only until its pods have ended; ``forget_elsewhere``."""
    ALLOCATE = auto()
    """It is to be allocated: at once, or when a pod needs it."""


def duty_of(claim: Claim[SourceT], records: Collection[str], is_wanted: Callable[[str], bool]) -> Duty:
    """What is to be done about a claim of this driver.

    Args:
        claim: as it was last seen.
        records: the nodes with a record of it, as last seen.
        is_wanted: whether it is about to be allocated on a node, which will use a record there.
    """
    if claim.is_allocated and not claim.is_ours:
        return Duty.NOTHING  # another driver's, also when a class of ours has the name of its class by now
    if (claim.is_deleting or claim.is_deallocation_requested) and not claim.is_reserved:
        is_clean = not (claim.is_ours or claim.is_protected or records)
        return Duty.NOTHING if is_clean else Duty.RELEASE
    if claim.is_allocated:
        return Duty.KEEP
    if claim.is_deleting or claim.is_deallocation_requested:
        return Duty.NOTHING  # in use without being allocated: the API does not let that be
    return Duty.DROP if records and not any(map(is_wanted, records)) else Duty.ALLOCATE


def is_outdated(records: Collection[str], node: str) -> bool:
    """Whether a claim has records that keep it from being allocated on ``node``: it is to be released first."""
    return any(other != node for other in records)


class RecordEffects(Protocol):
    """What the protocol does to records. Every write raises ConflictError when it is outdated."""

    def mark(self, nodes: Sequence[str]) -> Marks:
        """Remembers which of others' changes of the records on these nodes were seen so far."""
        ...

    async def forget(self, uid: UID, nodes: Sequence[str], marks: Marks | None) -> None:
        """Takes records out, if the marks still hold (none: whatever others have changed)."""
        ...


class Effects(RecordEffects, Protocol[SourceT]):
    """What the protocol does to one claim and its records. Every write raises ConflictError when it is outdated."""

    async def protect(self, claim: Claim[SourceT]) -> Claim[SourceT]:
        """Puts the finalizer on; no write where it is on already."""
        ...

    async def unprotect(self, claim: Claim[SourceT]) -> None:
        """Takes the finalizer off."""
        ...

    async def clear(self, claim: Claim[SourceT]) -> Claim[SourceT]:
        """Takes the allocation away."""
        ...

    async def read(self, claim: Claim[SourceT]) -> Claim[SourceT] | None:
        """The claim as it is at this moment, by a call to the API server; None when it is gone."""
        ...


class AllocationEffects(Protocol[SourceT, RecordT]):
    """What it takes to allocate all claims of a pod on one node. The claims are worked on concurrently."""

    async def protect(self, claims: Sequence[Claim[SourceT]]) -> Sequence[Claim[SourceT]]:
        """Puts the finalizer on each."""
        ...

    async def record(self) -> RecordT:
        """Writes the records of all of them, or none."""
        ...

    async def write_status(self, claims: Sequence[Claim[SourceT]], records: RecordT) -> None:
        """Writes into the status of each what is on record for it."""
        ...


async def allocate(do: AllocationEffects[SourceT, RecordT], claims: Sequence[Claim[SourceT]]) -> None:
    """Allocates claims that have no records elsewhere (``is_outdated``)."""
    protected = await do.protect(claims)
    records = await do.record()
    await do.write_status(protected, records)  # rule 2: not any newer version, which may be a fence


async def release(do: Effects[SourceT], claim: Claim[SourceT], nodes: Sequence[str]) -> None:
    """Takes everything from a claim that is not used any more: allocation, finalizer, the records on ``nodes``.

    One write to a claim that is being deleted, two where it lives on, and one for each record. A stop in between
    leaves what the next pass finds and finishes.
    """
    marks = do.mark(nodes)
    if claim.is_deleting and not claim.is_protected_by_others:
        pass  # taking the last finalizer off takes the claim away, status and all
    elif (claim.is_allocated and claim.is_ours) or claim.is_deallocation_requested:
        claim = await do.clear(claim)
    elif nodes and not claim.is_protected and not claim.is_deleting:
        # Nothing to take off, so nothing that would fence: put the finalizer on, and taking it off does.
        claim = await do.protect(claim)
    if claim.is_protected:
        await do.unprotect(claim)
    # A claim that is being deleted cannot get a finalizer again, so it cannot be allocated from here on.
    await do.forget(claim.uid, nodes, None if claim.is_deleting else marks)


async def forget_elsewhere(do: Effects[SourceT], claim: Claim[SourceT], nodes: Sequence[str]) -> bool:
    """Takes out the records of an allocated claim on ``nodes``, none of which is where it is allocated.

    False: it is not allocated there any more, and nothing was done.

    A live read that says so, made after the mark, takes the fence's place: only a release clears that allocation, and
    takes out the record that goes with it.
    """
    marks = do.mark(nodes)
    live = await do.read(claim)
    if live is None or not live.is_allocated or live.node != claim.node:
        return False
    await do.forget(claim.uid, nodes, marks)
    return True


class GoneEffects(RecordEffects, Protocol):
    """What it takes to take out records of claims that may be gone."""

    async def alive(self) -> Collection[UID]:
        """The claims that exist at this moment, by a call to the API server."""
        ...


async def forget_gone(do: GoneEffects, node: str, uids: Sequence[UID], was_deleted: Callable[[UID], bool]) -> None:
    """Takes out the records on ``node`` of claims that are not in the cache, if they are indeed gone.

    A claim whose deletion was seen is gone for good, and needs no fence. Others went while no controller looked, or are
    newer than the cache.
    """
    marks = do.mark([node])
    unseen = [uid for uid in uids if not was_deleted(uid)]
    alive = await do.alive() if unseen else frozenset[UID]()
    for uid in uids:
        if uid not in alive:
            await do.forget(uid, [node], marks if uid in unseen else None)


async def restore(
    do: Effects[SourceT], claim: Claim[SourceT], node: str, record: Callable[[SourceT, Marks], Awaitable[None]]
) -> bool:
    """Writes the record of a claim that is allocated on ``node`` and has none there, or one that says otherwise.

    False: it is not allocated there any more, and nothing was done. The record has to say what ``record`` is given, the
    claim as it is at this moment: allocated again, it may have other devices than the cache shows. What another record
    said becomes free by that, so the live read and the mark take the fence's place, as in ``forget_elsewhere``.
    """
    marks = do.mark([node])
    live = await do.read(claim)
    if live is None or not live.is_allocated or live.node != node:
        return False  # the cache lags behind a deallocation
    await record(live.source, marks)
    return True

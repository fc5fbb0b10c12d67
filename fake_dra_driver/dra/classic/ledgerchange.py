"""What a write to the ledger of a node may do, and when: the part of the protocol that ``ledger`` carries out.

Pure, as ``dra.classic.protocol``, whose rules 1, 3 and 5 are kept here. A write is a compare-and-swap from a
``LedgerState`` to the entries that ``plan`` gives, with a higher revision.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.nodestate.sharing import Holding, Share, contested_devices
from fake_dra_driver.groupcommit import Pending
from fake_dra_driver.runtime.errors import RetryError

__all__ = ["LedgerChange", "LedgerChangedError", "LedgerMemory", "LedgerState", "plan"]

EntryT = TypeVar("EntryT")


class LedgerChangedError(RetryError):
    """Another writer changed the ledger of this node in between: look again, and start again."""


@dataclass(frozen=True, slots=True)
class LedgerState(Generic[EntryT]):
    """What a compare-and-swap compares."""

    uid: str
    # The entries alone would not do: they can come back to what they were. The revision alone would not do either: a
    # writer that does not know it, such as a person, may have been there.
    revision: str | None
    entries: Mapping[str, EntryT]


@dataclass(slots=True)
class LedgerMemory(Generic[EntryT]):
    """What a process knows about the ledger of one node. Nothing that a restart must not lose."""

    foreign_changes: int = 0
    """How many changes by others were seen; a mark is a value of this (rule 5)."""
    known: LedgerState[EntryT] | None = None
    """The state that was last seen or written here. While it is still this, no other writer has come."""

    def see(self, state: LedgerState[EntryT]) -> None:
        """To be told of every state that something is decided on."""
        if state != self.known:
            self.foreign_changes += 1
            self.known = state


@dataclass(frozen=True, slots=True)
class LedgerChange(Generic[EntryT]):
    """What one caller wants to be changed: all of it or nothing.

    An entry of None takes the claim's entry out; any other is put in its place. What is there for a claim is taken out
    or replaced only if the ``mark`` still holds; without one, it is taken out whatever others have done, and never
    replaced by other devices.
    """

    entries: Mapping[UID, EntryT | None]
    mark: int | None = None


def plan(
    node: str,
    entries: Mapping[str, EntryT],
    changes: Sequence[Pending[LedgerChange[EntryT]]],
    foreign_changes: int,
    holding_of: Callable[[EntryT], Holding],
    capacities: Mapping[Hashable, Share],
) -> Mapping[str, EntryT] | None:
    """The entries with the changes made; a change that cannot be made is settled with its error.

    None: nothing has to be written. Not so where all entries are there already: their revision has to be raised before
    a claim's status relies on them (rule 3).

    Args:
        node: the name of the node, for messages.
        entries: what is there.
        changes: in the order in which they are to be made.
        foreign_changes: as the process remembers them; what a mark is compared with.
        holding_of: what an entry gives of the node's devices.
        capacities: of the devices that claims share.
    """
    wanted = dict(entries)
    dirty = False
    for pending in changes:
        change, trial = pending.change, dict(wanted)
        try:
            for uid, entry in change.entries.items():
                if entry is None or change.mark is not None:
                    there = trial.pop(uid, None)
                    if there is not None and change.mark not in (None, foreign_changes):
                        raise LedgerChangedError(f"the ledger of node {node} was changed by another writer")
                if entry is not None:
                    _put(node, trial, uid, entry, holding_of, capacities)
        except LedgerChangedError as error:
            pending.settle(error)
            continue
        if trial == wanted and all(entry is None for entry in change.entries.values()):
            pending.settle()
            continue
        wanted, dirty = trial, True
    return wanted if dirty else None


def _put(
    node: str,
    entries: dict[str, EntryT],
    uid: UID,
    entry: EntryT,
    holding_of: Callable[[EntryT], Holding],
    capacities: Mapping[Hashable, Share],
) -> None:
    wanted = holding_of(entry)
    if uid in entries and list(holding_of(entries[uid]).items()) != list(wanted.items()):
        raise LedgerChangedError(f"claim {uid} holds other devices on node {node} by now")
    others = [holding_of(held) for other, held in entries.items() if other != uid]
    if contested_devices(wanted, others, capacities):
        raise LedgerChangedError(f"devices on node {node} were given to another claim in between")
    entries[uid] = entry

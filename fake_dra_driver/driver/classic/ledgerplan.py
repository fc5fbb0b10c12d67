"""What a write to the ledger of a node may do, and when: the part of the protocol that ``ledger`` carries out.

Pure, as ``dra.classic.protocol``, whose rules 1, 3 and 5 are kept here. A write is a compare-and-swap from a ``State``
to the value that ``plan`` gives, with a higher revision. The value alone would not do: it can come back to what it was.
The revision alone would not do either: a writer that does not know it may have been there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fake_dra_driver.api.fake import LEDGER_REVISION_ANNOTATION, AllocatedDevices, NodeAllocationState
from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.groupcommit import Pending
from fake_dra_driver.runtime.errors import RetryError

__all__ = ["LedgerChange", "LedgerChangedError", "Memory", "State", "plan"]


class LedgerChangedError(RetryError):
    """Somebody else changed the ledger of this node in between: look again, and start again."""


@dataclass(frozen=True, slots=True)
class State:
    """What a compare-and-swap compares."""

    uid: str
    revision: str | None
    claims: Mapping[str, Any]

    @classmethod
    def of(cls, nas: NodeAllocationState) -> "State":
        """Reads it from the node's object."""
        claims = {uid: entry.to_wire() for uid, entry in nas.spec.allocated_claims.items()}
        return cls(nas.uid, nas.metadata.annotations.get(LEDGER_REVISION_ANNOTATION), claims)


@dataclass(slots=True)
class Memory:
    """What a process knows about the ledger of one node. Nothing that a restart must not lose."""

    foreign_changes: int = 0
    """How many changes by others were seen; a mark is a value of this (rule 5)."""
    known: State | None = None
    """The state that was last seen or written here. Between two own writes nobody else wrote when it is still this."""

    def see(self, state: State) -> None:
        """To be told of every state that something is decided on."""
        if state != self.known:
            self.foreign_changes += 1
            self.known = state


@dataclass(frozen=True, slots=True)
class LedgerChange:
    """What one caller wants to be changed: all of it or nothing.

    An entry of None takes the claim's entry out; any other is put in its place. What is there for a claim is taken out
    or replaced only if the ``mark`` still holds; without one, it is taken out whatever others have done, and never
    replaced by other devices.
    """

    entries: Mapping[UID, AllocatedDevices | None]
    mark: int | None = None


def plan(
    node: str, claims: Mapping[str, Any], changes: Sequence[Pending[LedgerChange]], foreign_changes: int
) -> Mapping[str, Any] | None:
    """The ledger with the changes made; one that cannot be made is settled with its error. None: nothing to write.

    An entry that is there already is a reason to write all the same: its revision has to be raised before anybody
    relies on it (rule 3).
    """
    wanted = dict(claims)
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
                    _put(node, trial, uid, entry.to_wire())
        except LedgerChangedError as error:
            pending.settle(error)
            continue
        if trial == wanted and not any(change.entries.values()):
            pending.settle()
            continue
        wanted, dirty = trial, True
    return wanted if dirty else None


def _put(node: str, claims: dict[str, Any], uid: UID, entry: Mapping[str, Any]) -> None:
    wanted = _uuids(entry)
    if uid in claims and _uuids(claims[uid]) != wanted:
        raise LedgerChangedError(f"claim {uid} holds other devices on node {node} by now")
    taken = {uuid for other, held in claims.items() if other != uid for uuid in _uuids(held)}
    if taken.intersection(wanted):
        raise LedgerChangedError(f"devices on node {node} were given to another claim in between")
    claims[uid] = entry


def _uuids(entry: Mapping[str, Any]) -> Sequence[str]:
    return [device.get("uuid", "") for device in (entry.get("fake") or {}).get("devices") or ()]

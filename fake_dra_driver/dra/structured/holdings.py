"""Which devices of a node claims hold, as ``spec.allocatedClaims`` of its NodeAllocationState shows it. Pure.

With adminAccess a claim holds nothing: the scheduler gives the devices to others all the same. What is shown is what
the scheduler has written; whether a claim's parameters can be used is for the plugin of the node to say.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.structured.claims import AllocatedClaim, results_of
from fake_dra_driver.dra.structured.config import entries_of
from fake_dra_driver.dra.structured.controllerdriver import EntryMaker

__all__ = ["Holdings", "holdings"]

EntryT = TypeVar("EntryT")

MAX_DEVICES: Final = 4096
"""Most devices that are shown of one node: less than 512 KiB, a third of what etcd takes for an object. A node has far
fewer; only devices that several claims share can come near."""


@dataclass(frozen=True, slots=True)
class Holdings(Generic[EntryT]):
    """What claims hold of a node."""

    entries: Mapping[str, EntryT]
    """By the UID of the claim."""
    left_out: int
    """Claims for which there was no room."""


def holdings(
    claims: Iterable[v1.ResourceClaim], driver: str, node: str, entry_of: EntryMaker[EntryT]
) -> Holdings[EntryT]:
    """What these claims hold of the driver's devices on a node.

    Args:
        claims: those that have devices there.
        driver: its name.
        node: its name, which is also that of its pool.
        entry_of: shows what one of them holds.
    """
    entries: dict[str, EntryT] = {}
    room, left_out = MAX_DEVICES, 0
    for claim in sorted(claims, key=lambda claim: claim.uid):  # where there is too little room, always for the same
        held = tuple(result for result in results_of(claim, driver, node) if not result.admin_access)
        if len(held) > room:
            left_out += 1
        elif held:
            room -= len(held)
            entries[claim.uid] = entry_of(AllocatedClaim(claim, held, entries_of(claim, driver)))
    return Holdings(entries, left_out)

"""Which devices of a node claims hold, as ``spec.allocatedClaims`` of its NodeAllocationState shows it. Pure.

With adminAccess a claim holds nothing: the scheduler gives the devices to others all the same. What is shown is what
the scheduler has written; whether a claim's parameters can be used is for the plugin of the node to say.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.structured.claims import AllocatedClaim, results_of
from fake_dra_driver.dra.structured.config import entries_of
from fake_dra_driver.dra.structured.controllerdriver import EntryMaker

__all__ = ["Holdings", "holdings"]

EntryT = TypeVar("EntryT")

MAX_BYTES: Final = 512 * 1024
"""For the entries of one node, a third of what etcd takes for an object. Few nodes come near: those with devices that
very many claims share, or with claims that say much about them."""


@dataclass(frozen=True, slots=True)
class Holdings(Generic[EntryT]):
    """What claims hold of a node."""

    entries: Mapping[str, EntryT]
    """By the UID of the claim."""
    left_out: int
    """Claims for which there was no room."""


def holdings(
    claims: Iterable[v1.ResourceClaim],
    driver: str,
    node: str,
    entry_of: EntryMaker[EntryT],
    to_wire: Callable[[EntryT], object],
) -> Holdings[EntryT]:
    """What these claims hold of the driver's devices on a node.

    Args:
        claims: those that have devices there.
        driver: its name.
        node: its name, which is also that of its pool.
        entry_of: shows what one of them holds.
        to_wire: makes JSON of that.
    """
    entries: dict[str, EntryT] = {}
    room, left_out = MAX_BYTES, 0
    for claim in sorted(claims, key=lambda claim: claim.uid):  # where there is too little room, always for the same
        held = tuple(result for result in results_of(claim, driver, node) if not result.admin_access)
        if not held:
            continue
        entry = entry_of(AllocatedClaim(claim, held, entries_of(claim, driver)))
        size = len(json.dumps({claim.uid: to_wire(entry)}))
        if size > room:
            left_out += 1
        else:
            room -= size
            entries[claim.uid] = entry
    return Holdings(entries, left_out)

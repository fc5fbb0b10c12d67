"""The reasons of Events about NodeAllocationState objects as the controller of structured DRA writes them."""

from fake_dra_driver.dra.reason import Reason

__all__ = ["ALLOCATED_CLAIMS_INCOMPLETE", "ALLOCATED_CLAIMS_RESTORED", "LEFTOVER_ENTRIES_REMOVED", "STRUCTURED_REASONS"]

ALLOCATED_CLAIMS_RESTORED = Reason(
    "AllocatedClaimsRestored",
    "repair",
    "Warning",
    "NodeAllocationState",
    "Another program, or a person, has changed allocatedClaims, which was written again as the claims have it.",
    "Nothing, unless it happens often: then find out who edits NodeAllocationState objects.",
)
LEFTOVER_ENTRIES_REMOVED = Reason(
    "LeftoverEntriesRemoved",
    "repair",
    "Normal",
    "NodeAllocationState",
    "allocatedClaims had entries of claims that no longer exist, such as those of before an upgrade of Kubernetes.",
    "Nothing.",
)
ALLOCATED_CLAIMS_INCOMPLETE = Reason(
    "AllocatedClaimsIncomplete",
    "notice",
    "Warning",
    "NodeAllocationState",
    "More claims hold devices of the node than the object has room for; some of them are not in allocatedClaims.",
    "Nothing: nothing is decided by allocatedClaims. The claims themselves have it all.",
)

STRUCTURED_REASONS: tuple[Reason, ...] = (
    ALLOCATED_CLAIMS_RESTORED,
    LEFTOVER_ENTRIES_REMOVED,
    ALLOCATED_CLAIMS_INCOMPLETE,
)
"""About NodeAllocationState objects."""

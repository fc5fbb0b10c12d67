"""The reasons of Events about the ledger."""

from fake_dra_driver.dra.reason import Reason

__all__ = [
    "DEVICES_HELD",
    "DEVICES_UNKNOWN",
    "INVALID_STATE",
    "LEDGER_ENTRY_REMOVED",
    "LEDGER_ENTRY_RESTORED",
    "LEDGER_REASONS",
]

DEVICES_HELD = Reason(
    "DevicesHeldByAnotherClaim",
    "refusal",
    "Warning",
    "ResourceClaim",
    "A claim is allocated devices that are on record for another claim: another program must have caused it.",
    "Delete the pods of one of the two claims, so that it gets other devices. Running pods are left alone.",
)
DEVICES_UNKNOWN = Reason(
    "DevicesUnknown",
    "refusal",
    "Warning",
    "ResourceClaim",
    "A claim is allocated, and nothing says which devices it has.",
    "Delete its pods, so that it is allocated again.",
)
INVALID_STATE = Reason(
    "InvalidState",
    "refusal",
    "Warning",
    "NodeAllocationState",
    "The object was edited into something that this driver cannot read; nothing is allocated on the node.",
    "Correct the fields that the message names.",
)
LEDGER_ENTRY_REMOVED = Reason(
    "LedgerEntryRemoved",
    "repair",
    "Normal",
    "NodeAllocationState",
    "Devices were on record for a claim that no longer exists, and are free again.",
    "Nothing, unless it happens often: then find out who removes finalizers from claims.",
)
LEDGER_ENTRY_RESTORED = Reason(
    "LedgerEntryRestored",
    "repair",
    "Warning",
    "ResourceClaim",
    "An allocated claim was missing from its node's record, or had other devices there, and was restored.",
    "Nothing, unless it happens often: then find out who edits or deletes NodeAllocationState objects.",
)

LEDGER_REASONS: tuple[Reason, ...] = (
    *(DEVICES_HELD, DEVICES_UNKNOWN, INVALID_STATE),
    *(LEDGER_ENTRY_REMOVED, LEDGER_ENTRY_RESTORED),
)

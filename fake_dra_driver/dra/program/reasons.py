"""Every reason of a driver's Events: those of the protocols, of each mode's controller, and of its nodes."""

from fake_dra_driver.dra.classic.reason import LEDGER_REASONS
from fake_dra_driver.dra.node.reason import NODE_REASONS
from fake_dra_driver.dra.reason import PROTOCOL_REASONS, Reason
from fake_dra_driver.dra.structured.reason import STRUCTURED_REASONS
from fake_dra_driver.dra.structured.slicereason import SLICE_REASONS

__all__ = ["REASONS"]

REASONS: tuple[Reason, ...] = (*PROTOCOL_REASONS, *LEDGER_REASONS, *STRUCTURED_REASONS, *NODE_REASONS, *SLICE_REASONS)
"""Refusals, repairs and notices alike; of a driver whose devices are always the same."""

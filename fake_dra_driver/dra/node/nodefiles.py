"""What a node keeps on its disk about prepared claims."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Generic

from fake_dra_driver.dra.node.cdi import CdiFolder
from fake_dra_driver.dra.node.checkpoint import Checkpoint
from fake_dra_driver.dra.node.metadata import ClaimMetadata, NoClaimMetadata
from fake_dra_driver.dra.node.prepared import PreparedT

__all__ = ["NodeFiles"]


def _nothing(_uid: str) -> AbstractAsyncContextManager[None]:
    return nullcontext()


@dataclass(frozen=True, slots=True)
class NodeFiles(Generic[PreparedT]):
    """The truth, which outlives a reboot, and what container runtimes read."""

    checkpoint: Checkpoint[PreparedT]
    cdi: CdiFolder[PreparedT]
    hold: Callable[[], AbstractAsyncContextManager[None]] = nullcontext
    """Keeps other processes from both while a block runs (``FolderLock.hold``), and has the checkpoint read again first
    if one of them has used it. Without it, this is the only process. To be held before the lock of a claim is."""
    hold_claim: Callable[[str], AbstractAsyncContextManager[None]] = _nothing
    """Keeps other processes from the devices of a claim, by its UID, while a block runs (``ClaimLock.hold``). To be
    held outside of ``hold``, and only where a driver does something to its devices."""
    metadata: ClaimMetadata = field(default_factory=NoClaimMetadata)

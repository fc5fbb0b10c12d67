"""What a node keeps on its disk about prepared claims."""

from dataclasses import dataclass

from fake_dra_driver.device.cdi import CdiFolder
from fake_dra_driver.device.checkpoint import Checkpoint

__all__ = ["NodeFiles"]


@dataclass(frozen=True, slots=True)
class NodeFiles:
    """The truth, which outlives a reboot, and what container runtimes read."""

    checkpoint: Checkpoint
    cdi: CdiFolder

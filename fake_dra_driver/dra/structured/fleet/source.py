"""What a fleet's publisher asks about its nodes."""

from dataclasses import dataclass
from typing import Protocol

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.structured.pool import Pool

__all__ = ["FleetPool", "FleetSource"]


@dataclass(frozen=True, slots=True)
class FleetPool:
    """What one node of the fleet offers."""

    pool: Pool
    """On that node alone: its ``node_name`` is the node's. Parts that several nodes have in common, such as attributes
    and capacities, are encoded once if they are the same objects in the pools of all these nodes."""
    node_uid: UID
    """Of the Node that owns the slices, so that they go with it and not with a successor of the same name."""


class FleetSource(Protocol):
    """Knows the nodes of a fleet, and what each offers.

    Whoever implements it calls ``FleetPublisher.changed`` for each node that is there, once the publisher exists, and
    again whenever its answer about that node has changed.
    """

    def pool(self, node: str) -> FleetPool | None:
        """What the node offers now; None if it does not belong to the fleet, or not any more.

        A node of which nothing is known yet, as while caches fill, must not be asked for: at None, the slices that the
        publisher has made for a Node that lives are deleted.

        Called in the event loop, and often: it must not wait. What it returns is not kept.

        Raises:
            RuntimeLayerError: it cannot be said. What is published stays; a TerminalError is not tried again before the
                next change.
        """
        ...

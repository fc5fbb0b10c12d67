"""What a fleet's publisher asks about its nodes."""

from dataclasses import dataclass
from typing import Protocol

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.structured.featuregates import DroppedFields
from fake_dra_driver.dra.structured.pool import Pool

__all__ = ["FleetPool", "FleetSource", "Unchanged"]


@dataclass(frozen=True, slots=True)
class FleetPool:
    """What one node of the fleet offers."""

    pool: Pool
    """On that node alone: its ``node_name`` is the node's. Parts that several nodes have in common, such as attributes
    and capacities, are encoded once if they are the same objects in the pools of all these nodes."""
    node_uid: UID
    """Of the Node that owns the slices, so that they go with it and not with a successor of the same name."""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """It is not known what the node offers: what is published stays as it is."""


class FleetSource(Protocol):
    """Knows the nodes of a fleet, and what each offers.

    Whoever implements it calls ``FleetPublisher.changed`` for each node that is there, once the publisher exists, and
    again whenever its answer about that node has changed.
    """

    async def pool(self, node: str) -> FleetPool | Unchanged | None:
        """What the node offers now; None if it does not belong to the fleet, or not any more.

        At None, the slices that the publisher has made for a Node that lives are deleted. So ``Unchanged`` it is while
        caches fill. What is returned is not kept.

        Raises:
            RuntimeLayerError: it cannot be said. What is published stays, and the node is looked at again; after a
                TerminalError not before the next change.
        """
        ...

    def fields_dropped(self, dropped: DroppedFields) -> None:
        """The API server keeps only a part of what slices should say. Told once for the same fields, to all nodes."""
        ...

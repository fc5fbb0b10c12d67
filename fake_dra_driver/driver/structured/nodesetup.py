"""A node's parts in structured DRA put together: what prepares its claims, and what publishes its devices."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Self

from fake_dra_driver.api.fake import DRIVER_NAME
from fake_dra_driver.api.resource.structured import ResourceApi
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.dra.node.checkpoint import Checkpoint
from fake_dra_driver.dra.node.health import DeviceHealth
from fake_dra_driver.dra.node.latebinding import NodeMode
from fake_dra_driver.dra.node.setup import NodeParts
from fake_dra_driver.dra.structured.pool import Pool
from fake_dra_driver.dra.structured.publisher import SlicePublisher
from fake_dra_driver.dra.structured.sliceevents import SliceEvents
from fake_dra_driver.dra.structured.status import DeviceStatusWriter
from fake_dra_driver.driver.node.planning import FakePlanner
from fake_dra_driver.driver.node.prepared import FakePreparedDevice
from fake_dra_driver.driver.structured.claimlookup import StructuredClaimLookup
from fake_dra_driver.driver.structured.inventory import healthy_devices, slice_devices
from fake_dra_driver.driver.structured.nodedriver import MetadataMaker, StructuredNodeDriver
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.clock import utc_now
from fake_dra_driver.runtime.events import EventSink

__all__ = ["StructuredNode"]


@dataclass(frozen=True, slots=True)
class StructuredNode:
    """What a node does in a cluster of structured DRA, beside what it does in any."""

    mode: NodeMode[FakePreparedDevice]
    """For ``NodeParts.bind``."""
    publisher: SlicePublisher
    """Its ``run`` publishes the node's devices."""
    reports: DeviceStatusWriter
    """Its controller writes what is prepared to the status of claims."""
    health: Sequence[DeviceHealth]
    """For ``HealthReports.report``."""

    @classmethod
    def of(
        cls,
        parts: NodeParts[FakePreparedDevice],
        node: str,
        inventory: Sequence[Device],
        checkpoint: Checkpoint[FakePreparedDevice],
        *,
        api: ResourceApi,
        cache: Cache,
        client: Client,
        events: EventSink,
        is_superseded: Callable[[], Awaitable[bool]],
        metadata: MetadataMaker | None = None,
    ) -> Self:
        """Wires the parts to each other. To be called in a running loop.

        Args:
            parts: of the same node.
            node: its name.
            inventory: its devices.
            checkpoint: what is prepared there.
            api: in the version that the cluster serves.
            cache: gets an informer for the node's slices.
            client: reads claims and writes slices.
            events: writes Events.
            is_superseded: whether a newer process of the plugin serves the node.
            metadata: makes files about devices for their containers; None: there are to be none.

        Raises:
            PoolError: the API server would not take the devices.
        """
        planner = FakePlanner(inventory, lambda: checkpoint.claims)
        told = SliceEvents(events, node)
        reports = DeviceStatusWriter(client, api, DRIVER_NAME, node, told.status_not_written)
        lookup = StructuredClaimLookup(node, inventory, planner, lambda: checkpoint.claims, client, api, reports)
        publisher = SlicePublisher(api, DRIVER_NAME, node, cache, client, told, is_superseded=is_superseded)
        publisher.publish([Pool(node, slice_devices(inventory), node_name=node)])
        return cls(
            mode=NodeMode(lookup, StructuredNodeDriver(parts.preparer, lookup, reports, metadata)),
            publisher=publisher,
            reports=reports,
            health=healthy_devices(node, inventory, utc_now()),
        )

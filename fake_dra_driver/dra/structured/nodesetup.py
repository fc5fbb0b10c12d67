"""A node's parts in structured DRA put together: what prepares its claims, and what publishes its devices."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Generic, Self

from loguru import logger

from fake_dra_driver.api.resource.structured import ResourceApi
from fake_dra_driver.dra.node.health import HealthReports
from fake_dra_driver.dra.node.latebinding import NodeMode
from fake_dra_driver.dra.node.prepared import PreparedClaim, PreparedT
from fake_dra_driver.dra.node.setup import NodeParts
from fake_dra_driver.dra.structured.claimlookup import StructuredClaimLookup
from fake_dra_driver.dra.structured.featuregates import DroppedFields
from fake_dra_driver.dra.structured.nodedriver import MetadataMaker, StructuredNodeDriver
from fake_dra_driver.dra.structured.pool import Pool, PoolError
from fake_dra_driver.dra.structured.pooldevices import PoolDevices
from fake_dra_driver.dra.structured.publisher import SlicePublisher
from fake_dra_driver.dra.structured.sliceevents import SliceEvents
from fake_dra_driver.dra.structured.status import DeviceStatusWriter
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.events import EventSink

__all__ = ["StructuredNode"]

log = logger.bind(component="slices")


@dataclass(frozen=True, slots=True)
class StructuredNode(Generic[PreparedT]):
    """What a node does in a cluster of structured DRA, beside what it does in any."""

    mode: NodeMode[PreparedT]
    """For ``NodeParts.bind``."""
    publisher: SlicePublisher
    """Its ``run`` publishes the node's devices."""
    reports: DeviceStatusWriter
    """Its controller writes what is prepared to the status of claims."""
    node: str
    devices: PoolDevices[PreparedT]
    lookup: StructuredClaimLookup[PreparedT]
    health: HealthReports
    """Is told how healthy the devices are."""

    @classmethod
    def of(
        cls,
        parts: NodeParts[PreparedT],
        node: str,
        driver: str,
        devices: PoolDevices[PreparedT],
        prepared: Callable[[], Mapping[str, PreparedClaim[PreparedT]]],
        *,
        api: ResourceApi,
        cache: Cache,
        client: Client,
        events: EventSink,
        health: HealthReports,
        is_superseded: Callable[[], Awaitable[bool]],
        metadata: MetadataMaker | None = None,
    ) -> Self:
        """Wires the parts to each other, and offers the devices. To be called in a running loop.

        Args:
            parts: of the same node.
            node: its name.
            driver: name of the driver.
            devices: those of the node.
            prepared: what is prepared there at this moment, by UID.
            api: in the version that the cluster serves.
            cache: gets an informer for the node's slices.
            client: reads claims and writes slices.
            events: writes Events.
            health: tells the kubelet how healthy the devices are.
            is_superseded: whether a newer process of the plugin serves the node.
            metadata: makes files about devices for their containers; None: there are to be none.

        Raises:
            PoolError: the API server would not take the devices.
        """
        told = SliceEvents(events, node, lambda dropped: found.dropped(dropped))
        reports = DeviceStatusWriter(client, api, driver, node, told.status_not_written)
        lookup = StructuredClaimLookup(driver, node, devices, prepared, client, api, reports)
        found = cls(
            mode=NodeMode(lookup, StructuredNodeDriver(parts.preparer, lookup, devices, reports, metadata)),
            publisher=SlicePublisher(
                api,
                driver,
                node,
                cache,
                client,
                told,
                is_superseded=is_superseded,
                server_version=client.discovery.server_version,
            ),
            reports=reports,
            node=node,
            devices=devices,
            lookup=lookup,
            health=health,
        )
        found.publisher.publish([found.pool()])
        health.report(devices.health())
        return found

    def refresh(self) -> None:
        """Takes over what has changed about the devices: slices, health and claims follow. Does not raise."""
        try:
            self.publisher.publish([self.pool()])
        except PoolError as error:
            # What was published stays. Those who describe devices check them first, and say more about it.
            log.error("The devices cannot be published as they are now", error=str(error))
        self.health.report(self.devices.health())
        self.lookup.report_changes()

    def dropped(self, dropped: DroppedFields) -> None:
        """The API server does not keep some fields of the slices."""
        if self.devices.fields_dropped(dropped):
            self.refresh()

    def pool(self) -> Pool:
        """The devices, as they are to be offered now."""
        return Pool(
            self.node,
            tuple(self.devices.slice_devices()),
            node_name=self.node,
            shared_counters=tuple(self.devices.counter_sets()),
        )

"""The kubelet plugin as a program: ``kubelet-plugin``."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, Protocol

from loguru import logger

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.dra.classic.claimlookup import ClassicClaimLookup, HeldDevices
from fake_dra_driver.dra.drivernames import DriverNames
from fake_dra_driver.dra.node.cdi import CdiFolder
from fake_dra_driver.dra.node.checkpoint import Checkpoint
from fake_dra_driver.dra.node.claimlock import ClaimLock
from fake_dra_driver.dra.node.files import DiskFiles
from fake_dra_driver.dra.node.folderlock import FolderLock
from fake_dra_driver.dra.node.health import HealthReports
from fake_dra_driver.dra.node.interface import KUBELETS
from fake_dra_driver.dra.node.kubeletplugin import KubeletPlugin
from fake_dra_driver.dra.node.latebinding import NodeMode
from fake_dra_driver.dra.node.metrics import PrepareMetrics
from fake_dra_driver.dra.node.nodedriver import PreparerDriver
from fake_dra_driver.dra.node.nodefiles import NodeFiles
from fake_dra_driver.dra.node.prepared import PreparedClaim, PreparedT
from fake_dra_driver.dra.node.preparedmodel import PreparedModel
from fake_dra_driver.dra.nodestate.layout import DeviceT, EntryT, NodeStateLayout, StateT
from fake_dra_driver.dra.nodestate.nodeparts import StateNodeParts
from fake_dra_driver.dra.nodestate.published import Restore
from fake_dra_driver.dra.program.mode import ModeSetup
from fake_dra_driver.dra.program.parts import make_parts
from fake_dra_driver.dra.program.settings import KubeletPluginSettings
from fake_dra_driver.dra.reason import Reason
from fake_dra_driver.dra.servedapi import DraApi
from fake_dra_driver.dra.structured.metadata import DeviceMetadata
from fake_dra_driver.hosting.process import shared_process
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.errors import RuntimeLayerError
from fake_dra_driver.runtime.events import EventSink
from fake_dra_driver.runtime.log import setup_logging
from fake_dra_driver.runtime.metrics import Metrics

if TYPE_CHECKING:
    from fake_dra_driver.dra.structured.pooldevices import PoolDevices

__all__ = ["LiveDevices", "NodeAccess", "PluginDevices", "run_kubelet_plugin"]

RETIRE_SECONDS: Final = 3.0
"""For the write of NotReady when the plugin stops: an API server that is away must not hold up the stop."""
MAX_CONNECTIONS: Final = 16
"""To the API server. A node whose pods all start at once asks about all of their claims at once: with a connection for
each of 100, that were as many TLS handshakes, and 30 MiB more of memory on every node."""
MAX_CONNECTIONS_OF_ONE_OF_MANY: Final = 2
"""The same where the plugins of many nodes share a process: hundreds of them start at once."""

log = logger.bind(component="program")

Prepared = Callable[[], Mapping[str, PreparedClaim[PreparedT]]]
"""What is prepared on the node at this moment, by UID."""


class LiveDevices(Protocol):
    """Devices that change while the plugin runs."""

    async def run(self) -> None:
        """Looks for changes for as long as the plugin runs."""
        ...

    def subscribe(self, changed: Callable[[], None]) -> None:
        """``changed`` is called after each change, also of ``refusal``."""
        ...

    def report_to(self, tell: Callable[[Reason, str], None]) -> None:
        """``tell`` tells people about the devices, with Events about the object of the node."""
        ...

    def refusal(self) -> str:
        """What is wrong with the devices, so that those that were known before are kept; empty when nothing is."""
        ...

    def problem(self) -> str | None:
        """Why the node is not ready; None when it is."""
        ...


@dataclass(frozen=True, slots=True)
class NodeAccess(Generic[PreparedT]):
    """What the devices of a node can use of the program that serves them."""

    node: str
    """Its name."""
    namespace: str
    """Of the node's object."""
    api: DraApi
    """The mode of DRA."""
    client: Client
    cache: Cache
    """It runs: an informer that is made here is filled at once."""
    events: EventSink
    metrics: Metrics
    prepared: Prepared[PreparedT]


class PluginDevices(Protocol[StateT, DeviceT, EntryT, PreparedT]):
    """The seam: the devices of one node, for either mode of DRA."""

    names: DriverNames
    reasons: Sequence[Reason]
    """Of all Events of the driver."""
    layout: NodeStateLayout[StateT, DeviceT, EntryT, PreparedT]
    """How the object of the node shows them."""
    model: PreparedModel[PreparedT]
    """What they are to containers, and in the checkpoint."""
    live: LiveDevices | None = None
    """Tells of their changes; None where there are none."""

    async def start(self) -> None:
        """Called once, before anything is connected to. Raises RuntimeLayerError: the plugin cannot start."""
        return

    async def connect(self, access: NodeAccess[PreparedT]) -> None:  # noqa: ARG002 - a default
        """Called once, when the API server has answered, and before anything about the devices is published.

        Returns once it is known which devices there are; that may take as long as it needs. What takes longer than
        that, ``LiveDevices.run`` does, which begins earlier.
        """
        return

    def inventory(self) -> Sequence[DeviceT]:
        """Those that the node has at this moment."""
        ...

    def restore(self, prepared: Prepared[PreparedT]) -> Restore[StateT, PreparedT]:
        """Makes devices of what the object of the node lists as prepared."""
        ...

    def held(self, prepared: Prepared[PreparedT]) -> HeldDevices[EntryT, PreparedT]:
        """Makes devices of what claims hold in classic DRA."""
        ...

    def pool(self, prepared: Prepared[PreparedT]) -> "PoolDevices[PreparedT]":
        """Offers the devices in structured DRA, and makes devices of what claims were allocated of them."""
        ...

    def annotations(self) -> Mapping[str, str]:
        """What else is to be said of the devices, in annotations of the node's object. Empty texts remove one."""
        return {}

    def is_withheld(self) -> bool:
        """Whether the plugin is to be unknown to the kubelet at this moment. ``live`` tells of changes."""
        return False

    def doing(self, claim_uid: str) -> str:  # noqa: ARG002 - a default
        """What takes long for a claim, in words for the kubelet; empty where that is not known."""
        return ""


async def run_kubelet_plugin(
    settings: KubeletPluginSettings, devices: PluginDevices[StateT, DeviceT, EntryT, PreparedT]
) -> int:
    """Serves the devices of one node until SIGTERM or SIGINT. Returns the exit status.

    Claims that are already prepared are served from the checkpoint, even while the API server is away.

    Args:
        settings: of the program.
        devices: of the node.

    Raises:
        RuntimeLayerError: no credentials, an address or a socket that cannot be used.
        OSError: a folder of ours cannot be used.
    """
    setup_logging(settings.logging_format, settings.verbosity, context={"node": settings.node_name})
    await devices.start()
    names, model, layout = devices.names, devices.model, devices.layout
    parts = await make_parts(
        settings,
        names,
        devices.reasons,
        names.kubelet_plugin,
        "kubelet-plugin",
        host=settings.node_name,
        max_connections=MAX_CONNECTIONS if shared_process.get() is None else MAX_CONNECTIONS_OF_ONE_OF_MANY,
    )
    key = NamespacedName(settings.namespace, settings.node_name)
    files = DiskFiles()
    checkpoint = Checkpoint(files, settings.checkpoint, model)
    cdi = CdiFolder(files, settings.cdi_root, model)
    lock = FolderLock(settings.plugin_dir, lambda: node.refresh())
    metadata = DeviceMetadata(files, settings.plugin_dir, settings.cdi_root, names.driver)
    states = parts.cache.informer(
        layout.kind, namespace=settings.namespace, field_selector=f"metadata.name={settings.node_name}"
    )

    def prepared() -> Mapping[str, PreparedClaim[PreparedT]]:
        return checkpoint.claims

    classic = ClassicClaimLookup(names.driver, layout, key, states, parts.client, devices.held(prepared))

    def is_serving() -> bool:
        return plugin.not_ready_reason() is None

    async def has_successor() -> bool:
        return await plugin.has_successor()

    node = StateNodeParts(
        layout=layout,
        state_key=key,
        inventory=devices.inventory,
        problem=str if devices.live is None else devices.live.refusal,
        annotations=devices.annotations,
        model=model,
        restore=devices.restore(prepared),
        files=NodeFiles(checkpoint, cdi, lock.hold, ClaimLock(settings.plugin_dir).hold, metadata),
        classic=classic.devices,
        states=states,
        client=parts.client,
        events=parts.events,
        is_serving=is_serving,
        has_successor=has_successor,
    )

    def registered() -> None:
        node.node_events.registration_changed(plugin.registration)
        node.publish()

    health = HealthReports()
    plugin = KubeletPlugin(
        names.driver,
        settings.sockets,
        KUBELETS,
        node.driver,
        grace_seconds=settings.grace_period_seconds / 2,
        call_observer=PrepareMetrics(parts.metrics, settings.node_name, model, prepared, is_serving),
        on_failure=node.claim_events.call_failed,
        on_registration=registered,
        on_socket_restored=node.node_events.socket_restored,
        start=node.start,
        lock=lock,
        health=health,
        doing=devices.doing,
    )
    mode = ModeSetup(parts, settings.resource_api_version)

    async def set_up() -> None:
        found = await mode.find(manager)
        await devices.connect(
            NodeAccess(
                node=settings.node_name,
                namespace=settings.namespace,
                api=found,
                client=parts.client,
                cache=parts.cache,
                events=parts.events,
                metrics=parts.metrics,
                prepared=prepared,
            )
        )
        api = found.structured
        if api is None:
            node.bind(NodeMode(classic, PreparerDriver(node.preparer, classic.devices)))
            return
        from fake_dra_driver.dra.structured.nodesetup import StructuredNode

        structured = StructuredNode.of(
            node,
            settings.node_name,
            names.driver,
            devices.pool(prepared),
            prepared,
            api=api,
            cache=parts.cache,
            client=parts.client,
            events=parts.events,
            health=health,
            is_superseded=plugin.is_superseded,
            metadata=metadata if settings.device_metadata else None,
        )
        node.bind(structured.mode)
        if devices.live is not None:
            devices.live.subscribe(structured.refresh)
        if parts.healthz is not None:
            parts.healthz.add_readyz("resourceslices", structured.publisher.not_published_reason)
        manager.add_runnable("resourceslices", structured.publisher.run)
        manager.add_controller(structured.reports.controller)

    async def retire_at_the_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            try:
                async with asyncio.timeout(RETIRE_SECONDS):
                    await node.publisher.retire()
            except (RuntimeLayerError, TimeoutError) as error:
                log.warning("NodeAllocationState could not be set to NotReady", error=str(error) or "no answer in time")

    if parts.healthz is not None:
        parts.healthz.add_readyz("registration", plugin.not_ready_reason)
    manager = parts.manager(settings)
    manager.use_setup(set_up)
    if settings.sockets.is_shared:
        # What is added later ends earlier. Two instances that stop together, as when the driver is uninstalled during
        # an update, would take each other for the one that goes on, as long as the sockets of both are there.
        manager.add_runnable("retire", retire_at_the_end, needs_caches=False)
    manager.add_runnable("kubelet-plugin", plugin.run, needs_caches=False)
    if not settings.sockets.is_shared:
        manager.add_runnable("retire", retire_at_the_end)
    if devices.live is not None:
        devices.live.report_to(node.node_events.tell)
        devices.live.subscribe(node.publish)
        devices.live.subscribe(lambda: plugin.withhold(is_withheld=devices.is_withheld()))
        if parts.healthz is not None:
            parts.healthz.add_readyz("devices", devices.live.problem)
        manager.add_runnable("devices", devices.live.run, needs_caches=False)
    for controller in node.controllers:
        manager.add_controller(controller)
    await manager.run()
    return 0

"""The kubelet plugin as a program: what ``fake-dra-driver kubelet-plugin`` runs."""

import asyncio
from typing import Final

from loguru import logger

from fake_dra_driver.api.fake import DRIVER_NAME, NodeAllocationState
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.device.inventory import make_inventory
from fake_dra_driver.dra.node.cdi import CdiFolder
from fake_dra_driver.dra.node.checkpoint import Checkpoint
from fake_dra_driver.dra.node.files import DiskFiles
from fake_dra_driver.dra.node.folderlock import FolderLock
from fake_dra_driver.dra.node.health import HealthReports
from fake_dra_driver.dra.node.interface import KUBELETS
from fake_dra_driver.dra.node.kubeletplugin import KubeletPlugin
from fake_dra_driver.dra.node.latebinding import NodeMode
from fake_dra_driver.dra.node.metrics import PrepareMetrics
from fake_dra_driver.dra.node.nodedriver import PreparerDriver
from fake_dra_driver.dra.node.nodefiles import NodeFiles
from fake_dra_driver.dra.structured.metadata import DeviceMetadata
from fake_dra_driver.driver.classic.helddevices import make_claim_lookup
from fake_dra_driver.driver.node.fakenode import FakeNodeParts
from fake_dra_driver.driver.node.planning import FakePlanner
from fake_dra_driver.driver.node.preparedmodel import FakePreparedModel
from fake_dra_driver.driver.programs.mode import ModeSetup
from fake_dra_driver.driver.programs.parts import make_parts
from fake_dra_driver.driver.programs.settings import KubeletPluginSettings
from fake_dra_driver.runtime.errors import RuntimeLayerError
from fake_dra_driver.runtime.log import setup_logging

__all__ = ["run_kubelet_plugin"]

RETIRE_SECONDS: Final = 3.0
"""For the write of NotReady when the plugin stops: an API server that is away must not hold up the stop."""
MAX_CONNECTIONS: Final = 16
"""To the API server. A node whose pods all start at once asks about all of their claims at once: with a connection for
each of 100, that were as many TLS handshakes, and 30 MiB more of memory on every node."""

log = logger.bind(component="program")


async def run_kubelet_plugin(settings: KubeletPluginSettings) -> int:
    """Serves the devices of one node until SIGTERM or SIGINT. Returns the exit status.

    Claims that are already prepared are served from the checkpoint, even while the API server is away.

    Raises:
        RuntimeLayerError: no credentials, an address or a socket that cannot be used.
        OSError: a folder of ours cannot be used.
    """
    setup_logging(settings.logging_format, settings.verbosity, context={"node": settings.node_name})
    parts = await make_parts(
        settings,
        "fake-dra-kubeletplugin",
        "kubelet-plugin",
        host=settings.node_name,
        max_connections=MAX_CONNECTIONS,
    )
    key = NamespacedName(settings.namespace, settings.node_name)
    inventory = make_inventory(settings.node_name, settings.device_count, settings.device_models)
    files = DiskFiles()
    model = FakePreparedModel(settings.node_name)
    checkpoint = Checkpoint(files, settings.checkpoint, model)
    planner = FakePlanner(inventory, lambda: checkpoint.claims)
    cdi = CdiFolder(files, settings.cdi_root, model)
    lock = FolderLock(settings.plugin_dir, lambda: node.refresh())
    metadata = DeviceMetadata(files, settings.plugin_dir, settings.cdi_root, DRIVER_NAME)
    states = parts.cache.informer(
        NodeAllocationState, namespace=settings.namespace, field_selector=f"metadata.name={settings.node_name}"
    )
    classic = make_claim_lookup(key, states, parts.client, planner)

    def is_serving() -> bool:
        return plugin.not_ready_reason() is None

    async def has_successor() -> bool:
        return await plugin.has_successor()

    node = FakeNodeParts(
        state_key=key,
        inventory=inventory,
        model=model,
        planner=planner,
        files=NodeFiles(checkpoint, cdi, lock.hold, metadata=metadata),
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
        DRIVER_NAME,
        settings.sockets,
        KUBELETS,
        node.driver,
        grace_seconds=settings.grace_period_seconds / 2,
        call_observer=PrepareMetrics(parts.metrics, settings.node_name, model, lambda: checkpoint.claims, is_serving),
        on_failure=node.claim_events.call_failed,
        on_registration=registered,
        on_socket_restored=node.node_events.socket_restored,
        start=node.start,
        lock=lock,
        health=health,
    )
    mode = ModeSetup(parts, settings.resource_api_version)

    async def set_up() -> None:
        api = (await mode.find(manager)).structured
        if api is None:
            node.bind(NodeMode(classic, PreparerDriver(node.preparer, classic.devices)))
            return
        from fake_dra_driver.dra.structured.nodesetup import StructuredNode
        from fake_dra_driver.driver.structured.pool import FakePool

        structured = StructuredNode.of(
            node,
            settings.node_name,
            DRIVER_NAME,
            FakePool(settings.node_name, inventory, planner),
            lambda: checkpoint.claims,
            api=api,
            cache=parts.cache,
            client=parts.client,
            events=parts.events,
            health=health,
            is_superseded=plugin.is_superseded,
            metadata=metadata if settings.device_metadata else None,
        )
        node.bind(structured.mode)
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
    for controller in node.controllers:
        manager.add_controller(controller)
    await manager.run()
    return 0

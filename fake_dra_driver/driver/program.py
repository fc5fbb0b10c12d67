"""The programs put together: what ``cli`` runs. Only here settings come as a whole; everything else gets values."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from loguru import logger

from fake_dra_driver import __version__
from fake_dra_driver.api.fake import (
    CDI_CLASS,
    CDI_VENDOR,
    DRIVER_NAME,
    EVENT_COMPONENT,
    NodeAllocationState,
)
from fake_dra_driver.api.meta import NamespacedName
from fake_dra_driver.device.cdi import CdiFolder, CdiNames
from fake_dra_driver.device.checkpoint import Checkpoint
from fake_dra_driver.device.files import DiskFiles
from fake_dra_driver.device.inventory import make_inventory
from fake_dra_driver.dra.kubeletplugin import KubeletPlugin, PluginSockets
from fake_dra_driver.driver.metrics import EventCounts, PrepareMetrics
from fake_dra_driver.driver.node import FakeNodeDriver
from fake_dra_driver.driver.nodestate import set_status
from fake_dra_driver.driver.notices import CallReporter, Notices
from fake_dra_driver.driver.publisher import StatePublisher
from fake_dra_driver.driver.setup import make_controllers
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import RuntimeLayerError
from fake_dra_driver.runtime.events import EventRecorder
from fake_dra_driver.runtime.healthz import HealthServer
from fake_dra_driver.runtime.leaderelection import LeaderElector, LeaseTiming, identity
from fake_dra_driver.runtime.log import setup_logging
from fake_dra_driver.runtime.manager import Election, Manager
from fake_dra_driver.runtime.metrics import Metrics
from fake_dra_driver.settings import ControllerSettings, KubeletPluginSettings, SetNasStatusSettings

__all__ = ["run_controller", "run_kubelet_plugin", "run_set_nas_status"]


PUBLISH_DELAY_SECONDS: Final = 0.2
"""How long the plugin collects changes before it writes them to its NodeAllocationState."""
CONTROLLER_LEASE: Final = "fake-dra-controller"
"""Name of the Lease, in the driver's namespace, whose holder allocates."""
RETIRE_SECONDS: Final = 3.0
"""For the write that says NotReady when the plugin stops: it must not keep the stop waiting when the API is away."""

log = logger.bind(component="program")


_LongRunning = ControllerSettings | KubeletPluginSettings


@dataclass(frozen=True, slots=True)
class _Parts:
    """What both long-running programs are made of."""

    client: Client
    cache: Cache
    events: EventRecorder
    metrics: Metrics
    healthz: HealthServer | None

    def manager(self, settings: _LongRunning, election: Election | None = None) -> Manager:
        """What runs them."""
        return Manager(
            self.client,
            self.cache,
            healthz=self.healthz,
            events=self.events,
            metrics=self.metrics,
            election=election,
            grace_period_seconds=settings.grace_period_seconds,
        )


async def _parts(settings: _LongRunning, program: str, component: str, host: str = "") -> _Parts:
    metrics = Metrics()
    client = await Client.connect(
        kubeconfig=settings.kubeconfig or None,
        user_agent=f"{program}/{__version__}",
        qps=settings.kube_api_qps,
        burst=settings.kube_api_burst,
        default_timeout_seconds=settings.api_timeout_seconds,
        metrics=metrics.observe_request,
    )
    cache = Cache(client)
    reasons = EventCounts(metrics, component)
    events = EventRecorder(client, EVENT_COMPONENT, host=host, metrics=metrics, observer=reasons.count)
    healthz = None
    if settings.http_endpoint is not None:
        healthz = HealthServer(str(settings.http_endpoint), metrics=metrics, metrics_path=settings.metrics_path)
    return _Parts(client, cache, events, metrics, healthz)


async def run_controller(settings: ControllerSettings) -> int:
    """Allocates devices until SIGTERM or SIGINT, while no other controller does. Returns the exit status.

    Raises:
        RuntimeLayerError: no credentials, an address in use, the lease is lost.
    """
    setup_logging(settings.logging_format, settings.verbosity)
    parts = await _parts(settings, "fake-dra-controller", "controller")
    controllers = make_controllers(
        parts.client,
        parts.cache,
        parts.events,
        namespace=settings.namespace,
        workers=settings.workers,
        now=lambda: datetime.now(UTC),
        metrics=parts.metrics,
    )
    async with _election(settings, parts) as election:
        manager = parts.manager(settings, election)
        for controller in controllers:
            manager.add_controller(controller)
        await manager.run()
    return 0


@asynccontextmanager
async def _election(settings: ControllerSettings, parts: _Parts) -> AsyncIterator[LeaderElector | None]:
    """This controller as a candidate, with connections of its own: a renewal waits for no other request."""
    if not settings.leader_elect:
        yield None
        return
    client = await Client.connect(
        kubeconfig=settings.kubeconfig or None,
        user_agent=f"fake-dra-controller/{__version__} leader-election",
        metrics=parts.metrics.observe_request,
    )
    try:
        yield LeaderElector(
            client,
            NamespacedName(settings.namespace, CONTROLLER_LEASE),
            identity(),
            timing=LeaseTiming(
                settings.leader_elect_lease_duration_seconds,
                settings.leader_elect_renew_deadline_seconds,
                settings.leader_elect_retry_period_seconds,
            ),
            events=parts.events,
            metrics=parts.metrics,
        )
    finally:
        await client.close()


async def run_kubelet_plugin(settings: KubeletPluginSettings) -> int:
    """Serves the devices of one node until SIGTERM or SIGINT. Returns the exit status.

    Claims that are prepared already are served from the checkpoint, also while the API server is away.

    Raises:
        RuntimeLayerError: no credentials, an address in use.
        OSError: a folder or socket of ours cannot be used.
    """
    setup_logging(settings.logging_format, settings.verbosity, context={"node": settings.node_name})
    parts = await _parts(settings, "fake-dra-kubeletplugin", "kubelet-plugin", host=settings.node_name)
    key = NamespacedName(settings.namespace, settings.node_name)
    inventory = make_inventory(settings.node_name, settings.device_count, settings.device_models)
    files = DiskFiles()
    checkpoint = Checkpoint(files, settings.checkpoint)
    cdi = CdiFolder(files, settings.cdi_root, CdiNames(CDI_VENDOR, CDI_CLASS, DRIVER_NAME), settings.node_name)
    states = parts.cache.informer(
        NodeAllocationState, namespace=settings.namespace, field_selector=f"metadata.name={settings.node_name}"
    )
    notices = Notices(parts.events)
    driver = FakeNodeDriver(key, inventory, checkpoint, cdi, parts.client, changed=lambda: publish(), tell=notices.tell)
    counts = PrepareMetrics(
        parts.metrics, settings.node_name, lambda: checkpoint.claims, lambda: plugin.not_ready_reason() is None
    )
    plugin = KubeletPlugin(
        DRIVER_NAME,
        PluginSockets(registration=settings.registration_socket, plugin=settings.plugin_socket),
        driver,
        grace_seconds=settings.grace_period_seconds / 2,
        call_observer=CallReporter(counts, parts.events, settings.node_name),
        on_registration=lambda: registered(),
        on_mended=notices.tell_mended,
        start=driver.start,
    )
    publisher = StatePublisher(
        key, inventory, checkpoint, driver, states, parts.client, lambda: plugin.not_ready_reason() is None, notices
    )
    controller = Controller("nodeallocationstate", publisher)
    controller.watch(states)

    def publish() -> None:
        controller.enqueue(key, after=PUBLISH_DELAY_SECONDS)

    def registered() -> None:
        notices.tell_registration(plugin.registration)
        publish()

    async def retire_at_the_end() -> None:
        publish()
        try:
            await asyncio.Event().wait()
        finally:
            try:
                async with asyncio.timeout(RETIRE_SECONDS):
                    await publisher.retire()
            except (RuntimeLayerError, TimeoutError) as error:
                log.warning("NodeAllocationState could not be set to NotReady", error=str(error) or "no answer in time")

    if parts.healthz is not None:
        parts.healthz.add_readyz("registration", plugin.not_ready_reason)
    manager = parts.manager(settings)
    manager.add_runnable("kubelet-plugin", plugin.run, needs_caches=False)
    manager.add_runnable("retire", retire_at_the_end)
    manager.add_controller(controller)
    await manager.run()
    return 0


async def run_set_nas_status(settings: SetNasStatusSettings) -> int:
    """Sets the status of a node's object once. Returns the exit status.

    Raises:
        RuntimeLayerError: no credentials, or what the API server answered.
    """
    setup_logging(settings.logging_format, settings.verbosity)
    client = await Client.connect(
        kubeconfig=settings.kubeconfig or None,
        user_agent=f"set-nas-status/{__version__}",
        default_timeout_seconds=settings.api_timeout_seconds,
    )
    try:
        await set_status(client, NamespacedName(settings.namespace, settings.node_name), settings.status)
    finally:
        await client.close()
    log.info("status set", node=settings.node_name, status=settings.status)
    return 0

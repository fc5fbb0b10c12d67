"""The programs put together: what ``cli`` runs. Only here settings come as a whole; everything else gets values."""

from dataclasses import dataclass
from datetime import UTC, datetime

from fake_dra_driver import __version__
from fake_dra_driver.api.fake import EVENT_COMPONENT
from fake_dra_driver.driver.setup import make_controllers
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.events import EventRecorder
from fake_dra_driver.runtime.healthz import HealthServer
from fake_dra_driver.runtime.log import setup_logging
from fake_dra_driver.runtime.manager import Manager
from fake_dra_driver.runtime.metrics import Metrics
from fake_dra_driver.settings import ControllerSettings, KubeletPluginSettings

__all__ = ["run_controller"]


@dataclass(frozen=True, slots=True)
class _Parts:
    """What both long-running programs are made of."""

    client: Client
    cache: Cache
    events: EventRecorder
    manager: Manager
    healthz: HealthServer | None


async def _parts(settings: ControllerSettings | KubeletPluginSettings, program: str, host: str = "") -> _Parts:
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
    events = EventRecorder(client, EVENT_COMPONENT, host=host, metrics=metrics)
    healthz = None
    if settings.http_endpoint is not None:
        healthz = HealthServer(str(settings.http_endpoint), metrics=metrics, metrics_path=settings.metrics_path)
    manager = Manager(
        client,
        cache,
        healthz=healthz,
        events=events,
        metrics=metrics,
        grace_period_seconds=settings.grace_period_seconds,
    )
    return _Parts(client, cache, events, manager, healthz)


async def run_controller(settings: ControllerSettings) -> int:
    """Allocates devices until SIGTERM or SIGINT. Returns the exit status.

    Raises:
        RuntimeLayerError: no credentials, an address in use.
    """
    setup_logging(settings.logging_format, settings.verbosity)
    parts = await _parts(settings, "fake-dra-controller")
    controllers = make_controllers(
        parts.client,
        parts.cache,
        parts.events,
        namespace=settings.namespace,
        workers=settings.workers,
        now=lambda: datetime.now(UTC),
    )
    for controller in controllers:
        parts.manager.add_controller(controller)
    await parts.manager.run()
    return 0

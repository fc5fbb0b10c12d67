"""What the long-running programs of a driver have in common, built from their settings, which go no further.

Each program is a module of its own and loads only what it needs: the controller no gRPC, the kubelet plugin none of the
controllers.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from fake_dra_driver import __version__
from fake_dra_driver.dra.drivernames import DriverNames
from fake_dra_driver.dra.program.settings import ControllerSettings, KubeletPluginSettings
from fake_dra_driver.dra.programmetrics import EventCounts
from fake_dra_driver.dra.reason import Reason
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.events import EventRecorder
from fake_dra_driver.runtime.garbage import spare_long_lived
from fake_dra_driver.runtime.healthz import HealthServer
from fake_dra_driver.runtime.manager import Election, Manager
from fake_dra_driver.runtime.metrics import Metrics
from fake_dra_driver.runtime.session import RequestLimiter
from fake_dra_driver.runtime.tlsbuffers import shrink_tls_buffers
from fake_dra_driver.runtime.transport import MAX_CONNECTIONS

__all__ = ["ProgramParts", "make_parts"]

LongRunning = ControllerSettings | KubeletPluginSettings


@dataclass(frozen=True, slots=True)
class ProgramParts:
    """What both long-running programs consist of."""

    client: Client
    cache: Cache
    events: EventRecorder
    metrics: Metrics
    healthz: HealthServer | None

    def manager(self, settings: LongRunning, election: Election | None = None) -> Manager:
        """The manager that runs them."""
        manager = Manager(
            self.client,
            self.cache,
            healthz=self.healthz,
            events=self.events,
            metrics=self.metrics,
            election=election,
            grace_period_seconds=settings.grace_period_seconds,
        )
        manager.add_runnable("spare-caches", _spare_caches)
        return manager


async def _spare_caches() -> None:
    """Runs once the caches are filled, whose objects live as long as the program."""
    spare_long_lived()


async def make_parts(
    settings: LongRunning,
    names: DriverNames,
    reasons: Iterable[Reason],
    program: str,
    component: str,
    host: str = "",
    *,
    with_kr8s: bool = False,
    max_connections: int = MAX_CONNECTIONS,
) -> ProgramParts:
    """Reads the credentials and builds the parts. No request is sent yet.

    Args:
        settings: of the program.
        names: of the driver.
        reasons: of all its Events.
        program: its name, for the API server's logs.
        component: its name in metrics.
        host: the node that it serves, for Events.
        with_kr8s: whether it stands on kr8s, which costs memory.
        max_connections: to the API server, for its requests.

    Raises:
        CredentialsError: no credentials were found, or they cannot be read.
    """
    spare_long_lived()
    shrink_tls_buffers()
    metrics = Metrics(names.metrics)
    client = await Client.connect(
        kubeconfig=settings.kubeconfig or None,
        user_agent=f"{program}/{__version__}",
        limiter=RequestLimiter(settings.kube_api_qps, settings.kube_api_burst),
        default_timeout_seconds=settings.api_timeout_seconds,
        metrics=metrics.observe_request,
        with_kr8s=with_kr8s,
        max_connections=max_connections,
    )
    cache = Cache(client)
    counts = EventCounts(metrics, component, reasons)
    events = EventRecorder(client, names.event_component, host=host, metrics=metrics, observer=counts.count)
    healthz = None
    if settings.http_endpoint is not None:
        healthz = HealthServer(str(settings.http_endpoint), metrics=metrics, metrics_path=settings.metrics_path)
    return ProgramParts(client, cache, events, metrics, healthz)

"""The controller as a program: ``controller``."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from fake_dra_driver import __version__
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource.structured import ResourceApi
from fake_dra_driver.dra.drivernames import DriverNames
from fake_dra_driver.dra.program.mode import ModeSetup
from fake_dra_driver.dra.program.parts import ProgramParts, make_parts
from fake_dra_driver.dra.program.settings import ControllerSettings
from fake_dra_driver.dra.reason import Reason
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.events import EventSink
from fake_dra_driver.runtime.leaderelection import LeaderElector, LeaseTiming, identity
from fake_dra_driver.runtime.log import setup_logging
from fake_dra_driver.runtime.metrics import Metrics

__all__ = ["ControllerWiring", "DriverControllers", "run_controller"]


@dataclass(frozen=True, slots=True)
class ControllerWiring:
    """What the controllers of a driver are made with."""

    client: Client
    cache: Cache
    events: EventSink
    metrics: Metrics
    namespace: str
    """Of the NodeAllocationState objects."""
    workers: int
    """How many objects of a kind are worked on at once."""
    now: Callable[[], datetime]
    """The wall clock."""


class DriverControllers(Protocol):
    """The seam: the controllers of a driver, in either mode of DRA. Only the modules of that mode are to be loaded."""

    names: DriverNames
    reasons: Sequence[Reason]
    """Of all Events of the driver."""

    def classic(self, wiring: ControllerWiring) -> Sequence[Controller]:
        """Those that allocate, where the driver does that."""
        ...

    def structured(self, wiring: ControllerWiring, api: ResourceApi) -> Sequence[Controller]:
        """Those that show what the scheduler has allocated.

        Args:
            wiring: what they are made with.
            api: the kinds of claims and classes, in the version that the cluster serves.
        """
        ...


async def run_controller(settings: ControllerSettings, driver: DriverControllers) -> int:
    """Works until SIGTERM or SIGINT, while no other controller does. Returns the exit status.

    In classic DRA it allocates devices; in structured DRA the scheduler does, and it shows who holds which. In both it
    says which prepared claims no pod can use any more (``nodestate.abandonedclaims``).

    Raises:
        RuntimeLayerError: no credentials, an address in use, the lease is lost.
        ApiChangedError: the version of DRA that it works with is served no more.
    """
    setup_logging(settings.logging_format, settings.verbosity)
    names = driver.names
    parts = await make_parts(settings, names, driver.reasons, names.controller, "controller", with_kr8s=True)
    async with _election(settings, parts, names) as election:
        manager = parts.manager(settings, election)
        mode = ModeSetup(parts, settings.resource_api_version)

        async def set_up() -> None:
            structured = (await mode.find(manager)).structured
            wiring = _wiring(settings, parts)
            for controller in driver.classic(wiring) if structured is None else driver.structured(wiring, structured):
                manager.add_controller(controller)

        manager.use_setup(set_up)
        await manager.run()
    return 0


def _wiring(settings: ControllerSettings, parts: ProgramParts) -> ControllerWiring:
    return ControllerWiring(
        parts.client,
        parts.cache,
        parts.events,
        parts.metrics,
        namespace=settings.namespace,
        workers=settings.workers,
        now=lambda: datetime.now(UTC),
    )


@asynccontextmanager
async def _election(
    settings: ControllerSettings, parts: ProgramParts, names: DriverNames
) -> AsyncIterator[LeaderElector | None]:
    """This controller as a candidate, with its own connections: a renewal waits for no other request."""
    if not settings.leader_elect:
        yield None
        return
    client = await Client.connect(
        kubeconfig=settings.kubeconfig or None,
        user_agent=f"{names.controller}/{__version__} leader-election",
        metrics=parts.metrics.observe_request,
    )
    try:
        yield LeaderElector(
            client,
            NamespacedName(settings.namespace, names.controller),
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

"""The controller as a program: what ``fake-dra-driver controller`` runs."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final

from fake_dra_driver import __version__
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.dra.servedapi import DraApi
from fake_dra_driver.driver.programs.mode import ModeSetup
from fake_dra_driver.driver.programs.parts import ProgramParts, make_parts
from fake_dra_driver.driver.programs.settings import ControllerSettings
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.leaderelection import LeaderElector, LeaseTiming, identity
from fake_dra_driver.runtime.log import setup_logging

__all__ = ["CONTROLLER_LEASE", "run_controller"]

CONTROLLER_LEASE: Final = "fake-dra-controller"
"""Name of the Lease, in the driver's namespace, whose holder allocates."""


async def run_controller(settings: ControllerSettings) -> int:
    """Works until SIGTERM or SIGINT, while no other controller does. Returns the exit status.

    In classic DRA it allocates devices; in structured DRA the scheduler does, and it shows who holds which. In both it
    says which prepared claims no pod can use any more (``dra.nodestate.abandonedclaims``).

    Raises:
        RuntimeLayerError: no credentials, an address in use, the lease is lost.
        ApiChangedError: the version of DRA that it works with is served no more.
    """
    setup_logging(settings.logging_format, settings.verbosity)
    parts = await make_parts(settings, "fake-dra-controller", "controller", with_kr8s=True)
    async with _election(settings, parts) as election:
        manager = parts.manager(settings, election)
        mode = ModeSetup(parts, settings.resource_api_version)

        async def set_up() -> None:
            for controller in _controllers(settings, parts, await mode.find(manager)):
                manager.add_controller(controller)

        manager.use_setup(set_up)
        await manager.run()
    return 0


def _controllers(settings: ControllerSettings, parts: ProgramParts, api: DraApi) -> Sequence[Controller]:
    """The controllers of the mode. Only its modules are loaded."""
    if (structured := api.structured) is not None:
        from fake_dra_driver.dra.structured.setup import make_structured_controllers
        from fake_dra_driver.driver.structured.driver import FakeStructuredDriver

        return make_structured_controllers(
            FakeStructuredDriver(),
            parts.client,
            parts.cache,
            parts.events,
            structured,
            namespace=settings.namespace,
            workers=settings.workers,
            now=lambda: datetime.now(UTC),
            metrics=parts.metrics,
        )
    from fake_dra_driver.driver.classic.setup import make_controllers

    return make_controllers(
        parts.client,
        parts.cache,
        parts.events,
        namespace=settings.namespace,
        workers=settings.workers,
        now=lambda: datetime.now(UTC),
        metrics=parts.metrics,
    )


@asynccontextmanager
async def _election(settings: ControllerSettings, parts: ProgramParts) -> AsyncIterator[LeaderElector | None]:
    """This controller as a candidate, with its own connections: a renewal waits for no other request."""
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

"""The controller's parts put together: classic DRA with the Fake devices, and the parameters that claims depend on."""

from collections.abc import Callable
from datetime import datetime

from fake_dra_driver.api.fake import DeviceClassParameters, FakeClaimParameters
from fake_dra_driver.dra.classic import make_classic_controllers
from fake_dra_driver.driver.classic.allocation import FakeControllerDriver
from fake_dra_driver.driver.classic.parameters import ParametersResolver
from fake_dra_driver.driver.names import NAMES
from fake_dra_driver.driver.statelayout import FakeStateLayout
from fake_dra_driver.runtime import Cache, Client, Controller, EventSink, Metrics

__all__ = ["make_controllers"]


def make_controllers(
    client: Client,
    cache: Cache,
    events: EventSink,
    driver: str = NAMES.driver,
    *,
    namespace: str,
    workers: int,
    now: Callable[[], datetime],
    metrics: Metrics | None = None,
) -> tuple[Controller, ...]:
    """Every controller of the driver, wired to its sources.

    Args:
        client: sends the requests.
        cache: where what they look at is kept.
        events: tells people.
        driver: name of the driver.
        namespace: of the NodeAllocationState objects.
        workers: how many claims, and how many pods, are worked on at once.
        now: the wall clock.
        metrics: counts what they do.
    """
    parameters = ParametersResolver(cache.informer(FakeClaimParameters), cache.informer(DeviceClassParameters), driver)
    return make_classic_controllers(
        client,
        cache,
        events,
        FakeControllerDriver(parameters, driver),
        FakeStateLayout(),
        namespace=namespace,
        workers=workers,
        now=now,
        metrics=metrics or Metrics(),
        claim_parameters=parameters.of_claims,
        class_parameters=parameters.of_classes,
    )

"""The controllers of an author's driver, for the program that runs them."""

from collections.abc import Sequence
from typing import Any

from typing_extensions import override

from fake_dra_driver.api.resource.structured import ResourceApi
from fake_dra_driver.dra.driver.calls import AuthorCalls
from fake_dra_driver.dra.driver.driver import Driver
from fake_dra_driver.dra.drivernames import DriverNames
from fake_dra_driver.dra.program.controller import ControllerWiring, DriverControllers
from fake_dra_driver.dra.program.reasons import REASONS
from fake_dra_driver.runtime.controller import Controller

__all__ = ["AuthorControllers"]


class AuthorControllers(DriverControllers):
    """In classic DRA they allocate what the driver says fits.

    Args:
        driver: of the author.
    """

    reasons = REASONS

    def __init__(self, driver: Driver[Any]) -> None:
        self._calls = AuthorCalls(driver)
        self.names = DriverNames.of(driver.name)

    @override
    def classic(self, wiring: ControllerWiring) -> Sequence[Controller]:
        from fake_dra_driver.dra.driver.classic import make_driver_controllers

        return make_driver_controllers(
            self._calls,
            wiring.client,
            wiring.cache,
            wiring.events,
            namespace=wiring.namespace,
            workers=wiring.workers,
            now=wiring.now,
            metrics=wiring.metrics,
        )

    @override
    def structured(self, wiring: ControllerWiring, api: ResourceApi) -> Sequence[Controller]:
        from fake_dra_driver.dra.driver.state import DriverStateLayout
        from fake_dra_driver.dra.driver.structured import DriverStructured
        from fake_dra_driver.dra.driver.structuredconfig import DriverConfigs
        from fake_dra_driver.dra.structured.setup import make_structured_controllers

        return make_structured_controllers(
            DriverStructured(DriverConfigs(self._calls), DriverStateLayout(self.names.driver)),
            wiring.client,
            wiring.cache,
            wiring.events,
            api,
            namespace=wiring.namespace,
            workers=wiring.workers,
            now=wiring.now,
            metrics=wiring.metrics,
        )

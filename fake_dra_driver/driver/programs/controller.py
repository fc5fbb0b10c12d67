"""The controllers of this driver, for the program that runs them."""

from collections.abc import Sequence

from typing_extensions import override

from fake_dra_driver.dra import DriverNames
from fake_dra_driver.dra.program import REASONS, ControllerWiring, DriverControllers, run_controller
from fake_dra_driver.dra.structured import ResourceApi
from fake_dra_driver.driver.names import names_of
from fake_dra_driver.driver.objectstatus.setup import ObjectStatus
from fake_dra_driver.driver.programs.settings import ControllerSettings
from fake_dra_driver.driver.reason import MOCK_REASONS
from fake_dra_driver.driver.simulated.selector import SimulatedNodes
from fake_dra_driver.driver.simulated.setup import Simulation
from fake_dra_driver.runtime import Controller

__all__ = ["run"]


class FakeControllers(DriverControllers):
    """In classic DRA they allocate Fake devices.

    Args:
        names: of the driver.
        simulated: which Nodes have no plugin.
    """

    reasons = (*REASONS, *MOCK_REASONS)

    def __init__(self, names: DriverNames, simulated: SimulatedNodes) -> None:
        self.names = names
        self._simulated = simulated

    @override
    def classic(self, wiring: ControllerWiring) -> Sequence[Controller]:
        from fake_dra_driver.driver.classic.setup import make_controllers
        from fake_dra_driver.driver.classic.simulatedsetup import simulated_controllers

        allocating = make_controllers(
            wiring.client,
            wiring.cache,
            wiring.events,
            self.names.driver,
            namespace=wiring.namespace,
            workers=wiring.workers,
            now=wiring.now,
            metrics=wiring.metrics,
        )
        status = self._object_status(wiring)
        simulation = Simulation(wiring, status, self._simulated, is_classic=True)
        return (*allocating, *status.controllers, *simulated_controllers(wiring, simulation))

    @override
    def structured(self, wiring: ControllerWiring, api: ResourceApi) -> Sequence[Controller]:
        from fake_dra_driver.driver.structured.setup import make_controllers

        status = self._object_status(wiring)
        simulation = Simulation(wiring, status, self._simulated, is_classic=False)
        return (*make_controllers(wiring, api, self.names.driver, status.catalog, simulation), *status.controllers)

    def _object_status(self, wiring: ControllerWiring) -> ObjectStatus:
        return ObjectStatus(wiring.client, wiring.cache, self.names.driver, namespace=wiring.namespace, now=wiring.now)


async def run(settings: ControllerSettings) -> int:
    """Works until a signal. Returns the exit status."""
    return await run_controller(settings, FakeControllers(names_of(settings.driver_name), settings.simulated_nodes))

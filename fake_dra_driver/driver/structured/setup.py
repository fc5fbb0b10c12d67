"""The controllers of the mock devices in structured DRA, put together."""

from collections.abc import Sequence

from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.program import ControllerWiring
from fake_dra_driver.dra.structured import FleetPublisher, ResourceApi, StructuredCaches, make_structured_controllers
from fake_dra_driver.driver.objectstatus.catalog import MockCatalog
from fake_dra_driver.driver.simulated.pools import SimulatedPools
from fake_dra_driver.driver.simulated.setup import Simulation
from fake_dra_driver.driver.structured.binding import BindingReconciler
from fake_dra_driver.driver.structured.bindingplans import BindingPlans
from fake_dra_driver.driver.structured.driver import FakeStructuredDriver
from fake_dra_driver.driver.structured.holders import holders_among
from fake_dra_driver.driver.structured.profilekinds import ProfileKinds
from fake_dra_driver.driver.structured.simulatedsetup import simulated_parts
from fake_dra_driver.runtime import Change, Controller

__all__ = ["make_controllers"]


def make_controllers(
    wiring: ControllerWiring, api: ResourceApi, driver: str, catalog: MockCatalog, simulation: Simulation | None = None
) -> Sequence[Controller]:
    """Those of any driver, and the one that says when devices can be bound to.

    Args:
        wiring: what they are made with.
        api: the kinds of claims and classes, in the version that the cluster serves.
        driver: its name.
        catalog: profiles and faults.
        simulation: of nodes without a plugin; left out: there are none.
    """
    caches = StructuredCaches.of(wiring.cache, api, driver, with_use=simulation is not None)
    publisher = simulated = None
    if simulation is not None:
        publisher = _publisher(wiring, api, driver, caches, simulation)
        simulated = simulated_parts(wiring, api, driver, caches, simulation.fleet, simulation.call_failed, publisher)
    plans = BindingPlans(catalog, caches.claims_on_node, wiring.now)
    binding = BindingReconciler(wiring.client, caches.claims, driver, plans.plan, wiring.events, wiring.now)
    catalog.subscribe(binding.plans_changed, binding.plans_changed)
    controllers = make_structured_controllers(
        FakeStructuredDriver(driver, ProfileKinds(driver, catalog.readable_profiles)),
        wiring.client,
        wiring.cache,
        wiring.events,
        api,
        namespace=wiring.namespace,
        workers=wiring.workers,
        now=wiring.now,
        metrics=wiring.metrics,
        caches=caches,
        plugin_parts=None if simulated is None else simulated.plugin_parts,
    )
    found = (*controllers, binding.controller)
    if simulation is None or publisher is None or simulated is None:
        return found
    return (*found, *simulation.controllers, publisher.controller, *simulated.controllers)


def _publisher(
    wiring: ControllerWiring, api: ResourceApi, driver: str, caches: StructuredCaches, simulation: Simulation
) -> FleetPublisher:
    """Offers the devices of simulated nodes to the scheduler."""

    def claim_changed(change: Change[v1.ResourceClaim]) -> None:
        for node in caches.nodes_of_change(change):
            simulation.claims_changed(node)

    caches.claims.subscribe(claim_changed)
    simulation.use_holders(lambda node: holders_among(caches.claims_on_node(node.node), driver, node.node))
    publisher = FleetPublisher(
        api,
        driver,
        SimulatedPools(simulation.fleet),
        wiring.cache,
        wiring.client,
        server_version=wiring.client.discovery.server_version,
    )
    simulation.fleet.subscribe(publisher.changed)
    return publisher

"""The controllers of the mock devices in structured DRA, put together."""

from collections.abc import Sequence

from fake_dra_driver.dra.program import ControllerWiring
from fake_dra_driver.dra.structured import ResourceApi, StructuredCaches, make_structured_controllers
from fake_dra_driver.driver.objectstatus.catalog import MockCatalog
from fake_dra_driver.driver.simulated.fleet import Fleet
from fake_dra_driver.driver.structured.binding import BindingReconciler
from fake_dra_driver.driver.structured.bindingplans import BindingPlans
from fake_dra_driver.driver.structured.driver import FakeStructuredDriver
from fake_dra_driver.driver.structured.profilekinds import ProfileKinds
from fake_dra_driver.driver.structured.simulatedsetup import simulated_parts
from fake_dra_driver.runtime import Controller

__all__ = ["make_controllers"]


def make_controllers(
    wiring: ControllerWiring, api: ResourceApi, driver: str, catalog: MockCatalog, fleet: Fleet | None = None
) -> Sequence[Controller]:
    """Those of any driver, and the one that says when devices can be bound to.

    Args:
        wiring: what they are made with.
        api: the kinds of claims and classes, in the version that the cluster serves.
        driver: its name.
        catalog: profiles and faults.
        fleet: the nodes that are simulated; left out: there can be none.
    """
    caches = StructuredCaches.of(wiring.cache, api, driver, with_use=fleet is not None)
    simulated = None if fleet is None else simulated_parts(wiring, api, driver, caches, fleet)
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
    return (*controllers, binding.controller, *(() if simulated is None else simulated.controllers))

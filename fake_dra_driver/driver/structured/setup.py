"""The controllers of the mock devices in structured DRA, put together."""

from collections.abc import Sequence

from fake_dra_driver.dra.program import ControllerWiring
from fake_dra_driver.dra.structured import ResourceApi, StructuredCaches, make_structured_controllers
from fake_dra_driver.driver.objectstatus.catalog import MockCatalog
from fake_dra_driver.driver.structured.binding import BindingReconciler
from fake_dra_driver.driver.structured.bindingplans import BindingPlans
from fake_dra_driver.driver.structured.driver import FakeStructuredDriver
from fake_dra_driver.driver.structured.profilekinds import ProfileKinds
from fake_dra_driver.runtime import Controller

__all__ = ["make_controllers"]


def make_controllers(
    wiring: ControllerWiring, api: ResourceApi, driver: str, catalog: MockCatalog
) -> Sequence[Controller]:
    """Those of any driver, and the one that says when devices can be bound to.

    Args:
        wiring: what they are made with.
        api: the kinds of claims and classes, in the version that the cluster serves.
        driver: its name.
        catalog: profiles and faults.
    """
    caches = StructuredCaches.of(wiring.cache, api, driver)
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
    )
    return (*controllers, binding.controller)

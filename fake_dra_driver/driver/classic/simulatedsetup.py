"""What the controller does for simulated nodes in classic DRA, put together."""

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.dra.program import ControllerWiring
from fake_dra_driver.driver.classic.simulatedclaims import ClassicClaims
from fake_dra_driver.driver.simulated.claims import SimulatedClaims
from fake_dra_driver.driver.simulated.fleet import Fleet
from fake_dra_driver.driver.simulated.states import SimulatedStates
from fake_dra_driver.runtime import Controller

__all__ = ["simulated_controller"]


def simulated_controller(wiring: ControllerWiring, fleet: Fleet) -> Controller:
    """Makes it.

    Args:
        wiring: what controllers are made with.
        fleet: the nodes.
    """
    informer = wiring.cache.informer(NodeAllocationState, namespace=wiring.namespace)
    claims = ClassicClaims(wiring.cache.informer(ResourceClaim), informer)
    states = SimulatedStates(
        wiring.client,
        informer,
        wiring.namespace,
        fleet,
        SimulatedClaims(claims, fleet, wiring.events),
        wiring.events,
        writes=True,
        workers=wiring.workers,
    )
    claims.subscribe(states.claims_changed)
    return states.controller

"""What the controller does for simulated nodes in classic DRA, put together."""

from collections.abc import Callable, Sequence

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.dra.program import ControllerWiring
from fake_dra_driver.driver.classic.holders import holders_in
from fake_dra_driver.driver.classic.simulatedclaims import ClassicClaims
from fake_dra_driver.driver.fault.target import Holders
from fake_dra_driver.driver.profile.mocknode import MockNode
from fake_dra_driver.driver.simulated.claims import SimulatedClaims
from fake_dra_driver.driver.simulated.fleet import Fleet
from fake_dra_driver.driver.simulated.setup import Simulation
from fake_dra_driver.driver.simulated.states import SimulatedStates
from fake_dra_driver.runtime import Controller, InvalidObjectError

__all__ = ["simulated_controllers", "simulated_states"]


def simulated_states(
    wiring: ControllerWiring, fleet: Fleet, call_failed: Callable[[str, UID], None] = lambda _node, _fault: None
) -> SimulatedStates:
    """What writes the objects of simulated nodes, with what is prepared there.

    Args:
        wiring: what controllers are made with.
        fleet: the nodes.
        call_failed: is told of calls for claims that faults make fail.
    """
    informer = wiring.cache.informer(NodeAllocationState, namespace=wiring.namespace)
    claims = ClassicClaims(wiring.cache.informer(ResourceClaim), informer)
    states = SimulatedStates(
        wiring.client,
        informer,
        wiring.namespace,
        fleet,
        SimulatedClaims(claims, fleet, wiring.events, call_failed),
        wiring.events,
        writes=True,
        workers=wiring.workers,
    )
    claims.subscribe(states.claims_changed)
    return states


def simulated_controllers(wiring: ControllerWiring, simulation: Simulation) -> Sequence[Controller]:
    """Makes them.

    Args:
        wiring: what controllers are made with.
        simulation: of the nodes.
    """
    informer = wiring.cache.informer(NodeAllocationState, namespace=wiring.namespace)
    known = wiring.cache.informer(ResourceClaim)
    states = simulated_states(wiring, simulation.fleet, simulation.call_failed)

    def claim_of(uid: UID) -> NamespacedName | None:
        try:
            claim = known.by_uid(uid)
        except InvalidObjectError:
            return None  # the ledger's controller says why
        return None if claim is None else claim.key

    def holders(node: MockNode) -> Holders:
        try:
            state = informer.get(NamespacedName(wiring.namespace, node.node))
        except InvalidObjectError:
            return {}
        return holders_in(state, node, claim_of)

    simulation.use_holders(holders)
    informer.subscribe(lambda change: simulation.claims_changed(change.key.name))
    return (*simulation.controllers, states.controller)

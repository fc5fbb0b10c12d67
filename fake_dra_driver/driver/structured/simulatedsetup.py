"""What the controller does for simulated nodes in structured DRA beside publishing their slices, put together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.program import ControllerWiring
from fake_dra_driver.dra.structured import DeviceStatusWriter, PluginParts, ResourceApi, StructuredCaches
from fake_dra_driver.driver.simulated.claims import SimulatedClaims
from fake_dra_driver.driver.simulated.fleet import Fleet
from fake_dra_driver.driver.simulated.states import Precedence, SimulatedStates
from fake_dra_driver.driver.structured.simulatedclaims import StructuredClaims
from fake_dra_driver.runtime import Controller

__all__ = ["SimulatedParts", "simulated_parts"]


@dataclass(frozen=True, slots=True)
class SimulatedParts:
    """What there is of it."""

    plugin_parts: PluginParts[NodeAllocationState]
    """To be written with the claims that hold devices."""
    controllers: Sequence[Controller]


def simulated_parts(
    wiring: ControllerWiring,
    api: ResourceApi,
    driver: str,
    caches: StructuredCaches,
    fleet: Fleet,
    call_failed: Callable[[str, UID], None] = lambda _node, _fault: None,
    first: Precedence | None = None,
) -> SimulatedParts:
    """Makes them.

    Args:
        wiring: what controllers are made with.
        api: the kinds of claims and classes, in the version that the cluster serves.
        driver: its name.
        caches: with what is reported about devices, and who may use claims.
        fleet: the nodes.
        call_failed: is told of calls for claims that faults make fail.
        first: publishes the nodes' slices.
    """
    reports = DeviceStatusWriter(
        wiring.client,
        api,
        driver,
        None,
        # It is logged; of thousands of nodes and claims none is more concerned than others.
        lambda _problem: None,
        wiring.now,
        program="controller",
        workers=wiring.workers,
    )
    claims = StructuredClaims(caches, driver, reports)
    states = SimulatedStates(
        wiring.client,
        wiring.cache.informer(NodeAllocationState, namespace=wiring.namespace),
        wiring.namespace,
        fleet,
        SimulatedClaims(claims, fleet, wiring.events, call_failed),
        wiring.events,
        writes=False,
        workers=wiring.workers,
        first=first,
    )
    claims.subscribe(states.claims_changed)
    return SimulatedParts(states, (states.controller, reports.controller))

"""The nodes that are simulated, and what looks after them in either mode of DRA, put together."""

from collections.abc import Callable, Sequence

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.dra.program import ControllerWiring
from fake_dra_driver.driver.fault.target import Holders
from fake_dra_driver.driver.objectstatus.setup import ObjectStatus
from fake_dra_driver.driver.profile.mocknode import MockNode
from fake_dra_driver.driver.simulated.faults import FleetFaults
from fake_dra_driver.driver.simulated.faultstatus import FleetFaultStatus
from fake_dra_driver.driver.simulated.fleet import FleetDependencies, SimulatedFleet
from fake_dra_driver.driver.simulated.handover import ServedNodes
from fake_dra_driver.driver.simulated.selector import SimulatedNodes
from fake_dra_driver.runtime import Controller

__all__ = ["Simulation"]


class Simulation:
    """What a controller knows of simulated nodes.

    Args:
        wiring: what controllers are made with.
        status: what is known and said of DeviceProfiles and DeviceFaults.
        selected: which Nodes are simulated.
        is_classic: whether this is classic DRA.
    """

    def __init__(
        self, wiring: ControllerWiring, status: ObjectStatus, selected: SimulatedNodes, *, is_classic: bool
    ) -> None:
        served = ServedNodes(wiring.cache.informer(NodeAllocationState, namespace=wiring.namespace), wiring.namespace)
        self._holders: Callable[[MockNode], Holders] = lambda _node: {}
        others = FleetDependencies(served.is_served_by_plugin, lambda node: self._holders(node), is_classic, wiring.now)
        self.fleet = SimulatedFleet(status.catalog, selected, others)
        served.subscribe(self.fleet.look)
        fault_status = FleetFaultStatus(wiring.client, status.catalog, self.fleet, others, status.judge_fault)
        self._faults = FleetFaults(self.fleet, status.catalog, fault_status, others)
        status.count_beside(fault_status.entries_of)
        self.call_failed = fault_status.call_failed
        """Is told of calls for claims that faults make fail."""
        self.controllers: Sequence[Controller] = (self._faults.controller, fault_status.controller)

    def use_holders(self, holders: Callable[[MockNode], Holders]) -> None:
        """``holders`` says which claims hold the devices of a node."""
        self._holders = holders

    def claims_changed(self, node: str) -> None:
        """Other claims hold devices of a node by now. Returns at once."""
        self._faults.claims_changed([node])

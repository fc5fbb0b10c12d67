"""DeviceFaults at work on a fleet: which nodes have to be looked at when a fault, a claim, or the time changes.

As on the node of a plugin (``live.faults``), what a fault does is a function of the objects and of the time.
"""

from collections.abc import Iterable
from typing import Final

from typing_extensions import override

from fake_dra_driver.api.devicefault import DeviceFault
from fake_dra_driver.driver.fault.evaluation import is_about
from fake_dra_driver.driver.live.specchange import has_other_spec
from fake_dra_driver.driver.objectstatus.catalog import MockCatalog
from fake_dra_driver.driver.simulated.faultstatus import FleetFaultStatus
from fake_dra_driver.driver.simulated.fleet import FleetDependencies, SimulatedFleet
from fake_dra_driver.runtime import Change, Controller, Reconciler, Request, Result

__all__ = ["FleetFaults"]

_SHORTEST_PAUSE_SECONDS: Final = 0.05
"""Between two looks at what has changed on a node by itself."""
_RANDOM_PAUSE_SECONDS: Final = 1.0
"""The same where devices fail at random: of thousands, one always has, and each time slices are written."""
_PAUSE_OF_NODE_SECONDS: Final = 0.05
"""How much longer that is with each node of the fleet, so that there is time for other work."""
_LONGEST_PAUSE_SECONDS: Final = 30.0
"""While something is to change by itself: a wall clock that was set is noticed by then."""


class FleetFaults(Reconciler):
    """Looks at one node after the other. ``controller`` is for the one who runs it.

    Args:
        fleet: has the nodes, and tells its subscribers of what is found.
        catalog: has the faults.
        status: is told what they do.
        dependencies: of the fleet.
    """

    def __init__(
        self, fleet: SimulatedFleet, catalog: MockCatalog, status: FleetFaultStatus, dependencies: FleetDependencies
    ) -> None:
        self._fleet = fleet
        self._catalog = catalog
        self._status = status
        self._now = dependencies.now
        self.controller = Controller("simulatednodefaults", self)
        fleet.subscribe_to_nodes(self._see_node)
        catalog.when_open(self._follow)

    def claims_changed(self, nodes: Iterable[str]) -> None:
        """Other claims hold devices of these nodes by now."""
        if self._catalog.is_open and any(fault.spec.target.claim for fault in self._catalog.faults.list()):
            for node in nodes:
                self._look(node)

    @override
    async def reconcile(self, request: Request) -> Result:
        found = await self._fleet.examine(request.name)
        faults = {fault.metadata.name: fault for fault in self._catalog.faults.list()}
        hits = [(faults[name], hit) for name, hit in found.hits.items() if name in faults]
        self._status.report(request.name, hits)
        if self.controller.is_idle:
            self._status.all_reported()
        if found.next_change is None:
            return Result()
        until = (found.next_change - self._now()).total_seconds()
        shortest = _SHORTEST_PAUSE_SECONDS
        if any(fault.spec.random is not None for fault, _ in hits):
            shortest = max(_RANDOM_PAUSE_SECONDS, _PAUSE_OF_NODE_SECONDS * len(self._fleet.nodes()))
        return Result(requeue_after=min(max(until, shortest), max(shortest, _LONGEST_PAUSE_SECONDS)))

    def _follow(self) -> None:
        self._catalog.faults.subscribe(self._see_fault)
        if self.controller.is_idle:
            self._status.all_reported()

    def _see_fault(self, change: Change[DeviceFault]) -> None:
        if not has_other_spec(change):
            return
        states = [fault for fault in (change.old, change.new) if fault is not None]
        for name in self._fleet.nodes():
            if any(is_about(fault, self._catalog.driver, name, self._fleet.labels_of(name)) for fault in states):
                self._look(name)

    def _see_node(self, name: str) -> None:
        labels, driver = self._fleet.labels_of(name), self._catalog.driver
        if self._status.knows(name) or any(is_about(f, driver, name, labels) for f in self._catalog.faults.list()):
            self._look(name)

    def _look(self, name: str) -> None:
        self.controller.enqueue(Request("", name))

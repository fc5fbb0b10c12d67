"""What DeviceFaults do on the nodes of a fleet, in their status: one writer has the entries of all its nodes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from typing_extensions import override

from fake_dra_driver.api.devicefault import MAX_LISTED_NODES, DeviceFault, FaultOnNode
from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.driver.fault.entry import entry_of
from fake_dra_driver.driver.fault.evaluation import FaultHit
from fake_dra_driver.driver.objectstatus.catalog import MockCatalog
from fake_dra_driver.driver.simulated.fleet import FleetDependencies, SimulatedFleet
from fake_dra_driver.runtime import Client, Controller, NotFoundError, Reconciler, Request, Result, loop_time

__all__ = ["FleetFaultStatus"]

_DELAY_SECONDS: Final = 0.2
"""Before entries are written, so that what changes at once is one write."""
_PAUSE_SECONDS: Final = 2.0
"""Before they are written again: of a large fleet, nodes are looked at one after the other."""
_RANDOM_PAUSE_SECONDS: Final = 10.0
"""The same of a fault whose devices fail at random."""


class FleetFaultStatus(Reconciler):
    """Keeps the entries of simulated nodes in line. ``controller`` is for the one who runs it.

    Args:
        client: writes them.
        catalog: has the faults.
        fleet: has the nodes.
        dependencies: of the fleet.
    """

    def __init__(
        self, client: Client, catalog: MockCatalog, fleet: SimulatedFleet, dependencies: FleetDependencies
    ) -> None:
        self._client = client
        self._catalog = catalog
        self._fleet = fleet
        self._now = dependencies.now
        self._manager = f"{catalog.driver}-simulated"
        self._entries: dict[UID, dict[str, FaultOnNode]] = {}
        """By fault and node: what is known to be done."""
        self._hit: dict[str, frozenset[UID]] = {}
        """By node: the faults that have an entry of it."""
        self._written: dict[UID, frozenset[str]] = {}
        """By fault: the nodes whose entries this process wrote last."""
        self._not_before: dict[UID, float] = {}
        """By fault whose entries were just written: when they may be written again."""
        self._is_complete = False
        """Whether each node has been looked at once: until then, an entry that is missing may be true."""
        self.controller = Controller("simulateddevicefault", self)

    def knows(self, node: str) -> bool:
        """Whether there is an entry of the node."""
        return node in self._hit

    def entries_of(self, fault: DeviceFault) -> Mapping[str, FaultOnNode]:
        """What a fault does, by node: of all nodes, also those for which its status has no room."""
        return self._entries.get(fault.uid, {})

    def report(self, node: str, hits: Iterable[tuple[DeviceFault, FaultHit]]) -> None:
        """What faults do to a node at this moment. Returns at once."""
        entries = {
            fault.uid: self._entry(fault, node, hit)
            for fault, hit in hits
            # Where devices fail at random, a node of which all work is in it, too.
            if hit.does_something or hit.problem or fault.spec.random is not None
        }
        for uid in self._hit.pop(node, frozenset()) - entries.keys():
            self._entries.get(uid, {}).pop(node, None)
            self._changed(uid)
        for uid, entry in entries.items():
            of_fault = self._entries.setdefault(uid, {})
            if of_fault.get(node) != entry:
                of_fault[node] = entry
                self._changed(uid)
        if entries:
            self._hit[node] = frozenset(entries)

    def call_failed(self, node: str, fault: UID) -> None:
        """A fault has made a call fail that a kubelet would have made for a node. Returns at once."""
        of_fault = self._entries.get(fault, {})
        if (entry := of_fault.get(node)) is not None:
            of_fault[node] = entry.model_copy(update={"times": entry.times + 1})
            self._changed(fault)

    def all_reported(self) -> None:
        """All nodes have been looked at once. Entries of an earlier process that are not true any more go."""
        if not self._is_complete:
            self._is_complete = True
            for fault in self._catalog.faults.list():
                self._changed(fault.uid)

    @override
    async def reconcile(self, request: Request) -> Result:
        fault = self._catalog.faults.get(request)
        if fault is None or fault.spec.driver_name != self._catalog.driver or not self._is_complete:
            return Result()
        if (left := self._not_before.get(fault.uid, 0.0) - loop_time()) > 0:
            return Result(requeue_after=max(left, _DELAY_SECONDS))
        there = () if fault.status is None else fault.status.nodes
        wanted = self._wanted(fault, there)
        if {entry.node: entry for entry in there if self._is_ours(fault, entry)} == {
            each.node: each for each in wanted
        }:
            return Result()
        body = {"metadata": {"uid": fault.uid}, "status": {"nodes": [entry.to_wire() for entry in wanted]}}
        try:
            await self._client.apply(
                DeviceFault, request, body, field_manager=self._manager, force=True, subresource="status"
            )
        except NotFoundError:
            return Result()
        pause = _PAUSE_SECONDS if fault.spec.random is None else _RANDOM_PAUSE_SECONDS
        self._not_before[fault.uid] = loop_time() + pause
        self._written[fault.uid] = frozenset(entry.node for entry in wanted)
        return Result()

    def _entry(self, fault: DeviceFault, node: str, hit: FaultHit) -> FaultOnNode:
        before = self._before(fault, node)
        times = 0 if before is None else before.times
        entry = entry_of(fault, node, hit, before, self._now(), times=times)
        # By this the API server's policies know what is not the word of a plugin.
        return entry.model_copy(update={"simulated": True})

    def _wanted(self, fault: DeviceFault, there: Sequence[FaultOnNode]) -> Sequence[FaultOnNode]:
        """As many of the entries as there is room for, those first that tell something."""
        room = MAX_LISTED_NODES - sum(not self._is_ours(fault, entry) for entry in there)
        entries = self.entries_of(fault)
        by_weight = sorted(entries, key=lambda node: (entries[node].since is None and not entries[node].message, node))
        return [entries[node] for node in sorted(by_weight[: max(room, 0)])]

    def _is_ours(self, fault: DeviceFault, entry: FaultOnNode) -> bool:
        """Whether no plugin has written it: it is of a simulated node, or of one that is gone."""
        return (
            entry.node in self._fleet.nodes()
            or entry.node in self._written.get(fault.uid, ())
            or not self._catalog.has_node(entry.node)
        )

    def _before(self, fault: DeviceFault, node: str) -> FaultOnNode | None:
        known = self.entries_of(fault).get(node)
        if known is not None or fault.status is None:
            return known
        return next((entry for entry in fault.status.nodes if entry.node == node), None)

    def _changed(self, uid: UID) -> None:
        fault = self._catalog.faults.by_uid(uid)
        if fault is not None:
            self.controller.enqueue(fault.key, after=_DELAY_SECONDS)
            return
        for of_fault in (self._entries, self._written, self._not_before):
            of_fault.pop(uid, None)


def _node_of(entry: FaultOnNode) -> str:
    return entry.node

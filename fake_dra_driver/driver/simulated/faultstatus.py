"""What DeviceFaults do on the nodes of a fleet, in their status: one writer has the entries of all its nodes.

An entry with ``simulated`` is the controller's, whichever process has written it; one without is of a kubelet plugin.
At a node that changes hands, each takes the entry over from the other: a plugin by writing its own, after which the
controller withdraws its part; the controller by marking what a plugin has left, and then writing its own.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from typing_extensions import override

from fake_dra_driver.api.devicefault import MAX_LISTED_NODES, DeviceFault, FaultOnNode
from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.driver.fault.entry import entry_of
from fake_dra_driver.driver.fault.evaluation import FaultHit, is_about
from fake_dra_driver.driver.objectstatus.catalog import MockCatalog
from fake_dra_driver.driver.simulated.fleet import FleetDependencies, SimulatedFleet
from fake_dra_driver.runtime import Change, Client, Controller, NotFoundError, Reconciler, Request, Result, loop_time
from fake_dra_driver.runtime.patch import pointer, remove, test

__all__ = ["FleetFaultStatus"]

_DELAY_SECONDS: Final = 0.2
"""Before entries are written, so that what changes at once is one write."""
_PAUSE_SECONDS: Final = 2.0
"""Before they are written again: of a large fleet, nodes are looked at one after the other."""
_RANDOM_PAUSE_SECONDS: Final = 10.0
"""The same of a fault whose devices fail at random."""
_LOOK_AGAIN_SECONDS: Final = 30.0
"""Where the entries take more than half of a status: nodes with a plugin may have come, which need room."""


class FleetFaultStatus(Reconciler):
    """Keeps the entries of simulated nodes in line. ``controller`` is for the one who runs it.

    Args:
        client: writes them.
        catalog: has the faults.
        fleet: has the nodes.
        dependencies: of the fleet.
        judge: is told of each fault that does something else on nodes by now, though its status says the same.
    """

    def __init__(
        self,
        client: Client,
        catalog: MockCatalog,
        fleet: SimulatedFleet,
        dependencies: FleetDependencies,
        judge: Callable[[Request], None] = lambda _fault: None,
    ) -> None:
        self._client = client
        self._catalog = catalog
        self._fleet = fleet
        self._now = dependencies.now
        self._judge = judge
        self._manager = f"{catalog.driver}-simulated"
        self._entries: dict[UID, dict[str, FaultOnNode]] = {}
        """By fault and node: what is known to be done."""
        self._hit: dict[str, frozenset[UID]] = {}
        """By node: the faults that have an entry of it."""
        self._unjudged: set[UID] = set()
        """Faults of which something has changed that no write of the status has told yet."""
        self._not_before: dict[UID, float] = {}
        """By fault whose entries were just written: when they may be written again."""
        self._is_complete = False
        """Whether each node has been looked at once: until then, an entry that is missing may be true."""
        self.controller = Controller("simulateddevicefault", self)
        catalog.when_open(self._follow)

    def knows(self, node: str) -> bool:
        """Whether there is an entry of the node."""
        return node in self._hit

    def entries_of(self, fault: DeviceFault) -> Mapping[str, FaultOnNode] | None:
        """What a fault does, by node: of all nodes, also those for which its status has no room.

        None: not all nodes have been looked at yet.
        """
        return self._entries.get(fault.uid, {}) if self._is_complete else None

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
        taken = [entry.node for entry in there if self._is_left(entry) and entry.node not in wanted]
        is_right = not taken and {entry.node: entry for entry in there if entry.simulated} == wanted
        if not is_right:
            try:
                await self._write(fault, wanted, taken)
            except NotFoundError:
                return Result()
        elif fault.uid in self._unjudged:
            self._judge(request)
        if not is_right or fault.uid in self._unjudged:
            pause = _PAUSE_SECONDS if fault.spec.random is None else _RANDOM_PAUSE_SECONDS
            self._not_before[fault.uid] = loop_time() + pause
        self._unjudged.discard(fault.uid)
        return Result(requeue_after=_LOOK_AGAIN_SECONDS if self._may_need_room(fault) else None)

    async def _write(self, fault: DeviceFault, wanted: Mapping[str, FaultOnNode], taken: Sequence[str]) -> None:
        """Makes of the controller's entries those that are wanted, and ends those of plugins that are ``taken``."""
        marks = [FaultOnNode(node=node, simulated=True) for node in taken]
        written = await self._apply(fault, [*wanted.values(), *marks])
        entries = () if written.status is None else written.status.nodes
        # An entry, or a part of it, that others have written as well stays when it is applied no longer.
        mixed = [at for at, entry in enumerate(entries) if entry.simulated and entry != wanted.get(entry.node)]
        if mixed:
            operations = [remove(pointer("status", "nodes", at)) for at in reversed(mixed)]
            unchanged = test(pointer("metadata", "resourceVersion"), written.metadata.resource_version)
            await self._client.json_patch(DeviceFault, fault.key, [unchanged, *operations], subresource="status")
            await self._apply(fault, wanted.values())

    async def _apply(self, fault: DeviceFault, entries: Iterable[FaultOnNode]) -> DeviceFault:
        body = {"metadata": {"uid": fault.uid}, "status": {"nodes": [entry.to_wire() for entry in entries]}}
        return await self._client.apply(
            DeviceFault, fault.key, body, field_manager=self._manager, force=True, subresource="status"
        )

    def _entry(self, fault: DeviceFault, node: str, hit: FaultHit) -> FaultOnNode:
        before = self._before(fault, node)
        times = 0 if before is None else before.times
        entry = entry_of(fault, node, hit, before, self._now(), times=times)
        # By this the API server's policies know what is not the word of a plugin.
        return entry.model_copy(update={"simulated": True})

    def _wanted(self, fault: DeviceFault, there: Sequence[FaultOnNode]) -> Mapping[str, FaultOnNode]:
        """As many of the entries as there is room for, by node, those first that tell something."""
        others = sum(not entry.simulated for entry in there)
        if self._may_need_room(fault):
            others = max(others, min(self._plugins(fault), MAX_LISTED_NODES // 2))
        entries = self._entries.get(fault.uid, {})
        by_weight = sorted(entries, key=lambda node: (entries[node].since is None and not entries[node].message, node))
        return {node: entries[node] for node in sorted(by_weight[: max(MAX_LISTED_NODES - others, 0)])}

    def _may_need_room(self, fault: DeviceFault) -> bool:
        return len(self._entries.get(fault.uid, {})) > MAX_LISTED_NODES // 2

    def _plugins(self, fault: DeviceFault) -> int:
        """How many nodes may have a plugin that has something to say of a fault."""
        simulated, driver = self._fleet.nodes(), self._catalog.driver
        nodes = (node.metadata for node in self._catalog.nodes.list() if node.metadata.name not in simulated)
        return sum(is_about(fault, driver, node.name, node.labels) for node in nodes)

    def _is_left(self, entry: FaultOnNode) -> bool:
        """Whether a plugin has left it, at a node that has none any more."""
        return not entry.simulated and entry.node in self._fleet.nodes()

    def _follow(self) -> None:
        def changed(change: Change[DeviceFault]) -> None:
            self.controller.enqueue(change.key, after=_DELAY_SECONDS)

        self._catalog.faults.subscribe(changed)

    def _before(self, fault: DeviceFault, node: str) -> FaultOnNode | None:
        known = self._entries.get(fault.uid, {}).get(node)
        if known is not None or fault.status is None:
            return known
        return next((entry for entry in fault.status.nodes if entry.node == node), None)

    def _changed(self, uid: UID) -> None:
        fault = self._catalog.faults.by_uid(uid)
        if fault is not None:
            self._unjudged.add(uid)
            self.controller.enqueue(fault.key, after=_DELAY_SECONDS)
            return
        self._unjudged.discard(uid)
        for of_fault in (self._entries, self._not_before):
            of_fault.pop(uid, None)

"""The nodes that have no kubelet plugin, and what each of them has at each moment.

Of a node no more is remembered than which profile is for it and what its devices were last made of: they are made again
when they are asked for. So a fleet of thousands of nodes takes a few kilobytes for each.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.devicefault import DeviceFault
from fake_dra_driver.api.deviceprofile import DeviceProfile
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import UID, NamespacedName, ObjectMeta
from fake_dra_driver.driver.fault.effects import NO_FAULTS, in_classic
from fake_dra_driver.driver.fault.evaluation import Evaluation, effects_of, is_about
from fake_dra_driver.driver.fault.offer import present_node
from fake_dra_driver.driver.fault.target import Holders, Place
from fake_dra_driver.driver.live.annotations import profile_annotations
from fake_dra_driver.driver.live.specchange import has_other_spec
from fake_dra_driver.driver.objectstatus.catalog import MockCatalog
from fake_dra_driver.driver.profile.mocknode import MockNode
from fake_dra_driver.driver.simulated.member import Member
from fake_dra_driver.driver.simulated.nodemaker import NodeMaker
from fake_dra_driver.driver.simulated.selector import SimulatedNodes
from fake_dra_driver.driver.simulated.simulatednode import SimulatedNode
from fake_dra_driver.runtime import Change, RetryError, utc_now

__all__ = ["Fleet", "FleetDependencies", "SimulatedFleet"]

_NOTHING_WRONG: Final = Evaluation(NO_FAULTS, {}, None)

log = logger.bind(component="simulatednodes")


class Fleet(Protocol):
    """What those need of ``SimulatedFleet`` who publish what its nodes have."""

    def nodes(self) -> Collection[str]:
        """Names of those that are simulated now: selected, and without a plugin that serves them."""
        ...

    @property
    def is_known(self) -> bool:
        """Whether all has been read that says which nodes are simulated; before that, none seems to be."""
        ...

    def is_selected(self, name: str) -> bool:
        """Whether there is such a Node, and it is to be simulated, also where a plugin serves it."""
        ...

    def uid_of(self, name: str) -> UID | None:
        """UID of the Node; None where the node is not, or no longer, simulated.

        Raises:
            RetryError: that is not known yet.
        """
        ...

    async def node(self, name: str) -> SimulatedNode | None:
        """What a node has now; None where it is not, or no longer, simulated. Costs milliseconds; a few are kept.

        Raises:
            RetryError: that is not known yet.
        """
        ...

    def has_fault(self, uid: UID) -> bool:
        """Whether there is a DeviceFault of that UID, whatever it hits."""
        ...

    def subscribe(self, changed: Callable[[str], None]) -> None:
        """``changed`` is called with the name of each node that is selected, and then at each change of what ``node``
        answers, also when it is simulated no longer. In the event loop; must not raise."""
        ...


@dataclass(frozen=True, slots=True)
class FleetDependencies:
    """What a fleet asks others about its nodes."""

    is_served: Callable[[str], bool] = lambda _name: False
    """Whether a kubelet plugin serves the node of that name, so that it is not simulated whatever selects it."""
    holders: Callable[[MockNode], Holders] = lambda _node: {}
    """Which claims hold the devices of a node."""
    is_classic: bool = False
    """Whether this is classic DRA."""
    now: Callable[[], datetime] = utc_now
    """The wall clock."""


class SimulatedFleet(Fleet):
    """Follows the Nodes, as soon as the catalog is open.

    Args:
        catalog: has Nodes, DeviceProfiles and DeviceFaults.
        selected: which Nodes are simulated.
        dependencies: what it asks others.
    """

    def __init__(self, catalog: MockCatalog, selected: SimulatedNodes, dependencies: FleetDependencies) -> None:
        self._catalog = catalog
        self._selected = selected
        self._others = dependencies
        self._members: dict[str, Member] = {}
        self._maker = NodeMaker(catalog)
        self._has_parts = not dependencies.is_classic
        """Whether devices that are parts of others can be offered."""
        self._subscribers: list[Callable[[str], None]] = []
        self._on_other_node: list[Callable[[str], None]] = []
        catalog.when_open(self._follow)

    @override
    def nodes(self) -> Collection[str]:
        return self._members.keys()

    @property
    @override
    def is_known(self) -> bool:
        return self._catalog.is_open

    @override
    def is_selected(self, name: str) -> bool:
        node = self._catalog.nodes.get(NamespacedName("", name)) if self._catalog.is_open else None
        return node is not None and self._selected.has(node.metadata)

    @override
    def uid_of(self, name: str) -> UID | None:
        member = self._member(name)
        return None if member is None else member.node.uid

    def labels_of(self, name: str) -> Mapping[str, str]:
        """Labels of the Node; none where the node is not simulated."""
        member = self._members.get(name)
        return {} if member is None else member.node.metadata.labels

    @override
    async def node(self, name: str) -> SimulatedNode | None:
        found = await self._examined(name)
        if found is None:
            return None
        member, node, evaluation = found
        if member.effects != evaluation.effects.digest:
            # Another subscriber may have been given what was true before: all have to be told.
            member.effects = None
        return node

    @override
    def has_fault(self, uid: UID) -> bool:
        return self._catalog.faults.by_uid(uid) is not None

    @override
    def subscribe(self, changed: Callable[[str], None]) -> None:
        self._subscribers.append(changed)
        for name in self._members:
            changed(name)

    def subscribe_to_nodes(self, changed: Callable[[str], None]) -> None:
        """The same without what faults do to a node while it stays as it is."""
        self._on_other_node.append(changed)

    # --- which nodes there are ---

    def look(self, name: str) -> None:
        """Finds out whether a node is simulated, and which profile is for it; tells of what has changed."""
        if not self._catalog.is_open:
            return
        node, before = self._catalog.nodes.get(NamespacedName("", name)), self._members.get(name)
        is_selected = node is not None and self._selected.has(node.metadata)
        if node is None or not is_selected or self._others.is_served(name):
            if self._members.pop(name, None) is not None:
                log.debug("Node is not simulated any more", node=name)
            if before is not None or is_selected:
                self._tell(name)
            return
        chosen = self._catalog.choose(name)
        if before is not None and before.is_like(node, chosen):
            return
        if before is not None and before.node.uid == node.uid:
            before.node, before.chosen = node, chosen
        else:
            self._members[name] = Member(node, chosen)
            log.debug("Node is simulated", node=name)
        self._tell(name)

    def leave_out_parts(self) -> None:
        """From now on devices that are parts of others are not there."""
        if self._has_parts:
            self._has_parts = False
            for name in self._members:
                self._tell(name)

    def _follow(self) -> None:
        catalog = self._catalog
        catalog.profiles.subscribe(self._see_profile)
        catalog.nodes.subscribe(self._see_node)

    def _see_profile(self, change: Change[DeviceProfile]) -> None:
        if not has_other_spec(change):
            return
        self._maker.forget_others({profile.uid for profile in self._catalog.profiles.list()})
        for name in list(self._members):
            self.look(name)

    def _see_node(self, change: Change[Node]) -> None:
        before, after = (None if node is None else node.metadata for node in (change.old, change.new))
        # Whoever keeps a Node ready writes it every few minutes.
        if before is None or after is None or _selectable(before) != _selectable(after):
            self.look(change.key.name)

    def _member(self, name: str) -> Member | None:
        if not self._catalog.is_open:
            raise RetryError("it is not known yet which nodes are simulated")
        return self._members.get(name)

    def _tell(self, name: str) -> None:
        for tell in (*self._subscribers, *self._on_other_node):
            tell(name)

    # --- what each has ---

    async def examine(self, name: str) -> Evaluation:
        """What faults do to a node now, of which subscribers are told if they do not know it."""
        member, evaluation = self._member(name), _NOTHING_WRONG
        if member is not None and self._faults_about(member):
            found = await self._examined(name)
            member, evaluation = (None, _NOTHING_WRONG) if found is None else (found[0], found[2])
        if member is None:
            return _NOTHING_WRONG
        if member.effects != evaluation.effects.digest:
            member.effects = evaluation.effects.digest
            for tell in self._subscribers:
                tell(name)
        return evaluation

    async def _examined(self, name: str) -> tuple[Member, SimulatedNode, Evaluation] | None:
        while (member := self._member(name)) is not None:
            mock, problem = await self._maker.make(member)
            if mock is not None and not self._has_parts:
                mock = present_node(mock, NO_FAULTS, with_parts=False)
            evaluation = await self._evaluated(member, mock)
            if self._members.get(name) is member:
                profile = None if mock is None else mock.profile
                said = profile_annotations(self._catalog.driver, profile, problem)
                effects = evaluation.effects
                return member, SimulatedNode(name, member.node.uid, mock, effects, problem, said), evaluation
        return None

    def _faults_about(self, member: Member) -> Sequence[DeviceFault]:
        node = member.node.metadata
        return [f for f in self._catalog.faults.list() if is_about(f, self._catalog.driver, node.name, node.labels)]

    async def _evaluated(self, member: Member, mock: MockNode | None) -> Evaluation:
        driver, labels, faults = self._catalog.driver, member.node.metadata.labels, self._faults_about(member)
        if mock is None or not faults:
            return _NOTHING_WRONG
        holders = self._others.holders(mock) if any(fault.spec.target.claim for fault in faults) else {}
        place = Place(mock, driver, labels, holders)
        if any(fault.spec.target.cel for fault in faults):
            found = await asyncio.to_thread(effects_of, faults, place, self._others.now())
        else:
            found = effects_of(faults, place, self._others.now())
        if not self._others.is_classic:
            return found
        names = [device.name for device in mock.devices]
        return Evaluation(in_classic(found.effects, names), found.hits, found.next_change)


def _selectable(node: ObjectMeta) -> tuple[object, ...]:
    return node.uid, node.labels, node.annotations

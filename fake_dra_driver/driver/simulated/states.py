"""The NodeAllocationStates of simulated nodes: the leading controller writes what a plugin would write there.

An object is made with all that there is to say, and then kept in line, by patches that leave the rest of it alone. In
structured DRA these are a part of the requests that write which claims hold which devices; in classic DRA, where each
claim's allocation is a request of its own, they are requests by themselves. Nothing is written where nothing differs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, Self

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import UID, NamespacedName, ObjectMeta, OwnerReference
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.dra.nodestate import (
    NOT_READY,
    READY,
    Operation,
    PluginPart,
    StateClient,
    by_controller,
    is_by_controller,
    is_served_by_plugin,
    left_by_controller,
    models_of,
    owned_by,
    patch_state,
)
from fake_dra_driver.driver.node.prepared import FakePreparedDevice
from fake_dra_driver.driver.reason import SIMULATED_NODE_SERVED
from fake_dra_driver.driver.simulated.claims import NodeLook, SimulatedClaims
from fake_dra_driver.driver.simulated.fleet import Fleet
from fake_dra_driver.driver.simulated.handover import SERVED
from fake_dra_driver.driver.statelayout import FakeStateLayout
from fake_dra_driver.runtime import (
    Change,
    Controller,
    EventSink,
    Informer,
    Reconciler,
    Request,
    Result,
    loop_time,
)

__all__ = ["Precedence", "SimulatedStates"]

CHANGE_DELAY_SECONDS: Final = 0.2
"""How long changes of a node are collected, as a plugin does."""
WRITE_DELAY_SECONDS: Final = 0.5
"""The same before this writes them itself: pods of a Deployment come a dozen a second."""
UNKNOWN_SECONDS: Final = 1.0
"""Until it is asked again which nodes there are."""
LEAVE_SECONDS: Final = 5.0
"""After a node has ceased to be simulated: as a rule it is gone, and garbage collection takes its object away."""

Part = PluginPart[Device, FakePreparedDevice]

_LAYOUT: Final = FakeStateLayout()

log = logger.bind(component="simulatedstates")


class Precedence(Protocol):
    """Something that is more urgent, at times."""

    @property
    def is_behind(self) -> bool:
        """Whether it has to do."""
        ...

    def when_caught_up(self, tell: Callable[[], None]) -> None:
        """``tell`` is called whenever that has ceased to be so."""
        ...


@dataclass(frozen=True, slots=True)
class _Said:
    """What an object says of its node since it was last looked at as a whole: little, but it shows another writer."""

    inventory: int
    """Hash of the devices."""
    status: str
    annotations: Mapping[str, str]

    @classmethod
    def of(cls, part: Part) -> Self:
        models = {_LAYOUT.models_annotation: models_of(_LAYOUT, part.inventory)}
        return cls(hash(tuple(part.inventory)), part.status, {**part.annotations, **models})

    def holds(self, state: NodeAllocationState) -> bool:
        """Whether the object still says it."""
        there = state.metadata.annotations
        return (
            is_by_controller(_LAYOUT, state)
            and state.status == self.status
            and all(there.get(name, "") == text for name, text in self.annotations.items())
            and hash(tuple(_LAYOUT.inventory_of(state))) == self.inventory
        )


class SimulatedStates(Reconciler):
    """Reconciles the object of one node. ``controller`` is for the one who runs it.

    Args:
        client: writes; the cache must see its writes at once.
        states: the cache of the objects.
        namespace: in which they are.
        fleet: the nodes.
        claims: what is prepared there.
        events: tells people.
        writes: whether this writes what is missing itself; else those do who have subscribed.
        workers: how many nodes are worked on at once.
        first: what goes before making objects: when hundreds of nodes come, the scheduler is to know their devices
            soon, and people can wait.
    """

    def __init__(
        self,
        client: StateClient,
        states: Informer[NodeAllocationState],
        namespace: str,
        fleet: Fleet,
        claims: SimulatedClaims[Any],
        events: EventSink,
        *,
        writes: bool,
        workers: int,
        first: Precedence | None = None,
    ) -> None:
        self._client = client
        self._states = states
        self._namespace = namespace
        self._fleet = fleet
        self._claims = claims
        self._events = events
        self._writes = writes
        self._subscribers: list[Callable[[str], None]] = []
        self._said: dict[str, _Said] = {}
        """By node."""
        self._left_at: dict[str, float] = {}
        """By node that has ceased to be simulated: when its object is to be left to others."""
        self._served: dict[str, UID] = {}
        """By node: the object of which it was said that a plugin writes it."""
        self.controller = Controller(
            "simulatednode", self, workers=workers, log_context=lambda request: {"node": request.name}
        )
        self._first = first
        self._unmade: set[NamespacedName] = set()
        """Objects that are to be made as soon as nothing goes before."""
        if first is not None:
            first.when_caught_up(self._make_rest)
        fleet.subscribe(self._node_changed)
        states.subscribe(self._state_changed)

    def subscribe(self, changed: Callable[[str], None]) -> None:
        """``changed`` is called with the name of each node whose object may not say what it should."""
        self._subscribers.append(changed)

    def claims_changed(self, node: str) -> None:
        """What is to be prepared on a node may have changed. Returns at once."""
        if self._fleet.is_known and self._fleet.uid_of(node) is not None:
            self._look(node)

    @override
    async def reconcile(self, request: Request) -> Result:
        name, state = request.name, self._states.get(request)
        if not self._fleet.is_known:
            return Result(requeue_after=UNKNOWN_SECONDS)
        if self._fleet.uid_of(name) is None:
            self._claims.forget(name)
            self._said.pop(name, None)
            return await self._step_back(name, state)
        self._left_at.pop(name, None)
        if state is None:
            await self._make(request)
        elif not self._writes:
            for tell in self._subscribers:
                tell(name)
        elif operations := await self.missing(state):
            await patch_state(self._client, _LAYOUT, state, operations)
        return Result()

    async def missing(self, state: NodeAllocationState) -> Sequence[Operation]:
        """What a JSON patch has to do so that an object says what it should of a simulated node; else nothing.

        Raises:
            RuntimeLayerError: it cannot be told what the node has.
        """
        name = state.metadata.name
        uid = self._fleet.uid_of(name) if self._fleet.is_known else None
        if uid is None or state.is_deleting or is_served_by_plugin(_LAYOUT, state):
            return ()
        said = self._said.get(name)
        looked = await self._claims.look(state, is_news=said is None or not said.holds(state))
        if looked is None:
            return ()
        part = self._part(looked, state)
        operations = [*owned_by(state, _owner(name, uid)), *part.missing(_LAYOUT, state)]
        return by_controller(_LAYOUT, state, operations)

    def _part(self, looked: NodeLook, state: NodeAllocationState) -> Part:
        """What is to be said of a node, after a look at it."""
        name, node = state.metadata.name, looked.node
        if looked.again_seconds is not None:
            self.controller.enqueue(state.key, after=looked.again_seconds)
        if node is None:
            return PluginPart(_LAYOUT.inventory_of(state), looked.prepared, state.status)
        # Where it is not known what the node has, what is published stays.
        inventory = _LAYOUT.inventory_of(state) if node.mock is None else node.devices
        status = NOT_READY if node.effects.deregistered else READY
        part = PluginPart(inventory, looked.prepared, status, annotations=node.annotations)
        self._said[name] = _Said.of(part)
        return part

    async def _make(self, key: NamespacedName) -> None:
        """Creates the object of a node that has none; not before it is known what the node has."""
        if self._first is not None and self._first.is_behind:
            self._unmade.add(key)
            return
        draft = _LAYOUT.make(ObjectMeta(name=key.name, namespace=key.namespace), READY)
        looked = await self._claims.look(draft, is_news=True)
        if looked is None or looked.node is None or looked.node.mock is None:
            return
        owner = _owner(key.name, looked.node.uid)
        await self._client.create(self._part(looked, draft).made(_LAYOUT, key, owner))
        log.debug("Node published", node=key.name, devices=len(looked.node.devices))

    def _make_rest(self) -> None:
        unmade, self._unmade = self._unmade, set()
        for key in unmade:
            self.controller.enqueue(key)

    async def _step_back(self, name: str, state: NodeAllocationState | None) -> Result:
        """Leaves the object of a node that is not simulated to others, or tells people that it is another's."""
        if state is None or state.is_deleting:
            self._left_at.pop(name, None)
            return Result()
        if is_by_controller(_LAYOUT, state):
            left_at = self._left_at.setdefault(name, loop_time() + LEAVE_SECONDS)
            if (left := left_at - loop_time()) > 0:
                return Result(requeue_after=left)
            await patch_state(self._client, _LAYOUT, state, left_by_controller(_LAYOUT, state))
            log.info("Node is not simulated any more", node=name)
        elif self._fleet.is_selected(name) and self._served.get(name) != state.uid:
            self._served[name] = state.uid
            SIMULATED_NODE_SERVED.tell(self._events, state, SERVED)
        self._left_at.pop(name, None)
        return Result()

    def _node_changed(self, node: str) -> None:
        self._claims.changed(node)
        self._look(node)

    def _state_changed(self, change: Change[NodeAllocationState]) -> None:
        name = change.key.name
        is_ours = any(state is not None and is_by_controller(_LAYOUT, state) for state in (change.old, change.new))
        if change.new is None:
            self._served.pop(name, None)
        if is_ours or self._fleet.is_selected(name):
            self._look(name)

    def _look(self, node: str) -> None:
        delay_seconds = WRITE_DELAY_SECONDS if self._writes else CHANGE_DELAY_SECONDS
        self.controller.enqueue(NamespacedName(self._namespace, node), after=delay_seconds)


def _owner(name: str, uid: UID) -> OwnerReference:
    return OwnerReference(api_version=Node.resource.api_version, kind=Node.resource.kind, name=name, uid=uid)

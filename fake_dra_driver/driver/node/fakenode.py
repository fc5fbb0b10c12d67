"""What the kubelet plugin does on a node with Fake devices, but for what depends on the mode of DRA."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

from typing_extensions import override

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.dra.node.classic import ClassicClaim
from fake_dra_driver.dra.node.nodefiles import NodeFiles
from fake_dra_driver.dra.node.setup import NodeParts
from fake_dra_driver.dra.nodestate.publisher import StatePublisher
from fake_dra_driver.dra.nodestate.state import StateClient, reference_of
from fake_dra_driver.driver.node.planning import FakePlanner
from fake_dra_driver.driver.node.prepared import FakePreparedDevice
from fake_dra_driver.driver.node.preparedmodel import FakePreparedModel
from fake_dra_driver.driver.node.published import FakePublishedClaims
from fake_dra_driver.driver.statelayout import FakeStateLayout
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import InvalidObjectError
from fake_dra_driver.runtime.events import EventSink

__all__ = ["FakeNodeParts"]

PUBLISH_DELAY_SECONDS: Final = 0.2
"""How long the plugin collects changes before it writes them to its NodeAllocationState."""


class FakeNodeParts(NodeParts[FakePreparedDevice]):
    """The parts of one node, with the publisher of its NodeAllocationState.

    Args:
        state_key: of that object; its name is the node's.
        inventory: the devices of the node.
        model: what they are.
        planner: of the same node.
        files: where its claims are prepared.
        classic: the devices that a claim of a classic kubelet is to get, see ``PreparerDriver``.
        states: a cache that has the node's NodeAllocationState.
        client: writes it.
        events: writes Events.
        is_serving: whether the kubelet can use the plugin at this moment.
        has_successor: whether another process of the plugin serves the node.
    """

    def __init__(
        self,
        *,
        state_key: NamespacedName,
        inventory: Sequence[Device],
        model: FakePreparedModel,
        planner: FakePlanner,
        files: NodeFiles[FakePreparedDevice],
        classic: Callable[[ClassicClaim], Awaitable[Sequence[FakePreparedDevice]]],
        states: Informer[NodeAllocationState],
        client: StateClient,
        events: EventSink,
        is_serving: Callable[[], bool],
        has_successor: Callable[[], Awaitable[bool]],
    ) -> None:
        super().__init__(
            node=state_key.name,
            model=model,
            files=files,
            classic=classic,
            published=FakePublishedClaims(partial(_readable, states, state_key), planner),
            states=states,
            about=reference_of(NodeAllocationState, state_key),
            events=events,
            publish=self.publish,
        )
        self.publisher = StatePublisher(
            FakeStateLayout(),
            state_key,
            lambda: inventory,
            files,
            states,
            client,
            is_serving,
            has_successor,
            self.node_events,
        )
        self._publications = Controller("nodeallocationstate", self.publisher)
        self._publications.watch(states)

    @property
    @override
    def controllers(self) -> tuple[Controller, ...]:
        return (*super().controllers, self._publications)

    def publish(self) -> None:
        """What there is to say about the node may have changed."""
        self._publications.enqueue(self._key, after=PUBLISH_DELAY_SECONDS)


def _readable(states: Informer[NodeAllocationState], key: NamespacedName) -> NodeAllocationState | None:
    """The node's object; None also for one that was edited into something that cannot be read, which says nothing."""
    try:
        return states.get(key)
    except InvalidObjectError:
        return None

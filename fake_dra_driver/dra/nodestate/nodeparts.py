"""What a kubelet plugin does on its node, and says of it in its object, but for what depends on the mode of DRA."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, Generic

from typing_extensions import override

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.dra.node.classic import ClassicClaim
from fake_dra_driver.dra.node.nodefiles import NodeFiles
from fake_dra_driver.dra.node.prepared import PreparedT
from fake_dra_driver.dra.node.preparedmodel import PreparedModel
from fake_dra_driver.dra.node.setup import NodeParts
from fake_dra_driver.dra.nodestate.layout import DeviceT, NodeStateLayout, StateT
from fake_dra_driver.dra.nodestate.published import PublishedState, Restore
from fake_dra_driver.dra.nodestate.publisher import StatePublisher
from fake_dra_driver.dra.nodestate.state import StateClient, reference_of
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import InvalidObjectError
from fake_dra_driver.runtime.events import EventSink

__all__ = ["StateNodeParts"]

PUBLISH_DELAY_SECONDS: Final = 0.2
"""How long the plugin collects changes before it writes them to its NodeAllocationState."""


class StateNodeParts(NodeParts[PreparedT], Generic[StateT, DeviceT, PreparedT]):
    """The parts of one node, with the publisher of its NodeAllocationState.

    Args:
        layout: of that object.
        state_key: of that object; its name is the node's.
        inventory: says which devices the node has at this moment.
        model: what they are.
        restore: what that object lists as prepared.
        files: where the node's claims are prepared.
        classic: the devices that a claim of a classic kubelet is to get, see ``PreparerDriver``.
        states: a cache that has the node's NodeAllocationState.
        client: writes it.
        events: writes Events.
        is_serving: whether the kubelet can use the plugin at this moment.
        has_successor: whether another process of the plugin serves the node.
        problem: why the inventory may be out of date; empty where it is not.
        annotations: what else is said of the node, see ``StatePublisher``.
    """

    def __init__(
        self,
        *,
        layout: NodeStateLayout[StateT, DeviceT, Any, PreparedT],
        state_key: NamespacedName,
        inventory: Callable[[], Sequence[DeviceT]],
        model: PreparedModel[PreparedT],
        restore: Restore[StateT, PreparedT],
        files: NodeFiles[PreparedT],
        classic: Callable[[ClassicClaim], Awaitable[Sequence[PreparedT]]],
        states: Informer[StateT],
        client: StateClient,
        events: EventSink,
        is_serving: Callable[[], bool],
        has_successor: Callable[[], Awaitable[bool]],
        problem: Callable[[], str] = str,
        annotations: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        super().__init__(
            node=state_key.name,
            model=model,
            files=files,
            classic=classic,
            published=PublishedState(layout, partial(_readable, states, state_key), restore),
            states=states,
            about=reference_of(layout.kind, state_key),
            events=events,
            publish=self.publish,
        )
        self.publisher = StatePublisher(
            layout,
            state_key,
            inventory,
            files,
            states,
            client,
            is_serving,
            has_successor,
            self.node_events,
            problem=problem,
            annotations=annotations,
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


def _readable(states: Informer[StateT], key: NamespacedName) -> StateT | None:
    """The node's object; None also for one that was edited into something that cannot be read, which says nothing."""
    try:
        return states.get(key)
    except InvalidObjectError:
        return None

"""The kubelet plugin's parts put together, but for what depends on the mode of DRA, which is known only later."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.dra.node.classic import ClassicClaim
from fake_dra_driver.driver.node.events import ClaimEvents, NodeEvents
from fake_dra_driver.driver.node.latebinding import LateClaimLookup, LateNodeDriver, NodeMode
from fake_dra_driver.driver.node.nodedriver import FakeNodeDriver
from fake_dra_driver.driver.node.nodefiles import NodeFiles
from fake_dra_driver.driver.node.prepared import WantedDevice
from fake_dra_driver.driver.node.preparer import Preparer
from fake_dra_driver.driver.node.publisher import StatePublisher
from fake_dra_driver.driver.node.recovery import Recovery
from fake_dra_driver.driver.nodestate import StateClient, reference_of
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import InvalidObjectError
from fake_dra_driver.runtime.events import EventSink

__all__ = ["NodeParts"]

PUBLISH_DELAY_SECONDS: Final = 0.2
"""How long the plugin collects changes before it writes them to its NodeAllocationState."""


class NodeParts:
    """Node driver, preparer, recovery and publisher of one node, wired to each other.

    They can start before the mode of DRA is known; ``bind`` says which it is.

    Args:
        state_key: of the node's NodeAllocationState; its name is the node's.
        inventory: the devices of the node.
        files: where its claims are prepared.
        classic: the devices that a claim of a classic kubelet is to get, see ``FakeNodeDriver``.
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
        files: NodeFiles,
        classic: Callable[[ClassicClaim], Awaitable[Sequence[WantedDevice]]],
        states: Informer[NodeAllocationState],
        client: StateClient,
        events: EventSink,
        is_serving: Callable[[], bool],
        has_successor: Callable[[], Awaitable[bool]],
    ) -> None:
        node = state_key.name
        self._key = state_key
        self._checkpoint = files.checkpoint
        self.node_events = NodeEvents(events, reference_of(state_key))
        self._lookup = LateClaimLookup(partial(_readable, states, state_key))
        self.claim_events = ClaimEvents(events, node, lambda: self._lookup.claim_kind)
        self.preparer = Preparer(node, inventory, files, self._lookup, self.node_events, self.publish)
        self.driver = LateNodeDriver(self.preparer, FakeNodeDriver(self.preparer, classic))
        self._recovery = Recovery(self.preparer, files, self._lookup, self.node_events, self.claim_events, self.publish)
        self.publisher = StatePublisher(
            state_key, inventory, files, states, client, is_serving, has_successor, self.node_events
        )
        self._recoveries = Controller("recovery", self._recovery)
        self._publications = Controller("nodeallocationstate", self.publisher)
        for controller in self.controllers:
            controller.watch(states)

    @property
    def controllers(self) -> tuple[Controller, ...]:
        """All of them, for the manager."""
        return (self._recoveries, self._publications)

    async def start(self) -> None:
        """To be called before the first call of the kubelet. Raises as ``Recovery.start``."""
        await self._recovery.start()
        self._recoveries.enqueue(self._key)
        self.publish()

    async def refresh(self) -> None:
        """Takes over what another process has written to the node's files (``FolderLock``, ``on_taken``).

        Raises as ``Checkpoint.refresh``.
        """
        was_complete = self._checkpoint.is_complete
        await self._checkpoint.refresh()
        if was_complete and not self._checkpoint.is_complete:
            self._recoveries.enqueue(self._key)

    def bind(self, mode: NodeMode) -> None:
        """The mode of DRA is known: claims are prepared, and what had to wait for it goes on."""
        self._lookup.bind(mode.lookup)
        self.driver.bind(mode.driver)
        self._recoveries.enqueue(self._key)

    def publish(self) -> None:
        """What there is to say about the node may have changed."""
        self._publications.enqueue(self._key, after=PUBLISH_DELAY_SECONDS)


def _readable(states: Informer[NodeAllocationState], key: NamespacedName) -> NodeAllocationState | None:
    """The node's object; None also for one that was edited into something that cannot be read, which says nothing."""
    try:
        return states.get(key)
    except InvalidObjectError:
        return None

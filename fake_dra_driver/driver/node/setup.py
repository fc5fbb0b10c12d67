"""The kubelet plugin's parts put together, but for what depends on the mode of DRA: claim lookup and gRPC calls."""

from collections.abc import Callable, Sequence
from typing import Final

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.driver.node.claimlookup import ClaimLookup
from fake_dra_driver.driver.node.events import ClaimEvents, NodeEvents
from fake_dra_driver.driver.node.nodefiles import NodeFiles
from fake_dra_driver.driver.node.preparer import Preparer
from fake_dra_driver.driver.node.publisher import StatePublisher
from fake_dra_driver.driver.node.recovery import Recovery
from fake_dra_driver.driver.nodestate import StateClient, reference_of
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.events import EventSink

__all__ = ["NodeParts"]

PUBLISH_DELAY_SECONDS: Final = 0.2
"""How long the plugin collects changes before it writes them to its NodeAllocationState."""


class NodeParts:
    """Preparer, recovery and publisher of one node, wired to each other.

    Args:
        state_key: of the node's NodeAllocationState; its name is the node's.
        inventory: the devices of the node.
        files: where its claims are prepared.
        lookup: what claims hold on it.
        states: a cache that has the node's NodeAllocationState.
        client: writes it.
        events: writes Events.
        is_serving: whether the kubelet can use the plugin at this moment.
    """

    def __init__(
        self,
        *,
        state_key: NamespacedName,
        inventory: Sequence[Device],
        files: NodeFiles,
        lookup: ClaimLookup,
        states: Informer[NodeAllocationState],
        client: StateClient,
        events: EventSink,
        is_serving: Callable[[], bool],
    ) -> None:
        node = state_key.name
        self._key = state_key
        self.node_events = NodeEvents(events, reference_of(state_key))
        self.claim_events = ClaimEvents(events, node, lookup.claim_kind)
        self.preparer = Preparer(node, inventory, files, lookup, self.node_events, self.publish)
        self._recovery = Recovery(self.preparer, files, lookup, self.node_events, self.claim_events, self.publish)
        self.publisher = StatePublisher(
            state_key, inventory, files.checkpoint, states, client, is_serving, self.node_events
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

    def publish(self) -> None:
        """What there is to say about the node may have changed."""
        self._publications.enqueue(self._key, after=PUBLISH_DELAY_SECONDS)

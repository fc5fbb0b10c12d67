"""The kubelet plugin's parts put together, but for what depends on the mode of DRA, which is known only later."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Generic

from fake_dra_driver.api.kube.core import ObjectReference
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.dra.node.claimevents import ClaimEvents
from fake_dra_driver.dra.node.claimlookup import PublishedClaims
from fake_dra_driver.dra.node.classic import ClassicClaim
from fake_dra_driver.dra.node.events import NodeEvents
from fake_dra_driver.dra.node.latebinding import LateClaimLookup, LateNodeDriver, NodeMode
from fake_dra_driver.dra.node.nodedriver import PreparerDriver
from fake_dra_driver.dra.node.nodefiles import NodeFiles
from fake_dra_driver.dra.node.prepared import PreparedT
from fake_dra_driver.dra.node.preparedmodel import PreparedModel
from fake_dra_driver.dra.node.preparer import Preparer
from fake_dra_driver.dra.node.recovery import Recovery
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.events import EventSink
from fake_dra_driver.runtime.reconcile import Request

__all__ = ["NodeParts"]

CLAIMS_AT_ONCE: Final = 64
"""Claims that the recovery works on at once where a driver does something to its devices. Each for which its code hangs
keeps one of these places; a node with so many is not to be helped. A place that is free takes next to no memory."""


class NodeParts(Generic[PreparedT]):
    """Node driver, preparer and recovery of one node, wired to each other.

    They can start before the mode of DRA is known; ``bind`` says which it is.

    Args:
        node: its name.
        model: what its devices are.
        files: where its claims are prepared.
        classic: the devices that a claim of a classic kubelet is to get, see ``PreparerDriver``.
        published: what the node's own object says of claims.
        states: a cache that has that object.
        about: that object, with or without its UID: what is told about the node is told there.
        events: writes Events.
        publish: called whenever there may be something new to say about the node in its object.
    """

    def __init__(
        self,
        *,
        node: str,
        model: PreparedModel[PreparedT],
        files: NodeFiles[PreparedT],
        classic: Callable[[ClassicClaim], Awaitable[Sequence[PreparedT]]],
        published: PublishedClaims[PreparedT],
        states: Informer[Any],
        about: ObjectReference,
        events: EventSink,
        publish: Callable[[], None],
    ) -> None:
        self._key = NamespacedName(about.namespace, about.name)
        self._checkpoint = files.checkpoint
        self._publish = publish
        self.node_events = NodeEvents(events, about)
        self._lookup = LateClaimLookup(published)
        self.claim_events = ClaimEvents(events, node, lambda: self._lookup.claim_kind)
        self.preparer = Preparer(node, model, files, self._lookup, self.node_events, publish)
        self.driver = LateNodeDriver(self.preparer, PreparerDriver(self.preparer, classic))
        self._recovery = Recovery(
            self.preparer,
            files,
            self._lookup,
            self.node_events,
            self.claim_events,
            publish,
            self._ask_for if model.has_effects else None,
        )
        self._recoveries = Controller("recovery", self._recovery, workers=CLAIMS_AT_ONCE if model.has_effects else 1)
        self._recoveries.watch(states)

    def _ask_for(self, request: Request) -> None:
        self._recoveries.enqueue(request)

    @property
    def controllers(self) -> tuple[Controller, ...]:
        """All of them, for the manager."""
        return (self._recoveries,)

    async def start(self) -> None:
        """To be called before the first call of the kubelet. Raises as ``Recovery.start``."""
        await self._recovery.start()
        self._recoveries.enqueue(self._key)
        self._publish()

    async def refresh(self) -> None:
        """Takes over what another process has written to the node's files (``FolderLock``, ``on_taken``).

        Raises as ``Checkpoint.refresh``.
        """
        was_complete = self._checkpoint.is_complete
        await self._checkpoint.refresh()
        if was_complete and not self._checkpoint.is_complete:
            self._recoveries.enqueue(self._key)

    def bind(self, mode: NodeMode[PreparedT]) -> None:
        """The mode of DRA is known: claims are prepared, and what had to wait for it goes on."""
        self._lookup.bind(mode.lookup)
        self.driver.bind(mode.driver)
        self._recoveries.enqueue(self._key)

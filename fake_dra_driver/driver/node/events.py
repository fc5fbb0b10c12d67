"""What a kubelet plugin tells people, as Events: about its node on the NodeAllocationState, about claims on the claim.

The plugin works before it has ever talked to the API server, so what is told about the node waits here until its object
is known. How much waits is bounded; the latest is kept.
"""

from collections import deque
from pathlib import Path
from typing import Final

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.api.kube.core import ObjectReference
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim
from fake_dra_driver.dra.node.calls import Verb
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.registration import Registration
from fake_dra_driver.dra.reason import PREPARE_FAILED, UNPREPARE_FAILED, EventSink, Reason
from fake_dra_driver.driver.node.metrics import PrepareMetrics
from fake_dra_driver.driver.reasons import REGISTRATION_REFUSED, SOCKET_RESTORED

__all__ = ["CallReporter", "Notices"]

MAX_WAITING: Final = 100

_CLAIM: Final = ResourceClaim.resource


class Notices:
    """Events of one node."""

    def __init__(self, events: EventSink) -> None:
        self.events = events
        self._state: NodeAllocationState | None = None
        self._waiting: deque[tuple[Reason, str]] = deque(maxlen=MAX_WAITING)

    def tell(self, reason: Reason, message: str) -> None:
        """Reports something about the node, at once or as soon as its object is known."""
        if self._state is None:
            self._waiting.append((reason, message))
        else:
            reason.tell(self.events, self._state, message)

    def tell_mended(self, socket: Path) -> None:
        """A socket of the plugin was gone, and is served again."""
        self.tell(SOCKET_RESTORED, f"socket {socket} was gone, and is served again")

    def tell_registration(self, registration: Registration) -> None:
        """The kubelet has decided about the plugin."""
        if registration.error:
            self.tell(REGISTRATION_REFUSED, f"the kubelet refused the plugin: {registration.error}")

    def know(self, state: NodeAllocationState) -> None:
        """The node's object is there: what waited is reported on it."""
        self._state = state
        while self._waiting:
            reason, message = self._waiting.popleft()
            reason.tell(self.events, state, message)


class CallReporter:
    """Implements ``CallObserver``: counts, and tells the owner of a claim what the kubelet was told."""

    def __init__(self, counts: PrepareMetrics, events: EventSink, node: str) -> None:
        self._events = events
        self._node = node
        self.worked = counts.worked
        self.answered = counts.answered

    def failed(self, verb: Verb, claim: NodeClaim, message: str) -> None:
        """As ``CallObserver.failed``."""
        about = ObjectReference(
            api_version=_CLAIM.api_version,
            kind=_CLAIM.kind,
            namespace=claim.namespace,
            name=claim.name,
            uid=claim.uid,
        )
        reason = PREPARE_FAILED if verb == "prepare" else UNPREPARE_FAILED
        reason.tell(self._events, about, f"on node {self._node}: {message}")

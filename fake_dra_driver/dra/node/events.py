"""What a kubelet plugin tells people about its node, as Events, and in which words."""

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from fake_dra_driver.api.kube.core import ObjectReference
from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.node.prepared import PreparedClaim, PreparedT
from fake_dra_driver.dra.node.reason import (
    CDI_FILES_REMOVED,
    CDI_FILES_RESTORED,
    CHECKPOINT_REBUILT,
    NODE_NOT_READY,
    PLUGIN_STOPPED,
    REGISTRATION_REFUSED,
    SOCKET_RESTORED,
    STALE_CLAIM_UNPREPARED,
    STATE_RECREATED,
)
from fake_dra_driver.dra.node.registration import Registration
from fake_dra_driver.dra.reason import Reason
from fake_dra_driver.runtime.events import EventSink

__all__ = ["NodeEvents"]

MAX_WAITING: Final = 100
"""How many Events wait for the UID of their object; of more, the latest are kept."""
MAX_LISTED: Final = 5
"""How many claims or devices an Event lists; the rest are counted."""


class NodeEvents:
    """Events about one node.

    ``kubectl describe`` shows an Event only with the object whose UID it names. The plugin works before it has ever
    talked to the API server, so what it has to tell waits here until ``object_found`` says which UID that is. About a
    Node nothing has to wait: its Events name it as their UID too, as the kubelet's own do.

    Args:
        sink: writes them.
        about: the object that stands for the node, with or without its UID.
    """

    def __init__(self, sink: EventSink, about: ObjectReference) -> None:
        self._sink = sink
        self._about = about
        self._waiting: deque[tuple[Reason, str]] = deque(maxlen=MAX_WAITING)

    def object_found(self, uid: UID) -> None:
        """The object is there, perhaps not the same one as before: what waited is reported on it."""
        self._about = self._about.model_copy(update={"uid": uid})
        while self._waiting:
            self._report(*self._waiting.popleft())

    def socket_restored(self, socket: Path) -> None:
        """A socket of the plugin was gone, and is served again."""
        self._report(SOCKET_RESTORED, f"socket {socket} was gone, and is served again")

    def registration_changed(self, registration: Registration) -> None:
        """The kubelet has decided about the plugin; only a refusal is reported."""
        if registration.error:
            self._report(REGISTRATION_REFUSED, f"the kubelet refused the plugin: {registration.error}")

    def cdi_files_restored(self, uids: Sequence[str]) -> None:
        """CDI files of these prepared claims were missing or changed, and were written again."""
        message = f"wrote {_counted(len(uids), 'CDI file')} again, missing or changed since prepared: {_listed(uids)}"
        self._report(CDI_FILES_RESTORED, message)

    def cdi_files_removed(self, uids: Sequence[str]) -> None:
        """CDI files of these claims, which are not prepared, were removed."""
        message = f"removed {_counted(len(uids), 'CDI file')} of claims that are not prepared here: {_listed(uids)}"
        self._report(CDI_FILES_REMOVED, message)

    def stale_claim_unprepared(self, claim: PreparedClaim[PreparedT]) -> None:
        """A claim that holds nothing here any more was unprepared without the kubelet."""
        self._report(
            STALE_CLAIM_UNPREPARED,
            f"claim {claim.namespace}/{claim.name} ({claim.uid}) holds nothing here any more and had never been "
            f"unprepared; its devices are free again: {_listed(sorted(claim.keys))}",
        )

    def checkpoint_rebuilt(self, damage: str, claims: int) -> None:
        """A checkpoint that was lost is complete again.

        Args:
            damage: what was wrong with it; empty when there was none.
            claims: how many it lists now.
        """
        lost = damage or "there was no checkpoint"
        found = _counted(claims, "claim")
        self._report(CHECKPOINT_REBUILT, f"{lost}; it was rebuilt from what the API server has: {found}")

    def state_recreated(self) -> None:
        """The node's NodeAllocationState was deleted, and exists again."""
        self._report(STATE_RECREATED, "the object was deleted while the kubelet plugin ran, and was created again")

    def tell(self, reason: Reason, message: str) -> None:
        """What a driver itself has to say about the node."""
        self._report(reason, message)

    def not_ready(self) -> None:
        """The node's status was set to NotReady although the plugin runs."""
        message = "the kubelet cannot use the plugin any more: pods with claims cannot start here until it can"
        self._report(NODE_NOT_READY, message)

    def plugin_stopped(self) -> None:
        """The node's status was set to NotReady because the plugin stops."""
        message = (
            "the kubelet plugin was stopped: pods that run keep their devices, others with claims cannot start until "
            "it is back"
        )
        self._report(PLUGIN_STOPPED, message)

    def _report(self, reason: Reason, message: str) -> None:
        if self._about.uid:
            reason.tell(self._sink, self._about, message)
        else:
            self._waiting.append((reason, message))


def _counted(number: int, name: str) -> str:
    return f"{number} {name}{'s' if number != 1 else ''}"


def _listed(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - MAX_LISTED
    return ", ".join(names[:MAX_LISTED]) + (f" and {more} more" if more > 0 else "")

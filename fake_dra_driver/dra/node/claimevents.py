"""What a kubelet plugin tells the owners of claims on its node, as Events, and in which words."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from fake_dra_driver.api.kube.core import ObjectReference
from fake_dra_driver.api.kube.meta import ResourceKind
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.reason import CLAIM_NOT_RESTORED
from fake_dra_driver.dra.reason import PREPARE_FAILED, UNPREPARE_FAILED, Reason
from fake_dra_driver.runtime.events import EventSink

if TYPE_CHECKING:  # a controller says the same of nodes without a plugin, and loads no gRPC
    from fake_dra_driver.dra.node.calls import Verb

__all__ = ["ClaimEvents"]


class ClaimEvents:
    """Events about claims on one node, for their owners.

    Args:
        sink: writes them.
        node: the name of the node.
        claim_kind: the kind of the claims, which may not be known from the start.
    """

    def __init__(self, sink: EventSink, node: str, claim_kind: Callable[[], ResourceKind]) -> None:
        self._sink = sink
        self._node = node
        self._claim_kind = claim_kind

    def call_failed(self, verb: "Verb", claim: NodeClaim, message: str) -> None:
        """The kubelet was told that the claim could not be prepared or unprepared."""
        reason = PREPARE_FAILED if verb == "prepare" else UNPREPARE_FAILED
        self._report(reason, claim, f"on node {self._node}: {message}")

    def not_restored(self, claim: NodeClaim, problem: str) -> None:
        """The claim could not be taken into a checkpoint that is being rebuilt."""
        self._report(
            CLAIM_NOT_RESTORED,
            claim,
            f"the checkpoint of node {self._node} was lost and rebuilt, and the claim, which is in use there, could "
            f"not be restored: {problem}; delete the claim's pods there to have it prepared again",
        )

    def _report(self, reason: Reason, claim: NodeClaim, message: str) -> None:
        kind = self._claim_kind()
        about = ObjectReference(
            api_version=kind.api_version,
            kind=kind.kind,
            namespace=claim.namespace,
            name=claim.name,
            uid=claim.uid,
        )
        reason.tell(self._sink, about, message)

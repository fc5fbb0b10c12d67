"""What is asked about claims on a node: the one thing about preparing that classic and structured DRA do not share.

Classic DRA finds the answers in a claim's resource handle, the ledger and ``status.driverName``, structured DRA in the
results of its allocation. What the node's own object says of claims, ``PublishedClaims``, is the same in both.
"""

from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Generic, Protocol

from fake_dra_driver.api.kube.meta import ResourceKind
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.prepared import PreparedClaim, PreparedT
from fake_dra_driver.runtime.errors import RuntimeLayerError

__all__ = ["ClaimInUse", "ClaimLookup", "ModeUnknownError", "NodeLookup", "PublishedClaims"]


class ModeUnknownError(RuntimeLayerError):
    """The API server has not said yet which mode of DRA it serves, so that nothing can be asked about claims."""


@dataclass(frozen=True, slots=True)
class ClaimInUse(Generic[PreparedT]):
    """A claim that pods on this node use, or are about to use."""

    claim: NodeClaim
    devices: Sequence[PreparedT]
    """What it holds here, in the order in which containers see it."""
    problem: str = ""
    """Why it cannot be told what the claim holds, or why it cannot have that here; ``devices`` is empty then."""
    is_gone: bool = False
    """Whether only the UID of ``claim`` is known: there is no such object any more, or it has let go of its devices."""


class ClaimLookup(Protocol[PreparedT]):
    """Tells what claims hold on one node."""

    @property
    def claim_kind(self) -> ResourceKind:
        """The kind of claims, as Events name it."""
        ...

    def known_holders(self, prepared: AbstractSet[str]) -> AbstractSet[str]:
        """Those of the prepared claims, by UID, that need not be asked about: they hold devices here.

        Answered without a request, and perhaps from what is a little out of date.
        """
        ...

    async def still_held(self, prepared: PreparedClaim[PreparedT]) -> Collection[str]:
        """Those of the devices prepared for a claim, by key, that it holds at this moment; none: the claim is stale.

        Asks the API server, since a claim that is ended by mistake costs a container its devices. For the same reason a
        device counts as held where the answer leaves that open.

        Raises:
            ModeUnknownError: it is not known yet how to ask.
            RuntimeLayerError: the API server cannot be asked.
        """
        ...

    async def in_use(self) -> Sequence[ClaimInUse[PreparedT]]:
        """Every claim whose devices may be in use here. One too many does no harm, one too few does.

        Raises:
            ModeUnknownError: it is not known yet how to ask.
            RuntimeLayerError: the API server cannot be asked.
        """
        ...


class NodeLookup(ClaimLookup[PreparedT], Protocol[PreparedT]):
    """What a node asks about its claims: the mode's answers, and the word of the controller, which knows the pods."""

    def is_abandoned(self, uid: str) -> bool:
        """Whether the controller has said that the claim holds nothing on the node, and that no pod there can use it.

        One that merely is gone may be that of a pod that runs: those who may edit a claim can take it away from it.
        """
        ...


class PublishedClaims(Protocol[PreparedT]):
    """What the node's own object, its NodeAllocationState, says about claims, as far as it is known."""

    def listed(self) -> Sequence[ClaimInUse[PreparedT]]:
        """The claims that it lists as prepared. Nothing is known of them but their UID: ``is_gone``."""
        ...

    def abandoned(self) -> AbstractSet[str]:
        """The claims, by UID, that no pod on the node can use, as the controller has said there."""
        ...

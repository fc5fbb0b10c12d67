"""What is asked about claims on a node: the one thing about preparing that classic and structured DRA do not share.

Classic DRA finds the answers in a claim's resource handle, the ledger and ``status.driverName``
(``driver.classic.claimlookup``), structured DRA in the results of its allocation.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from fake_dra_driver.api.kube.meta import ResourceKind
from fake_dra_driver.device.prepared import PreparedClaim, WantedDevice
from fake_dra_driver.dra.node.claim import NodeClaim

__all__ = ["ClaimInUse", "ClaimLookup"]


@dataclass(frozen=True, slots=True)
class ClaimInUse:
    """A claim that pods on this node use, or are about to use."""

    claim: NodeClaim
    wanted: Sequence[WantedDevice]
    """What it holds here, in the order in which containers see it."""
    problem: str = ""
    """Why it cannot be told what the claim holds; ``wanted`` is empty then."""


class ClaimLookup(Protocol):
    """Tells what claims hold on one node."""

    claim_kind: ResourceKind
    """The kind of claims, as Events name it."""

    def known_holders(self) -> Collection[str]:
        """The UIDs of claims that hold devices here by what is known without a request. May lag behind."""
        ...

    async def still_held(self, prepared: PreparedClaim) -> Collection[str]:
        """Those of the whole devices prepared for a claim that it holds at this moment; none: the claim is stale.

        Asks the API server, since a claim that is ended by mistake costs a container its devices. For the same reason a
        device counts as held where the answer leaves that open.

        Raises:
            RuntimeLayerError: the API server cannot be asked.
        """
        ...

    async def in_use(self) -> Sequence[ClaimInUse]:
        """Every claim whose devices may be in use here. One too many does no harm, one too few does.

        Raises:
            RuntimeLayerError: the API server cannot be asked.
        """
        ...

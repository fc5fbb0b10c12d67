"""Which mode of DRA the cluster speaks, for the parts of a plugin that start before the API server has said so.

A plugin serves its sockets at once, also while the API server is away: the kubelet unprepares claims, and asks again
for those that are prepared, for which local data is enough. The classes here stand for those of the mode until it is
known. A claim of a classic kubelet needs no mode: its resource handle says what it holds.
"""

from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final, Generic

from typing_extensions import override

from fake_dra_driver.api.kube.meta import ResourceKind
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.claimlookup import (
    ClaimInUse,
    ClaimLookup,
    ModeUnknownError,
    NodeLookup,
    PublishedClaims,
)
from fake_dra_driver.dra.node.classic import ClassicClaim
from fake_dra_driver.dra.node.driver import NodeDriver, ReadyDevice
from fake_dra_driver.dra.node.prepared import PreparedClaim, PreparedT
from fake_dra_driver.dra.node.preparer import Preparer
from fake_dra_driver.dra.node.retry import RetryBudget, UnansweredError

__all__ = ["LateClaimLookup", "LateNodeDriver", "NodeMode"]

_ANY_CLAIM: Final = ResourceKind("resource.k8s.io", "v1", "ResourceClaim", "resourceclaims")
"""For Events about claims from before the version is known: what an Event is about, its UID says."""


@dataclass(frozen=True, slots=True)
class NodeMode(Generic[PreparedT]):
    """What a node does in one mode of DRA."""

    lookup: ClaimLookup[PreparedT]
    driver: NodeDriver[NodeClaim]


class LateClaimLookup(NodeLookup[PreparedT]):
    """The lookup of the mode, once that is known, with what the node's own object says in any mode.

    Args:
        published: that object.
    """

    def __init__(self, published: PublishedClaims[PreparedT]) -> None:
        self._published = published
        self._lookup: ClaimLookup[PreparedT] | None = None

    def bind(self, lookup: ClaimLookup[PreparedT]) -> None:
        """From now on this one answers."""
        self._lookup = lookup

    @property
    @override
    def claim_kind(self) -> ResourceKind:
        return _ANY_CLAIM if self._lookup is None else self._lookup.claim_kind

    @override
    def known_holders(self, prepared: AbstractSet[str]) -> AbstractSet[str]:
        if self._lookup is None:
            return prepared
        return self._lookup.known_holders(prepared) - self._published.abandoned()

    @override
    async def still_held(self, prepared: PreparedClaim[PreparedT]) -> Collection[str]:
        return await self._bound().still_held(prepared)

    @override
    async def in_use(self) -> Sequence[ClaimInUse[PreparedT]]:
        # What is listed as prepared may be in use, also by a pod whose claim is gone.
        found = await self._bound().in_use()
        known = {each.claim.uid for each in found}
        return [*found, *(each for each in self._published.listed() if each.claim.uid not in known)]

    @override
    def is_abandoned(self, uid: str) -> bool:
        return uid in self._published.abandoned()

    def _bound(self) -> ClaimLookup[PreparedT]:
        if self._lookup is None:
            raise _mode_unknown()
        return self._lookup


class LateNodeDriver(NodeDriver[NodeClaim], Generic[PreparedT]):
    """The driver of the mode, once that is known; before that, what local data is enough for.

    Args:
        preparer: does the work.
        classic: takes the claims of classic kubelets, at any time.
    """

    def __init__(self, preparer: Preparer[PreparedT], classic: NodeDriver[ClassicClaim]) -> None:
        self._preparer = preparer
        self._classic = classic
        self._driver: NodeDriver[NodeClaim] | None = None

    def bind(self, driver: NodeDriver[NodeClaim]) -> None:
        """From now on this one takes the claims of kubelets of structured DRA."""
        self._driver = driver

    @override
    async def prepare(self, claim: NodeClaim) -> Sequence[ReadyDevice]:
        if isinstance(claim, ClassicClaim):
            return await self._classic.prepare(claim)
        budget = RetryBudget()
        try:
            driver = await budget.run(self._bound, f"find out which devices claim {claim} holds")
        except UnansweredError:
            if (ready := await self._preparer.prepare_as_before(claim, budget)) is not None:
                return ready
            raise
        return await driver.prepare(claim)

    @override
    async def unprepare(self, claim: NodeClaim) -> None:
        if isinstance(claim, ClassicClaim):
            await self._classic.unprepare(claim)
        elif self._driver is None:
            await self._preparer.unprepare(claim)
        else:
            await self._driver.unprepare(claim)

    async def _bound(self) -> NodeDriver[NodeClaim]:
        if self._driver is None:
            raise _mode_unknown()
        return self._driver


def _mode_unknown() -> ModeUnknownError:
    return ModeUnknownError("the API server has not said yet in which version it serves resource.k8s.io")

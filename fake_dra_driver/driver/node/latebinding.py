"""Which mode of DRA the cluster speaks, for the parts of a plugin that start before the API server has said so.

A plugin serves its sockets at once, also while the API server is away: the kubelet unprepares claims, and asks again
for those that are prepared, for which local data is enough. The classes here stand for those of the mode until it is
known. A claim of a classic kubelet needs no mode: its resource handle says what it holds.
"""

from collections.abc import Callable, Collection, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from typing_extensions import override

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.api.kube.meta import UID, ResourceKind
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.classic import ClassicClaim
from fake_dra_driver.dra.node.driver import NodeDriver, ReadyDevice
from fake_dra_driver.driver.node.claimlookup import ClaimInUse, ClaimLookup, ModeUnknownError, NodeLookup
from fake_dra_driver.driver.node.prepared import PreparedClaim
from fake_dra_driver.driver.node.preparer import Preparer
from fake_dra_driver.driver.node.retry import RetryBudget, UnansweredError
from fake_dra_driver.driver.nodestate import abandoned_of, prepared_of

__all__ = ["LateClaimLookup", "LateNodeDriver", "NodeMode"]

_ANY_CLAIM: Final = ResourceKind("resource.k8s.io", "v1", "ResourceClaim", "resourceclaims")
"""For Events about claims from before the version is known: what an Event is about, its UID says."""

_UNKNOWN: Final = "unknown"
"""Namespace and name of a claim of which nothing but the UID is left."""


@dataclass(frozen=True, slots=True)
class NodeMode:
    """What a node does in one mode of DRA."""

    lookup: ClaimLookup
    driver: NodeDriver[NodeClaim]


class LateClaimLookup(NodeLookup):
    """The lookup of the mode, once that is known, with what the node's NodeAllocationState says in any mode.

    Args:
        state: the object, as far as it is known.
    """

    def __init__(self, state: Callable[[], NodeAllocationState | None]) -> None:
        self._state = state
        self._lookup: ClaimLookup | None = None

    def bind(self, lookup: ClaimLookup) -> None:
        """From now on this one answers."""
        self._lookup = lookup

    @property
    @override
    def claim_kind(self) -> ResourceKind:
        return _ANY_CLAIM if self._lookup is None else self._lookup.claim_kind

    @override
    def known_holders(self, prepared: AbstractSet[str]) -> AbstractSet[str]:
        return prepared if self._lookup is None else self._lookup.known_holders(prepared) - self._abandoned()

    @override
    async def still_held(self, prepared: PreparedClaim) -> Collection[str]:
        return await self._bound().still_held(prepared)

    @override
    async def in_use(self) -> Sequence[ClaimInUse]:
        # What is listed as prepared may be in use, also by a pod whose claim is gone.
        found = list(await self._bound().in_use())
        state, known = self._state(), {each.claim.uid for each in found}
        for uid, devices in sorted(() if state is None else state.spec.prepared_devices.items()):
            claim = NodeClaim(_UNKNOWN, _UNKNOWN, UID(uid))
            if claim.uid not in known and claim.problem() is None:
                found.append(ClaimInUse(claim, prepared_of(devices), is_gone=True))
        return found

    @override
    def is_abandoned(self, uid: str) -> bool:
        return uid in self._abandoned()

    def _abandoned(self) -> AbstractSet[str]:
        state = self._state()
        return frozenset() if state is None else abandoned_of(state)

    def _bound(self) -> ClaimLookup:
        if self._lookup is None:
            raise _mode_unknown()
        return self._lookup


class LateNodeDriver(NodeDriver[NodeClaim]):
    """The driver of the mode, once that is known; before that, what local data is enough for.

    Args:
        preparer: does the work.
        classic: takes the claims of classic kubelets, at any time.
    """

    def __init__(self, preparer: Preparer, classic: NodeDriver[ClassicClaim]) -> None:
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

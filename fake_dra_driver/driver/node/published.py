"""What a node's NodeAllocationState says about claims on the node, for the code that prepares them."""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from typing_extensions import override

from fake_dra_driver.api.fake import NodeAllocationState
from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.claimlookup import ClaimInUse, PublishedClaims
from fake_dra_driver.dra.node.deviceerror import DeviceMissingError
from fake_dra_driver.dra.nodestate.state import abandoned_of
from fake_dra_driver.driver.node.planning import FakePlanner
from fake_dra_driver.driver.node.prepared import FakePreparedDevice, WantedDevice
from fake_dra_driver.driver.statelayout import FakeStateLayout

__all__ = ["FakePublishedClaims"]

_UNKNOWN = "unknown"
"""Namespace and name of a claim of which nothing but the UID is left."""


class FakePublishedClaims(PublishedClaims[FakePreparedDevice]):
    """By the object of one node.

    Args:
        state: the object, as far as it is known.
        planner: of the same node.
    """

    def __init__(self, state: Callable[[], NodeAllocationState | None], planner: FakePlanner) -> None:
        self._state = state
        self._planner = planner
        self._layout = FakeStateLayout()

    @override
    def listed(self) -> Sequence[ClaimInUse[FakePreparedDevice]]:
        state = self._state()
        listed = {} if state is None else self._layout.prepared_parts_of(state)
        claims = {uid: NodeClaim(_UNKNOWN, _UNKNOWN, UID(uid)) for uid in sorted(listed)}
        return [self._in_use(claim, listed[uid]) for uid, claim in claims.items() if claim.problem() is None]

    @override
    def abandoned(self) -> AbstractSet[str]:
        state = self._state()
        return frozenset() if state is None else abandoned_of(self._layout, state)

    def _in_use(self, claim: NodeClaim, listed: Mapping[str, Sequence[str]]) -> ClaimInUse[FakePreparedDevice]:
        wanted = [WantedDevice(uuid, len(children)) for uuid, children in listed.items()]
        try:
            return ClaimInUse(claim, self._planner.devices(claim, wanted), is_gone=True)
        except DeviceMissingError as error:
            return ClaimInUse(claim, (), str(error), is_gone=True)

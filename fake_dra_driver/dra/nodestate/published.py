"""What a node's NodeAllocationState says about claims on the node, for the code that prepares them."""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, Generic

from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.node.claim import NodeClaim
from fake_dra_driver.dra.node.claimlookup import ClaimInUse, PublishedClaims
from fake_dra_driver.dra.node.deviceerror import DeviceMissingError
from fake_dra_driver.dra.node.prepared import PreparedT
from fake_dra_driver.dra.nodestate.layout import NodeStateLayout, StateT
from fake_dra_driver.dra.nodestate.state import abandoned_of

__all__ = ["PublishedState", "Restore"]

_UNKNOWN: Final = "unknown"
"""Namespace and name of a claim of which nothing but the UID is left."""

Restore = Callable[[NodeClaim, StateT], Sequence[PreparedT]]
"""What an object lists as prepared for a claim, as it would be prepared again. Raises DeviceMissingError."""


class PublishedState(PublishedClaims[PreparedT], Generic[StateT, PreparedT]):
    """By the object of one node.

    Args:
        layout: of the object.
        state: the object, as far as it is known.
        restore: makes devices of what it lists for a claim.
    """

    def __init__(
        self,
        layout: NodeStateLayout[StateT, Any, Any, PreparedT],
        state: Callable[[], StateT | None],
        restore: Restore[StateT, PreparedT],
    ) -> None:
        self._layout = layout
        self._state = state
        self._restore = restore

    @override
    def listed(self) -> Sequence[ClaimInUse[PreparedT]]:
        state = self._state()
        if state is None:
            return []
        claims = [NodeClaim(_UNKNOWN, _UNKNOWN, UID(uid)) for uid in sorted(self._layout.prepared_of(state))]
        return [self._in_use(claim, state) for claim in claims if claim.problem() is None]

    @override
    def abandoned(self) -> AbstractSet[str]:
        state = self._state()
        return frozenset() if state is None else abandoned_of(self._layout, state)

    def _in_use(self, claim: NodeClaim, state: StateT) -> ClaimInUse[PreparedT]:
        try:
            return ClaimInUse(claim, self._restore(claim, state), is_gone=True)
        except DeviceMissingError as error:
            return ClaimInUse(claim, (), str(error), is_gone=True)

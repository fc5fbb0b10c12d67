"""Claims in classic DRA: on record in the NodeAllocationState objects."""

from collections.abc import Mapping, Sequence
from typing import Any, Generic

from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.nodestate.layout import EntryT, NodeStateLayout, StateT
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.status.claimsource import ClaimSource, claim_report, told_about
from fake_dra_driver.status.classic.judge import Judge
from fake_dra_driver.status.classic.view import CLAIMS_BY_NODE, ClassicView
from fake_dra_driver.status.classic.waiting import Waiting
from fake_dra_driver.status.poolfacts import NOTHING_KNOWN, PoolFacts
from fake_dra_driver.status.report import ClaimReport, Told, WaitingClaim

__all__ = ["ClassicClaims"]


class ClassicClaims(ClaimSource[StateT, EntryT], Generic[StateT, EntryT]):
    """Answers from caches.

    Args:
        view: what was read.
        layout: of the NodeAllocationState objects.
        judge: says why claims wait.
        component: source of the driver's Events.
        judged_by: what else is read, for the judge.
    """

    def __init__(
        self,
        view: ClassicView,
        layout: NodeStateLayout[StateT, Any, EntryT, Any],
        judge: Judge,
        component: str,
        judged_by: Sequence[Informer[Any]] = (),
    ) -> None:
        self._view = view
        self._layout = layout
        self._component = component
        self._judged_by = judged_by
        self._waiting = Waiting(view, judge, component)

    @property
    @override
    def informers(self) -> tuple[Informer[Any], ...]:
        return (*self._view.read, *self._judged_by)

    @override
    def entries_of(self, state: StateT) -> Mapping[str, EntryT]:
        return self._layout.entries_of(state)

    @override
    def unpublished_reason(self, state: StateT) -> str | None:
        return None  # the controller allocates by the object itself

    @override
    def pool(self, state: StateT) -> PoolFacts:
        return NOTHING_KNOWN

    @override
    def unrecorded(self, state: StateT) -> Sequence[str]:
        allocated = self._view.claims.by_index(CLAIMS_BY_NODE, state.metadata.name)
        recorded = self._layout.entries_of(state)
        return [str(claim.key) for claim in allocated if claim.uid not in recorded]

    @override
    def claim(self, uid: UID) -> ClaimReport:
        return claim_report(self._view.claims, uid)

    @override
    def told(self, uid: UID) -> Told | None:
        return told_about(self._view.events, self._component, uid)

    @override
    def waiting(self) -> tuple[Sequence[WaitingClaim], int]:
        return self._waiting.find()

"""Claims in classic DRA: on record in the NodeAllocationState objects, and judged by the driver's own code."""

from collections.abc import Mapping, Sequence
from typing import Any

from typing_extensions import override

from fake_dra_driver.api.fake import AllocatedDevices, NodeAllocationState
from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.dra.classic.allocation import Allocator
from fake_dra_driver.dra.classic.ledger import Ledger
from fake_dra_driver.driver.classic.allocation import FakeControllerDriver
from fake_dra_driver.driver.classic.parameters import ParametersResolver
from fake_dra_driver.driver.statelayout import FakeStateLayout
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.status.claimsource import ClaimSource, claim_report
from fake_dra_driver.status.classic.view import CLAIMS_BY_NODE, ClassicView
from fake_dra_driver.status.classic.waiting import Waiting
from fake_dra_driver.status.nodes import Nodes
from fake_dra_driver.status.report import ClaimReport, WaitingClaim

__all__ = ["ClassicClaims"]


class ClassicClaims(ClaimSource):
    """Answers from caches.

    Args:
        cache: gives them.
        states: the NodeAllocationState objects.
        client: passed on to the driver's own code, which does not use it to judge.
        nodes: which nodes can run pods.
        namespace: of the NodeAllocationState objects; empty when there are none.
    """

    def __init__(
        self, cache: Cache, states: Informer[NodeAllocationState], client: Client, namespace: str, nodes: Nodes
    ) -> None:
        self._view = view = ClassicView.of(cache)
        ledger = Ledger(FakeStateLayout(), client, states, namespace)
        parameters = ParametersResolver(view.claim_parameters, view.class_parameters)
        driver = FakeControllerDriver(parameters)
        allocator = Allocator(driver, ledger, view.claims, unusable_reason=nodes.unusable_reason)
        self._waiting = Waiting(view, allocator, ledger)

    @property
    @override
    def informers(self) -> tuple[Informer[Any], ...]:
        return self._view.read

    @override
    def entries_of(self, state: NodeAllocationState) -> Mapping[str, AllocatedDevices]:
        return state.spec.allocated_claims

    @override
    def unpublished_reason(self, state: NodeAllocationState) -> str | None:
        return None  # the controller allocates by the object itself

    @override
    def unrecorded(self, state: NodeAllocationState) -> Sequence[str]:
        allocated = self._view.claims.by_index(CLAIMS_BY_NODE, state.metadata.name)
        return [str(claim.key) for claim in allocated if claim.uid not in state.spec.allocated_claims]

    @override
    def claim(self, uid: UID) -> ClaimReport:
        return claim_report(self._view.claims, uid)

    @override
    def waiting(self) -> tuple[Sequence[WaitingClaim], int]:
        return self._waiting.find()

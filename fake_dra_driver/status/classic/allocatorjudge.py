"""Judges claims by the driver's own code, on the same objects that the controller sees.

So the answer is as good as the controller's, even while no controller runs, and newer than the last Event.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from typing_extensions import override

from fake_dra_driver.api.kube.core import Pod
from fake_dra_driver.api.resource.podclaims import claim_key
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim, ResourceClass
from fake_dra_driver.dra.classic.allocation import Allocator, PendingClaim
from fake_dra_driver.dra.classic.driver import ParametersError, Unsuitable
from fake_dra_driver.dra.classic.ledger import Ledger
from fake_dra_driver.status.classic.judge import (
    Consumer,
    Judge,
    Judgement,
    being_allocated,
    considered_nodes,
    some_fit,
    waits_for_scheduler,
)
from fake_dra_driver.status.classic.view import ClassicView

__all__ = ["AllocatorJudge"]

RequestT = TypeVar("RequestT")


class AllocatorJudge(Judge, Generic[RequestT]):
    """Judges as the controller would.

    Args:
        view: what was read.
        allocator: judges what fits where.
        ledger: what is on record.
    """

    def __init__(
        self, view: ClassicView, allocator: Allocator[RequestT, Any, Any, Any], ledger: Ledger[Any, Any]
    ) -> None:
        self._view = view
        self._allocator = allocator
        self._ledger = ledger
        self._unsuitable: dict[tuple[Sequence[RequestT], Sequence[str] | None], Mapping[str, Unsuitable]] = {}
        """Judgements of this report: hundreds of pods may ask the same of the same nodes."""

    @override
    def begin(self) -> None:
        self._unsuitable.clear()

    @override
    def mistake(self, claim: ResourceClaim, resource_class: ResourceClass) -> Judgement | None:
        try:
            self._allocator.pending(claim, resource_class)
        except ParametersError as error:
            return Judgement("ParametersNotFound" if error.missing else "InvalidParameters", str(error))
        return None

    @override
    def immediate(self, claim: ResourceClaim, resource_class: ResourceClass) -> Judgement:
        pending = self._allocator.pending(claim, resource_class)
        unsuitable = self._once([pending], None, lambda: self._allocator.unsuitable_for_immediate(pending))
        fitting = [node for node in self._allocator.nodes() if node not in unsuitable]
        if fitting:
            where = f"node {fitting[0]} has" if len(fitting) == 1 else f"{len(fitting)} nodes have"
            return being_allocated(f"{where} what it asks for")
        return Judgement("InsufficientDevices", self._allocator.describe_shortage([pending], unsuitable))

    @override
    def consumed(self, claim: ResourceClaim, consumer: Consumer, context: PodSchedulingContext) -> Judgement:
        pod = consumer.pod
        pending, blocked = self._pending_claims(pod)
        if blocked:
            return Judgement(
                "BlockedByAnotherClaim", f"pod {pod.metadata.name} also needs a claim that waits: {blocked}"
            )
        selected, nodes = context.spec.selected_node, considered_nodes(context)
        unsuitable = self._once(pending, tuple(nodes), lambda: self._allocator.unsuitable_nodes(pending, nodes))
        if nodes and len(unsuitable) == len(nodes):
            return Judgement("InsufficientDevices", self._allocator.describe_shortage(pending, unsuitable))
        if selected and selected not in unsuitable:
            return being_allocated(f"the scheduler has selected node {selected}")
        return some_fit(len(nodes) - len(unsuitable), len(nodes)) if nodes else waits_for_scheduler()

    def _once(
        self,
        pending: Sequence[PendingClaim[RequestT]],
        nodes: Sequence[str] | None,
        judge: Callable[[], Mapping[str, Unsuitable]],
    ) -> Mapping[str, Unsuitable]:
        """What ``judge`` says, which it is asked once for all claims that ask for the same.

        Args:
            pending: the claims.
            nodes: the nodes to judge; None: all, for a claim in mode Immediate.
            judge: finds the nodes that cannot take the claims, and why.
        """
        if any(self._ledger.nodes_of(claim.claim.uid) for claim in pending):
            return judge()  # what it has on record is part of the judgement
        key = (tuple(claim.request for claim in pending), nodes)
        if key not in self._unsuitable:
            self._unsuitable[key] = judge()
        return self._unsuitable[key]

    def _pending_claims(self, pod: Pod) -> tuple[Sequence[PendingClaim[RequestT]], str]:
        """The claims of the pod that are allocated together, and why another one blocks them, if one does."""
        pending: list[PendingClaim[RequestT]] = []
        for entry in pod.spec.resource_claims:
            key = claim_key(pod, entry)
            claim = None if key is None else self._view.claims.get(key)
            if claim is None or claim.status.allocation is not None:
                continue
            resource_class = self._view.class_of(claim.spec)
            if resource_class is None or resource_class.driver_name != self._view.driver:
                continue
            if claim.spec.allocation_mode == "Immediate":
                return pending, f"claim {claim.metadata.name}, which is to be allocated first"
            try:
                pending.append(self._allocator.pending(claim, resource_class))
            except ParametersError as error:
                return pending, str(error)
        return pending, ""

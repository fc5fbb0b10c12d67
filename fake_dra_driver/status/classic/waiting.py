"""Which claims wait for a driver in classic DRA, and for whom; why, its ``Judge`` says."""

from collections.abc import Sequence

from fake_dra_driver.api.resource.podclaims import claim_key, is_made_for
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim, ResourceClaimSpec
from fake_dra_driver.naturalorder import natural_order
from fake_dra_driver.status.claimsource import class_not_found, latest_creation, told_about
from fake_dra_driver.status.classic.judge import Consumer, Judge, Judgement
from fake_dra_driver.status.classic.view import PODS_BY_CLAIM, ClassicView
from fake_dra_driver.status.report import WaitingClaim
from fake_dra_driver.status.unmade import UnmadeClaims

__all__ = ["Waiting"]


class Waiting:
    """The claims that wait for a driver.

    Args:
        view: what was read.
        judge: says why they wait.
        component: source of the driver's Events.
    """

    def __init__(self, view: ClassicView, judge: Judge, component: str) -> None:
        self._view = view
        self._judge = judge
        self._component = component
        self._unmade = UnmadeClaims(
            view.pods, view.claims, view.templates, lambda template: self._is_ours(template.spec.spec)
        )

    def find(self) -> tuple[Sequence[WaitingClaim], int]:
        """The claims that wait, by namespace and name, and how many have no devices and no pod that wants them."""
        self._judge.begin()
        found, unused = list(self._unmade.find()), 0
        for claim in self._view.claims.list():
            if claim.status.allocation is not None or claim.is_deleting or not self._is_ours(claim.spec):
                continue
            consumers = self._consumers(claim)
            judgement = self._why(claim, consumers)
            if judgement is None:
                unused += 1
            else:
                found.append(self._describe(claim, consumers, judgement))
        return sorted(found, key=lambda waiting: (waiting.namespace, natural_order(waiting.name))), unused

    def _is_ours(self, spec: ResourceClaimSpec) -> bool:
        """Whether the claim concerns the driver, or, as its class does not exist, any driver."""
        resource_class = self._view.class_of(spec)
        return resource_class is None or resource_class.driver_name == self._view.driver

    def _consumers(self, claim: ResourceClaim) -> Sequence[Consumer]:
        """The pods without a node that use the claim; those that are being scheduled come first."""
        found = []
        for pod in self._view.pods.by_index(PODS_BY_CLAIM, str(claim.key)):
            for entry in pod.spec.resource_claims:
                by_template = entry.claim_name is None
                if claim_key(pod, entry) == claim.key and (not by_template or is_made_for(claim, pod)):
                    found.append(Consumer(pod, entry.name, self._view.contexts.get(pod.key)))
                    break
        return sorted(found, key=lambda consumer: consumer.context is None)

    def _why(self, claim: ResourceClaim, consumers: Sequence[Consumer]) -> Judgement | None:
        """Why the claim waits; None when it does not."""
        if claim.status.deallocation_requested:
            return Judgement("BeingDeallocated", "it is being deallocated; it can be allocated again after that")
        resource_class, driver = self._view.class_of(claim.spec), self._view.driver
        if resource_class is None:
            ours = [each.metadata.name for each in self._view.classes.list() if each.driver_name == driver]
            return Judgement("ClassNotFound", class_not_found("ResourceClass", [claim.spec.resource_class_name], ours))
        if mistake := self._judge.mistake(claim, resource_class):
            return mistake
        if claim.spec.allocation_mode == "Immediate":
            return self._judge.immediate(claim, resource_class)
        if not consumers:
            return None
        pod, context = consumers[0].pod, consumers[0].context
        if context is None:
            message = f"the scheduler is not looking for a node for pod {pod.metadata.name}: its Events say why"
            return Judgement("NotBeingScheduled", message)
        return self._judge.consumed(claim, consumers[0], context)

    def _describe(self, claim: ResourceClaim, consumers: Sequence[Consumer], judgement: Judgement) -> WaitingClaim:
        context = consumers[0].context if consumers else None
        answers = context.status.resource_claims if context is not None else ()
        unsuitable = [answer.unsuitable_nodes for answer in answers if answer.name == consumers[0].entry]
        return WaitingClaim(
            namespace=claim.metadata.namespace,
            name=claim.metadata.name,
            uid=claim.uid,
            class_name=claim.spec.resource_class_name,
            mode=claim.spec.allocation_mode,
            since=latest_creation(context, claim),
            pods=tuple(consumer.pod.metadata.name for consumer in consumers),
            reason=judgement.reason,
            message=judgement.message,
            selected_node=context.spec.selected_node if context is not None else "",
            unsuitable_nodes=unsuitable[0] if unsuitable else (),
            told=told_about(self._view.events, self._component, claim.uid),
        )

"""Judges claims by what their controller has said: in the answers that the scheduler waits for, and in Events.

For a driver whose code is not here. What it has not said is not known, so a claim may be shown as one that the
controller is about to allocate while that has no devices for it.
"""

from typing_extensions import override

from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim, ResourceClass
from fake_dra_driver.status.claimsource import told_about
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
from fake_dra_driver.status.report import REASONS_TO_WAIT, WaitReason

__all__ = ["ObserverJudge"]

_BY_NAME: dict[str, WaitReason] = {reason: reason for reason in REASONS_TO_WAIT}
"""The reasons of Events that are reasons to wait as well."""


class ObserverJudge(Judge):
    """Judges by what the controller has said.

    Args:
        view: what was read.
        component: source of the driver's Events.
    """

    def __init__(self, view: ClassicView, component: str) -> None:
        self._view = view
        self._component = component

    @override
    def begin(self) -> None:
        """Nothing is remembered."""

    @override
    def mistake(self, claim: ResourceClaim, resource_class: ResourceClass) -> Judgement | None:
        told = self._told(claim)
        return told if told is not None and told.reason != "InsufficientDevices" else None

    @override
    def immediate(self, claim: ResourceClaim, resource_class: ResourceClass) -> Judgement:
        return self._told(claim) or being_allocated("it needs no pod")

    @override
    def consumed(self, claim: ResourceClaim, consumer: Consumer, context: PodSchedulingContext) -> Judgement:
        selected, nodes = context.spec.selected_node, considered_nodes(context)
        answers = [answer for answer in context.status.resource_claims if answer.name == consumer.entry]
        if not nodes:
            return waits_for_scheduler()
        if not answers:
            return being_allocated("the controller has not answered yet which nodes are suitable")
        unsuitable = set(answers[0].unsuitable_nodes).intersection(nodes)
        if len(unsuitable) == len(nodes):
            which = f"node {nodes[0]} is not" if len(nodes) == 1 else f"none of {len(nodes)} nodes is"
            message = f"the controller has told the scheduler that {which} suitable"
            return self._told(claim) or Judgement("InsufficientDevices", message)
        if selected and selected not in unsuitable:
            return being_allocated(f"the scheduler has selected node {selected}")
        return some_fit(len(nodes) - len(unsuitable), len(nodes))

    def _told(self, claim: ResourceClaim) -> Judgement | None:
        """What the latest warning about the claim says, if that is why it waits."""
        told = told_about(self._view.events, self._component, claim.uid)
        reason = None if told is None else _BY_NAME.get(told.reason)
        return None if told is None or reason is None else Judgement(reason, told.message)

"""Why a claim has no devices yet: the seam between looking for claims that wait, and judging them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from fake_dra_driver.api.kube.core import Pod
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim, ResourceClass
from fake_dra_driver.status.report import WaitReason

__all__ = ["Consumer", "Judge", "Judgement", "being_allocated", "considered_nodes", "some_fit", "waits_for_scheduler"]

NEXT_STEP: Final = "the controller is about to allocate; if this stays so, see whether its pod runs"
"""A controller that has stopped leaves no trace in what is read here, and needs far less than a second."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Why a claim waits."""

    reason: WaitReason
    message: str


@dataclass(frozen=True, slots=True)
class Consumer:
    """A pod that uses a claim, under a name of its own, and how far its scheduling is."""

    pod: Pod
    entry: str
    context: PodSchedulingContext | None


class Judge(Protocol):
    """Judges claims of the driver that are neither allocated nor being deallocated, and whose class exists."""

    def begin(self) -> None:
        """A new report begins: what was read may have changed."""
        ...

    def mistake(self, claim: ResourceClaim, resource_class: ResourceClass) -> Judgement | None:
        """What a person has to correct before anything can be allocated; None: nothing, as far as is known."""
        ...

    def immediate(self, claim: ResourceClaim, resource_class: ResourceClass) -> Judgement:
        """Why a claim in mode Immediate has no devices yet."""
        ...

    def consumed(self, claim: ResourceClaim, consumer: Consumer, context: PodSchedulingContext) -> Judgement:
        """Why a claim that a pod uses, which is being scheduled, has no devices yet."""
        ...


def considered_nodes(context: PodSchedulingContext) -> Sequence[str]:
    """The nodes that the scheduler considers for a pod, or has selected."""
    selected = context.spec.selected_node
    return sorted({*context.spec.potential_nodes, *([selected] if selected else [])})


def being_allocated(where: str) -> Judgement:
    """It is the controller's turn, as this says."""
    return Judgement("BeingAllocated", f"{where}: {NEXT_STEP}")


def some_fit(fitting: int, nodes: int) -> Judgement:
    """It is the scheduler's turn: so many of the nodes that it considers are suitable."""
    of = f"of {nodes} nodes" if nodes > 1 else "of 1 node"
    have = "has" if fitting == 1 else "have"
    message = f"{fitting} {of} that the scheduler considers {have} what the pod's claims ask for"
    return Judgement("BeingScheduled", message)


def waits_for_scheduler() -> Judgement:
    """It is the scheduler's turn: it has named no nodes yet."""
    return Judgement("BeingScheduled", "the scheduler has not said yet which nodes it considers")

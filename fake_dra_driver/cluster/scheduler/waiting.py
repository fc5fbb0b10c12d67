"""Which pods a scheduler has to find a node for, and which changes may make a difference to whether it can."""

from collections.abc import Mapping
from typing import Any

from fake_dra_driver.cluster.kinds import Node, Pod
from fake_dra_driver.runtime.store import Change

__all__ = ["changes_node_fit", "concerns_scheduling", "is_waiting"]


def is_waiting(pod: Pod, scheduler_name: str) -> bool:
    """Whether a scheduler of that name has to find a node for the pod."""
    return (
        not pod.spec.node_name
        and not pod.is_deleting
        and not pod.is_finished
        and not pod.spec.scheduling_gates
        and pod.spec.scheduler_name == scheduler_name
    )


def concerns_scheduling(change: Change[Pod]) -> bool:
    """Whether anything but the status has changed; of the status only the names of created claims matter."""
    old, new = change.old, change.new
    if new is None:
        return False
    return old is None or _input(old) != _input(new)


def _input(pod: Pod) -> tuple[Any, ...]:
    return pod.spec, pod.metadata.labels, pod.metadata.annotations, pod.status.resource_claim_statuses


def changes_node_fit(change: Change[Node]) -> bool:
    """Whether the node may take other pods than before."""
    old, new = change.old, change.new
    if new is None:
        return False
    return old is None or _offer(old) != _offer(new)


def _offer(node: Node) -> tuple[Any, ...]:
    labels: Mapping[str, str] = node.metadata.labels
    return labels, node.spec.unschedulable, node.spec.taints, node.status.allocatable

"""Which object to reconcile when another one has changed: mappings that several controllers use."""

from collections.abc import Iterable
from typing import Any, Final

from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName
from fake_dra_driver.cluster.controllers.podcontrol import is_active
from fake_dra_driver.cluster.kinds import Node, Pod
from fake_dra_driver.cluster.owners import controller_of
from fake_dra_driver.runtime.cache import Informer
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.source import Mapper
from fake_dra_driver.runtime.store import Change

__all__ = ["PODS_BY_NODE", "changes_node_fit", "pods_by_node", "to_controller", "watch_pods"]

PODS_BY_NODE: Final = "node"
"""Index of the pod cache: the node that a pod is bound to."""

_READINESS_DELAY_SECONDS: Final = 0.1


def pods_by_node(pod: Pod) -> Iterable[str]:
    """Index function for ``PODS_BY_NODE``."""
    return (pod.spec.node_name,) if pod.spec.node_name else ()


def to_controller(kind: type[KubeObject]) -> Mapper[Any]:
    """Maps to the object of that kind that manages the changed one, before or after the change."""
    wanted = (kind.resource.api_version, kind.resource.kind)

    def owners(change: Change[Any]) -> Iterable[NamespacedName]:
        found: dict[NamespacedName, None] = {}
        for obj in (change.old, change.new):
            owner = controller_of(obj) if obj is not None else None
            if owner is not None and (owner.api_version, owner.kind) == wanted:
                found[NamespacedName(change.key.namespace, owner.name)] = None
        return found

    return owners


def watch_pods(controller: Controller, pods: Informer[Pod], owner: type[KubeObject]) -> None:
    """Reconciles the workload of a pod: at once when the pod begins or ceases to count as one of its pods.

    When a pod has only become ready or unready, a moment later: many do so at the same time, and each pass costs a
    write of the status, and another one of the workload's own owner.
    """
    owners = to_controller(owner)

    def tell_soon(change: Change[Pod]) -> None:
        if not _changes_number(change) and _changes_readiness(change):
            for request in owners(change):
                controller.enqueue(request, _READINESS_DELAY_SECONDS)

    controller.watch(pods, owners, predicate=_changes_number)
    pods.subscribe(tell_soon)


def _changes_number(change: Change[Pod]) -> bool:
    old, new = change.old, change.new
    return old is None or new is None or is_active(old) != is_active(new)


def _changes_readiness(change: Change[Pod]) -> bool:
    old, new = change.old, change.new
    if old is None or new is None:
        return False
    return (old.condition("Ready"), old.metadata.labels) != (new.condition("Ready"), new.metadata.labels)


def changes_node_fit(change: Change[Node]) -> bool:
    """Whether a node has come or gone, or suits other pods now than before."""
    old, new = change.old, change.new
    if old is None or new is None:
        return True
    return (old.metadata.labels, old.spec.unschedulable, old.spec.taints) != (
        new.metadata.labels,
        new.spec.unschedulable,
        new.spec.taints,
    )

"""Which object to look at when another one has changed: mappings that several controllers use."""

from collections.abc import Iterable
from typing import Any, Final

from fake_dra_driver.api.meta import KubeObject, NamespacedName
from fake_dra_driver.cluster.kinds import Node, Pod
from fake_dra_driver.cluster.owners import controller_of
from fake_dra_driver.runtime.source import Mapper
from fake_dra_driver.runtime.store import Change

__all__ = ["PODS_BY_NODE", "changes_node_fit", "pods_by_node", "to_controller"]

PODS_BY_NODE: Final = "node"
"""Index of the pod cache: the node that a pod is bound to."""


def pods_by_node(pod: Pod) -> Iterable[str]:
    """Index function for ``PODS_BY_NODE``."""
    return (pod.spec.node_name,) if pod.spec.node_name else ()


def to_controller(kind: type[KubeObject]) -> Mapper[Any]:
    """To the object of that kind that has made the changed one, before or after the change."""
    wanted = (kind.resource.api_version, kind.resource.kind)

    def owners(change: Change[Any]) -> Iterable[NamespacedName]:
        found: dict[NamespacedName, None] = {}
        for obj in (change.old, change.new):
            owner = controller_of(obj) if obj is not None else None
            if owner is not None and (owner.api_version, owner.kind) == wanted:
                found[NamespacedName(change.key.namespace, owner.name)] = None
        return found

    return owners


def changes_node_fit(change: Change[Node]) -> bool:
    """Whether a node has come or gone, or may take other pods now than before."""
    old, new = change.old, change.new
    if old is None or new is None:
        return True
    return (old.metadata.labels, old.spec.unschedulable, old.spec.taints) != (
        new.metadata.labels,
        new.spec.unschedulable,
        new.spec.taints,
    )

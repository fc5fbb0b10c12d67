"""What the Node objects say of the nodes with devices: a node that is stopped or cordoned takes no claims.

They may be hidden from the person who asks: then only what the kubelet plugins say of their nodes is known.
"""

from typing import Final

from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.dra.nodeusable import node_details, unusable_reason
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.runtime.errors import InvalidObjectError

__all__ = ["MISSING", "NODES_HIDDEN", "Nodes"]

MISSING: Final = "Missing"
NODES_HIDDEN: Final = (
    "Node objects may not be listed, so nodes that are stopped or cordoned look like others: see Permissions in "
    "docs/status.md"
)


class Nodes:
    """Answers from a cache.

    Args:
        informer: of Nodes; None where they may not be read.
    """

    def __init__(self, informer: Informer[Node] | None) -> None:
        self.informer = informer

    @classmethod
    def of(cls, cache: Cache, *, hidden: bool) -> "Nodes":
        """Asks ``cache`` for what is needed."""
        return cls(None if hidden else cache.informer(Node, transform=node_details))

    def exists(self, name: str) -> bool | None:
        """Whether there is such a node; None where that is not known."""
        if self.informer is None:
            return None
        try:
            return self.informer.get(NamespacedName("", name)) is not None
        except InvalidObjectError:
            return True

    def unusable_reason(self, name: str) -> str | None:
        """Why no pod can start on a node; None where one can, or where that is not known."""
        if self.informer is None:
            return None
        try:
            return unusable_reason(self.informer.get(NamespacedName("", name)))
        except InvalidObjectError as error:
            return f"its Node object cannot be read: {'; '.join(error.problems)}"

    def status(self, name: str) -> str:
        """The status of a Node as kubectl shows it; MISSING where there is none, empty where it is not known."""
        if self.informer is None:
            return ""
        try:
            node = self.informer.get(NamespacedName("", name))
        except InvalidObjectError:
            return "Unknown"
        if node is None:
            return MISSING
        ready = next((condition for condition in node.status.conditions if condition.type == "Ready"), None)
        status = "Unknown" if ready is None else "Ready" if ready.status == "True" else "NotReady"
        return f"{status},SchedulingDisabled" if node.spec.unschedulable else status

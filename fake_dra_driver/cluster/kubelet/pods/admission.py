"""Whether a kubelet takes a pod that is bound to its node: not one for which the node has too little left.

Follows the predicate admit handler of k8s.io/kubernetes/pkg/kubelet/lifecycle (predicate.go). The scheduler looks at
the same, so this is about pods that name their node themselves. Unlike a real kubelet, which decides again about all
pods when it starts, this one keeps what an earlier one has taken. Not here: node affinity and taints, and that critical
pods take the place of others.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.cluster.extendedresources import is_extended
from fake_dra_driver.cluster.kinds import Node
from fake_dra_driver.cluster.kubelet.pod import Pod
from fake_dra_driver.cluster.noderesources import NodeResources
from fake_dra_driver.cluster.podresources import Requests, requests_of
from fake_dra_driver.runtime.store import Change

__all__ = ["Admission", "Rejection"]


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a pod does not run here, in the words of a real kubelet."""

    reason: str
    message: str


class Admission:
    """Decides about the pods of one node.

    Args:
        node: the node as it is known now; None: not yet, and every pod is taken.
    """

    def __init__(self, node: Callable[[], Node | None]) -> None:
        self._node = node
        self._known: Node | None = None
        self._resources = NodeResources()

    def admit(self, pod: Pod, *, was_taken: bool = False) -> Rejection | None:
        """Takes the pod, which then counts until ``release``; or says why not.

        Args:
            pod: the pod.
            was_taken: whether an earlier kubelet has taken it, so that it stays, whatever the node has left.
        """
        node = self._node()
        if node is None or pod.is_finished:
            return None
        if node is not self._known:
            self._resources.on_node(Change(node.key, self._known, node))
            self._known = node
        asked = requests_of(pod.spec)
        rejection = None if was_taken else self._rejection(node, asked)
        if rejection is None:
            self._resources.assume(pod.uid, node.metadata.name, asked)
        return rejection

    def _rejection(self, node: Node, asked: Requests) -> Rejection | None:
        # Extended resources that the node does not have are those of devices, or of the whole cluster.
        known = [each for each in asked.amounts if not is_extended(each[0]) or each[0] in node.status.allocatable]
        for each in self._resources.shortages(node.metadata.name, replace(asked, amounts=tuple(known))):
            amounts = f"requested: {each.requested}, used: {each.used}, capacity: {each.capacity}"
            message = f"Node didn't have enough resource: {each.resource}, {amounts}"
            return Rejection(f"OutOf{each.resource}", message)
        return None

    def release(self, uid: UID) -> None:
        """The pod has ended, or is gone."""
        self._resources.release(uid)

"""Which nodes a pod may be on, whatever claims it has: the filters of kube-scheduler, with the reasons that they give.

``nodefit`` and ``noderesources`` find what is in the way; here are the words.
"""

from fake_dra_driver.cluster.kinds import Node, Pod
from fake_dra_driver.cluster.nodefit import Cordoned, NotSelected, Repelled, find_misfits
from fake_dra_driver.cluster.noderesources import Shortage
from fake_dra_driver.cluster.podresources import PODS

__all__ = ["reason_against", "shortage_reason"]


def reason_against(node: Node, pod: Pod, names: frozenset[str] | None, *, names_taints: bool) -> str:
    """Why the node does not suit the pod; empty: it does.

    Args:
        node: the node.
        pod: the pod.
        names: the only nodes that the pod's affinity names (``named_nodes``), found once for all nodes.
        names_taints: whether it says which taint the pod does not tolerate.
    """
    if names is not None and node.metadata.name not in names:
        return "node(s) didn't satisfy plugin(s) [NodeAffinity]"
    match next(find_misfits(pod.spec, node), None):
        case Cordoned():
            return "node(s) were unschedulable"
        case Repelled(taint=taint):
            return "node(s) had untolerated taint" + (f" {{{taint.key}: {taint.value}}}" if names_taints else "(s)")
        case NotSelected():
            return "node(s) didn't match Pod's node affinity/selector"
    return ""


def shortage_reason(shortage: Shortage) -> str:
    """Why a node that has too little of a resource does not suit a pod."""
    return "Too many pods" if shortage.resource == PODS else f"Insufficient {shortage.resource}"

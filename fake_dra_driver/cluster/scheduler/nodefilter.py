"""Which nodes a pod may be on, whatever claims it has: the filters of kube-scheduler, with the reasons that they give.

Its plugins for unschedulable nodes, taints and node affinity, in their order (``nodefit`` has what they compare).
"""

from fake_dra_driver.cluster.kinds import Node, Pod, Taint
from fake_dra_driver.cluster.nodefit import TAINT_UNSCHEDULABLE, is_selected, untolerated

__all__ = ["reason_against"]


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
    tolerations = pod.spec.tolerations
    cordoned = Taint(key=TAINT_UNSCHEDULABLE, effect="NoSchedule")
    if node.spec.unschedulable and untolerated((cordoned,), tolerations, ("NoSchedule",)) is not None:
        return "node(s) were unschedulable"
    taint = untolerated(node.spec.taints, tolerations, ("NoSchedule", "NoExecute"))
    if taint is not None:
        return "node(s) had untolerated taint" + (f" {{{taint.key}: {taint.value}}}" if names_taints else "(s)")
    if not is_selected(pod.spec, node):
        return "node(s) didn't match Pod's node affinity/selector"
    return ""

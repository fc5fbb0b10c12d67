"""Which nodes a DaemonSet wants a pod on, and what such a pod looks like.

Follows k8s.io/kubernetes/pkg/controller/daemon (NodeShouldRunDaemonPod) and its util (AddOrUpdateDaemonPodTolerations,
ReplaceDaemonSetPodNodeNameNodeAffinity): the pod is bound by the scheduler, to the only node that its affinity names.
"""

from dataclasses import dataclass
from typing import Final

from fake_dra_driver.api.kube.core import NodeSelector, NodeSelectorRequirement, NodeSelectorTerm
from fake_dra_driver.cluster.kinds import Affinity, Node, NodeAffinity, Pod, PodSpec, Toleration
from fake_dra_driver.cluster.nodefit import is_selected, named_nodes, untolerated
from fake_dra_driver.cluster.workloadkinds import DaemonSet

__all__ = ["Fit", "daemon_pod_spec", "fit", "target_node"]

_EVICTING: Final = ("not-ready", "unreachable")
_PRESSURES: Final = ("disk-pressure", "memory-pressure", "pid-pressure", "unschedulable")


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether a node should get a pod of a DaemonSet, and whether one that is there may stay."""

    should_run: bool
    may_stay: bool


def fit(owner: DaemonSet, node: Node) -> Fit:
    """Whether the DaemonSet's pod should and may be on the node."""
    spec = owner.spec.template.spec
    if not is_selected(spec, node) or spec.node_name not in ("", node.metadata.name):
        return Fit(should_run=False, may_stay=False)
    tolerations = (*spec.tolerations, *_tolerations(spec))
    if untolerated(node.spec.taints, tolerations, ("NoExecute",)) is not None:
        return Fit(should_run=False, may_stay=False)
    return Fit(untolerated(node.spec.taints, tolerations, ("NoSchedule",)) is None, may_stay=True)


def target_node(pod: Pod) -> str:
    """The node that a pod of a DaemonSet is for, bound or not; empty: unknown."""
    if pod.spec.node_name:
        return pod.spec.node_name
    return next(iter(sorted(named_nodes(pod.spec) or ())), "")


def daemon_pod_spec(owner: DaemonSet, node: str) -> PodSpec:
    """The spec of the pod for a node."""
    spec = owner.spec.template.spec
    name = NodeSelectorRequirement(key="metadata.name", operator="In", values=(node,))
    selector = NodeSelector(node_selector_terms=(NodeSelectorTerm(match_fields=(name,)),))
    affinity = spec.affinity or Affinity()
    node_affinity = affinity.node_affinity or NodeAffinity()
    only = node_affinity.model_copy(update={"required_during_scheduling_ignored_during_execution": selector})
    present = {(each.key, each.effect) for each in spec.tolerations}
    added = [each for each in _tolerations(spec) if (each.key, each.effect) not in present]
    return spec.model_copy(
        update={
            "affinity": affinity.model_copy(update={"node_affinity": only}),
            "tolerations": (*spec.tolerations, *added),
        }
    )


def _tolerations(spec: PodSpec) -> tuple[Toleration, ...]:
    """What pods of DaemonSets tolerate: they are there to make nodes usable."""
    evicting = [(name, "NoExecute") for name in _EVICTING]
    others = [(name, "NoSchedule") for name in _PRESSURES]
    network = [("network-unavailable", "NoSchedule")] if spec.host_network else []
    return tuple(
        Toleration(key=f"node.kubernetes.io/{name}", operator="Exists", effect=effect)
        for name, effect in (*evicting, *others, *network)
    )

"""Whether a pod may be on a node: node selectors, affinity and taints, for the schedulers, the DaemonSet controller
and who explains what they do.

Follows k8s.io/component-helpers/scheduling/corev1 (nodeaffinity, taints), and the plugins NodeUnschedulable,
TaintToleration and NodeAffinity of kube-scheduler. Pure. Not here: resources such as CPU and memory
(``noderesources``), ports, volumes, affinity between pods. Nodes of the embedded cluster never run out of the latter.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from fake_dra_driver.api.kube.core import NodeSelector
from fake_dra_driver.api.kube.nodeselection import NODE_NAME, matches
from fake_dra_driver.cluster.kinds import Node, PodSpec, Taint, Toleration

__all__ = [
    "TAINT_UNSCHEDULABLE",
    "Cordoned",
    "Misfit",
    "NotSelected",
    "Repelled",
    "find_misfits",
    "is_selected",
    "matches",
    "named_nodes",
    "tolerates",
    "untolerated",
]

TAINT_UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
_KEEPING_AWAY = ("NoSchedule", "NoExecute")


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a pod cannot be on a node."""


@dataclass(frozen=True, slots=True)
class Cordoned(Misfit):
    """The node is unschedulable."""


@dataclass(frozen=True, slots=True)
class Repelled(Misfit):
    """The node has a taint that the pod does not tolerate."""

    taint: Taint


@dataclass(frozen=True, slots=True)
class NotSelected(Misfit):
    """The pod's node selector or node affinity does not hold on the node."""


def find_misfits(spec: PodSpec, node: Node) -> Iterator[Misfit]:
    """What keeps a pod away from a node, whatever claims it has, in the order of kube-scheduler's plugins."""
    cordoned = Taint(key=TAINT_UNSCHEDULABLE, effect="NoSchedule")
    if node.spec.unschedulable and untolerated((cordoned,), spec.tolerations, ("NoSchedule",)) is not None:
        yield Cordoned()
    for taint in node.spec.taints:
        if untolerated((taint,), spec.tolerations, _KEEPING_AWAY) is not None:
            yield Repelled(taint)
    if not is_selected(spec, node):
        yield NotSelected()


def is_selected(spec: PodSpec, node: Node) -> bool:
    """Whether the pod's node selector and its required node affinity hold on the node."""
    labels = node.metadata.labels
    affinity = _required_affinity(spec)
    return all(labels.get(key) == value for key, value in spec.node_selector.items()) and (
        affinity is None or matches(affinity, node)
    )


def named_nodes(spec: PodSpec) -> frozenset[str] | None:
    """The only nodes that the pod's affinity names, as that of a DaemonSet's pod does; None: it names none."""
    affinity = _required_affinity(spec)
    if affinity is None:
        return None
    named: set[str] = set()
    for term in affinity.node_selector_terms:
        lists = [set(each.values) for each in term.match_fields if each.key == NODE_NAME and each.operator == "In"]
        if not lists:
            return None
        named |= set.intersection(*lists)
    return frozenset(named)


def tolerates(toleration: Toleration, taint: Taint) -> bool:
    """Whether this toleration matches the taint."""
    if toleration.effect not in ("", taint.effect) or toleration.key not in ("", taint.key):
        return False
    return toleration.operator == "Exists" or toleration.value == taint.value


def untolerated(taints: Iterable[Taint], tolerations: Sequence[Toleration], effects: Sequence[str]) -> Taint | None:
    """The first of the taints with one of these effects that nothing tolerates."""
    for taint in taints:
        if taint.effect in effects and not any(tolerates(each, taint) for each in tolerations):
            return taint
    return None


def _required_affinity(spec: PodSpec) -> NodeSelector | None:
    if spec.affinity is None or spec.affinity.node_affinity is None:
        return None
    return spec.affinity.node_affinity.required_during_scheduling_ignored_during_execution

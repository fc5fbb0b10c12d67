"""Whether a pod may be on a node: node selectors, affinity and taints, for the scheduler and the DaemonSet controller.

Follows k8s.io/component-helpers/scheduling/corev1 (nodeaffinity, taints). Pure. Not here: resources such as CPU and
memory, ports, volumes, affinity between pods. Nodes of the embedded cluster never run out of those.
"""

from collections.abc import Iterable, Mapping, Sequence

from fake_dra_driver.api.kube.core import NodeSelector, NodeSelectorRequirement, NodeSelectorTerm
from fake_dra_driver.cluster.kinds import Node, PodSpec, Taint, Toleration

__all__ = ["TAINT_UNSCHEDULABLE", "is_selected", "matches", "named_nodes", "tolerates", "untolerated"]

TAINT_UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
_NODE_NAME = "metadata.name"


def matches(selector: NodeSelector, node: Node) -> bool:
    """Whether one of the selector's terms holds on the node. A term without requirements never does."""
    return any(_term_holds(term, node) for term in selector.node_selector_terms)


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
        lists = [set(each.values) for each in term.match_fields if each.key == _NODE_NAME and each.operator == "In"]
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


def _term_holds(term: NodeSelectorTerm, node: Node) -> bool:
    if not term.match_expressions and not term.match_fields:
        return False
    return all(_holds(each, node.metadata.labels) for each in term.match_expressions) and all(
        _holds(each, {_NODE_NAME: node.metadata.name}) for each in term.match_fields
    )


def _holds(requirement: NodeSelectorRequirement, labels: Mapping[str, str]) -> bool:
    value = labels.get(requirement.key)
    match requirement.operator:
        case "In":
            return value in requirement.values
        case "NotIn":
            return value not in requirement.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt":
            return _compares(value, requirement)
    raise ValueError(f"{requirement.operator} is not an operator of node selectors")


def _compares(value: str | None, requirement: NodeSelectorRequirement) -> bool:
    try:
        found, bound = int(value or ""), int(requirement.values[0])
    except (ValueError, IndexError):
        return False
    return found > bound if requirement.operator == "Gt" else found < bound

"""What keeps a pod away from a node, whatever devices that has: cordoned, taints, selectors, too little CPU or memory.

Those are the filters of kube-scheduler that come before the one for devices (``cluster.nodefit`` and
``cluster.noderesources`` find what is in the way; here are the words). Its other filters, such as those for ports and
volumes, are not looked at.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from fake_dra_driver.api.kube.core import NodeSelectorRequirement, NodeSelectorTerm
from fake_dra_driver.cluster.kinds import Node, Pod
from fake_dra_driver.cluster.nodefit import TAINT_UNSCHEDULABLE, Cordoned, NotSelected, Repelled, find_misfits
from fake_dra_driver.cluster.noderesources import NodeResources, Shortage
from fake_dra_driver.cluster.podresources import CPU, EPHEMERAL_STORAGE, MEMORY, PODS, requests_of
from fake_dra_driver.quantity import Quantity
from fake_dra_driver.runtime.store import Change as StoreChange
from fake_dra_driver.untrustedtext import short_name
from fake_dra_driver.why.report import Change, NodeProblem, NodeReason

__all__ = ["Away", "has_no_room", "keeps_away", "resources_of"]


@dataclass(frozen=True, slots=True)
class Away:
    """Why a pod cannot be on a node, and what would change that."""

    reason: NodeReason
    message: str
    change: Change
    remedy: str
    """What to do, for this node."""

    @property
    def problem(self) -> NodeProblem:
        """For the report."""
        return NodeProblem(reason=self.reason, message=self.message)


def keeps_away(node: Node, pod: Pod) -> Iterator[Away]:
    """Everything that keeps the pod away from the node, in the scheduler's order."""
    for misfit in find_misfits(pod.spec, node):
        match misfit:
            case Cordoned():
                remedy = f"kubectl uncordon {node.metadata.name}"
                yield Away("Unschedulable", "it is cordoned (SchedulingDisabled)", "Uncordon", remedy)
            case Repelled(taint=taint) if node.spec.unschedulable and taint.key == TAINT_UNSCHEDULABLE:
                continue  # Kubernetes adds it to a node that is cordoned
            case Repelled(taint=taint):
                shown = taint_text(taint.key, taint.value, taint.effect)
                yield Away(
                    "Taint",
                    f"it has the taint {shown}, which the pod does not tolerate",
                    "TolerateNodeTaint",
                    f"add a toleration of {shown} to the pod, or remove the taint from the node",
                )
            case NotSelected():
                yield Away(
                    "NodeAffinity",
                    _unselected(pod, node),
                    "ChangeAffinity",
                    "change the pod's nodeSelector or node affinity, or the labels of the node",
                )


def resources_of(nodes: Iterable[Node], pods: Iterable[Pod]) -> NodeResources:
    """What is left on nodes beside these pods."""
    resources = NodeResources()
    for node in nodes:
        resources.on_node(StoreChange(node.key, None, node))
    for pod in pods:
        resources.on_pod(StoreChange(pod.key, None, pod))
    return resources


def has_no_room(node: Node, pod: Pod, resources: NodeResources, from_devices: Collection[str]) -> Iterator[Away]:
    """What the node has too little of for the pod.

    Args:
        node: the node; one that does not say what it has is not judged.
        pod: the pod.
        resources: of all nodes.
        from_devices: resources that devices stand for.
    """
    if not node.status.allocatable:
        return
    for shortage in resources.shortages(node.metadata.name, requests_of(pod.spec)):
        if shortage.resource not in from_devices:
            yield _too_little(shortage)


def _too_little(shortage: Shortage) -> Away:
    if shortage.resource == PODS:
        if shortage.capacity == 0:
            return Away("Resources", "it takes no pods at all", "MakeRoom", "add a node that takes pods")
        remedy = "let other pods there end, or add a node"
        return Away("Resources", "it has as many pods as it takes", "MakeRoom", remedy)
    asked = f"{_amount_text(shortage)} of {short_name(shortage.resource)}"
    if shortage.is_resolvable:
        message = f"it has less left than the {asked} that the pod asks for"
        return Away("Resources", message, "MakeRoom", "let other pods there end, add a node, or ask for less")
    message = f"it has less than the {asked} that the pod asks for, even without any other pod"
    return Away("Resources", message, "MakeRoom", f"add a node with at least {asked}, or ask for less")


def _amount_text(shortage: Shortage) -> str:
    if shortage.resource == CPU:
        return str(Quantity(shortage.requested * 10**6))
    is_bytes = shortage.resource in (MEMORY, EPHEMERAL_STORAGE) or shortage.resource.startswith("hugepages-")
    return str(Quantity(shortage.requested * 10**9, "binary" if is_bytes else "decimal"))


def taint_text(key: str, value: str, effect: str) -> str:
    """A taint as kubectl writes it."""
    return short_name(f"{key}={value}:{effect}" if value else f"{key}:{effect}")


def _unselected(pod: Pod, node: Node) -> str:
    """What the pod's selector or affinity wants, and what the node has."""
    labels = node.metadata.labels
    for key, value in pod.spec.node_selector.items():
        if labels.get(key) != value:
            return f"the pod's nodeSelector wants {short_name(f'{key}={value}')}, and {_has(labels, key)}"
    affinity = pod.spec.affinity and pod.spec.affinity.node_affinity
    required = affinity and affinity.required_during_scheduling_ignored_during_execution
    terms = required.node_selector_terms if required else ()
    if len(terms) == 1:
        return f"the pod's node affinity wants {_term(terms[0])}"
    return f"none of the {len(terms)} terms of the pod's node affinity holds for it"


def _has(labels: Mapping[str, str], key: str) -> str:
    has = short_name(f"{key}={labels[key]}") if key in labels else f"no label {short_name(key)}"
    return f"the node has {has}"


def _term(term: NodeSelectorTerm) -> str:
    return " and ".join(_requirement(each) for each in (*term.match_expressions, *term.match_fields)) or "nothing"


def _requirement(requirement: NodeSelectorRequirement) -> str:
    values = f" [{', '.join(requirement.values)}]" if requirement.values else ""
    return short_name(f"{requirement.key} {requirement.operator}{values}")

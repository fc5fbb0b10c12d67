"""Whether a node is among those that a node selector means.

Follows k8s.io/component-helpers/scheduling/corev1/nodeaffinity.
"""

from collections.abc import Mapping

from fake_dra_driver.api.kube.core import Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm

__all__ = ["NODE_NAME", "matches"]

NODE_NAME = "metadata.name"
"""The only field that a selector can look at."""


def matches(selector: NodeSelector, node: Node) -> bool:
    """Whether one of the selector's terms holds on the node. A term without requirements never does.

    Raises ValueError for an operator that does not exist; the API server takes none.
    """
    return any(_term_holds(term, node) for term in selector.node_selector_terms)


def _term_holds(term: NodeSelectorTerm, node: Node) -> bool:
    if not term.match_expressions and not term.match_fields:
        return False
    return all(_holds(each, node.metadata.labels) for each in term.match_expressions) and all(
        _holds(each, {NODE_NAME: node.metadata.name}) for each in term.match_fields
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

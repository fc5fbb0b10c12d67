"""The allocation in a claim's status, as the drivers of classic DRA here write it: one node, one resource handle."""

from fake_dra_driver.api.kube.core import NodeSelector, NodeSelectorRequirement, NodeSelectorTerm
from fake_dra_driver.api.resource.v1alpha2 import AllocationResult, ResourceHandle

__all__ = ["handle_of", "make_allocation", "node_of"]


def make_allocation(driver: str, node: str, handle: str) -> AllocationResult:
    """The allocation of devices on one node, which any number of pods on it can share."""
    requirement = NodeSelectorRequirement(key="metadata.name", operator="In", values=(node,))
    return AllocationResult(
        available_on_nodes=NodeSelector(node_selector_terms=(NodeSelectorTerm(match_fields=(requirement,)),)),
        resource_handles=(ResourceHandle(driver_name=driver, data=handle),),
        shareable=True,
    )


def node_of(allocation: AllocationResult) -> str | None:
    """The node of an allocation that matches ``metadata.name`` against one name."""
    if allocation.available_on_nodes is None:
        return None
    for term in allocation.available_on_nodes.node_selector_terms:
        for requirement in term.match_fields:
            if (requirement.key, requirement.operator) == ("metadata.name", "In") and len(requirement.values) == 1:
                return requirement.values[0]
    return None


def handle_of(allocation: AllocationResult, driver: str) -> str:
    """The driver's resource handle; empty when there is none."""
    # A handle without a name is of the driver that the claim's status names.
    return next((h.data for h in allocation.resource_handles if h.data and h.driver_name in ("", driver)), "")

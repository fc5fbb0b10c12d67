"""The caches of classic DRA: what all its reconcilers read, and the indexes by which they find it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fake_dra_driver.api.kube.core import Node, Pod
from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.api.resource.podclaims import claim_key, claim_keys, is_made_for
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim, ResourceClass
from fake_dra_driver.dra.classic.allocationresult import node_of
from fake_dra_driver.dra.nodeusable import node_details, unusable_reason
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.runtime.errors import InvalidObjectError

__all__ = ["ClassicCaches", "is_to_be_released", "is_waiting_immediate", "refused_nodes"]

CLAIMS_BY_CLASS: Final = "class"
CLAIMS_BY_NODE: Final = "node"
"""Index of the claim cache: the node that a claim of this driver is allocated on."""
IMMEDIATE_AND_WAITING: Final = "immediate"
"""Index of the claim cache, with one value: claims in mode Immediate that have no allocation yet."""
DEALLOCATION_REQUESTED: Final = "deallocation requested"
"""Index of the claim cache, with one value: allocated claims whose deallocation is requested."""
CONTEXTS_BY_NODE: Final = "node"
"""Index of the PodSchedulingContext cache: every node that the context mentions."""
CONTEXTS_BY_REFUSED_NODE: Final = "refused"
"""Index of the PodSchedulingContext cache: the nodes that cannot take the pod, as a driver has said."""
PODS_BY_CLAIM: Final = "claim"
"""Index of the pod cache: the keys of the claims that a pod uses."""
ENDED: Final = frozenset({"Succeeded", "Failed"})
"""Phases of pods that run no more."""


def _without_pod_details(raw: dict[str, Any]) -> dict[str, Any]:
    """The few fields of a pod that are read here: a cluster has many pods, and most of a pod is its containers."""

    def kept(part: str, *fields: str) -> Any:
        found = raw.get(part, {})
        if not isinstance(found, Mapping):
            return found  # for the model to refuse
        return {field: found[field] for field in fields if field in found}

    return {
        "metadata": kept("metadata", "name", "namespace", "uid", "resourceVersion", "deletionTimestamp"),
        "spec": kept("spec", "nodeName", "resourceClaims"),
        "status": kept("status", "phase", "resourceClaimStatuses"),
    }


def is_to_be_released(claim: ResourceClaim) -> bool:
    """Whether no pod may use the claim any more: what it holds may be another claim's at any moment."""
    return (claim.is_deleting or claim.status.deallocation_requested) and not claim.status.reserved_for


def is_waiting_immediate(claim: ResourceClaim) -> bool:
    """Whether a claim is to be allocated without a pod that asks for it, and is not yet."""
    return claim.spec.allocation_mode == "Immediate" and claim.status.allocation is None


def _is_to_deallocate(claim: ResourceClaim) -> bool:
    return claim.status.deallocation_requested and claim.status.allocation is not None


def refused_nodes(context: PodSchedulingContext) -> set[str]:
    """The nodes that cannot take the pod, as the drivers of its claims have said."""
    return {node for entry in context.status.resource_claims for node in entry.unsuitable_nodes}


@dataclass(frozen=True, slots=True)
class ClassicCaches:
    """The caches of classic DRA, with their indexes. Make one for a process."""

    claims: Informer[ResourceClaim]
    classes: Informer[ResourceClass]
    contexts: Informer[PodSchedulingContext]
    pods: Informer[Pod]
    nodes: Informer[Node]
    """Only what says whether they can run pods."""
    driver: str
    """The name of this driver."""

    @classmethod
    def of(cls, cache: Cache, driver: str) -> "ClassicCaches":
        """Asks ``cache`` for the informers, and adds the indexes that the driver of that name needs."""
        caches = cls(
            cache.informer(ResourceClaim),
            cache.informer(ResourceClass),
            cache.informer(PodSchedulingContext),
            cache.informer(Pod, transform=_without_pod_details),
            cache.informer(Node, transform=node_details),
            driver,
        )

        def nodes_of(claim: ResourceClaim) -> Iterable[str]:
            node = caches.node_of(claim)
            return () if node is None else (node,)

        caches.claims.add_index(CLAIMS_BY_CLASS, lambda claim: (claim.spec.resource_class_name,))
        caches.claims.add_index(CLAIMS_BY_NODE, nodes_of)
        caches.claims.add_index(IMMEDIATE_AND_WAITING, lambda claim: ("yes",) if is_waiting_immediate(claim) else ())
        caches.claims.add_index(DEALLOCATION_REQUESTED, lambda claim: ("yes",) if _is_to_deallocate(claim) else ())
        caches.pods.add_index(PODS_BY_CLAIM, lambda pod: [str(key) for key in claim_keys(pod)])
        caches.contexts.add_index(CONTEXTS_BY_NODE, _mentioned_nodes)
        caches.contexts.add_index(CONTEXTS_BY_REFUSED_NODE, refused_nodes)
        return caches

    def node_of(self, claim: ResourceClaim) -> str | None:
        """The node that the claim is allocated on by this driver; None also when its allocation does not say."""
        allocation = claim.status.allocation
        return None if allocation is None or claim.status.driver_name != self.driver else node_of(allocation)

    def unusable_reason(self, node: str) -> str | None:
        """Why no pod can run on the node, in words for an event; None when one can."""
        try:
            return unusable_reason(self.nodes.get(NamespacedName("", node)))
        except InvalidObjectError as error:
            return f"its Node object cannot be read: {'; '.join(error.problems)}"

    def claim_of(self, uid: UID) -> ResourceClaim | None:
        """The claim of that UID; None also for one that the model refuses."""
        try:
            return self.claims.by_uid(uid)
        except InvalidObjectError:
            return None

    def claims_of_class(self, name: str) -> list[NamespacedName]:
        """The claims that name the class."""
        return [claim.key for claim in self.claims.by_index(CLAIMS_BY_CLASS, name)]

    def claims_on_node(self, node: str) -> list[ResourceClaim]:
        """The claims that this driver has allocated on the node."""
        return list(self.claims.by_index(CLAIMS_BY_NODE, node))

    def waiting_immediate_claims(self) -> list[NamespacedName]:
        """The claims in mode Immediate that have no allocation yet."""
        return [claim.key for claim in self.claims.by_index(IMMEDIATE_AND_WAITING, "yes")]

    def claims_to_deallocate(self) -> list[ResourceClaim]:
        """The claims, also of other drivers, that are allocated, and whose deallocation is requested."""
        return list(self.claims.by_index(DEALLOCATION_REQUESTED, "yes"))

    def contexts_on_node(self, node: str) -> list[PodSchedulingContext]:
        """The PodSchedulingContexts that mention the node in any way."""
        return list(self.contexts.by_index(CONTEXTS_BY_NODE, node))

    def contexts_refusing(self, node: str) -> list[PodSchedulingContext]:
        """The PodSchedulingContexts of the pods that the node cannot take, as a driver has said."""
        return list(self.contexts.by_index(CONTEXTS_BY_REFUSED_NODE, node))

    def pods_of_claim(self, claim: NamespacedName) -> list[Pod]:
        """The pods that use the claim, or wait for it."""
        return list(self.pods.by_index(PODS_BY_CLAIM, str(claim)))

    def waiting_pods(self, claim: ResourceClaim) -> list[Pod]:
        """The pods that cannot start before the claim, which is not allocated yet, is."""
        return [
            pod
            for pod in self.pods_of_claim(claim.key)
            if not pod.is_deleting and pod.status.phase not in ENDED and _uses(pod, claim)
        ]

    def contexts_of_claim(self, claim: NamespacedName) -> list[NamespacedName]:
        """The PodSchedulingContexts, which have the names of their pods, of the pods that use the claim."""
        return [pod.key for pod in self.pods_of_claim(claim) if self.contexts.get(pod.key) is not None]

    def unallocated_claims_of_pod(self, pod: Pod) -> list[NamespacedName]:
        """The claims of the pod that have no allocation: those whose record may have lost the pod that wanted it."""
        claims = [self.claims.get(key) for key in claim_keys(pod)]
        return [claim.key for claim in claims if claim is not None and claim.status.allocation is None]


def _uses(pod: Pod, claim: ResourceClaim) -> bool:
    """Whether an entry of the pod means this claim, and not one that was made for an earlier pod of that name."""
    return any(
        claim_key(pod, entry) == claim.key and (entry.claim_name is not None or is_made_for(claim, pod))
        for entry in pod.spec.resource_claims
    )


def _mentioned_nodes(context: PodSchedulingContext) -> Iterable[str]:
    return {context.spec.selected_node, *context.spec.potential_nodes, *refused_nodes(context)} - {""}

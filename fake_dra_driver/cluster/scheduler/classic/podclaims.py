"""The claims of one pod, as the scheduler finds them before it looks at nodes.

Follows foreachPodResourceClaim and PreFilter of kube-scheduler's dynamic resources plugin, with its words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fake_dra_driver.api.kube.core import NodeSelector
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource.podclaims import claim_key, is_made_for
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim
from fake_dra_driver.cluster.kinds import Pod, ResourceClass
from fake_dra_driver.cluster.reservations import can_be_reserved, is_reserved_for
from fake_dra_driver.runtime.cache import Informer

__all__ = ["ClaimNotReady", "PodClaim", "answers", "check_claims", "find_claims"]


class ClaimNotReady(Exception):  # noqa: N818 - it is a state of the cluster, not an error
    """A pod cannot be scheduled on any node at the moment; the text says why, in kube-scheduler's words."""


@dataclass(frozen=True, slots=True)
class PodClaim:
    """One claim of a pod."""

    name: str
    """Of the entry in the pod's spec, which a driver's answer names."""
    claim: ResourceClaim
    selector: NodeSelector | None = None
    """Allocated: where it is available. Else: which nodes its class considers. None: any."""

    @property
    def is_pending(self) -> bool:
        """Whether a driver still has to allocate it."""
        return self.claim.status.allocation is None

    @property
    def is_delayed(self) -> bool:
        """Whether it is allocated for the first pod that uses it, on a node that suits both."""
        return self.claim.spec.allocation_mode == "WaitForFirstConsumer"


def find_claims(pod: Pod, claims: Informer[ResourceClaim]) -> Sequence[PodClaim]:
    """The pod's claims, in the order of its spec, without those that it turned out not to need.

    Raises:
        ClaimNotReady: one is missing, being deleted, or another pod's.
    """
    skipped = {each.name for each in pod.status.resource_claim_statuses or () if each.resource_claim_name is None}
    found: list[PodClaim] = []
    for entry in pod.spec.resource_claims:
        if entry.name in skipped:
            continue
        key = claim_key(pod, entry)
        if key is None:
            raise ClaimNotReady(f'pod "{pod.key}": ResourceClaim not created yet')
        claim = claims.get(key)
        if claim is None:
            raise ClaimNotReady(f'resourceclaim.resource.k8s.io "{key.name}" not found')
        if claim.is_deleting:
            raise ClaimNotReady(f'resourceclaim "{key.name}" is being deleted')
        if entry.claim_name is None and not is_made_for(claim, pod):
            raise ClaimNotReady(f"ResourceClaim {key} was not created for pod {pod.key} (pod is not owner)")
        found.append(PodClaim(entry.name, claim))
    return found


def check_claims(pod: Pod, found: Sequence[PodClaim], classes: Informer[ResourceClass]) -> Sequence[PodClaim]:
    """The claims with the nodes that they allow.

    Raises:
        ClaimNotReady: a claim rules out every node for now.
    """
    return [_check(pod, each, classes) for each in found]


def _check(pod: Pod, found: PodClaim, classes: Informer[ResourceClass]) -> PodClaim:
    claim, status = found.claim, found.claim.status
    if found.is_pending and not found.is_delayed:
        raise ClaimNotReady("unallocated immediate resourceclaim")
    if status.deallocation_requested:
        raise ClaimNotReady("resourceclaim must be reallocated")
    if status.allocation is not None:
        if not is_reserved_for(claim, pod) and not can_be_reserved(claim):
            raise ClaimNotReady("resourceclaim in use")
        return PodClaim(found.name, claim, status.allocation.available_on_nodes)
    resource_class = classes.get(NamespacedName("", claim.spec.resource_class_name))
    if resource_class is None:
        raise ClaimNotReady(f"resource class {claim.spec.resource_class_name} does not exist")
    return PodClaim(found.name, claim, resource_class.suitable_nodes)


def answers(context: PodSchedulingContext | None) -> Mapping[str, frozenset[str]]:
    """The nodes that drivers have ruled out, by the name of the pod's entry; entries without an answer are left out."""
    if context is None:
        return {}
    return {each.name: frozenset(each.unsuitable_nodes) for each in context.status.resource_claims}

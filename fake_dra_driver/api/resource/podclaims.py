"""Which ResourceClaim belongs to which entry of ``pod.spec.resourceClaims``.

Follows k8s.io/dynamic-resource-allocation/resourceclaim of Kubernetes 1.27 to 1.37.
"""

from collections.abc import Iterable

from fake_dra_driver.api.kube.core import Pod, PodResourceClaim
from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName

__all__ = ["claim_key", "claim_keys", "extended_claim_key", "is_made_for"]


def claim_key(pod: Pod, entry: PodResourceClaim) -> NamespacedName | None:
    """The claim of an entry, or None while the claim of a template has not been made yet.

    Kubernetes 1.28 and later write the name of a template's claim into the pod's status. 1.27 has no such field and
    names it ``<pod>-<entry>``; the same guess on a later version is harmless: ``is_made_for`` tells a foreign claim.
    """
    namespace = pod.metadata.namespace
    if entry.claim_name is not None:
        return NamespacedName(namespace, entry.claim_name)
    if pod.status.resource_claim_statuses is None:
        return NamespacedName(namespace, f"{pod.metadata.name}-{entry.name}")
    for status in pod.status.resource_claim_statuses:
        if status.name == entry.name and status.resource_claim_name is not None:
            return NamespacedName(namespace, status.resource_claim_name)
    return None


def claim_keys(pod: Pod) -> Iterable[NamespacedName]:
    """The claims that a pod uses or waits for, as far as their names are known.

    The last is the one that the scheduler has made for the pod's extended resources, if any.
    """
    keys = (*(claim_key(pod, entry) for entry in pod.spec.resource_claims), extended_claim_key(pod))
    return [key for key in keys if key is not None]


def extended_claim_key(pod: Pod) -> NamespacedName | None:
    """The claim that the scheduler has made for the extended resources of a pod, which no entry of its names."""
    extended = pod.status.extended_resource_claim_status
    if extended is None or not extended.resource_claim_name:
        return None
    return NamespacedName(pod.metadata.namespace, extended.resource_claim_name)


def is_made_for(claim: KubeObject, pod: Pod) -> bool:
    """Whether the claim was made from a template for this very pod, and not for another one that had its name."""
    return any(owner.controller and owner.uid == pod.uid for owner in claim.metadata.owner_references)

"""The claims of a pod in structured DRA, as a scheduler finds them before it looks at any node.

Follows foreachPodResourceClaim of kube-scheduler's dynamic resources plugin (its PreEnqueue), with its words. Pure.
"""

from collections.abc import Callable, Sequence

from fake_dra_driver.api.kube.core import Pod, PodResourceClaim
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource.podclaims import is_made_for
from fake_dra_driver.api.resource.v1 import ResourceClaim

__all__ = ["ClaimNotReady", "find_claims"]


class ClaimNotReady(Exception):  # noqa: N818 - it is a state of the cluster, not an error
    """The pod cannot be scheduled yet; the text says why, in kube-scheduler's words."""


def find_claims(pod: Pod, get: Callable[[NamespacedName], ResourceClaim | None]) -> Sequence[ResourceClaim]:
    """The pod's claims, in the order of its spec, without those that it turned out not to need.

    Args:
        pod: the pod.
        get: looks up a claim.

    Raises:
        ClaimNotReady: one is missing, being deleted, or another pod's.
    """
    keys = [(entry, _claim_key(pod, entry)) for entry in pod.spec.resource_claims]
    return [_ready(pod, entry, key, get(key)) for entry, key in keys if key is not None]


def _claim_key(pod: Pod, entry: PodResourceClaim) -> NamespacedName | None:
    """The claim of an entry; None: the entry needs none, as the pod's status says."""
    if entry.claim_name is not None:
        return NamespacedName(pod.metadata.namespace, entry.claim_name)
    for status in pod.status.resource_claim_statuses or ():
        if status.name == entry.name:
            name = status.resource_claim_name
            return NamespacedName(pod.metadata.namespace, name) if name is not None else None
    raise ClaimNotReady(f'pod "{pod.key}": ResourceClaim not created yet')


def _ready(pod: Pod, entry: PodResourceClaim, key: NamespacedName, claim: ResourceClaim | None) -> ResourceClaim:
    if claim is None:
        raise ClaimNotReady(f'could not find ResourceClaim "{key}"')
    if claim.is_deleting:
        raise ClaimNotReady(f'resourceclaim "{key.name}" is being deleted')
    if entry.claim_name is None and not is_made_for(claim, pod):
        raise ClaimNotReady(f"ResourceClaim {key} was not created for Pod {pod.key} (Pod is not owner)")
    return claim

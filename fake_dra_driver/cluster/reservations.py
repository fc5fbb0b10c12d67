"""Which pods may use a claim: ``status.reservedFor``, for the scheduler and the claim controller.

Follows k8s.io/dynamic-resource-allocation/resourceclaim of Kubernetes 1.27 to 1.30.
"""

from fake_dra_driver.api.resource.v1alpha2 import MAX_RESERVED_FOR, ConsumerReference, ResourceClaim
from fake_dra_driver.cluster.kinds import Pod

__all__ = ["can_be_reserved", "is_reserved_for", "reservation_of"]


def reservation_of(pod: Pod) -> ConsumerReference:
    """The entry that lets the pod use a claim."""
    return ConsumerReference(resource="pods", name=pod.metadata.name, uid=pod.uid)


def is_reserved_for(claim: ResourceClaim, pod: Pod) -> bool:
    """Whether the pod may use the claim."""
    return any(consumer.uid == pod.uid for consumer in claim.status.reserved_for)


def can_be_reserved(claim: ResourceClaim) -> bool:
    """Whether one more pod may use the claim."""
    consumers = len(claim.status.reserved_for)
    shareable = claim.status.allocation is not None and claim.status.allocation.shareable
    return consumers == 0 or (shareable and consumers < MAX_RESERVED_FOR)

"""Which pods may use a claim: ``status.reservedFor``, for the scheduler and the claim controller.

Follows k8s.io/dynamic-resource-allocation/resourceclaim of Kubernetes 1.27 to 1.37.
"""

from fake_dra_driver.api.resource import v1, v1alpha2
from fake_dra_driver.api.resource.v1alpha2 import ConsumerReference
from fake_dra_driver.cluster.kinds import Pod

__all__ = ["can_be_reserved", "is_reserved_for", "reservation_of"]


def reservation_of(pod: Pod) -> ConsumerReference:
    """The entry that lets the pod use a claim."""
    return ConsumerReference(resource="pods", name=pod.metadata.name, uid=pod.uid)


def is_reserved_for(claim: v1alpha2.ResourceClaim | v1.ResourceClaim, pod: Pod) -> bool:
    """Whether the pod may use the claim."""
    return any(consumer.uid == pod.uid for consumer in claim.status.reserved_for)


def can_be_reserved(claim: v1alpha2.ResourceClaim | v1.ResourceClaim) -> bool:
    """Whether one more pod may use the claim. In structured DRA every allocation can be shared.

    How often, the API server decides: CanBeReserved has had no bound since 1.32.
    """
    consumers = len(claim.status.reserved_for)
    if isinstance(claim, v1.ResourceClaim):
        return claim.status.allocation is not None
    shareable = claim.status.allocation is not None and claim.status.allocation.shareable
    return consumers == 0 or (shareable and consumers < v1alpha2.MAX_RESERVED_FOR)

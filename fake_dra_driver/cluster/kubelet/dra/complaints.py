"""What a kubelet says when claims cannot be prepared, in the words of its release: people search for these sentences.

Follows manager.go of k8s.io/kubernetes/pkg/kubelet/cm/dra, which was rewritten once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fake_dra_driver.api.kube.meta import KubeObject
from fake_dra_driver.cluster.kinds import Pod

__all__ = ["EARLY", "LATER", "Complaints"]


@dataclass(frozen=True, slots=True)
class Complaints:
    """The sentences of one kubelet."""

    preparing: str
    """In front of whatever went wrong with preparing the claims of a pod."""
    unreadable: Callable[[str, Pod, object], str]
    """The claim of that name cannot be read for the pod, and why."""
    not_allowed: Callable[[Pod, KubeObject], str]
    """The claim is not reserved for the pod."""
    of_claim: Callable[[KubeObject, str], str]
    """The claim cannot be prepared at all."""
    not_registered: Callable[[str], str]
    """No plugin of the driver is registered."""
    call_failed: Callable[[str, object], str]
    """A call of that name failed as a whole, and how."""
    claim_failed: Callable[[str, str, str, str], str]
    """A call of that name failed for the claim of that namespace and name, and what the plugin says."""
    left_out: Callable[[str, int], str]
    """A call of that name got no answer for so many claims."""


EARLY: Final = Complaints(
    preparing="",
    unreadable=lambda name, pod, why: (
        f"failed to fetch ResourceClaim {name} referenced by pod {pod.metadata.name}: {why}"
    ),
    not_allowed=lambda pod, claim: (
        f"pod {pod.metadata.name}({pod.uid}) is not allowed to use resource claim {claim.metadata.name}({claim.uid})"
    ),
    of_claim=lambda claim, why: f"claim {claim.metadata.namespace}/{claim.metadata.name}: {why}",
    not_registered=lambda driver: (
        f"failed to get gRPC client for driver {driver}: "
        f"plugin name {driver} not found in the list of registered DRA plugins"
    ),
    call_failed=lambda call, why: f"{call} failed: {why}",
    claim_failed=lambda call, namespace, name, why: f"{call} failed for claim {namespace}/{name}: {why}",
    left_out=lambda call, count: f"{call} left out {count} claims",
)
"""Until 1.33."""

LATER: Final = Complaints(
    preparing="prepare dynamic resources: ",
    unreadable=lambda name, _, why: f"fetch ResourceClaim {name}: {why}",
    not_allowed=lambda pod, claim: (
        f"pod {pod.metadata.name} ({pod.uid}) is not allowed to use ResourceClaim {claim.metadata.name} ({claim.uid})"
    ),
    of_claim=lambda claim, why: f"ResourceClaim {claim.metadata.name}: {why}",
    not_registered=lambda driver: f"DRA driver {driver} is not registered",
    call_failed=lambda call, why: f"{call}: {why}",
    claim_failed=lambda call, _, name, why: f"{call} failed for ResourceClaim {name}: {why}",
    left_out=lambda call, count: f"{call} skipped {count} ResourceClaims",
)
"""From 1.34 on, where the claims of a pod are checked before anything is noted (``Release.checks_claims_first``)."""

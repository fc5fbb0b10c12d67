"""Taints that keep a request away from a device (KEP-5055)."""

from collections.abc import Sequence

from fake_dra_driver.allocation.candidate import Candidate
from fake_dra_driver.allocation.obstacles import Tainted
from fake_dra_driver.api.resource.v1 import DeviceTaint, DeviceToleration

__all__ = ["find_untolerated", "tolerates"]


def find_untolerated(candidate: Candidate, tolerations: Sequence[DeviceToleration]) -> Tainted | None:
    """The first taint that keeps the request away: those of the slice come first, then those of rules."""
    for taint, rule in candidate.taints:
        if not any(tolerates(toleration, taint) for toleration in tolerations):
            return Tainted(candidate.id, taint, rule)
    return None


def tolerates(toleration: DeviceToleration, taint: DeviceTaint) -> bool:
    """Whether the toleration is about this taint. Without an effect it is about all, and without a key as well.

    Follows ToleratesTaint of k8s.io/dynamic-resource-allocation/resourceclaim.
    """
    if toleration.effect not in ("", taint.effect) or toleration.key not in ("", taint.key):
        return False
    match toleration.operator:
        case "Exists":
            return True
        case "" | "Equal":
            return toleration.value == taint.value
        case _:
            return False

"""What comes out: an allocation of all claims, or a refusal."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from fake_dra_driver.api.resource.v1 import AllocationResult, ResourceClaim

__all__ = ["CANNOT_ALLOCATE", "INVALID_POOLS", "Allocation", "Refusal", "score_of"]

CANNOT_ALLOCATE: Final = "cannot allocate all claims"
INVALID_POOLS: Final = "invalid resource pools were encountered"
_MAX_SCORE_OF_REQUEST: Final = 8
"""FirstAvailableDeviceRequestMaxSize: the most alternatives that a request may have."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """All the claims can be had on the node."""

    node: str
    results: tuple[AllocationResult, ...]
    """For each claim, in their order. Without ``allocationTimestamp``, which is for who writes it."""
    score: int
    """How good the choice among the alternatives of prioritized lists is: 8 for a first, 7 for a second, and so on."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """They cannot. Other nodes may have them."""

    node: str
    text: str
    """kube-scheduler's words."""


def score_of(claims: Iterable[tuple[ResourceClaim, AllocationResult]]) -> int:
    """The score of a node for a pod: of all its claims, those that were allocated before among them."""
    score = 0
    for claim, allocation in claims:
        chosen = {each.request for each in allocation.devices.results}
        for request in claim.spec.devices.requests:
            for index, alternative in enumerate(request.first_available):
                if f"{request.name}/{alternative.name}" in chosen:
                    score += _MAX_SCORE_OF_REQUEST - index
    return score

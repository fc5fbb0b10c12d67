"""What is read about claims in classic DRA."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from fake_dra_driver.api.fake import DRIVER_NAME, DeviceClassParameters, FakeClaimParameters, NodeAllocationState
from fake_dra_driver.api.kube.core import Event, Node, Pod
from fake_dra_driver.api.kube.meta import KubeObject
from fake_dra_driver.api.resource.podclaims import claim_keys
from fake_dra_driver.api.resource.v1alpha2 import (
    PodSchedulingContext,
    ResourceClaim,
    ResourceClaimTemplate,
    ResourceClass,
)
from fake_dra_driver.dra.classic.allocationresult import node_of
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.status.claimsource import warnings_about_claims

__all__ = ["CLAIMS_BY_NODE", "CLASSIC_KINDS", "PODS_BY_CLAIM", "ClassicView"]

CLASSIC_KINDS: Final[tuple[type[KubeObject], ...]] = (
    NodeAllocationState,
    Node,
    ResourceClaim,
    ResourceClaimTemplate,
    ResourceClass,
    PodSchedulingContext,
    FakeClaimParameters,
    DeviceClassParameters,
    Pod,
    Event,
)
"""Every kind that is read, with get, list and watch."""

UNSCHEDULED: Final = "spec.nodeName="
"""Pods without a node: only their claims can be waiting, and a cluster has few such pods."""
PODS_BY_CLAIM: Final = "claim"
CLAIMS_BY_NODE: Final = "node"
"""Index of the claims: the node that a claim of this driver is allocated on."""


@dataclass(frozen=True, slots=True)
class ClassicView:
    """Everything that is read beside the NodeAllocationState objects."""

    claims: Informer[ResourceClaim]
    templates: Informer[ResourceClaimTemplate]
    classes: Informer[ResourceClass]
    contexts: Informer[PodSchedulingContext]
    claim_parameters: Informer[FakeClaimParameters]
    class_parameters: Informer[DeviceClassParameters]
    pods: Informer[Pod]
    """Those without a node."""
    events: Informer[Event]
    """Warnings about claims."""

    @classmethod
    def of(cls, cache: Cache) -> "ClassicView":
        """Asks ``cache`` for the informers, and adds the indexes."""
        view = cls(
            cache.informer(ResourceClaim),
            cache.informer(ResourceClaimTemplate),
            cache.informer(ResourceClass),
            cache.informer(PodSchedulingContext),
            cache.informer(FakeClaimParameters),
            cache.informer(DeviceClassParameters),
            cache.informer(Pod, field_selector=UNSCHEDULED),
            warnings_about_claims(cache),
        )
        view.claims.add_index(CLAIMS_BY_NODE, _node_of)
        view.pods.add_index(PODS_BY_CLAIM, lambda pod: [str(key) for key in claim_keys(pod)])
        return view

    @property
    def read(self) -> tuple[Informer[Any], ...]:
        """The informers that are filled."""
        return (
            *(self.claims, self.templates, self.classes, self.contexts),
            *(self.claim_parameters, self.class_parameters, self.pods, self.events),
        )


def _node_of(claim: ResourceClaim) -> Iterable[str]:
    allocation = claim.status.allocation
    node = None if allocation is None or claim.status.driver_name != DRIVER_NAME else node_of(allocation)
    return () if node is None else (node,)

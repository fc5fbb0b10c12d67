"""What is read about claims in classic DRA."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from fake_dra_driver.api.kube.core import Event, Pod
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource.podclaims import claim_keys
from fake_dra_driver.api.resource.v1alpha2 import (
    PodSchedulingContext,
    ResourceClaim,
    ResourceClaimSpec,
    ResourceClaimTemplate,
    ResourceClass,
)
from fake_dra_driver.dra.classic.allocationresult import node_of
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.runtime.errors import InvalidObjectError
from fake_dra_driver.status.claimsource import warnings_about_claims

__all__ = ["CLAIMS_BY_NODE", "PODS_BY_CLAIM", "ClassicView"]

UNSCHEDULED: Final = "spec.nodeName="
"""Pods without a node: only their claims can be waiting, and a cluster has few such pods."""
PODS_BY_CLAIM: Final = "claim"
CLAIMS_BY_NODE: Final = "node"
"""Index of the claims: the node that a claim of this driver is allocated on."""


@dataclass(frozen=True, slots=True)
class ClassicView:
    """Everything that is read of any driver, beside its NodeAllocationState objects."""

    driver: str
    """Name of the driver."""

    claims: Informer[ResourceClaim]
    templates: Informer[ResourceClaimTemplate]
    classes: Informer[ResourceClass]
    contexts: Informer[PodSchedulingContext]
    pods: Informer[Pod]
    """Those without a node."""
    events: Informer[Event]
    """Warnings about claims."""

    @classmethod
    def of(cls, cache: Cache, driver: str) -> "ClassicView":
        """Asks ``cache`` for the informers, and adds the indexes."""
        view = cls(
            driver,
            cache.informer(ResourceClaim),
            cache.informer(ResourceClaimTemplate),
            cache.informer(ResourceClass),
            cache.informer(PodSchedulingContext),
            cache.informer(Pod, field_selector=UNSCHEDULED),
            warnings_about_claims(cache),
        )
        view.claims.add_index(CLAIMS_BY_NODE, view.nodes_of)
        view.pods.add_index(PODS_BY_CLAIM, lambda pod: [str(key) for key in claim_keys(pod)])
        return view

    @property
    def read(self) -> tuple[Informer[Any], ...]:
        """The informers that are filled."""
        return (self.claims, self.templates, self.classes, self.contexts, self.pods, self.events)

    def nodes_of(self, claim: ResourceClaim) -> Iterable[str]:
        """The node that a claim of the driver is allocated on; none where it is not, or that is not known."""
        allocation = claim.status.allocation
        node = None if allocation is None or claim.status.driver_name != self.driver else node_of(allocation)
        return () if node is None else (node,)

    def class_of(self, spec: ResourceClaimSpec) -> ResourceClass | None:
        """The class that a claim names; None where there is none, or it cannot be read."""
        try:
            return self.classes.get(NamespacedName("", spec.resource_class_name))
        except InvalidObjectError:
            return None

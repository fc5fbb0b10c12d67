"""The caches of the controller in structured DRA. They keep little of each object: a cluster has many claims."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from fake_dra_driver.api.kube.core import Pod
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import ResourceApi
from fake_dra_driver.dra.structured.claims import results_of
from fake_dra_driver.runtime.cache import Cache, Change, Informer

__all__ = ["StructuredCaches", "pools_of"]

UNSCHEDULED: Final = "spec.nodeName="
"""Pods without a node: only their claims can be waiting, and a cluster has few such pods."""
CLAIMS_BY_POOL: Final = "pool"
"""Index of the claim cache: the pools, which are nodes, of which a claim holds devices of the driver."""

_IDENTITY: Final = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp")


@dataclass(frozen=True, slots=True)
class StructuredCaches:
    """What the controller reads. Of claims and templates, what other drivers have to do with them is left out."""

    driver: str
    """Whose devices count."""
    claims: Informer[v1.ResourceClaim]
    templates: Informer[v1.ResourceClaimTemplate]
    classes: Informer[v1.DeviceClass]
    pods: Informer[Pod]
    """Those without a node."""

    @classmethod
    def of(cls, cache: Cache, api: ResourceApi, driver: str, *, with_use: bool = False) -> "StructuredCaches":
        """Asks ``cache`` for the informers, and adds the indexes.

        Args:
            cache: keeps what they have.
            api: in the version that the cluster serves.
            driver: whose devices count.
            with_use: whether claims are to say what the driver reports of their devices, and whether a pod may use
                them, which is most of what a plugin knows.
        """
        caches = cls(
            driver,
            cache.informer(api.claims, transform=partial(_used_claim if with_use else _lean_claim, driver)),
            cache.informer(api.templates, transform=_lean_template),
            cache.informer(api.classes),
            cache.informer(Pod, field_selector=UNSCHEDULED, transform=_lean_pod),
        )
        caches.claims.add_index(CLAIMS_BY_POOL, caches.pools_of)
        return caches

    def claims_on_node(self, node: str) -> Sequence[v1.ResourceClaim]:
        """The claims that hold devices of the node."""
        return self.claims.by_index(CLAIMS_BY_POOL, node)

    def pools_of(self, claim: v1.ResourceClaim) -> Iterable[str]:
        """The pools of the driver, each of which is a node, that a claim holds devices of."""
        return pools_of(claim, self.driver)

    def nodes_of_change(self, change: Change[v1.ResourceClaim]) -> AbstractSet[str]:
        """The nodes of which a claim held devices before, or holds some now; none where it holds the same."""
        old, new = change.old, change.new
        if old is not None and new is not None and old.status.allocation == new.status.allocation:
            return frozenset()
        return {node for claim in (old, new) if claim is not None for node in self.pools_of(claim)}


def pools_of(claim: v1.ResourceClaim, driver: str) -> Iterable[str]:
    """The pools of a driver, each of which is a node, that a claim holds devices of."""
    return {result.pool for result in results_of(claim, driver)}


def _lean_claim(driver: str, raw: dict[str, Any]) -> dict[str, Any]:
    """Without what drivers report, who may use it, and devices of other drivers.

    Conditions are kept where the scheduler waits for some.
    """
    lean = {"metadata": _kept(raw.get("metadata"), *_IDENTITY), "spec": raw.get("spec", {})}
    status = raw.get("status")
    allocation = status.get("allocation") if isinstance(status, Mapping) else None
    if isinstance(status, Mapping) and isinstance(allocation, Mapping):
        devices = _kept(allocation.get("devices"), "results", "config")
        if isinstance(devices.get("results"), list):
            devices["results"] = [result for result in devices["results"] if _is_of(driver, result)]
        lean["status"] = {"allocation": {"devices": devices}}
        if any(isinstance(each, Mapping) and each.get("bindingConditions") for each in devices.get("results") or ()):
            _keep_conditions(lean["status"], status, driver)
    return lean


def _used_claim(driver: str, raw: dict[str, Any]) -> dict[str, Any]:
    """The same with what the driver reports, and with one of the pods that may use it, and its owner if that is one."""
    lean, status = _lean_claim(driver, raw), raw.get("status")
    owners = raw.get("metadata", {}).get("ownerReferences") or ()
    if pods := [owner for owner in owners if isinstance(owner, Mapping) and owner.get("kind") == "Pod"]:
        lean["metadata"]["ownerReferences"] = pods
    if isinstance(status, Mapping) and "status" in lean:
        reports, users = status.get("devices"), status.get("reservedFor")
        if isinstance(reports, list):
            lean["status"]["devices"] = [each for each in reports if _is_of(driver, each)]
        if isinstance(users, list):
            pods = [user for user in users if isinstance(user, Mapping) and user.get("resource") == "pods"]
            lean["status"]["reservedFor"] = pods[:1]
    return lean


def _keep_conditions(lean: dict[str, Any], status: Mapping[str, Any], driver: str) -> None:
    """Keeps what tells whether devices have become ready, and since when they were to."""
    lean["allocation"].update(_kept(status.get("allocation"), "allocationTimestamp"))
    if isinstance(status.get("devices"), list):
        names = ("driver", "pool", "device", "shareID", "conditions")
        lean["devices"] = [_kept(each, *names) for each in status["devices"] if _is_of(driver, each)]


def _lean_template(raw: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": _kept(raw.get("metadata"), *_IDENTITY), "spec": _kept(raw.get("spec"), "spec")}


def _lean_pod(raw: dict[str, Any]) -> dict[str, Any]:
    return {
        "metadata": _kept(raw.get("metadata"), *_IDENTITY),
        "spec": _kept(raw.get("spec"), "resourceClaims"),
        "status": _kept(raw.get("status"), "resourceClaimStatuses"),
    }


def _kept(part: Any, *fields: str) -> dict[str, Any]:
    """Some fields of an object. What should be one and is not counts as empty: the API server lets no such thing in."""
    return {field: part[field] for field in fields if field in part} if isinstance(part, Mapping) else {}


def _is_of(driver: str, result: Any) -> bool:
    return not isinstance(result, Mapping) or result.get("driver") == driver

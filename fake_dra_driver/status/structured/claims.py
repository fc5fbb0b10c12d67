"""Claims in structured DRA: what the scheduler has allocated, and as much about waiting as the scheduler says.

What claims hold is taken from the claims, not from the copy in ``nas.spec.allocatedClaims``: the answer is right also
while no controller runs.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from typing_extensions import override

from fake_dra_driver.api.fake import AllocatedDevices, NodeAllocationState
from fake_dra_driver.api.kube.core import Event, Node, Pod
from fake_dra_driver.api.kube.meta import UID, KubeObject, NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.podclaims import claim_keys
from fake_dra_driver.api.resource.structured import ResourceApi
from fake_dra_driver.driver.nodestate import devices_of
from fake_dra_driver.driver.structured.caches import CLAIMS_BY_POOL, UNSCHEDULED, pools_of
from fake_dra_driver.driver.structured.configcheck import spec_problems
from fake_dra_driver.driver.structured.holdings import holdings
from fake_dra_driver.driver.structured.waiting import asks_for_this_driver, class_names
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.runtime.errors import InvalidObjectError
from fake_dra_driver.status.claimsource import (
    ClaimSource,
    claim_report,
    latest_creation,
    told_about,
    warnings_about_claims,
)
from fake_dra_driver.status.report import ClaimReport, WaitingClaim, WaitReason
from fake_dra_driver.status.structured.pod import WaitingPod

__all__ = ["STRUCTURED_KINDS", "StructuredClaims"]

STRUCTURED_KINDS: Final[tuple[type[KubeObject], ...]] = (
    NodeAllocationState,
    Node,
    v1.ResourceClaim,
    v1.DeviceClass,
    Pod,
    Event,
)
"""Every kind that is read, with get, list and watch; those of ``resource.k8s.io`` in the version that is served."""

PODS_BY_CLAIM: Final = "claim"
_NO_DEVICES: Final = "cannot allocate all claims"
"""What the scheduler says of nodes that do not have what claims ask for (plugin dynamicresources)."""


class StructuredClaims(ClaimSource):
    """Answers from caches.

    Args:
        cache: gives them.
        api: the version of the claims that the cluster serves.
    """

    def __init__(self, cache: Cache, api: ResourceApi) -> None:
        self._claims = cache.informer(api.claims)
        self._claims.add_index(CLAIMS_BY_POOL, pools_of)
        self._classes = cache.informer(api.classes)
        self._pods = cache.informer(WaitingPod, field_selector=UNSCHEDULED)
        self._pods.add_index(PODS_BY_CLAIM, lambda pod: [str(key) for key in claim_keys(pod)])
        self._events = warnings_about_claims(cache)

    @property
    @override
    def informers(self) -> tuple[Informer[Any], ...]:
        return (self._claims, self._classes, self._pods, self._events)

    @override
    def entries_of(self, state: NodeAllocationState) -> Mapping[str, AllocatedDevices]:
        node = state.metadata.name
        return holdings(self._claims.by_index(CLAIMS_BY_POOL, node), node, devices_of(state)).entries

    @override
    def unrecorded(self, state: NodeAllocationState) -> Sequence[str]:
        return ()  # the object is a copy, a moment behind

    @override
    def claim(self, uid: UID) -> ClaimReport:
        return claim_report(self._claims, uid)

    @override
    def waiting(self) -> tuple[Sequence[WaitingClaim], int]:
        found, unused = [], 0
        for claim in self._claims.list():
            if claim.status.allocation is not None or claim.is_deleting:
                continue
            if not asks_for_this_driver(claim, self._class_of):
                continue
            pods = self._pods.by_index(PODS_BY_CLAIM, str(claim.key))
            if pods:
                found.append(self._describe(claim, pods))
            else:
                unused += 1
        return found, unused

    def _class_of(self, name: str) -> v1.DeviceClass | None:
        try:
            return self._classes.get(NamespacedName("", name))
        except InvalidObjectError:
            return None

    def _describe(self, claim: v1.ResourceClaim, pods: Sequence[WaitingPod]) -> WaitingClaim:
        reason, message = self._judge(claim, pods[0])
        return WaitingClaim(
            namespace=claim.metadata.namespace,
            name=claim.metadata.name,
            uid=claim.uid,
            class_name=", ".join(class_names(claim)),
            mode="WaitForFirstConsumer",
            since=latest_creation(pods[0], claim),
            pods=tuple(pod.metadata.name for pod in pods),
            reason=reason,
            message=message,
            told=told_about(self._events, claim.uid),
        )

    def _judge(self, claim: v1.ResourceClaim, pod: WaitingPod) -> tuple[WaitReason, str]:
        """Why the claim waits: first what a person can correct, then what the scheduler says about its pod."""
        if problems := spec_problems(claim.spec):
            return "InvalidParameters", "; ".join(map(str, problems))
        missing = [name for name in class_names(claim) if self._class_of(name) is None]
        if missing:
            names = ", ".join(missing)
            return "ClassNotFound", f"DeviceClass {names} does not exist, or cannot be read: create it"
        name = pod.metadata.name
        scheduled = pod.scheduled
        if scheduled is None or scheduled.status != "False":
            return "BeingScheduled", f"the scheduler has not said yet whether there is a node for pod {name}"
        if scheduled.reason == "SchedulingGated":
            return "NotBeingScheduled", f"the scheduler does not look for a node for pod {name}: it has schedulingGates"
        said = f"the scheduler says about pod {name}: {scheduled.message or scheduled.reason}"
        return ("InsufficientDevices" if _NO_DEVICES in scheduled.message else "Unschedulable"), said

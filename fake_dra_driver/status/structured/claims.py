"""Claims in structured DRA: what the scheduler has allocated, and as much about waiting as the scheduler says.

What claims hold is taken from the claims, not from the copy in ``nas.spec.allocatedClaims``: the answer is right also
while no controller runs.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Generic

from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.podclaims import claim_keys
from fake_dra_driver.api.resource.structured import ResourceApi
from fake_dra_driver.dra.drivernames import DriverNames
from fake_dra_driver.dra.nodestate.layout import EntryT, StateT
from fake_dra_driver.dra.structured.caches import CLAIMS_BY_POOL, UNSCHEDULED, pools_of
from fake_dra_driver.dra.structured.controllerdriver import StructuredDriver
from fake_dra_driver.dra.structured.holdings import holdings
from fake_dra_driver.dra.structured.waiting import class_names
from fake_dra_driver.naturalorder import natural_order
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.runtime.errors import InvalidObjectError
from fake_dra_driver.status.claimsource import (
    ClaimSource,
    claim_report,
    class_not_found,
    latest_creation,
    told_about,
    warnings_about_claims,
)
from fake_dra_driver.status.poolfacts import PoolFacts
from fake_dra_driver.status.report import ClaimReport, Told, WaitingClaim, WaitReason
from fake_dra_driver.status.structured.pod import WaitingPod
from fake_dra_driver.status.structured.pool import lean_slice, pool_facts
from fake_dra_driver.status.unmade import UnmadeClaims

__all__ = ["StructuredClaims"]

PODS_BY_CLAIM: Final = "claim"
SLICES_BY_POOL: Final = "pool"
_NO_DEVICES: Final = "cannot allocate all claims"
"""What the scheduler says of nodes that do not have what claims ask for (plugin dynamicresources)."""


class StructuredClaims(ClaimSource[StateT, EntryT], Generic[StateT, EntryT]):
    """Answers from caches.

    Args:
        cache: gives them.
        api: the version of the claims that the cluster serves.
        driver: shows what claims hold, and finds what is wrong with their parameters.
        names: of the driver.
        is_observed: whether the driver's own code is not here, so that its controller's word about parameters counts.
        judged_by: what else is read, for the driver.
    """

    def __init__(
        self,
        cache: Cache,
        api: ResourceApi,
        driver: StructuredDriver[StateT, Any, EntryT],
        names: DriverNames,
        *,
        is_observed: bool = False,
        judged_by: Sequence[Informer[Any]] = (),
    ) -> None:
        self._driver = driver
        self._names = names
        self._is_observed = is_observed
        self._judged_by = judged_by
        self._claims = cache.informer(api.claims)
        self._claims.add_index(CLAIMS_BY_POOL, lambda claim: pools_of(claim, names.driver))
        self._templates = cache.informer(api.templates)
        selector = f"spec.driver={names.driver}"
        self._slices = cache.informer(api.slices, field_selector=selector, transform=lean_slice)
        self._slices.add_index(SLICES_BY_POOL, lambda found: (found.spec.pool.name,))
        self._classes = cache.informer(api.classes)
        self._pods = cache.informer(WaitingPod, field_selector=UNSCHEDULED)
        self._pods.add_index(PODS_BY_CLAIM, lambda pod: [str(key) for key in claim_keys(pod)])
        self._events = warnings_about_claims(cache)
        self._unmade = UnmadeClaims(
            self._pods, self._claims, self._templates, lambda template: self._is_ours(template.spec.spec)
        )

    @property
    @override
    def informers(self) -> tuple[Informer[Any], ...]:
        return (self._claims, self._templates, self._slices, self._classes, self._pods, self._events, *self._judged_by)

    @override
    def entries_of(self, state: StateT) -> Mapping[str, EntryT]:
        node = state.metadata.name
        layout = self._driver.layout
        entry_of = self._driver.entry_maker(layout.inventory_of(state))
        claims = self._claims.by_index(CLAIMS_BY_POOL, node)
        return holdings(claims, self._names.driver, node, entry_of, layout.to_wire).entries

    @override
    def unpublished_reason(self, state: StateT) -> str | None:
        devices = self._driver.layout.inventory_of(state)
        if not devices or self._slices.by_index(SLICES_BY_POOL, state.metadata.name):
            return None
        # The kubelet deletes a driver's slices half a minute after the plugin has gone, in whichever way it went.
        return (
            "its devices are in no ResourceSlice, so that the scheduler does not know them: look at its kubelet plugin"
        )

    @override
    def pool(self, state: StateT) -> PoolFacts:
        node = state.metadata.name
        slices, claims = self._slices.by_index(SLICES_BY_POOL, node), self._claims.by_index(CLAIMS_BY_POOL, node)
        return pool_facts(slices, claims, self._names.driver, self.claim)

    @override
    def unrecorded(self, state: StateT) -> Sequence[str]:
        return ()  # the object is a copy, a moment behind

    @override
    def claim(self, uid: UID) -> ClaimReport:
        return claim_report(self._claims, uid)

    @override
    def told(self, uid: UID) -> Told | None:
        return told_about(self._events, self._names.event_component, uid)

    @override
    def waiting(self) -> tuple[Sequence[WaitingClaim], int]:
        found, unused = list(self._unmade.find()), 0
        for claim in self._claims.list():
            if claim.status.allocation is not None or claim.is_deleting:
                continue
            if not self._is_ours(claim.spec):
                continue
            pods = self._pods.by_index(PODS_BY_CLAIM, str(claim.key))
            judgement = self._mistake(claim) or (_waits_with(pods[0]) if pods else None)
            if judgement is None:
                unused += 1
            else:
                found.append(self._describe(claim, pods, *judgement))
        return sorted(found, key=lambda waiting: (waiting.namespace, natural_order(waiting.name))), unused

    def _is_ours(self, spec: v1.ResourceClaimSpec) -> bool:
        """Whether the claim concerns this driver, or, as a class does not exist, any driver."""
        return bool(self._missing(spec)) or self._driver.claims.include(spec, self._class_of)

    def _missing(self, spec: v1.ResourceClaimSpec) -> Sequence[str]:
        return [name for name in class_names(spec) if self._class_of(name) is None]

    def _class_of(self, name: str) -> v1.DeviceClass | None:
        try:
            return self._classes.get(NamespacedName("", name))
        except InvalidObjectError:
            return None

    def _describe(
        self, claim: v1.ResourceClaim, pods: Sequence[WaitingPod], reason: WaitReason, message: str
    ) -> WaitingClaim:
        return WaitingClaim(
            namespace=claim.metadata.namespace,
            name=claim.metadata.name,
            uid=claim.uid,
            class_name=", ".join(class_names(claim.spec)),
            mode="WaitForFirstConsumer",
            since=latest_creation(claim, *pods[:1]),
            pods=tuple(pod.metadata.name for pod in pods),
            reason=reason,
            message=message,
            told=self.told(claim.uid),
        )

    def _mistake(self, claim: v1.ResourceClaim) -> tuple[WaitReason, str] | None:
        """What a person can correct, whether or not a pod uses the claim."""
        spec = claim.spec
        told = self.told(claim.uid) if self._is_observed else None
        if told is not None and told.reason == "InvalidParameters":
            return "InvalidParameters", told.message
        if problems := self._driver.check.spec_problems(spec):
            return "InvalidParameters", "; ".join(map(str, problems))
        for device_class in filter(None, map(self._class_of, class_names(spec))):
            if problems := self._driver.check.class_problems(device_class):
                return "InvalidParameters", f"DeviceClass {device_class.metadata.name}: {'; '.join(map(str, problems))}"
        if missing := self._missing(spec):
            ours = [each.metadata.name for each in self._classes.list() if self._driver.claims.include_class(each)]
            return "ClassNotFound", class_not_found("DeviceClass", missing, ours)
        return None


def _waits_with(pod: WaitingPod) -> tuple[WaitReason, str]:
    """What the scheduler says about a pod that uses the claim."""
    name = pod.metadata.name
    scheduled = pod.scheduled
    if scheduled is None or scheduled.status != "False":
        return "BeingScheduled", f"the scheduler has not said yet whether there is a node for pod {name}"
    if scheduled.reason == "SchedulingGated":
        return "NotBeingScheduled", f"the scheduler does not look for a node for pod {name}: it has schedulingGates"
    said = f"the scheduler says about pod {name}: {scheduled.message or scheduled.reason}"
    return ("InsufficientDevices" if _NO_DEVICES in scheduled.message else "Unschedulable"), said

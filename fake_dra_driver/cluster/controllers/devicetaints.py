"""Which pods have to go because of the taints of their devices, and when; nothing here changes anything.

Follows k8s.io/kubernetes/pkg/controller/devicetainteviction. Taints come from the slices that drivers publish and from
DeviceTaintRules. A rule is about allocated devices whether or not there is a slice with them: it needs nothing but
their names. A pod tolerates what its claims tolerated when they were allocated; a toleration that names no effect
lets the scheduler choose the device, and does not keep the pod.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import MINYEAR, UTC, datetime, timedelta
from typing import Final

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.podclaims import claim_keys, is_made_for
from fake_dra_driver.cluster import reservations
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.runtime.cache import Informer

__all__ = ["CLAIMS_BY_POOL", "EVICTS", "DeviceTaints", "Eviction", "pool_key", "pools_of_claim"]

EVICTS: Final = "NoExecute"
"""The effect of taints that end pods."""
CLAIMS_BY_POOL: Final = "device pool"
"""Index of the claim cache: the pools that a claim has devices of."""
_SLICES_BY_POOL: Final = "pool"
_TAINTED_SLICES: Final = "pool with taints that end pods"
_ALWAYS: Final = datetime(MINYEAR, 1, 1, tzinfo=UTC)
"""Time of a taint without one, which API servers do not write."""


def pool_key(driver: str, pool: str) -> str:
    """A pool as the value of an index; neither part has a space in it."""
    return f"{driver} {pool}"


@dataclass(frozen=True, slots=True)
class Eviction:
    """When a pod has to go, and why."""

    at: datetime
    rules: frozenset[UID]
    """The rules among the causes."""


class DeviceTaints:
    """What the caches say of taints.

    Args:
        claims: whose devices are tainted.
        slices: the taints that drivers publish.
        rules: the taints of administrators; None where rules are not in use.
    """

    def __init__(
        self,
        claims: Informer[v1.ResourceClaim],
        slices: Informer[v1.ResourceSlice],
        rules: Informer[v1.DeviceTaintRule] | None,
    ) -> None:
        self._claims = claims
        self._slices = slices
        self._rules = rules
        claims.add_index(CLAIMS_BY_POOL, pools_of_claim)
        slices.add_index(_SLICES_BY_POOL, lambda each: [pool_key(each.spec.driver, each.spec.pool.name)])
        slices.add_index(_TAINTED_SLICES, _pool_if_tainted)

    def eviction_of(self, pod: Pod) -> Eviction | None:
        """When the pod has to go; None: it may stay."""
        return self._eviction_of(pod, self._evicting_rules())

    def eviction_by(self, pod: Pod, rule: v1.DeviceTaintRule) -> Eviction | None:
        """When the pod would have to go if the rule had the effect NoExecute and there were no other rule."""
        taint = rule.spec.taint.model_copy(update={"effect": EVICTS})
        spec = rule.spec.model_copy(update={"taint": taint})
        return self._eviction_of(pod, [rule.model_copy(update={"spec": spec})])

    def published(self, rule: v1.DeviceTaintRule) -> int:
        """How many devices of slices the rule is about."""
        newest = (each for each in self._slices.list() if each.spec.pool.generation == self._generation(each))
        return sum(
            rule.spec.applies_to(each.spec.driver, each.spec.pool.name, device.name)
            for each in newest
            for device in each.spec.devices
        )

    def allocated(self, rule: v1.DeviceTaintRule) -> int:
        """How many allocated devices the rule is about."""
        return sum(
            rule.spec.applies_to(result.driver, result.pool, result.device)
            for claim in self._claims.list()
            for result in _results(claim)
        )

    def _evicting_rules(self) -> list[v1.DeviceTaintRule]:
        rules = self._rules.list() if self._rules is not None else ()
        return [each for each in rules if each.spec.taint.effect == EVICTS]

    def _eviction_of(self, pod: Pod, rules: Iterable[v1.DeviceTaintRule]) -> Eviction | None:
        if not pod.spec.node_name:
            return None
        found = [
            each
            for claim in self._claims_of(pod)
            for result in _results(claim)
            for each in self._evictions_of(result, rules)
        ]
        if not found:
            return None
        return Eviction(min(each.at for each in found), frozenset().union(*(each.rules for each in found)))

    def _claims_of(self, pod: Pod) -> Iterator[v1.ResourceClaim]:
        """The claims that the pod uses, and may use."""
        named = {entry.claim_name for entry in pod.spec.resource_claims}
        for key in claim_keys(pod):
            claim = self._claims.get(key)
            if claim is None or not reservations.is_reserved_for(claim, pod):
                continue
            if key.name in named or is_made_for(claim, pod):
                yield claim

    def _evictions_of(
        self, result: v1.DeviceRequestAllocationResult, rules: Iterable[v1.DeviceTaintRule]
    ) -> Iterator[Eviction]:
        """One for each taint of the device that is not tolerated for ever."""
        taints: list[tuple[v1.DeviceTaint, frozenset[UID]]] = [(each, frozenset()) for each in self._taints_of(result)]
        taints += [
            (rule.spec.taint, frozenset({rule.uid}))
            for rule in rules
            if rule.spec.applies_to(result.driver, result.pool, result.device)
        ]
        for taint, rule_uids in taints:
            matching = [each for each in result.tolerations if each.effect == EVICTS and _tolerates(each, taint)]
            limits = [each.toleration_seconds for each in matching]
            if None in limits:
                continue
            seconds = min((max(each, 0) for each in limits if each is not None), default=0)
            yield Eviction(_later(taint.time_added or _ALWAYS, seconds), rule_uids)

    def _taints_of(self, result: v1.DeviceRequestAllocationResult) -> list[v1.DeviceTaint]:
        """The taints of slices that end pods with the device."""
        pool = pool_key(result.driver, result.pool)
        return [
            taint
            for each in self._slices.by_index(_TAINTED_SLICES, pool)
            if each.spec.pool.generation == self._generation(each)
            for device in each.spec.devices
            if device.name == result.device
            for taint in device.taints
            if taint.effect == EVICTS
        ]

    def _generation(self, of: v1.ResourceSlice) -> int:
        """The generation of the slices that count in a slice's pool."""
        pool = pool_key(of.spec.driver, of.spec.pool.name)
        return max(each.spec.pool.generation for each in self._slices.by_index(_SLICES_BY_POOL, pool))


def _results(claim: v1.ResourceClaim) -> Iterable[v1.DeviceRequestAllocationResult]:
    allocation = claim.status.allocation
    return allocation.devices.results if allocation is not None else ()


def pools_of_claim(claim: v1.ResourceClaim) -> Iterable[str]:
    """Index function for ``CLAIMS_BY_POOL``."""
    return {pool_key(each.driver, each.pool) for each in _results(claim)}


def _pool_if_tainted(each: v1.ResourceSlice) -> Iterable[str]:
    is_tainted = any(taint.effect == EVICTS for device in each.spec.devices for taint in device.taints)
    return [pool_key(each.spec.driver, each.spec.pool.name)] if is_tainted else []


def _tolerates(toleration: v1.DeviceToleration, taint: v1.DeviceTaint) -> bool:
    """Whether a toleration is for a taint, as far as key and value go."""
    if toleration.key not in ("", taint.key):
        return False
    return toleration.operator == "Exists" or (toleration.operator in ("", "Equal") and toleration.value == taint.value)


def _later(at: datetime, seconds: int) -> datetime:
    """A time that many seconds later; the last that there is, if it is beyond."""
    try:
        return at + timedelta(seconds=seconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)

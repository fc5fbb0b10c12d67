"""Deletes pods whose devices have taints that they do not tolerate, or no longer.

Follows k8s.io/kubernetes/pkg/controller/devicetainteviction. What was planned before a restart is planned again from
the times in the taints; only how many pods a rule has ended is forgotten, as upstream.
"""

from collections.abc import Iterable
from typing import Final

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import RESOURCE_APIS, TAINT_RULES
from fake_dra_driver.cluster.conditions import condition_patch
from fake_dra_driver.cluster.controllers.devicetaints import (
    CLAIMS_BY_POOL,
    EVICTS,
    DeviceTaints,
    Eviction,
    pool_key,
)
from fake_dra_driver.cluster.controllers.taintrulestatus import RuleStatusReports, taint_rule_controller
from fake_dra_driver.cluster.kinds import Condition, Pod
from fake_dra_driver.cluster.releases import Release
from fake_dra_driver.runtime.cache import Cache, Informer
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.clock import WallClock
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import NotFoundError
from fake_dra_driver.runtime.events import EventSink
from fake_dra_driver.runtime.reconcile import Reconciler, Request, Result
from fake_dra_driver.runtime.store import Change

__all__ = ["DeviceTaintEvictionReconciler", "device_taint_controllers"]

log = logger.bind(component="device-taint-eviction-controller")

_REASON: Final = "DeviceTaintManagerEviction"
_WORKERS: Final = 8
"""ConcurrentSyncs of the controller."""


class DeviceTaintEvictionReconciler(Reconciler):
    """Reconciles one pod with the taints of its devices."""

    def __init__(
        self,
        client: Client,
        pods: Informer[Pod],
        taints: DeviceTaints,
        reports: RuleStatusReports,
        events: EventSink,
        now: WallClock,
    ) -> None:
        self._client = client
        self._pods = pods
        self._taints = taints
        self._reports = reports
        self._events = events
        self._now = now
        self._planned: set[UID] = set()
        """Pods that are to be evicted."""
        self._evicted: set[UID] = set()

    @override
    async def reconcile(self, request: Request) -> Result:
        pod = self._pods.get(request)
        if pod is None or pod.is_deleting or pod.uid in self._evicted:
            return Result()
        eviction = self._taints.eviction_of(pod)
        if eviction is None:
            if pod.uid in self._planned:
                self._planned.remove(pod.uid)
                self._events.event(pod, "Normal", _REASON, "Cancelling deletion")
            return Result()
        self._planned.add(pod.uid)
        self._reports.pod_is_pending(eviction.rules)
        left = (eviction.at - self._now()).total_seconds()
        if left > 0:
            return Result(requeue_after=left)
        await self._evict(pod, eviction)
        return Result()

    def forget(self, change: Change[Pod]) -> None:
        """Handler for pods: forgets one that is gone."""
        for uid in {each.uid for each in (change.old, change.new) if each is not None}:
            if change.new is None or change.new.uid != uid:
                self._planned.discard(uid)
                self._evicted.discard(uid)

    async def _evict(self, pod: Pod, eviction: Eviction) -> None:
        message = "Device Taint manager: deleting due to NoExecute taint"
        target = Condition(
            type="DisruptionTarget", status="True", reason="DeletionByDeviceTaintManager", message=message
        )
        operations = condition_patch(pod.uid, pod.status.conditions, target, self._now())
        try:
            if operations:
                await self._client.json_patch(Pod, pod.key, operations, subresource="status")
            self._events.event(pod, "Normal", _REASON, "Marking for deletion")
            await self._client.delete(Pod, pod.key, uid=pod.uid)
        except NotFoundError:
            return
        self._evicted.add(pod.uid)
        self._planned.discard(pod.uid)
        self._reports.pod_was_evicted(eviction.rules)
        log.info("pod evicted", pod=str(pod.key), node=pod.spec.node_name)


def device_taint_controllers(
    client: Client, cache: Cache, events: EventSink, release: Release, now: WallClock
) -> Iterable[Controller]:
    """The controllers of pods with tainted devices and of the rules that taint devices; none where taints are off."""
    if not release.structured_version or not release.is_enabled("DRADeviceTaints"):
        return ()
    api = RESOURCE_APIS[release.structured_version]
    pods, claims, slices = cache.informer(Pod), cache.informer(api.claims), cache.informer(api.slices)
    rules: Informer[v1.DeviceTaintRule] | None = None
    if release.taint_rule_version:
        rules = cache.informer(TAINT_RULES[release.taint_rule_version])
    taints = DeviceTaints(claims, slices, rules)
    reports = RuleStatusReports(rules)
    controllers = []
    if rules is not None and release.taint_rules_have_status:
        # Its workers start first: a rule says what it is going to do before pods end because of it.
        controllers.append(taint_rule_controller(client, rules, pods, taints, reports, now))
    reconciler = DeviceTaintEvictionReconciler(client, pods, taints, reports, events, now)
    pods.subscribe(reconciler.forget)
    controller = Controller("device-taint-eviction", reconciler, workers=_WORKERS)
    controller.watch(pods, predicate=_has_other_claims)
    controller.watch(claims, _consumers)
    controller.watch(
        slices,
        lambda change: [key for claim in _claims_of_pools(claims, change) for key in _pods_of(claim)],
        predicate=_changes_taints,
    )
    if rules is not None:
        controller.watch(
            rules,
            lambda _: [
                key for claim in claims.list() if claim.status.allocation is not None for key in _pods_of(claim)
            ],
            predicate=_changes_rule,
        )
    return (*controllers, controller)


def _has_other_claims(change: Change[Pod]) -> bool:
    """Whether a pod has got a node, or uses other claims than before."""
    old, new = change.old, change.new
    if new is None or not new.spec.node_name:
        return False
    return old is None or old.uid != new.uid or _claims_in(old) != _claims_in(new)


def _claims_in(pod: Pod) -> object:
    return pod.spec.node_name, pod.status.resource_claim_statuses, pod.status.extended_resource_claim_status


def _pods_of(claim: v1.ResourceClaim) -> Iterable[NamespacedName]:
    return [
        NamespacedName(claim.metadata.namespace, each.name)
        for each in claim.status.reserved_for
        if not each.api_group and each.resource == "pods"
    ]


def _consumers(change: Change[v1.ResourceClaim]) -> Iterable[NamespacedName]:
    """The pods that may use a claim, or might before."""
    found: dict[NamespacedName, None] = {}
    for claim in (change.old, change.new):
        if claim is not None and claim.status.allocation is not None:
            found.update(dict.fromkeys(_pods_of(claim)))
    return found


def _claims_of_pools(
    claims: Informer[v1.ResourceClaim], change: Change[v1.ResourceSlice]
) -> Iterable[v1.ResourceClaim]:
    pools = {pool_key(each.spec.driver, each.spec.pool.name) for each in (change.old, change.new) if each is not None}
    return [claim for pool in sorted(pools) for claim in claims.by_index(CLAIMS_BY_POOL, pool)]


def _changes_taints(change: Change[v1.ResourceSlice]) -> bool:
    """Whether a slice has, or had, taints that end pods, or may outdate one that has."""
    old, new = change.old, change.new
    has_taints = any(
        taint.effect == EVICTS
        for each in (old, new)
        if each is not None
        for device in each.spec.devices
        for taint in device.taints
    )
    return has_taints or old is None or new is None or old.spec.pool.generation != new.spec.pool.generation


def _changes_rule(change: Change[v1.DeviceTaintRule]) -> bool:
    old, new = change.old, change.new
    return old is None or new is None or old.uid != new.uid or old.spec != new.spec

"""The controller's parts in structured DRA put together. The scheduler allocates: here is what is shown and told."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from fake_dra_driver.api.fieldproblem import FieldProblem
from fake_dra_driver.api.kube.meta import UID, KubeObject, NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import ResourceApi
from fake_dra_driver.dra.nodestate.abandonedclaims import AbandonedClaimsReconciler
from fake_dra_driver.dra.nodestate.gauges import NodeGauges
from fake_dra_driver.dra.structured.caches import StructuredCaches
from fake_dra_driver.dra.structured.claims import AllocatedClaim
from fake_dra_driver.dra.structured.configcheck import ConfigReconciler, needs_look
from fake_dra_driver.dra.structured.controllerdriver import StructuredDriver
from fake_dra_driver.dra.structured.metrics import WaitingGauges, WriteCounts
from fake_dra_driver.dra.structured.projection import AllocatedClaimsReconciler, PluginParts
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import InvalidObjectError
from fake_dra_driver.runtime.events import EventSink
from fake_dra_driver.runtime.metrics import Metrics

__all__ = ["make_structured_controllers"]

StateT = TypeVar("StateT", bound=KubeObject)
DeviceT = TypeVar("DeviceT")
EntryT = TypeVar("EntryT")


def make_structured_controllers(
    driver: StructuredDriver[StateT, DeviceT, EntryT],
    client: Client,
    cache: Cache,
    events: EventSink,
    api: ResourceApi,
    *,
    namespace: str,
    workers: int,
    now: Callable[[], datetime],
    metrics: Metrics | None = None,
    caches: StructuredCaches | None = None,
    plugin_parts: PluginParts[StateT] | None = None,
) -> tuple[Controller, ...]:
    """Every controller of a driver where the scheduler allocates, wired to its sources.

    Args:
        driver: whose devices are allocated.
        api: the kinds of claims and classes, in the version that the cluster serves.
        namespace: of the NodeAllocationState objects.
        workers: how many nodes are worked on at once.
        now: the wall clock.
        metrics: counts what they do.
        caches: what they read, where the driver reads it too; made from ``cache`` when left out.
        plugin_parts: what to write about nodes without a kubelet plugin; left out: each has one.
    """
    metrics = metrics or Metrics()
    states = cache.informer(driver.layout.kind, namespace=namespace)
    caches = caches or StructuredCaches.of(cache, api, driver.check.driver)
    counts = WriteCounts(metrics)
    projection = AllocatedClaimsReconciler(
        driver, client, states, caches, namespace, events, counts.written, plugin_parts
    )
    states_controller = Controller(
        "nodeallocationstate", projection, workers=workers, log_context=lambda request: {"node": request.name}
    )
    projection.watch(states_controller)

    def check_allocation(allocated: AllocatedClaim, node: str) -> None:
        try:
            state = states.get(NamespacedName(namespace, node))
        except InvalidObjectError:
            state = None
        driver.check_allocation(allocated, () if state is None else driver.layout.inventory_of(state))

    def problems_of(claim: v1.ResourceClaim) -> Sequence[FieldProblem]:
        return driver.check.claim_problems(claim, check_allocation)

    claims = Controller("resourceclaim", ConfigReconciler(caches.claims, events, problems_of))
    claims.watch(caches.claims, predicate=needs_look)
    templates = Controller(
        "resourceclaimtemplate", ConfigReconciler(caches.templates, events, driver.check.template_problems)
    )
    templates.watch(caches.templates)
    classes = Controller("deviceclass", ConfigReconciler(caches.classes, events, driver.check.class_problems))
    classes.watch(caches.classes)

    def is_held(uid: UID, node: str) -> bool:
        try:
            claim = caches.claims.by_uid(uid)
        except InvalidObjectError:
            return True  # it is there, whatever it looks like
        return claim is not None and node in caches.pools_of(claim)

    abandoned = AbandonedClaimsReconciler(client, driver.layout, states, api.claims, is_held, events)
    abandoned_controller = Controller("abandonedclaims", abandoned)
    abandoned.watch(abandoned_controller, caches.claims)
    NodeGauges(metrics, driver.layout, states)
    WaitingGauges(metrics, caches, driver.claims, now)
    return (states_controller, claims, templates, classes, abandoned_controller)

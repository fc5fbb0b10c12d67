"""The controller's parts in structured DRA put together. The scheduler allocates: here is what is shown and told."""

from collections.abc import Callable, Sequence
from datetime import datetime

from fake_dra_driver.api.fake import DRIVER_NAME, NodeAllocationState
from fake_dra_driver.api.fieldproblem import FieldProblem
from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import ResourceApi
from fake_dra_driver.device.inventory import Device
from fake_dra_driver.dra.nodestate.abandonedclaims import AbandonedClaimsReconciler
from fake_dra_driver.dra.nodestate.gauges import NodeGauges
from fake_dra_driver.dra.structured.caches import StructuredCaches
from fake_dra_driver.dra.structured.claims import AllocatedClaim
from fake_dra_driver.dra.structured.configcheck import ConfigReconciler, needs_look
from fake_dra_driver.driver.statelayout import FakeStateLayout
from fake_dra_driver.driver.structured.inventory import devices_by_name
from fake_dra_driver.driver.structured.metrics import WaitingGauges, WriteCounts
from fake_dra_driver.driver.structured.parameters import CONFIG_CHECK, OUR_CLAIMS
from fake_dra_driver.driver.structured.projection import AllocatedClaimsReconciler
from fake_dra_driver.driver.structured.wanted import wanted_devices
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import InvalidObjectError
from fake_dra_driver.runtime.events import EventSink
from fake_dra_driver.runtime.metrics import Metrics

__all__ = ["make_structured_controllers"]


def make_structured_controllers(
    client: Client,
    cache: Cache,
    events: EventSink,
    api: ResourceApi,
    *,
    namespace: str,
    workers: int,
    now: Callable[[], datetime],
    metrics: Metrics | None = None,
) -> tuple[Controller, ...]:
    """Every controller of the driver where the scheduler allocates, wired to its sources.

    Args:
        api: the kinds of claims and classes, in the version that the cluster serves.
        namespace: of the NodeAllocationState objects.
        workers: how many nodes are worked on at once.
        now: the wall clock.
        metrics: counts what they do.
    """
    metrics = metrics or Metrics()
    layout = FakeStateLayout()
    states = cache.informer(NodeAllocationState, namespace=namespace)
    caches = StructuredCaches.of(cache, api, DRIVER_NAME)
    counts = WriteCounts(metrics)
    projection = AllocatedClaimsReconciler(client, states, caches, namespace, events, counts.written)
    states_controller = Controller(
        "nodeallocationstate", projection, workers=workers, log_context=lambda request: {"node": request.name}
    )
    projection.watch(states_controller)

    def inventory_of(node: str) -> Sequence[Device]:
        try:
            state = states.get(NamespacedName(namespace, node))
        except InvalidObjectError:
            return ()
        return () if state is None else layout.inventory_of(state)

    def check(allocated: AllocatedClaim, node: str) -> None:
        wanted_devices(allocated, devices_by_name(inventory_of(node)))

    def problems_of(claim: v1.ResourceClaim) -> Sequence[FieldProblem]:
        return CONFIG_CHECK.claim_problems(claim, check)

    claims = Controller("resourceclaim", ConfigReconciler(caches.claims, events, problems_of))
    claims.watch(caches.claims, predicate=needs_look)
    templates = Controller(
        "resourceclaimtemplate", ConfigReconciler(caches.templates, events, CONFIG_CHECK.template_problems)
    )
    templates.watch(caches.templates)
    classes = Controller("deviceclass", ConfigReconciler(caches.classes, events, CONFIG_CHECK.class_problems))
    classes.watch(caches.classes)

    def is_held(uid: UID, node: str) -> bool:
        try:
            claim = caches.claims.by_uid(uid)
        except InvalidObjectError:
            return True  # it is there, whatever it looks like
        return claim is not None and node in caches.pools_of(claim)

    abandoned = AbandonedClaimsReconciler(client, layout, states, api.claims, is_held, events)
    abandoned_controller = Controller("abandonedclaims", abandoned)
    abandoned.watch(abandoned_controller, caches.claims)
    NodeGauges(metrics, layout, states)
    WaitingGauges(metrics, caches, OUR_CLAIMS, now)
    return (states_controller, claims, templates, classes, abandoned_controller)

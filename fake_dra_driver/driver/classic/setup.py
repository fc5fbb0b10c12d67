"""The controller's parts put together: classic DRA with the Fake devices, and the parameters that claims depend on."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from fake_dra_driver.api.fake import DRIVER_NAME, DeviceClassParameters, FakeClaimParameters, NodeAllocationState
from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim, ResourceClass
from fake_dra_driver.dra import metricfamilies as families
from fake_dra_driver.dra.classic.allocationresult import node_of
from fake_dra_driver.dra.classic.caches import ClassicCaches
from fake_dra_driver.dra.classic.ledger import Ledger
from fake_dra_driver.dra.classic.metrics import AllocationMetrics, WaitingGauges
from fake_dra_driver.dra.classic.refusal import ParametersReconciler
from fake_dra_driver.dra.classic.setup import ClassicControllers
from fake_dra_driver.dra.nodestate.abandonedclaims import AbandonedClaimsReconciler
from fake_dra_driver.dra.nodestate.gauges import NodeGauges
from fake_dra_driver.driver.classic.allocation import FakeControllerDriver
from fake_dra_driver.driver.classic.parameters import ParametersResolver, check_claim_parameters
from fake_dra_driver.driver.statelayout import FakeStateLayout
from fake_dra_driver.runtime.cache import Cache, Change
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import InvalidObjectError
from fake_dra_driver.runtime.events import EventSink
from fake_dra_driver.runtime.metrics import Metrics

__all__ = ["make_controllers"]

CLAIMS_BY_PARAMETERS: Final = "parameters"
"""Index of the claim cache: the FakeClaimParameters that a claim names, right or wrong in kind and group."""
CLASSES_BY_PARAMETERS: Final = "parameters"


def make_controllers(
    client: Client,
    cache: Cache,
    events: EventSink,
    *,
    namespace: str,
    workers: int,
    now: Callable[[], datetime],
    metrics: Metrics | None = None,
) -> tuple[Controller, ...]:
    """Every controller of the driver, wired to its sources.

    Args:
        namespace: of the NodeAllocationState objects.
        workers: how many claims, and how many pods, are worked on at once.
        now: the wall clock.
        metrics: counts what they do.
    """
    metrics = metrics or Metrics()
    counts = AllocationMetrics(metrics)
    states = cache.informer(NodeAllocationState, namespace=namespace)
    claim_parameters = cache.informer(FakeClaimParameters)
    class_parameters = cache.informer(DeviceClassParameters)
    caches = ClassicCaches.of(cache, DRIVER_NAME)
    layout = FakeStateLayout()
    ledger = Ledger(layout, client, states, namespace, counts.ledger_written)
    driver = FakeControllerDriver(ParametersResolver(claim_parameters, class_parameters))
    classic = ClassicControllers(driver, ledger, caches, client, events, now=now, workers=workers, observer=counts)

    caches.claims.add_index(CLAIMS_BY_PARAMETERS, _parameters_of_claim)
    caches.classes.add_index(CLASSES_BY_PARAMETERS, _parameters_of_class)
    routes = _Routes(caches)
    classic.watch_for_claims(claim_parameters, routes.claims_of_parameters)
    classic.watch_for_claims(class_parameters, routes.claims_of_class_parameters)
    classic.classes.watch(class_parameters, routes.classes_of_parameters)
    claim_parameters_controller = Controller(
        "fakeclaimparameters", ParametersReconciler(claim_parameters, events, check_claim_parameters)
    )
    claim_parameters_controller.watch(claim_parameters)
    class_parameters_controller = Controller(
        "deviceclassparameters", ParametersReconciler(class_parameters, events, lambda _: None)
    )
    class_parameters_controller.watch(class_parameters)

    def is_held(uid: UID, node: str) -> bool:
        try:
            claim = caches.claims.by_uid(uid)
        except InvalidObjectError:
            return True  # it is there, whatever it looks like
        if claim is None or claim.status.allocation is None or claim.status.driver_name != DRIVER_NAME:
            return False
        return node_of(claim.status.allocation) in (None, node)

    abandoned = AbandonedClaimsReconciler(client, layout, states, ResourceClaim, is_held, events)
    abandoned_controller = Controller("abandonedclaims", abandoned)
    abandoned.watch(abandoned_controller, caches.claims)
    NodeGauges(metrics, layout, states)
    WaitingGauges(metrics, caches, now)
    disputed = metrics.gauge(families.DISPUTED_CLAIMS)
    metrics.add_refresher(lambda: disputed.set(classic.repair.disputed_claims))
    return (*classic.controllers, claim_parameters_controller, class_parameters_controller, abandoned_controller)


class _Routes:
    """From a change of parameters to the claims and classes that use them."""

    def __init__(self, caches: ClassicCaches) -> None:
        self._caches = caches

    def claims_of_parameters(self, change: Change[FakeClaimParameters]) -> Iterable[NamespacedName]:
        return [claim.key for claim in self._caches.claims.by_index(CLAIMS_BY_PARAMETERS, str(change.key))]

    def classes_of_parameters(self, change: Change[DeviceClassParameters]) -> Iterable[NamespacedName]:
        return [entry.key for entry in self._caches.classes.by_index(CLASSES_BY_PARAMETERS, change.key.name)]

    def claims_of_class_parameters(self, change: Change[DeviceClassParameters]) -> Iterable[NamespacedName]:
        names = [key.name for key in self.classes_of_parameters(change)]
        return [claim for name in names for claim in self._caches.claims_of_class(name)]


def _parameters_of_claim(claim: ResourceClaim) -> Iterable[str]:
    reference = claim.spec.parameters_ref
    return () if reference is None else (str(NamespacedName(claim.metadata.namespace, reference.name)),)


def _parameters_of_class(resource_class: ResourceClass) -> Iterable[str]:
    return () if resource_class.parameters_ref is None else (resource_class.parameters_ref.name,)

"""Which change of which object leads to which reconcile: the wiring of the controllers of classic DRA.

Everything is level-triggered: a mapping only names keys that may have to be looked at again, and a key too many costs a
pass that reads caches and writes nothing. What a pass waits for must be named here, or it waits for ever.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from fake_dra_driver.api.kube.core import Pod
from fake_dra_driver.api.kube.meta import UID, KubeObject, NamespacedName
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext, ResourceClaim
from fake_dra_driver.dra import metricfamilies as families
from fake_dra_driver.dra.classic.allocation import Allocator
from fake_dra_driver.dra.classic.allocationresult import node_of
from fake_dra_driver.dra.classic.caches import ClassicCaches
from fake_dra_driver.dra.classic.claims import ResourceClaimReconciler
from fake_dra_driver.dra.classic.classes import ResourceClassReconciler
from fake_dra_driver.dra.classic.driver import AnyControllerDriver
from fake_dra_driver.dra.classic.ledger import Ledger
from fake_dra_driver.dra.classic.logcontext import LogContext
from fake_dra_driver.dra.classic.metrics import AllocationMetrics, WaitingGauges
from fake_dra_driver.dra.classic.observer import AllocationObserver, SilentObserver
from fake_dra_driver.dra.classic.parameters import ClaimParameters, ClassParameters
from fake_dra_driver.dra.classic.refusal import ParametersReconciler
from fake_dra_driver.dra.classic.repair import LedgerReconciler
from fake_dra_driver.dra.classic.routes import Routes
from fake_dra_driver.dra.classic.scheduling import PodSchedulingContextReconciler
from fake_dra_driver.dra.classic.writer import ClaimWriter
from fake_dra_driver.dra.nodestate.abandonedclaims import AbandonedClaimsReconciler
from fake_dra_driver.dra.nodestate.gauges import NodeGauges
from fake_dra_driver.dra.nodestate.layout import NodeStateLayout
from fake_dra_driver.runtime.cache import Cache, Change, Informer
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import InvalidObjectError
from fake_dra_driver.runtime.events import EventSink
from fake_dra_driver.runtime.metrics import Metrics

__all__ = ["ClassicControllers", "make_classic_controllers"]

ObjectT = TypeVar("ObjectT", bound=KubeObject)


class ClassicControllers:
    """The controllers of classic DRA, wired to each other's objects.

    A driver adds what else its claims depend on, such as parameters, with ``watch_for_claims``.

    Args:
        now: the wall clock.
        workers: how many claims, how many pods, and how many ledgers are worked on at once.
        observer: is told of allocations.
    """

    def __init__(
        self,
        driver: AnyControllerDriver,
        ledger: Ledger[Any, Any],
        caches: ClassicCaches,
        client: Client,
        events: EventSink,
        *,
        now: Callable[[], datetime],
        workers: int,
        observer: AllocationObserver | None = None,
    ) -> None:
        observer = observer or SilentObserver()
        allocator: Allocator[Any, Any, Any, Any] = Allocator(driver, ledger, caches.claims, caches.unusable_reason)
        writer = ClaimWriter(client, driver, ledger, observer, self._look_again)
        context = LogContext(caches)
        self._caches = caches
        reconciler = ResourceClaimReconciler(allocator, writer, caches, events, now, observer)
        self.claims = Controller("resourceclaim", reconciler, workers=workers, log_context=context.of_claim)
        self.contexts = Controller(
            "podschedulingcontext",
            PodSchedulingContextReconciler(allocator, writer, caches, client, events, observer),
            workers=workers,
            log_context=context.of_pod,
        )
        self.classes = Controller("resourceclass", ResourceClassReconciler(driver, caches.classes, events, now))
        self.repair = LedgerReconciler(driver, ledger, caches, writer, client, events)
        self.ledgers = Controller(
            ledger.layout.kind.resource.kind.lower(),
            self.repair,
            workers=workers,
            log_context=lambda request: {"node": request.name},
        )
        self._watch(ledger, Routes(allocator, ledger, caches, self.repair), reconciler)

    def _watch(self, ledger: Ledger[Any, Any], routes: Routes[Any], reconciler: ResourceClaimReconciler[Any]) -> None:
        caches = self._caches
        self.claims.watch(caches.claims)
        self.claims.watch(caches.contexts, self._claims_of_context)
        self.claims.watch(caches.pods, self._claims_of_gone_pod)
        self.claims.watch(caches.contexts, reconciler.grace.missed_by_pod)
        self.claims.watch(caches.claims, reconciler.grace.missed_by_claim)
        self.claims.watch(caches.pods, reconciler.waiting.claims_of_pod)
        self.claims.watch(ledger.informer, routes.claims_of_ledger)
        self.claims.watch(caches.nodes, routes.claims_of_node)
        self.claims.watch(caches.claims, routes.claims_after_unrecorded)
        self.contexts.watch(caches.contexts)
        self.contexts.watch(caches.pods, lambda change: self._contexts_at([change.key]))
        self.contexts.watch(caches.claims, lambda change: caches.contexts_of_claim(change.key))
        self.contexts.watch(ledger.informer, routes.contexts_of_ledger)
        self.contexts.watch(caches.claims, routes.contexts_after_unrecorded)
        self.classes.watch(caches.classes)
        self.ledgers.watch(ledger.informer, predicate=routes.may_need_repair)
        self.ledgers.watch(caches.claims, routes.ledgers_of_claim)
        self.watch_for_claims(caches.classes, lambda change: caches.claims_of_class(change.key.name))

    @property
    def controllers(self) -> tuple[Controller, ...]:
        """All of them, for the manager."""
        return (self.claims, self.contexts, self.classes, self.ledgers)

    def watch_for_claims(
        self, informer: Informer[ObjectT], claims_of: Callable[[Change[ObjectT]], Iterable[NamespacedName]]
    ) -> None:
        """A change of these objects concerns the claims that ``claims_of`` names, and the pods that wait for them."""

        def contexts_of(change: Change[ObjectT]) -> Iterable[NamespacedName]:
            return dict.fromkeys(
                context for claim in claims_of(change) for context in self._caches.contexts_of_claim(claim)
            )

        self.claims.watch(informer, claims_of)
        self.contexts.watch(informer, contexts_of)

    def _look_again(self, node: str) -> None:
        """Has those looked at again who were told that the node has no room.

        Not those whose own pass has failed: they come back by themselves. Two that fail would wake each other for ever.
        """
        for context in self._caches.contexts_refusing(node):
            if not self.contexts.has_failed(context.key):
                self.contexts.enqueue(context.key)
        for claim in self._caches.waiting_immediate_claims():
            if not self.claims.has_failed(claim):
                self.claims.enqueue(claim)

    def _contexts_at(self, keys: Iterable[NamespacedName]) -> Iterable[NamespacedName]:
        return [key for key in keys if self._caches.contexts.get(key) is not None]

    def _claims_of_context(self, change: Change[PodSchedulingContext]) -> Iterable[NamespacedName]:
        """When the scheduler selects another node or none, records of the pod's claims may be left over."""
        before = change.old.spec.selected_node if change.old is not None else ""
        after = change.new.spec.selected_node if change.new is not None else ""
        pod = self._caches.pods.get(change.key) if before and before != after else None
        return [] if pod is None else self._caches.unallocated_claims_of_pod(pod)

    def _claims_of_gone_pod(self, change: Change[Pod]) -> Iterable[NamespacedName]:
        gone = change.new is None or change.new.is_deleting
        return self._caches.unallocated_claims_of_pod(change.old) if gone and change.old is not None else []


def make_classic_controllers(
    client: Client,
    cache: Cache,
    events: EventSink,
    driver: AnyControllerDriver,
    layout: NodeStateLayout[Any, Any, Any, Any],
    *,
    namespace: str,
    workers: int,
    now: Callable[[], datetime],
    metrics: Metrics,
    claim_parameters: ClaimParameters[Any] | None = None,
    class_parameters: ClassParameters[Any] | None = None,
) -> tuple[Controller, ...]:
    """Every controller of a driver whose parameters are kinds of its own, wired to its sources, with its metrics.

    Args:
        client: for all requests.
        cache: for all that is read.
        events: what people are told.
        driver: what it says about its devices.
        layout: what the objects of its nodes say, of which the ledger is a part.
        namespace: of these objects.
        workers: how many claims, and how many pods, are worked on at once.
        now: the wall clock.
        metrics: counts what they do.
        claim_parameters: what claims name as their parameters; None: nothing.
        class_parameters: what classes name.
    """
    counts = AllocationMetrics(metrics)
    caches = ClassicCaches.of(cache, driver.name)
    states = cache.informer(layout.kind, namespace=namespace)
    ledger = Ledger(layout, client, states, namespace, counts.ledger_written)
    classic = ClassicControllers(driver, ledger, caches, client, events, now=now, workers=workers, observer=counts)
    parameters = []
    if claim_parameters is not None:
        classic.watch_for_claims(claim_parameters.informer, claim_parameters.route(caches))
        parameters.append(_reporter(claim_parameters.informer, events, claim_parameters.check))
    if class_parameters is not None:
        classes_of = class_parameters.route(caches)
        classic.watch_for_claims(
            class_parameters.informer,
            lambda change: [claim for key in classes_of(change) for claim in caches.claims_of_class(key.name)],
        )
        classic.classes.watch(class_parameters.informer, classes_of)
        parameters.append(_reporter(class_parameters.informer, events, lambda _: None))
    abandoned = AbandonedClaimsReconciler(client, layout, states, ResourceClaim, partial(_is_held, caches), events)
    abandoned_controller = Controller("abandonedclaims", abandoned)
    abandoned.watch(abandoned_controller, caches.claims)
    NodeGauges(metrics, layout, states)
    WaitingGauges(metrics, caches, now)
    disputed = metrics.gauge(families.DISPUTED_CLAIMS)
    metrics.add_refresher(lambda: disputed.set(classic.repair.disputed_claims))
    return (*classic.controllers, *parameters, abandoned_controller)


def _is_held(caches: ClassicCaches, uid: UID, node: str) -> bool:
    """Whether a claim has devices of a node, by its own word."""
    try:
        claim = caches.claims.by_uid(uid)
    except InvalidObjectError:
        return True  # it is there, whatever it looks like
    if claim is None or claim.status.allocation is None or claim.status.driver_name != caches.driver:
        return False
    return node_of(claim.status.allocation) in (None, node)


def _reporter(informer: Informer[ObjectT], events: EventSink, check: Callable[[ObjectT], str | None]) -> Controller:
    """Tells people of parameters that cannot be used, also where no claim names them."""
    controller = Controller(informer.kind.resource.kind.lower(), ParametersReconciler(informer, events, check))
    controller.watch(informer)
    return controller

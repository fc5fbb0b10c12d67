"""Which change of which object leads to which reconcile: the wiring of the controllers of classic DRA.

Everything is level-triggered: a mapping only names keys that may have to be looked at again, and a key too many costs a
pass that reads caches and writes nothing. What a pass waits for must be named here, or it waits for ever.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, TypeVar

from fake_dra_driver.api.kube.core import Pod
from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName
from fake_dra_driver.api.resource.v1alpha2 import PodSchedulingContext
from fake_dra_driver.dra.classic.allocation import Allocator
from fake_dra_driver.dra.classic.caches import ClassicCaches
from fake_dra_driver.dra.classic.claims import ResourceClaimReconciler
from fake_dra_driver.dra.classic.classes import ResourceClassReconciler
from fake_dra_driver.dra.classic.driver import AnyControllerDriver
from fake_dra_driver.dra.classic.ledger import Ledger
from fake_dra_driver.dra.classic.logcontext import LogContext
from fake_dra_driver.dra.classic.observer import AllocationObserver, SilentObserver
from fake_dra_driver.dra.classic.repair import LedgerReconciler
from fake_dra_driver.dra.classic.routes import Routes
from fake_dra_driver.dra.classic.scheduling import PodSchedulingContextReconciler
from fake_dra_driver.dra.classic.writer import ClaimWriter
from fake_dra_driver.runtime.cache import Change, Informer
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.events import EventSink

__all__ = ["ClassicControllers"]

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

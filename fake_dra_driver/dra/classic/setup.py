"""Which change of which object leads to which reconcile: the wiring of the controllers of classic DRA.

Everything is level-triggered: a mapping only names keys that may have to be looked at again, and a key too many costs a
pass that reads caches and writes nothing. What a pass waits for must be named here, or it waits for ever.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from fake_dra_driver.api.core import Pod
from fake_dra_driver.api.meta import UID, KubeObject, NamespacedName
from fake_dra_driver.api.podclaims import claim_keys
from fake_dra_driver.api.resource_v1alpha2 import PodSchedulingContext, ResourceClaim, ResourceClass
from fake_dra_driver.dra.classic.claims import PODS_BY_CLAIM, ClaimCaches, ResourceClaimReconciler
from fake_dra_driver.dra.classic.classes import ResourceClassReconciler
from fake_dra_driver.dra.classic.logcontext import LogContext
from fake_dra_driver.dra.classic.scheduling import PodSchedulingContextReconciler, SchedulingCaches
from fake_dra_driver.dra.classic.writer import ClaimWriter
from fake_dra_driver.dra.driver import ControllerDriver
from fake_dra_driver.dra.observer import AllocationObserver, SilentObserver
from fake_dra_driver.dra.reason import EventSink
from fake_dra_driver.runtime.cache import Cache, Change, Informer
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import InvalidObjectError

__all__ = ["ClassicCaches", "ClassicControllers"]

ObjectT = TypeVar("ObjectT", bound=KubeObject)

CLAIMS_BY_CLASS: Final = "class"
CLAIMS_BY_NODE: Final = "node"
"""Index of the claim cache: the node that a claim of this driver is allocated on."""
IMMEDIATE_AND_WAITING: Final = "immediate"
"""Index of the claim cache, with one value: claims in mode Immediate that have no allocation yet."""
CONTEXTS_BY_NODE: Final = "node"
"""Index of the PodSchedulingContext cache: every node that the context mentions."""


def _without_pod_details(raw: dict[str, Any]) -> dict[str, Any]:
    """The few fields of a pod that are read here: a cluster has many pods, and most of a pod is its containers."""
    metadata, spec, status = raw.get("metadata", {}), raw.get("spec", {}), raw.get("status", {})
    kept = ("name", "namespace", "uid", "resourceVersion", "deletionTimestamp")
    return {
        "metadata": {field: metadata[field] for field in kept if field in metadata},
        "spec": {field: spec[field] for field in ("nodeName", "resourceClaims") if field in spec},
        "status": {field: status[field] for field in ("phase", "resourceClaimStatuses") if field in status},
    }


@dataclass(frozen=True, slots=True)
class ClassicCaches:
    """The caches of classic DRA, with their indexes. Make one for a process."""

    claims: Informer[ResourceClaim]
    classes: Informer[ResourceClass]
    contexts: Informer[PodSchedulingContext]
    pods: Informer[Pod]

    @classmethod
    def of(cls, cache: Cache, driver: ControllerDriver[Any]) -> "ClassicCaches":
        """Asks ``cache`` for the informers, and adds the indexes."""
        caches = cls(
            cache.informer(ResourceClaim),
            cache.informer(ResourceClass),
            cache.informer(PodSchedulingContext),
            cache.informer(Pod, transform=_without_pod_details),
        )

        def node_of(claim: ResourceClaim) -> Iterable[str]:
            ours = claim.status.allocation is not None and claim.status.driver_name == driver.name
            node = driver.node_of(claim.status.allocation) if ours and claim.status.allocation else None
            return () if node is None else (node,)

        caches.claims.add_index(CLAIMS_BY_CLASS, lambda claim: (claim.spec.resource_class_name,))
        caches.claims.add_index(CLAIMS_BY_NODE, node_of)
        caches.claims.add_index(
            IMMEDIATE_AND_WAITING,
            lambda claim: (
                ("yes",) if claim.spec.allocation_mode == "Immediate" and claim.status.allocation is None else ()
            ),
        )
        caches.pods.add_index(PODS_BY_CLAIM, lambda pod: [str(key) for key in claim_keys(pod)])
        caches.contexts.add_index(CONTEXTS_BY_NODE, _mentioned_nodes)
        return caches

    def claim_of(self, uid: UID) -> ResourceClaim | None:
        """The claim of that UID; None also for one that the model refuses."""
        try:
            return self.claims.by_uid(uid)
        except InvalidObjectError:
            return None

    def claims_of_class(self, name: str) -> list[NamespacedName]:
        """The claims that name the class."""
        return [claim.key for claim in self.claims.by_index(CLAIMS_BY_CLASS, name)]

    def claims_on_node(self, node: str) -> list[ResourceClaim]:
        """The claims that this driver has allocated on the node."""
        return list(self.claims.by_index(CLAIMS_BY_NODE, node))

    def waiting_immediate_claims(self) -> list[NamespacedName]:
        """The claims in mode Immediate that have no allocation yet."""
        return [claim.key for claim in self.claims.by_index(IMMEDIATE_AND_WAITING, "yes")]

    def contexts_on_node(self, node: str) -> list[PodSchedulingContext]:
        """The PodSchedulingContexts that mention the node in any way."""
        return list(self.contexts.by_index(CONTEXTS_BY_NODE, node))

    def contexts_of_claim(self, claim: NamespacedName) -> list[NamespacedName]:
        """The PodSchedulingContexts, which have the names of their pods, of the pods that use the claim."""
        pods = self.pods.by_index(PODS_BY_CLAIM, str(claim))
        return [pod.key for pod in pods if self.contexts.get(pod.key) is not None]

    def unallocated_claims_of_pod(self, pod: Pod) -> list[NamespacedName]:
        """The claims of the pod that have no allocation: those whose record may have lost the pod that wanted it."""
        claims = [self.claims.get(key) for key in claim_keys(pod)]
        return [claim.key for claim in claims if claim is not None and claim.status.allocation is None]


class ClassicControllers:
    """The three controllers of classic DRA, wired to each other's objects.

    A driver adds what else its claims depend on with ``watch_for_claims``: parameters, the state of nodes.
    """

    def __init__(
        self,
        driver: ControllerDriver[Any],
        caches: ClassicCaches,
        client: Client,
        events: EventSink,
        *,
        now: Callable[[], datetime],
        workers: int,
        observer: AllocationObserver | None = None,
    ) -> None:
        observer = observer or SilentObserver()
        writer = ClaimWriter(client, driver, observer)
        context = LogContext(caches.claims, caches.contexts, caches.pods, driver)
        self._caches = caches
        self.writer = writer
        self.claims = Controller(
            "resourceclaim",
            ResourceClaimReconciler(
                driver,
                writer,
                ClaimCaches(caches.claims, caches.classes, caches.pods, caches.contexts),
                events,
                now,
                observer,
            ),
            workers=workers,
            log_context=context.of_claim,
        )
        self.contexts = Controller(
            "podschedulingcontext",
            PodSchedulingContextReconciler(
                driver,
                writer,
                SchedulingCaches(caches.contexts, caches.pods, caches.claims, caches.classes),
                client,
                events,
                observer,
            ),
            workers=workers,
            log_context=context.of_pod,
        )
        self.classes = Controller("resourceclass", ResourceClassReconciler(driver, caches.classes, events))
        self.claims.watch(caches.claims)
        self.claims.watch(caches.contexts, self._claims_of_context)
        self.claims.watch(caches.pods, self._claims_of_gone_pod)
        self.contexts.watch(caches.contexts)
        self.contexts.watch(caches.pods, lambda change: self._contexts_at([change.key]))
        self.contexts.watch(caches.claims, lambda change: caches.contexts_of_claim(change.key))
        self.classes.watch(caches.classes)
        self.watch_for_claims(caches.classes, lambda change: caches.claims_of_class(change.key.name))

    @property
    def controllers(self) -> tuple[Controller, ...]:
        """All of them, for the manager."""
        return (self.claims, self.contexts, self.classes)

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

    def _contexts_at(self, keys: Iterable[NamespacedName]) -> Iterable[NamespacedName]:
        return [key for key in keys if self._caches.contexts.get(key) is not None]

    def _claims_of_context(self, change: Change[PodSchedulingContext]) -> Iterable[NamespacedName]:
        """When the scheduler turns to another node or gives up, records of the pod's claims may be left over."""
        before = change.old.spec.selected_node if change.old is not None else ""
        after = change.new.spec.selected_node if change.new is not None else ""
        pod = self._caches.pods.get(change.key) if before and before != after else None
        return [] if pod is None else self._caches.unallocated_claims_of_pod(pod)

    def _claims_of_gone_pod(self, change: Change[Pod]) -> Iterable[NamespacedName]:
        gone = change.new is None or change.new.is_deleting
        return self._caches.unallocated_claims_of_pod(change.old) if gone and change.old is not None else []


def _mentioned_nodes(context: PodSchedulingContext) -> Iterable[str]:
    nodes = {context.spec.selected_node, *context.spec.potential_nodes}
    for entry in context.status.resource_claims:
        nodes.update(entry.unsuitable_nodes)
    return nodes - {""}

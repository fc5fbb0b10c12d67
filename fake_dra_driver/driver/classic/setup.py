"""The controller's parts put together: classic DRA, the ledger's repair, and what claims depend on."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from fake_dra_driver.api.fake import DRIVER_NAME, DeviceClassParameters, FakeClaimParameters, NodeAllocationState
from fake_dra_driver.api.kube.core import Node
from fake_dra_driver.api.kube.meta import UID, NamespacedName
from fake_dra_driver.api.resource.v1alpha2 import ResourceClaim, ResourceClass
from fake_dra_driver.dra.classic.caches import ClassicCaches
from fake_dra_driver.dra.classic.ledger import Ledger
from fake_dra_driver.dra.classic.repair import NodeAllocationStateReconciler, ParametersReconciler
from fake_dra_driver.dra.classic.setup import ClassicControllers
from fake_dra_driver.dra.reason import EventSink
from fake_dra_driver.driver import metricfamilies as families
from fake_dra_driver.driver.classic.allocation import FakeControllerDriver
from fake_dra_driver.driver.classic.entry import FakeLedger, FakeLedgerLayout
from fake_dra_driver.driver.classic.holdings import node_of, place_of, places_of, wanted_by_entry
from fake_dra_driver.driver.classic.metrics import AllocationMetrics, WaitingGauges
from fake_dra_driver.driver.classic.parameters import ParametersResolver, check_claim_parameters
from fake_dra_driver.driver.metrics import NodeGauges
from fake_dra_driver.driver.nodestate import closed_reason, devices_of
from fake_dra_driver.runtime.cache import Cache, Change
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.controller import Controller
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
    nodes = cache.informer(Node, metadata_only=True)
    ledger = Ledger(FakeLedgerLayout(), client, states, namespace, counts.ledger_written)
    parameters = ParametersResolver(claim_parameters, class_parameters)
    driver = FakeControllerDriver(ledger, parameters, cache.informer(ResourceClaim), nodes, client)
    caches = ClassicCaches.of(cache, driver)
    caches.claims.add_index(CLAIMS_BY_PARAMETERS, _parameters_of_claim)
    caches.classes.add_index(CLASSES_BY_PARAMETERS, _parameters_of_class)
    classic = ClassicControllers(driver, caches, client, events, now=now, workers=workers, observer=counts)
    routes = _Routes(caches, ledger, namespace)

    classic.watch_for_claims(claim_parameters, routes.claims_of_parameters)
    classic.watch_for_claims(class_parameters, routes.claims_of_class_parameters)
    classic.classes.watch(class_parameters, routes.classes_of_parameters)
    classic.claims.watch(states, routes.claims_of_state)
    classic.claims.watch(nodes, routes.claims_of_gone_node)
    classic.claims.watch(caches.claims, routes.claims_after_unrecorded)
    classic.contexts.watch(states, routes.contexts_of_state)
    classic.contexts.watch(caches.claims, routes.contexts_after_unrecorded)

    states_reconciler = NodeAllocationStateReconciler(ledger, caches, classic.writer, client, events)
    states_controller = Controller(
        "nodeallocationstate", states_reconciler, workers=workers, log_context=lambda request: {"node": request.name}
    )
    states_controller.watch(states, predicate=_may_be_out_of_place)
    states_controller.watch(caches.claims, routes.states_of_claim)
    claim_parameters_controller = Controller(
        "fakeclaimparameters", ParametersReconciler(claim_parameters, events, check_claim_parameters)
    )
    claim_parameters_controller.watch(claim_parameters)
    class_parameters_controller = Controller(
        "deviceclassparameters", ParametersReconciler(class_parameters, events, lambda _: None)
    )
    class_parameters_controller.watch(class_parameters)
    NodeGauges(metrics, states)
    WaitingGauges(metrics, caches, now)
    disputed = metrics.gauge(families.DISPUTED_CLAIMS)
    metrics.add_refresher(lambda: disputed.set(states_reconciler.disputed_claims))
    return (*classic.controllers, states_controller, claim_parameters_controller, class_parameters_controller)


class _Routes:
    """From the change of an object to the keys of those that have to be looked at again."""

    def __init__(self, caches: ClassicCaches, ledger: FakeLedger, namespace: str) -> None:
        self._caches = caches
        self._ledger = ledger
        self._namespace = namespace

    def claims_of_parameters(self, change: Change[FakeClaimParameters]) -> Iterable[NamespacedName]:
        return [claim.key for claim in self._caches.claims.by_index(CLAIMS_BY_PARAMETERS, str(change.key))]

    def classes_of_parameters(self, change: Change[DeviceClassParameters]) -> Iterable[NamespacedName]:
        return [entry.key for entry in self._caches.classes.by_index(CLASSES_BY_PARAMETERS, change.key.name)]

    def claims_of_class_parameters(self, change: Change[DeviceClassParameters]) -> Iterable[NamespacedName]:
        names = [key.name for key in self.classes_of_parameters(change)]
        return [claim for name in names for claim in self._caches.claims_of_class(name)]

    def claims_of_state(self, change: Change[NodeAllocationState]) -> Iterable[NamespacedName]:
        """Claims whose entry came or went, and those that waited for room."""
        before, after = _entries(change.old), _entries(change.new)
        claims = [self._caches.claim_of(UID(uid)) for uid in before.keys() ^ after.keys()]
        keys = [claim.key for claim in claims if claim is not None]
        if _gained(change):
            keys += self._caches.waiting_immediate_claims()
        return keys

    def claims_of_gone_node(self, change: Change[Node]) -> Iterable[NamespacedName]:
        return [claim.key for claim in self._caches.claims_on_node(change.key.name)] if change.new is None else []

    def contexts_of_state(self, change: Change[NodeAllocationState]) -> Iterable[NamespacedName]:
        """Pods that wait because the node had no room when it has some now, and pods that may pick it when it is full.

        The scheduler comes back to a pod that was refused only after its back-off, so it is told early which nodes to
        leave out, not only about the one that it has selected.
        """
        node = change.key.name
        if _gained(change):
            return [context.key for context in self._caches.contexts_on_node(node)]
        if _free(change.old) and not _free(change.new):
            return [
                context.key
                for context in self._caches.contexts_on_node(node)
                if not any(node in entry.unsuitable_nodes for entry in context.status.resource_claims)
            ]
        return []

    def claims_after_unrecorded(self, change: Change[ResourceClaim]) -> Iterable[NamespacedName]:
        """Claims that waited for devices of a claim that was not on record, so that no record changes with its end."""
        return self._caches.waiting_immediate_claims() if self._left_unrecorded(change) else []

    def contexts_after_unrecorded(self, change: Change[ResourceClaim]) -> Iterable[NamespacedName]:
        """As ``claims_after_unrecorded``, for pods."""
        nodes = self._left_unrecorded(change)
        return [context.key for node in nodes for context in self._caches.contexts_on_node(node)]

    def _left_unrecorded(self, change: Change[ResourceClaim]) -> Iterable[str]:
        """The node that a claim has let go of without being on record there, or with other devices."""
        if change.old is None:
            return ()
        left = {*places_of(change.old)}.difference(() if change.new is None else places_of(change.new))
        recorded = {
            place_of(node, device.uuid)
            for node, entry in (self._ledger.entries_of(change.old.uid) if left else {}).items()
            for device in wanted_by_entry(entry)
        }
        return self._nodes_of(change.old) if left - recorded else ()

    def states_of_claim(self, change: Change[ResourceClaim]) -> Iterable[NamespacedName]:
        """The ledgers that have to agree with the claim: where it is allocated now, or was before it went."""
        nodes = {*self._nodes_of(change.new)} - {*self._nodes_of(change.old)}
        if change.new is None and change.old is not None:
            nodes.update(self._ledger.nodes_of(change.old.uid))
        return [NamespacedName(self._namespace, node) for node in sorted(nodes)]

    def _nodes_of(self, claim: ResourceClaim | None) -> Iterable[str]:
        if claim is None or claim.status.allocation is None or claim.status.driver_name != DRIVER_NAME:
            return ()
        node = node_of(claim.status.allocation)
        return () if node is None else (node,)


def _parameters_of_claim(claim: ResourceClaim) -> Iterable[str]:
    reference = claim.spec.parameters_ref
    return () if reference is None else (str(NamespacedName(claim.metadata.namespace, reference.name)),)


def _parameters_of_class(resource_class: ResourceClass) -> Iterable[str]:
    return () if resource_class.parameters_ref is None else (resource_class.parameters_ref.name,)


def _entries(nas: NodeAllocationState | None) -> dict[str, object]:
    return {} if nas is None else dict(nas.spec.allocated_claims)


def _may_be_out_of_place(change: Change[NodeAllocationState]) -> bool:
    """Whether the ledger has changed, or the plugin has prepared a claim that is not on record: it may know what the
    claim holds. All else that the plugin writes does not matter."""
    if change.new is None:
        return False
    if change.old is None or change.old.spec.allocated_claims != change.new.spec.allocated_claims:
        return True
    prepared = change.new.spec.prepared_devices
    return (
        prepared != change.old.spec.prepared_devices and not prepared.keys() <= change.new.spec.allocated_claims.keys()
    )


def _free(nas: NodeAllocationState | None) -> set[str]:
    """The devices of a node that a claim could get, by UUID."""
    if nas is None or closed_reason(nas) is not None:
        return set()
    held = {
        device.uuid
        for entry in nas.spec.allocated_claims.values()
        if entry.fake is not None
        for device in entry.fake.devices
    }
    return {device.uuid for device in devices_of(nas)} - held


def _gained(change: Change[NodeAllocationState]) -> bool:
    return bool(_free(change.new) - _free(change.old))

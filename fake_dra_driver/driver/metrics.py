"""The driver's metrics at work: counted in constant time where things happen, put together when somebody scrapes.

What depends on the state of a node is not counted along: a change only marks the node, and the next scrape looks at the
nodes that were marked. Series of nodes that are gone go with them.
"""

from collections import Counter as Tally
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime

from prometheus_client import Counter, Gauge

from fake_dra_driver import __version__
from fake_dra_driver.api.fake import DRIVER_NAME, NodeAllocationState
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource.v1alpha2 import AllocationMode, ResourceClaim
from fake_dra_driver.device.prepared import PreparedClaim
from fake_dra_driver.dra.classic.caches import ClassicCaches
from fake_dra_driver.dra.node.calls import SUCCESS, FailureReason, Verb
from fake_dra_driver.driver import metricfamilies as families
from fake_dra_driver.driver.classic.ledger import WriteResult
from fake_dra_driver.driver.deviceuse import DEVICE_STATES, device_uses
from fake_dra_driver.driver.nodestate import closed_reason
from fake_dra_driver.runtime.cache import Change, Informer
from fake_dra_driver.runtime.errors import InvalidObjectError
from fake_dra_driver.runtime.metrics import Metrics

__all__ = ["AllocationMetrics", "EventCounts", "NodeGauges", "PrepareMetrics", "WaitingGauges"]


class EventCounts:
    """Refusals and repairs, by the reason of the Event that tells of them."""

    def __init__(self, metrics: Metrics, component: str) -> None:
        metrics.gauge(families.BUILD_INFO).labels(__version__, component).set(1)
        refusals, repairs = metrics.counter(families.REFUSALS), metrics.counter(families.REPAIRS)
        self._by_reason: Mapping[str, Counter] = {
            **{reason: refusals.labels(reason) for reason in families.REFUSAL_REASONS},
            **{reason: repairs.labels(reason) for reason in families.REPAIR_REASONS},
        }

    def count(self, reason: str) -> None:
        """An Event was reported; reasons that are neither a refusal nor a repair do not count."""
        if (counter := self._by_reason.get(reason)) is not None:
            counter.inc()


class AllocationMetrics:
    """What the controller counts while it works. Implements ``dra.classic.observer.AllocationObserver``."""

    def __init__(self, metrics: Metrics) -> None:
        durations = metrics.histogram(families.ALLOCATION_DURATION)
        self._durations = {mode: durations.labels(mode) for mode in ("WaitForFirstConsumer", "Immediate")}
        self._deallocations = metrics.histogram(families.DEALLOCATION_DURATION)
        writes = metrics.counter(families.LEDGER_WRITES)
        self._writes = {result: writes.labels(result) for result in ("written", "conflict", "failed")}
        self._changes = metrics.counter(families.LEDGER_CHANGES)

    def allocated(self, mode: AllocationMode, seconds: float) -> None:
        """As ``AllocationObserver.allocated``."""
        self._durations[mode].observe(seconds)

    def deallocated(self, seconds: float) -> None:
        """As ``AllocationObserver.deallocated``."""
        self._deallocations.observe(seconds)

    def ledger_written(self, result: WriteResult, changes: int) -> None:
        """As ``ledger.WriteObserver``."""
        self._writes[result].inc()
        if result == "written":
            self._changes.inc(changes)


class NodeGauges:
    """Devices, readiness and claims of each node that has a NodeAllocationState."""

    def __init__(self, metrics: Metrics, states: Informer[NodeAllocationState]) -> None:
        self._states = states
        self._devices = metrics.gauge(families.DEVICES)
        self._ready = metrics.gauge(families.NODE_READY)
        self._claims = metrics.gauge(families.ALLOCATED_CLAIMS)
        self._changed: set[NamespacedName] = set()
        """Nodes whose object has changed since the last scrape."""
        self._models: dict[NamespacedName, set[str]] = {}
        """By node: the models that have series."""
        states.subscribe(self._mark)
        metrics.add_refresher(self._refresh)

    def _mark(self, change: Change[NodeAllocationState]) -> None:
        self._changed.add(change.key)

    def _refresh(self) -> None:
        while self._changed:
            key = self._changed.pop()
            try:
                nas = self._states.get(key)
            except InvalidObjectError:
                nas = None
            if nas is None:
                self._remove(key)
            else:
                self._show(key, nas)

    def _show(self, key: NamespacedName, nas: NodeAllocationState) -> None:
        node = key.name
        tally = Tally((use.device.model, use.state) for use in device_uses(nas))
        models = {model for model, _ in tally}
        self._remove_models(node, self._models.get(key, set()) - models)
        self._models[key] = models
        for model in models:
            for state in DEVICE_STATES:
                self._devices.labels(node, model, state).set(tally[model, state])
        self._ready.labels(node).set(closed_reason(nas) is None)
        self._claims.labels(node).set(len(nas.spec.allocated_claims))

    def _remove(self, key: NamespacedName) -> None:
        if key in self._models:
            self._remove_models(key.name, self._models.pop(key))
            self._ready.remove(key.name)
            self._claims.remove(key.name)

    def _remove_models(self, node: str, models: set[str]) -> None:
        for model in models:
            for state in DEVICE_STATES:
                self._devices.remove(node, model, state)


class WaitingGauges:
    """Claims that wait for this driver. Only claims without an allocation are looked at, and only at a scrape.

    Args:
        now: the wall clock.
    """

    def __init__(self, metrics: Metrics, caches: ClassicCaches, now: Callable[[], datetime]) -> None:
        self._caches = caches
        self._now = now
        self._count = metrics.gauge(families.WAITING_CLAIMS)
        self._oldest = metrics.gauge(families.OLDEST_WAITING_CLAIM)
        self._unallocated: set[NamespacedName] = set()
        caches.claims.subscribe(self._note)
        metrics.add_refresher(self._refresh)

    def _note(self, change: Change[ResourceClaim]) -> None:
        claim = change.new
        if claim is not None and claim.status.allocation is None and not claim.is_deleting:
            self._unallocated.add(change.key)
        else:
            self._unallocated.discard(change.key)

    def _refresh(self) -> None:
        since = []
        for key in self._unallocated:
            with suppress(InvalidObjectError):  # a class or context that cannot be read says nothing about waiting
                if (begun := self._waits_since(key)) is not None:
                    since.append(begun)
        self._count.set(len(since))
        self._oldest.set(max(0.0, (self._now() - min(since)).total_seconds()) if since else 0)

    def _waits_since(self, key: NamespacedName) -> datetime | None:
        claim = self._caches.claims.get(key)
        if claim is None:
            return None
        resource_class = self._caches.classes.get(NamespacedName("", claim.spec.resource_class_name))
        if resource_class is None or resource_class.driver_name != DRIVER_NAME:
            return None
        if claim.spec.allocation_mode == "Immediate":
            return claim.metadata.creation_timestamp
        contexts = [self._caches.contexts.get(pod) for pod in self._caches.contexts_of_claim(key)]
        begun = [context.metadata.creation_timestamp for context in contexts if context is not None]
        return min((time for time in begun if time is not None), default=None)


class PrepareMetrics:
    """What the kubelet plugin counts, and shows of what is prepared.

    Args:
        node: the plugin's own.
        prepared: what is prepared at this moment, by UID.
        is_ready: whether the kubelet can use the plugin.
    """

    def __init__(
        self,
        metrics: Metrics,
        node: str,
        prepared: Callable[[], Mapping[str, PreparedClaim]],
        is_ready: Callable[[], bool],
    ) -> None:
        durations = {
            "prepare": metrics.histogram(families.PREPARE_DURATION),
            "unprepare": metrics.histogram(families.UNPREPARE_DURATION),
        }
        done = (SUCCESS, FailureReason.REFUSED.value, FailureReason.INTERNAL.value)
        self._durations = {(verb, one): found.labels(one) for verb, found in durations.items() for one in done}
        answers = metrics.counter(families.KUBELET_ANSWERS)
        results = (SUCCESS, *(reason.value for reason in FailureReason))
        self._answers = {(verb, one): answers.labels(verb, one) for verb in durations for one in results}
        self._prepared = prepared
        self._is_ready = is_ready
        self._ready = metrics.gauge(families.PLUGIN_READY).labels(node)
        self._claims = metrics.gauge(families.PREPARED_CLAIMS).labels(node)
        self._devices = metrics.gauge(families.PREPARED_DEVICES)
        self._node = node
        self._models: dict[str, Gauge] = {}
        metrics.add_refresher(self._refresh)

    def worked(self, verb: Verb, result: str, seconds: float) -> None:
        """As ``CallObserver.worked``."""
        self._durations[verb, result].observe(seconds)

    def answered(self, verb: Verb, result: str) -> None:
        """As ``CallObserver.answered``."""
        self._answers[verb, result].inc()

    def _refresh(self) -> None:
        claims = self._prepared()
        models = {device.whole_uuid: device.model for claim in claims.values() for device in claim.devices}
        tally = Tally(models.values())
        for model in self._models.keys() | tally.keys():
            self._models.setdefault(model, self._devices.labels(self._node, model)).set(tally[model])
        self._claims.set(len(claims))
        self._ready.set(self._is_ready())

"""What the controller of classic DRA counts while it works, and the claims that wait for it."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from typing_extensions import override

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource.v1alpha2 import AllocationMode, ResourceClaim
from fake_dra_driver.dra import metricfamilies as families
from fake_dra_driver.dra.classic.caches import ClassicCaches
from fake_dra_driver.dra.classic.ledger import WriteResult
from fake_dra_driver.dra.classic.observer import AllocationObserver
from fake_dra_driver.runtime.cache import Change
from fake_dra_driver.runtime.errors import InvalidObjectError
from fake_dra_driver.runtime.metrics import Metrics

__all__ = ["AllocationMetrics", "WaitingGauges"]


class AllocationMetrics(AllocationObserver):
    """What the controller counts while it works."""

    def __init__(self, metrics: Metrics) -> None:
        durations = metrics.histogram(families.ALLOCATION_DURATION)
        self._durations = {mode: durations.labels(mode) for mode in ("WaitForFirstConsumer", "Immediate")}
        self._deallocations = metrics.histogram(families.DEALLOCATION_DURATION)
        writes = metrics.counter(families.LEDGER_WRITES)
        self._writes = {result: writes.labels(result) for result in ("written", "conflict", "failed")}
        self._changes = metrics.counter(families.LEDGER_CHANGES)

    @override
    def allocated(self, mode: AllocationMode, seconds: float) -> None:
        self._durations[mode].observe(seconds)

    @override
    def deallocated(self, seconds: float) -> None:
        self._deallocations.observe(seconds)

    def ledger_written(self, result: WriteResult, changes: int) -> None:
        """A write of the ledger has ended, which was to make so many changes."""
        self._writes[result].inc()
        if result == "written":
            self._changes.inc(changes)


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
        if resource_class is None or resource_class.driver_name != self._caches.driver:
            return None
        if claim.spec.allocation_mode == "Immediate":
            return claim.metadata.creation_timestamp
        contexts = [self._caches.contexts.get(pod) for pod in self._caches.contexts_of_claim(key)]
        begun = [context.metadata.creation_timestamp for context in contexts if context is not None]
        return min((time for time in begun if time is not None), default=None)

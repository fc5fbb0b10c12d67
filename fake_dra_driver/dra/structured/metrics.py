"""What the controller of structured DRA counts: its writes, and the claims that wait for devices of its driver."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime

from fake_dra_driver.api.kube.core import Pod
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.podclaims import claim_keys
from fake_dra_driver.dra import metricfamilies as families
from fake_dra_driver.dra.structured.caches import StructuredCaches
from fake_dra_driver.dra.structured.projection import WriteResult
from fake_dra_driver.dra.structured.waiting import DriverClaims
from fake_dra_driver.runtime.errors import InvalidObjectError
from fake_dra_driver.runtime.metrics import Metrics

__all__ = ["WaitingGauges", "WriteCounts"]


class WriteCounts:
    """The writes of ``nas.spec.allocatedClaims``, which in classic DRA is the ledger."""

    def __init__(self, metrics: Metrics) -> None:
        writes = metrics.counter(families.LEDGER_WRITES)
        self._writes = {result: writes.labels(result) for result in ("written", "conflict", "failed")}
        self._changes = metrics.counter(families.LEDGER_CHANGES)

    def written(self, result: WriteResult, claims: int) -> None:
        """A write has ended, which was about so many claims."""
        self._writes[result].inc()
        if result == "written":
            self._changes.inc(claims)


class WaitingGauges:
    """Claims that a pod without a node waits for. They are looked for only at a scrape.

    Args:
        ours: which claims are about devices of the driver.
        now: the wall clock.
    """

    def __init__(
        self,
        metrics: Metrics,
        caches: StructuredCaches,
        ours: DriverClaims,
        now: Callable[[], datetime],
    ) -> None:
        self._caches = caches
        self._ours = ours
        self._now = now
        self._count = metrics.gauge(families.WAITING_CLAIMS)
        self._oldest = metrics.gauge(families.OLDEST_WAITING_CLAIM)
        metrics.add_refresher(self._refresh)

    def _refresh(self) -> None:
        since: dict[NamespacedName, datetime] = {}
        for pod, claim in self._waiting():
            begun = pod.metadata.creation_timestamp
            if begun is not None:
                since[claim.key] = min(begun, since.get(claim.key, begun))
        self._count.set(len(since))
        self._oldest.set(max(0.0, (self._now() - min(since.values())).total_seconds()) if since else 0)

    def _waiting(self) -> Iterator[tuple[Pod, v1.ResourceClaim]]:
        for pod in self._caches.pods.list():
            for key in claim_keys(pod):
                with suppress(InvalidObjectError):  # what cannot be read says nothing about waiting
                    claim = self._caches.claims.get(key)
                    if claim is None or claim.status.allocation is not None or claim.is_deleting:
                        continue
                    if self._ours.include(claim.spec, self._class_of):
                        yield pod, claim

    def _class_of(self, name: str) -> v1.DeviceClass | None:
        return self._caches.classes.get(NamespacedName("", name))

"""DeviceFaults in the metrics of a kubelet plugin."""

from collections.abc import Mapping

from fake_dra_driver.driver.fault.evaluation import FaultHit
from fake_dra_driver.driver.live.failurecounts import Call
from fake_dra_driver.driver.metricfamilies import FAULTED_CALLS, FAULTED_DEVICES
from fake_dra_driver.runtime import Metrics

__all__ = ["FaultMetrics"]


class FaultMetrics:
    """Counts on one node.

    Args:
        metrics: of the program.
        node: its name.
    """

    def __init__(self, metrics: Metrics, node: str) -> None:
        self._node = node
        self._devices = metrics.gauge(FAULTED_DEVICES)
        self._calls = metrics.counter(FAULTED_CALLS)
        self._shown: set[str] = set()
        self._called: set[tuple[str, Call]] = set()

    def show(self, hits: Mapping[str, FaultHit]) -> None:
        """What faults do at this moment, by name. Of others nothing is shown any more."""
        for name in self._shown - hits.keys():
            self._devices.remove(self._node, name)
        for name, hit in hits.items():
            self._devices.labels(self._node, name).set(len(hit.devices))
        self._shown = set(hits)
        for name, call in {called for called in self._called if called[0] not in hits}:
            self._calls.remove(self._node, name, call)
            self._called.discard((name, call))

    def failed(self, fault: str, call: Call) -> None:
        """A call has failed by this fault."""
        self._calls.labels(self._node, fault, call).inc()
        self._called.add((fault, call))

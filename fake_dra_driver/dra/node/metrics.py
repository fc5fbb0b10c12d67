"""What the kubelet plugin counts while it works, and what is prepared on its node."""

from collections import Counter as Tally
from collections.abc import Callable, Mapping
from typing import Generic

from prometheus_client import Gauge
from typing_extensions import override

from fake_dra_driver.dra import metricfamilies as families
from fake_dra_driver.dra.failurereason import FailureReason
from fake_dra_driver.dra.node.calls import SUCCESS, CallObserver, Verb
from fake_dra_driver.dra.node.prepared import PreparedClaim, PreparedT
from fake_dra_driver.dra.node.preparedmodel import PreparedModel
from fake_dra_driver.runtime.metrics import Metrics

__all__ = ["PrepareMetrics"]


class PrepareMetrics(CallObserver, Generic[PreparedT]):
    """What the kubelet plugin counts, and shows of what is prepared.

    Args:
        node: the plugin's own.
        model: what tells kinds of devices apart.
        prepared: what is prepared at this moment, by UID.
        is_ready: whether the kubelet can use the plugin.
    """

    def __init__(
        self,
        metrics: Metrics,
        node: str,
        model: PreparedModel[PreparedT],
        prepared: Callable[[], Mapping[str, PreparedClaim[PreparedT]]],
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
        self._model = model
        self._labels: dict[str, Gauge] = {}
        metrics.add_refresher(self._refresh)

    @override
    def worked(self, verb: Verb, result: str, seconds: float) -> None:
        self._durations[verb, result].observe(seconds)

    @override
    def answered(self, verb: Verb, result: str) -> None:
        self._answers[verb, result].inc()

    def _refresh(self) -> None:
        claims = self._prepared()
        labels = {
            device.key: self._model.label_of(device) for claim in claims.values() for device in claim.devices_in_use
        }
        tally = Tally(labels.values())
        for label in self._labels.keys() | tally.keys():
            self._labels.setdefault(label, self._devices.labels(self._node, label)).set(tally[label])
        self._claims.set(len(claims))
        self._ready.set(self._is_ready())

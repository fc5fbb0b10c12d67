"""Metrics that every program of a driver has: which release it is of, and what it has told people about."""

from collections.abc import Iterable, Mapping

from prometheus_client import Counter

from fake_dra_driver import __version__
from fake_dra_driver.dra import metricfamilies as families
from fake_dra_driver.dra.reason import Reason
from fake_dra_driver.runtime.metrics import Metrics

__all__ = ["EventCounts", "show_release"]


def show_release(metrics: Metrics, component: str) -> None:
    """Says which release a program is of."""
    metrics.gauge(families.BUILD_INFO).labels(__version__, component).set(1)


class EventCounts:
    """Refusals and repairs, by the reason of the Event that tells of them.

    Args:
        component: value of that label.
        reasons: every reason that an Event of the program may have; each has a series from the start.
    """

    def __init__(self, metrics: Metrics, component: str, reasons: Iterable[Reason]) -> None:
        show_release(metrics, component)
        counters = {"refusal": metrics.counter(families.REFUSALS), "repair": metrics.counter(families.REPAIRS)}
        self._by_reason: Mapping[str, Counter] = {
            reason.name: counters[reason.kind].labels(reason.name) for reason in reasons if reason.kind in counters
        }

    def count(self, reason: str) -> None:
        """An Event was reported; reasons that are neither a refusal nor a repair do not count."""
        if (counter := self._by_reason.get(reason)) is not None:
            counter.inc()

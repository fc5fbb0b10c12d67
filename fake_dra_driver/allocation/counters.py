"""Counters that the devices of a pool share, and use up (KEP-4815).

What is left of a counter is what its set has less what every allocated device of the pool consumes, on whichever node
it is. A device that several claims share consumes once. Nothing that consumes counters can be had from a pool in which
any counter is overdrawn, which happens when a driver publishes less than is in use.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fake_dra_driver.allocation.candidate import Candidate, CounterName
from fake_dra_driver.allocation.identity import DeviceId
from fake_dra_driver.allocation.obstacles import CounterShortage, CountersShort
from fake_dra_driver.allocation.usage import PoolUsage
from fake_dra_driver.quantity import Quantity

__all__ = ["Availability", "Counters"]


@dataclass(frozen=True, slots=True)
class Availability:
    """What the allocated devices have left, in billionths."""

    left: Mapping[CounterName, int]
    overdrawn: tuple[CounterName, ...]


class Counters:
    """Counters, and the devices that consume them: those of a pool, or of one slice in older releases."""

    def __init__(
        self, totals: Mapping[CounterName, Quantity], consumers: Iterable[Candidate], usage: PoolUsage
    ) -> None:
        """Knows what there is.

        Args:
            totals: what the counter sets have.
            consumers: the devices, those of other nodes among them.
            usage: which of them are in use.
        """
        self.totals = totals
        self.usage = usage
        self._consumers = {each.id.device: each for each in consumers if each.consumes}
        self._availability: Availability | None = None
        self._as_of = -1

    @property
    def availability(self) -> Availability:
        """What is left, reckoned again when the usage has changed."""
        if self._availability is None or self._as_of != self.usage.changes:
            left = {name: total.nanos for name, total in self.totals.items()}
            for consumer in self._allocated():
                for name, amount in consumer.consumes.items():
                    if name in left:
                        left[name] -= amount.nanos
            self._availability = Availability(left, tuple(name for name, amount in left.items() if amount < 0))
            self._as_of = self.usage.changes
        return self._availability

    def find_shortage(
        self, candidate: Candidate, spent: Mapping[CounterName, int], chosen: Iterable[Candidate]
    ) -> CountersShort | None:
        """The counters that keep a device from being had.

        Args:
            candidate: the device.
            spent: what the devices consume that have been chosen for the same pod, in billionths.
            chosen: these devices.
        """
        available = self.availability
        short = {
            name
            for name, needed in candidate.consumes.items()
            if name in available.left and needed.nanos > available.left[name] - spent.get(name, 0)
        }
        if not short and not available.overdrawn:
            return None
        consumers = [*self._allocated(), *chosen]
        names = [name for name in self.totals if name in short or name in available.overdrawn]
        return CountersShort(candidate.id, tuple(self._shortage(name, candidate, spent, consumers) for name in names))

    def _shortage(
        self, name: CounterName, candidate: Candidate, spent: Mapping[CounterName, int], consumers: Iterable[Candidate]
    ) -> CounterShortage:
        total = self.totals[name]
        taken: tuple[tuple[DeviceId, Quantity], ...] = tuple(
            (each.id, each.consumes[name]) for each in consumers if name in each.consumes
        )
        left = Quantity(self.availability.left[name] - spent.get(name, 0), total.form)
        needed = candidate.consumes.get(name, Quantity(0, total.form))
        return CounterShortage(name.counter_set, name.counter, needed, left, total, taken)

    def _allocated(self) -> list[Candidate]:
        return [self._consumers[name] for name in sorted(self.usage.devices & self._consumers.keys())]

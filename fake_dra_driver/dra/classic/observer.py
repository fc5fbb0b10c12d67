"""What is told about allocations while they happen, for metrics: to one observer, which counts and does nothing else.

How long an allocation takes is measured from when this process first saw that it was asked for, so the wait in the work
queue and every failed try are in it; what the scheduler does before, and the watch's delay, are not.
"""

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from typing_extensions import override

from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName
from fake_dra_driver.api.resource.v1alpha2 import AllocationMode
from fake_dra_driver.runtime.clock import Clock, loop_time
from fake_dra_driver.runtime.source import Source
from fake_dra_driver.runtime.store import Change

__all__ = ["AllocationObserver", "SilentObserver", "Stopwatch"]

K = TypeVar("K", bound=KubeObject)


class AllocationObserver(Protocol):
    """Called in the middle of the hot path: must take constant time, and must not raise."""

    def allocated(self, mode: AllocationMode, seconds: float) -> None:
        """A claim was allocated, so many seconds after it was asked for."""
        ...

    def deallocated(self, seconds: float) -> None:
        """Everything was taken from a claim; how long that took."""
        ...


class SilentObserver(AllocationObserver):
    """Counts nothing."""

    @override
    def allocated(self, mode: AllocationMode, seconds: float) -> None:
        return None

    @override
    def deallocated(self, seconds: float) -> None:
        return None


class Stopwatch(Generic[K]):
    """Remembers since when objects ask for something. Holds one entry for each object that asks, and no other.

    Args:
        source: the objects.
        asks_for: what an object asks for; empty: nothing. The time starts again when that changes.
    """

    def __init__(self, source: Source[K], asks_for: Callable[[K], str], clock: Clock = loop_time) -> None:
        self._asks_for = asks_for
        self._clock = clock
        self._since: dict[NamespacedName, tuple[str, float]] = {}
        source.subscribe(self._take_note)

    def since(self, key: NamespacedName) -> float:
        """Since when the object has been asking, by the clock; the present when it is not."""
        return self._since[key][1] if key in self._since else self._clock()

    def _take_note(self, change: Change[K]) -> None:
        wanted = "" if change.new is None else self._asks_for(change.new)
        if not wanted:
            self._since.pop(change.key, None)
        elif self._since.get(change.key, ("",))[0] != wanted:
            self._since[change.key] = (wanted, self._clock())

"""Many changes at once, such as hundreds of nodes that come, wake the pods that wait once and not hundreds of times."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from fake_dra_driver.api.kube.meta import NamespacedName

__all__ = ["Gathering"]

_SECONDS: Final = 0.05
"""Long enough for dozens of changes, and too short to be noticed."""


class Gathering:
    """Wakes pods a moment after the first of some changes.

    Args:
        pods: which pods to wake, asked for when it is time.
        wake: wakes one.
    """

    def __init__(self, pods: Callable[[], Iterable[NamespacedName]], wake: Callable[[NamespacedName], None]) -> None:
        self._pods = pods
        self._wake = wake
        self._timer: asyncio.TimerHandle | None = None

    def ask(self) -> None:
        """Something has changed that may help. Needs a running event loop."""
        loop = asyncio.get_running_loop()
        due = loop.time() + _SECONDS
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()  # the clock was set back, as in simulated time
        self._timer = loop.call_at(due, self._wake_all)

    def _wake_all(self) -> None:
        self._timer = None
        for pod in self._pods():
            self._wake(pod)

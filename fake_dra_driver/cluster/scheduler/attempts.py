"""How long a pod that could not be placed waits before it is tried again.

Follows kube-scheduler's scheduling queue: a pod that failed is left alone until something happens that may help it, and
then waits out a backoff that doubles with each attempt. A pod that waits for a driver goes on at once: the driver's
answer is what it waits for. In memory on purpose, as upstream: after a restart each pod starts afresh.
"""

from dataclasses import dataclass

from fake_dra_driver.api.kube.meta import UID
from fake_dra_driver.runtime.clock import Clock, loop_time

__all__ = ["INITIAL_SECONDS", "LEFTOVER_SECONDS", "MAX_SECONDS", "Attempts"]

INITIAL_SECONDS = 1.0
"""podInitialBackoffSeconds."""
MAX_SECONDS = 10.0
"""podMaxBackoffSeconds."""
LEFTOVER_SECONDS = 300.0
"""DefaultPodMaxInUnschedulablePodsDuration: after this a pod is tried again even if nothing has happened."""


@dataclass(slots=True)
class _Record:
    count: int = 0
    not_before: float = 0.0
    is_error: bool = False
    """Whether the last attempt failed by an error, which nothing in the cluster would help."""


class Attempts:
    """The attempts to place each pod that is not placed yet."""

    def __init__(self, *, clock: Clock = loop_time) -> None:
        self._clock = clock
        self._records: dict[UID, _Record] = {}

    def pause(self, uid: UID, *, is_idle: bool = False) -> float:
        """Seconds until the pod may be tried again; 0: now.

        Args:
            uid: the pod.
            is_idle: whether there is nothing else to do, so that only the pause after an error is kept.
        """
        record = self._records.get(uid)
        if record is None or (is_idle and not record.is_error):
            return 0.0
        return max(record.not_before - self._clock(), 0.0)

    def failed(self, uid: UID, *, waits: bool = False, is_error: bool = False) -> None:
        """Records an attempt.

        Args:
            uid: the pod.
            waits: the pod may go on as soon as a driver has answered.
            is_error: the attempt was ended by an error.
        """
        record = self._records.setdefault(uid, _Record())
        record.is_error = is_error
        backoff = min(INITIAL_SECONDS * 2.0 ** min(record.count, 10), MAX_SECONDS)
        record.count += 1
        record.not_before = 0.0 if waits else self._clock() + backoff

    def forget(self, uid: UID) -> None:
        """The pod is placed or gone."""
        self._records.pop(uid, None)

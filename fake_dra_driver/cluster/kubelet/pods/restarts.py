"""How long a container that ended waits before it is started again: 10 s doubling to 5 min, from the second time on.

Follows k8s.io/client-go/util/flowcontrol (Backoff) as kuberuntime_manager.go (doBackOff) uses it: what counts is the
time since the end of the last container, and one that ran for ten minutes starts over. It is kept in memory, so after a
restart of the kubelet every container starts over.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from fake_dra_driver.api.kube.meta import UID

__all__ = ["INITIAL_SECONDS", "RestartBackoff"]

INITIAL_SECONDS = 10.0
"""containerBackOffPeriod of the kubelet."""
MAX_SECONDS = 300.0
"""MaxContainerBackOff."""


@dataclass(slots=True)
class _Entry:
    seconds: float
    since: datetime


class RestartBackoff:
    """The pauses of all containers of a node, or of all image names.

    Args:
        initial_seconds: the first pause.
        max_seconds: the longest one.
    """

    def __init__(self, initial_seconds: float = INITIAL_SECONDS, max_seconds: float = MAX_SECONDS) -> None:
        self._initial_seconds = initial_seconds
        self._max_seconds = max_seconds
        self._entries: dict[tuple[UID, str], _Entry] = {}

    def pause(self, pod: UID, container: str, ended_at: datetime) -> float:
        """How long a container that ended then has to wait; 0: not at all."""
        entry = self._entries.get((pod, container))
        return 0.0 if entry is None or self._is_over(entry, ended_at) else entry.seconds

    def restart(self, pod: UID, container: str, ended_at: datetime, now: datetime) -> None:
        """Notes that the container, which ended then, is restarted now: the next pause is longer."""
        entry = self._entries.get((pod, container))
        if entry is None or self._is_over(entry, ended_at):
            self._entries[pod, container] = _Entry(self._initial_seconds, now)
        else:
            self._entries[pod, container] = _Entry(min(entry.seconds * 2, self._max_seconds), now)

    def forget(self, pod: UID) -> None:
        """Forgets a pod that is gone."""
        for key in [key for key in self._entries if key[0] == pod]:
            del self._entries[key]

    def _is_over(self, entry: _Entry, ended_at: datetime) -> bool:
        """Whether the container ran for so long that its earlier ends no longer matter."""
        return ended_at - entry.since > timedelta(seconds=2 * self._max_seconds)

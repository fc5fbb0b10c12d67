"""Kills one part of a driver, or the kubelet under it, and knows when it is back; or stops who allocates."""

from contextlib import AbstractContextManager
from typing import Final, Literal
from typing import Protocol as TypingProtocol

from tests.e2e.installed import CONTROLLER
from tests.e2e.local import LocalCluster
from tests.e2e.objects import RunningPod
from tests.e2e.protocol import Protocol
from tests.e2e.waiting import wait_until

__all__ = ["RECOVERY_SECONDS", "Killer", "Mortal", "Phase", "Victim", "nothing_allocated"]

Victim = Literal["controller", "plugin", "kubelet"]
Phase = Literal["pending", "allocated", "prepared", "deleting"]
"""Of a claim's life."""

RECOVERY_SECONDS: Final = 150
"""The kubelet tries a failed prepare again only at its next sync, and waits up to 45 s for a plugin that hangs."""


class Mortal(TypingProtocol):
    """An installed driver, of which a part can be killed."""

    protocol: Protocol

    def part(self, container: str) -> RunningPod:
        """The pod of the container ``controller`` or ``plugin``."""
        ...

    def wait_ready(self, seconds: float) -> None:
        """Waits until everything is Ready."""
        ...


def nothing_allocated(local_cluster: LocalCluster, driver: Mortal) -> AbstractContextManager[None]:
    """Stops who allocates: the driver's controller in classic DRA, the scheduler in structured DRA."""
    if driver.protocol.structured is None:
        return local_cluster.stopped(driver.part(CONTROLLER), CONTROLLER)
    return local_cluster.paused("kube-scheduler")


class Killer:
    """Kills one part, and knows when it is back."""

    def __init__(self, local_cluster: LocalCluster, driver: Mortal, victim: Victim) -> None:
        self._local_cluster = local_cluster
        self._driver = driver
        self._victim = victim
        self._pod = None if victim == "kubelet" else driver.part(victim)

    def strike(self) -> None:
        """Kills the victim with SIGKILL. The kubelet is started again at once, since nothing else would do it."""
        if self._pod is None:
            self._local_cluster.restart("kubelet")
        else:
            self._local_cluster.kill(self._pod, self._victim)

    def wait_back(self) -> None:
        """Waits until the kubelet has started the victim again, and everything is Ready."""
        if (killed := self._pod) is not None:

            def started_again() -> bool:
                pod = self._driver.part(self._victim)
                assert pod.uid != killed.uid or pod.restarts > killed.restarts, "not started again yet"
                return True

            wait_until(f"{self._victim} started again", started_again, RECOVERY_SECONDS)
        self._driver.wait_ready(RECOVERY_SECONDS)

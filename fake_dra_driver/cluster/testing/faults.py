"""The faults of a cluster for tests that are not asynchronous: the methods of ``ClusterFaults``, which block here."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from fake_dra_driver.cluster.cluster import Cluster
from fake_dra_driver.cluster.faults import ClusterFaults

__all__ = ["BlockingFaults"]

P = ParamSpec("P")
T = TypeVar("T")

_TIMEOUT_SECONDS = 120.0
"""Longer than a node needs to come back."""


class Caller(Protocol):
    """Does work in the thread of a cluster."""

    def call(self, work: Callable[[Cluster], Awaitable[T]], timeout_seconds: float = ...) -> T:
        """Returns what the work returns."""
        ...


def _waiting(
    method: Callable[Concatenate[ClusterFaults, P], Awaitable[T]],
) -> Callable[Concatenate["BlockingFaults", P], T]:
    """A coroutine function of the faults as a method that returns when it is done."""

    @wraps(method)
    def call(self: "BlockingFaults", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.cluster.call(lambda cluster: method(cluster.faults, *args, **kwargs), _TIMEOUT_SECONDS)

    return call


def _at_once(method: Callable[Concatenate[ClusterFaults, P], T]) -> Callable[Concatenate["BlockingFaults", P], T]:
    """A function of the faults, called in the cluster's thread."""

    @wraps(method)
    def call(self: "BlockingFaults", /, *args: P.args, **kwargs: P.kwargs) -> T:
        async def work(cluster: Cluster) -> T:
            return method(cluster.faults, *args, **kwargs)

        return self.cluster.call(work, _TIMEOUT_SECONDS)

    return call


class BlockingFaults:
    """What can go wrong with the cluster, on demand.

    Args:
        cluster: runs what is asked for.
    """

    def __init__(self, cluster: Caller) -> None:
        self.cluster = cluster

    fail_requests = _at_once(ClusterFaults.fail_requests)
    heal = _at_once(ClusterFaults.heal)
    drop_watches = _at_once(ClusterFaults.drop_watches)
    compact = _at_once(ClusterFaults.compact)
    restart_apiserver = _waiting(ClusterFaults.restart_apiserver)
    restart_component = _waiting(ClusterFaults.restart_component)
    stop_node = _waiting(ClusterFaults.stop_node)
    start_node = _waiting(ClusterFaults.start_node)
    reboot_node = _waiting(ClusterFaults.reboot_node)
    restart_kubelet = _waiting(ClusterFaults.restart_kubelet)
    wipe_slices = _waiting(ClusterFaults.wipe_slices)
    cut_health_streams = _at_once(ClusterFaults.cut_health_streams)
    refuse_registrations = _at_once(ClusterFaults.refuse_registrations)
    running_containers = _at_once(ClusterFaults.running_containers)
    send_signal = _at_once(ClusterFaults.send_signal)

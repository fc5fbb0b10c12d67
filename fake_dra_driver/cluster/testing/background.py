"""A cluster in a thread of its own, for tests that are not asynchronous."""

import asyncio
import itertools
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.cluster.cluster import Cluster
from fake_dra_driver.cluster.errors import ClusterError
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.cluster.kubelet.pods.launcher import Timing
from fake_dra_driver.cluster.nodepool import NodePool
from fake_dra_driver.cluster.testing import pods
from fake_dra_driver.cluster.testing.charts import chart_manifests
from fake_dra_driver.cluster.testing.claims import Claim
from fake_dra_driver.cluster.testing.faults import BlockingFaults
from fake_dra_driver.cluster.testing.plugins import wait_for_plugin
from fake_dra_driver.cluster.testing.pods import PodRun, Until
from fake_dra_driver.cluster.testing.quiet import without_logs
from fake_dra_driver.cluster.testing.report import container_of, describe_drivers, log_of

__all__ = ["QUICK", "BackgroundCluster"]

T = TypeVar("T")

__tracebackhide__ = True
# pytest shows the line of the test, and not the lines of this module that lead to its error.

QUICK: Final[Mapping[str, Any]] = {
    "timing": Timing(resync_seconds=1, retry_seconds=0.2, restart_seconds=0.2),
    "namespace_grace_seconds": 0,
}
"""Options of a cluster for tests: what a real one does after 5 to 90 seconds, it does at once."""
_REPORT_SECONDS = 20.0
"""For finding out why something has not come true."""


class BackgroundCluster:
    """A cluster in a thread of its own. A context manager; its methods block, and may be called from any thread.

    Objects are named as kubectl names them: ``pods``, ``pod``, ``lampconfigs``, ``nodes``, ``resourceclaims``.

    Args:
        logs: whether loguru's own sink, which prints to standard error, gets what the cluster logs. Programs in pods
            have logs of their own.
        options: those of ``Cluster``; what is not given of ``QUICK`` is as there.
    """

    def __init__(self, *, logs: bool = False, **options: Any) -> None:
        self._options = {**QUICK, **options}
        self._logs = logs
        self._numbers = itertools.count(1)
        self.faults = BlockingFaults(self)
        """What can go wrong, on demand."""
        self._thread = threading.Thread(target=self._run, name="embedded cluster")
        self._entered = threading.Event()
        self._error: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._cluster: Cluster | None = None
        self._leave = asyncio.Event()

    def __enter__(self) -> Self:
        """Starts it. Raises what ``Cluster`` raises."""
        self._thread.start()
        self._entered.wait()
        if self._error is not None:
            self._thread.join()
            raise self._error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stops it. Raises what a part of it has failed with."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._leave.set)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            with nullcontext() if self._logs else without_logs():
                asyncio.run(self._serve())
        except BaseException as problem:  # noqa: BLE001 - raised in the thread that waits
            self._error = problem
        finally:
            self._entered.set()

    async def _serve(self) -> None:
        async with Cluster(**self._options) as self._cluster:
            self._loop = asyncio.get_running_loop()
            self._entered.set()
            await self._leave.wait()

    @property
    def cluster(self) -> Cluster:
        """The cluster itself, for ``call``; its coroutines run in its own thread only."""
        if self._cluster is None:
            raise ClusterError("The cluster does not run")
        return self._cluster

    @property
    def kubeconfig(self) -> Path:
        """For kubectl and other clients."""
        return self.cluster.kubeconfig

    @property
    def kubernetes_version(self) -> str:
        """The release that it behaves like, such as ``1.30``, for tests in which the protocols of DRA differ."""
        return self.cluster.kubernetes_version

    @property
    def nodes(self) -> Sequence[str]:
        """The names of its nodes."""
        return self.cluster.nodes

    def node_root(self, node: str = "") -> Path:
        """The folder that is the root file system of a node; empty: of the first.

        What a pod mounts from the node (``hostPath``) is below it: files that stand for devices can be put there,
        before the driver is installed or while it runs.

        Raises:
            ClusterError: there is no such node.
        """
        return self.cluster.node_root(node or None)

    def call(self, work: Callable[[Cluster], Awaitable[T]], timeout_seconds: float = 60) -> T:
        """Runs ``work`` in the cluster's thread, and returns what it returns.

        Raises:
            TimeoutError: it took too long.
        """

        async def run() -> T:
            async with asyncio.timeout(timeout_seconds):
                return await work(self.cluster)

        if self._loop is None:
            raise ClusterError("The cluster does not run")
        future = asyncio.run_coroutine_threadsafe(run(), self._loop)
        try:
            return future.result()
        except ClusterError as error:
            raise error.with_traceback(None)  # noqa: B904 - what led to it in the other thread is in no test

    def apply(self, *sources: Path | str | Mapping[str, Any]) -> None:
        """Creates or updates objects: from YAML files, YAML texts, or mappings (``Cluster.apply``)."""
        self.call(lambda cluster: cluster.apply(*sources))

    def delete(self, *sources: Path | str | Mapping[str, Any]) -> None:
        """Deletes objects without waiting for their end (``Cluster.delete``)."""
        self.call(lambda cluster: cluster.delete(*sources))

    # --- nodes that come and go ---

    def add_nodes(self, pool: str = "", count: int = 1, *, timeout_seconds: float = 60) -> Sequence[str]:
        """Adds nodes to a pool, or to those that are in none (``Cluster.add_nodes``). Returns their names."""
        return self.call(lambda cluster: cluster.add_nodes(pool, count), timeout_seconds)

    def add_pool(self, pool: NodePool, *, timeout_seconds: float = 60) -> Sequence[str]:
        """Adds a pool with its nodes (``Cluster.add_pool``). Returns their names."""
        return self.call(lambda cluster: cluster.add_pool(pool), timeout_seconds)

    def remove_node(self, name: str, *, timeout_seconds: float = 60) -> None:
        """Removes a node with its pods, as when a cloud takes its machine (``Cluster.remove_node``)."""
        self.call(lambda cluster: cluster.remove_node(name), timeout_seconds)

    def cordon(self, name: str) -> bool:
        """Has no pods scheduled on a node (``Cluster.cordon``). Returns whether that is new."""
        return self.call(lambda cluster: cluster.cordon(name))

    def uncordon(self, name: str) -> bool:
        """Has pods scheduled on a node again (``Cluster.uncordon``). Returns whether that is new."""
        return self.call(lambda cluster: cluster.uncordon(name))

    # --- a driver ---

    def install_chart(
        self,
        chart: Path,
        namespace: str,
        *,
        release: str | None = None,
        values: Mapping[str, Any] | None = None,
        crds: Path | None = None,
    ) -> None:
        """Installs a chart, as helm would. Does not wait for its pods; see ``wait_for_plugin``.

        Args:
            chart: its folder.
            namespace: where it is installed; made if it is missing.
            release: its name; None: that of the chart.
            values: what differs from its values.yaml.
            crds: a folder of CRDs that are installed first, in addition to the chart's own.

        Raises:
            ClusterError: the folder is no chart, or the chart refuses these values.
            ApiError: the API server refuses an object.
        """

        async def install(cluster: Cluster) -> None:
            manifests = await asyncio.to_thread(
                chart_manifests, cluster, chart, namespace, release=release, values=values, crds=crds
            )
            await cluster.apply(*manifests)

        self.call(install)

    def wait_for_plugin(
        self, driver: str, node: str = "", *, has_devices: bool = True, timeout_seconds: float = 60
    ) -> None:
        """Waits until the plugin of a driver has registered with the kubelet and published its devices.

        Args:
            driver: name of the driver.
            node: where; empty: on all nodes.
            has_devices: whether there is any device to be published.
            timeout_seconds: how long to wait.

        Raises:
            UnmetError: with what is missing, and the logs of the driver's pods.
        """
        nodes = [node] if node else self.cluster.nodes

        async def work(cluster: Cluster) -> None:
            await wait_for_plugin(cluster, driver, nodes, has_devices=has_devices, timeout_seconds=timeout_seconds)

        self.call(work, timeout_seconds + _REPORT_SECONDS)

    def describe_drivers(self) -> str:
        """How the pods of drivers are, with the ends of their logs, in lines. Empty when there are none."""
        return self.call(describe_drivers)

    # --- pods ---

    def run_pod(
        self,
        *claims: Claim | str,
        name: str = "",
        namespace: str = "default",
        command: Sequence[str] | None = None,
        node: str = "",
        until: Until = "ended",
        check: bool = True,
        timeout_seconds: float = 60,
    ) -> PodRun:
        """Runs a pod with these claims, and waits for its end or its readiness.

        Args:
            claims: what is made for it, or names of claims that exist (``make_claim``).
            name: of the pod; empty: one of its own, and the pod is deleted if it does not do what it is to do.
            namespace: of pod and claims.
            command: what its container runs; None: it prints its environment, and goes on if it is to be ready.
            node: where it is to run; empty: wherever its claims can be met.
            until: what to wait for: ``ended`` or ``ready``.
            check: whether a pod that fails is an error.
            timeout_seconds: how long to wait.

        Raises:
            UnmetError: it has not come to that; with conditions, events, claims, and the logs of the driver's pods.
            PodFailedError: it has failed; with the same.
            ClusterError: a claim asks for what this release does not have.
            ApiError: the API server refuses an object.
        """
        key = NamespacedName(namespace, name or f"pod-{next(self._numbers)}")
        drivers = sorted({claim.driver for claim in claims if isinstance(claim, Claim)})

        async def run(cluster: Cluster) -> PodRun:
            await pods.make_pod(cluster, key.name, claims, namespace=namespace, command=command, until=until, node=node)
            try:
                return await pods.wait_for_pod(
                    cluster, key, until=until, check=check, timeout_seconds=timeout_seconds, drivers=drivers
                )
            except ClusterError:
                if not name:  # else it would keep its devices from all tests that follow
                    await cluster.client.delete(Pod, key)
                raise

        return self.call(run, timeout_seconds + _REPORT_SECONDS)

    def wait_for_pod(
        self,
        name: str,
        namespace: str = "default",
        *,
        until: Until = "ended",
        check: bool = True,
        timeout_seconds: float = 60,
    ) -> PodRun:
        """Waits for a pod that was applied, as ``run_pod`` does."""
        key = NamespacedName(namespace, name)
        return self.call(
            lambda cluster: pods.wait_for_pod(cluster, key, until=until, check=check, timeout_seconds=timeout_seconds),
            timeout_seconds + _REPORT_SECONDS,
        )

    def make_claim(self, claim: Claim, name: str, namespace: str = "default") -> None:
        """Creates a claim that several pods may name. Raises as ``run_pod``."""
        self.call(lambda cluster: pods.make_claim(cluster, claim, name, namespace))

    def delete_pod(self, name: str, namespace: str = "default", *, timeout_seconds: float = 60) -> None:
        """Deletes a pod, and waits until it is gone. Raises UnmetError."""
        self.call(
            lambda cluster: pods.delete_pod(cluster, NamespacedName(namespace, name), timeout_seconds),
            timeout_seconds + _REPORT_SECONDS,
        )

    def wait_for_event(
        self, text: str, *, about: str = "", namespace: str = "default", timeout_seconds: float = 60
    ) -> str:
        """Waits for an Event with this in its reason or message. Returns the message.

        Args:
            text: part of it.
            about: the name of the object; empty: any.
            namespace: of the object.
            timeout_seconds: how long to wait.

        Raises:
            UnmetError: there is none; with those that there are.
        """
        return self.call(
            lambda cluster: pods.wait_for_event(
                cluster, text, about=about, namespace=namespace, timeout_seconds=timeout_seconds
            ),
            timeout_seconds + _REPORT_SECONDS,
        )

    def logs(self, pod: str, namespace: str = "default", *, container: str = "") -> str:
        """What a container of a pod has printed so far; empty: the first container.

        Raises:
            NotFoundError: there is no such pod.
            ClusterError: the container has not started.
        """

        async def read(cluster: Cluster) -> str:
            found = await cluster.client.get(Pod, NamespacedName(namespace, pod))
            name = container or found.spec.containers[0].name
            running = container_of(cluster, found, name)
            if running is None:
                raise ClusterError(f"The container {name} of pod {namespace}/{pod} has not started")
            return await log_of(running)

        return self.call(read)

    # --- objects ---

    def get(self, resource: str, name: str, namespace: str = "default") -> dict[str, Any]:
        """An object as the API server sends it.

        Args:
            resource: its kind, as kubectl takes it.
            name: of the object.
            namespace: of the object, if it is in one.

        Raises:
            ClusterError: there is no such kind.
            NotFoundError: there is no such object.
        """

        async def read(cluster: Cluster) -> dict[str, Any]:
            kind = cluster.kind(resource)
            key = NamespacedName(namespace if kind.resource.namespaced else "", name)
            return dict((await cluster.client.get(kind, key)).to_wire())

        return self.call(read)

    def list(self, resource: str, namespace: str | None = None) -> Sequence[dict[str, Any]]:
        """All objects of a kind, of one namespace or of all, as the API server sends them. Raises ClusterError."""

        async def read(cluster: Cluster) -> Sequence[dict[str, Any]]:
            found = await cluster.client.list(cluster.kind(resource), namespace)
            return [dict(each.to_wire()) for each in found.items]

        return self.call(read)

    def wait_until(
        self, what: str, question: Callable[[Cluster], Awaitable[T | None]], timeout_seconds: float = 60
    ) -> T:
        """Asks until the answer is true, and returns it. Raises TimeoutError, with ``what`` in its message."""
        return self.call(
            lambda cluster: cluster.wait_until(what, lambda: question(cluster), timeout_seconds), timeout_seconds + 10
        )

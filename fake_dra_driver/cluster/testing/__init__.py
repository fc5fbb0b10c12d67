"""A cluster for the tests of a driver of your own: ``pytest_plugins = ["fake_dra_driver.cluster.testing"]``.

``embedded_cluster`` is one cluster for the whole test session, in a thread of its own, so that tests need not be
asynchronous; ``embedded_cluster_options`` is there to be overridden::

    @pytest.fixture(scope="session")
    def embedded_cluster_options():
        return {"nodes": ("node-a", "node-b"), "kubernetes_version": "1.27"}

    def test_my_driver(embedded_cluster):
        embedded_cluster.apply(Path("my-driver.yaml"), Path("pod.yaml"))
        embedded_cluster.wait_until("the pod runs", lambda cluster: ...)

Asynchronous tests, and tests that need a cluster of their own, write ``async with Cluster() as cluster`` instead.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import pytest

from fake_dra_driver.cluster.cluster import Cluster
from fake_dra_driver.cluster.errors import ClusterError

__all__ = ["BackgroundCluster", "embedded_cluster", "embedded_cluster_options"]

T = TypeVar("T")


class BackgroundCluster:
    """A cluster in a thread of its own. A context manager; its methods block, and may be called from any thread.

    Args:
        options: those of ``Cluster``.
    """

    def __init__(self, **options: Any) -> None:
        self._options = options
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
        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    def apply(self, *sources: Path | str | Mapping[str, Any]) -> None:
        """Creates or updates objects: from YAML files, YAML texts, or mappings (``Cluster.apply``)."""
        self.call(lambda cluster: cluster.apply(*sources))

    def delete(self, *sources: Path | str | Mapping[str, Any]) -> None:
        """Deletes objects without waiting for their end (``Cluster.delete``)."""
        self.call(lambda cluster: cluster.delete(*sources))

    def wait_until(self, what: str, question: Callable[[Cluster], Awaitable[T]], timeout_seconds: float = 60) -> T:
        """Asks until the answer is true, and returns it. Raises TimeoutError, with ``what`` in its message."""
        return self.call(
            lambda cluster: cluster.wait_until(what, lambda: question(cluster), timeout_seconds), timeout_seconds + 10
        )


@pytest.fixture(scope="session")
def embedded_cluster_options() -> Mapping[str, Any]:
    """Options of the cluster: those of ``Cluster``. Override it in your conftest.py."""
    return {}


@pytest.fixture(scope="session")
def embedded_cluster(embedded_cluster_options: Mapping[str, Any]) -> Iterator[BackgroundCluster]:
    """One cluster for all tests of the session."""
    with BackgroundCluster(**embedded_cluster_options) as cluster:
        yield cluster

"""A node of the cluster: a folder for its root file system, a container runtime, and a kubelet that comes and goes.

Each of the three outlives the next, as on a real node: containers run on while the kubelet restarts, and a node that is
switched off keeps its disk.
"""

import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from loguru import logger

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.cluster.errors import ClusterError
from fake_dra_driver.cluster.kubelet.containerruntime.hosts import Hosts
from fake_dra_driver.cluster.kubelet.containerruntime.runtime import ProcessRuntime
from fake_dra_driver.cluster.kubelet.dra.slicecleanup import SliceCleanup
from fake_dra_driver.cluster.kubelet.kubelet import Kubelet, KubeletOptions
from fake_dra_driver.cluster.warden import Warden
from fake_dra_driver.runtime.client import Client

__all__ = ["EmbeddedNode"]

log = logger.bind(component="node")

_START_SECONDS = 60.0
"""For a kubelet to register its node; the API server may be away meanwhile."""


class EmbeddedNode:
    """One node. An async context manager: entered, it is switched on; left, everything on it is killed.

    Args:
        server: the API server.
        options: of its kubelets.
        group: the parent of the kubelet's task.
        warden: ends its containers when this process is killed.
        hosts: run programs of containers in a process that all nodes share.
    """

    def __init__(
        self,
        server: ApiServer,
        options: KubeletOptions,
        group: asyncio.TaskGroup,
        warden: Warden | None = None,
        hosts: Hosts | None = None,
    ) -> None:
        self._server = server
        self._options = options
        self._group = group
        self.runtime = ProcessRuntime(options.root, warden=warden, hosts=hosts)
        """Its containers."""
        self._changing = asyncio.Lock()
        # Held while it is switched on or off, and while its kubelet is restarted.
        self._kubelet: tuple[Kubelet, asyncio.Task[None]] | None = None
        self._is_on = True
        self._is_leaving = False

    async def __aenter__(self) -> Self:
        """Switches it on, and waits until it is registered."""
        await self.runtime.__aenter__()
        try:
            await self._start_kubelet()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Ends the kubelet, then kills all containers. What changes the node meanwhile fails, and is waited for."""
        self._is_leaving = True
        await self._cut_off()
        async with self._changing:
            await self._cut_off()
        await self.runtime.__aexit__(kind, error, traceback)

    @property
    def name(self) -> str:
        """Of the Node."""
        return self._options.node_name

    @property
    def root(self) -> Path:
        """The folder that is its root file system."""
        return self._options.root

    @property
    def is_on(self) -> bool:
        """Whether it is switched on; its kubelet may be stopped all the same."""
        return self._is_on

    async def stop(self) -> bool:
        """Switches it off: nothing runs on it, and the API server is not told. Returns whether it was on."""
        async with self._changing:
            if not self._is_on:
                return False
            await self._cut_off()
            await self.runtime.reboot()
            self._is_on = False
            return True

    async def start(self) -> bool:
        """Switches it on again, with its kubelet. Returns whether anything was off.

        Raises:
            ClusterError: it cannot be registered in a minute.
        """
        async with self._changing:
            self._is_on = True
            if self._kubelet is not None:
                return False
            await self._start_kubelet()
            return True

    async def reboot(self) -> None:
        """Off and on: all processes have ended, and /var/run is empty.

        Raises:
            ClusterError: it is off, or cannot be registered in a minute.
        """
        async with self._changing:
            self._check_on()
            await self._cut_off()
            await self.runtime.reboot()
            await self._start_kubelet()

    async def stop_kubelet(self) -> None:
        """Stops the kubelet gracefully; containers keep running."""
        async with self._changing:
            await self._stop_kubelet()

    async def restart_kubelet(self) -> None:
        """Restarts the kubelet; containers keep running. Raises ClusterError as ``reboot``."""
        async with self._changing:
            self._check_on()
            await self._stop_kubelet()
            await self._start_kubelet()

    # --- faults ---

    async def drivers_with_slices(self) -> Sequence[str]:
        """The drivers that have published slices of this node. Raises ClusterError where there are none by nature."""
        return await self._slice_cleanup().drivers()

    async def wipe_slices(self, driver: str = "") -> int:
        """Deletes the slices of the node, of a driver or of all, as at a kubelet's start. Returns how many there were.

        Raises:
            ClusterError: no kubelet runs, or the release has no slices.
            RuntimeLayerError: not all could be deleted.
        """
        return await self._slice_cleanup().wipe(driver)

    def registered_drivers(self) -> Sequence[str]:
        """The drivers whose plugins have registered with the kubelet; none while it does not run."""
        return self._kubelet[0].plugins.drivers() if self._kubelet is not None else ()

    def health_streams(self) -> Sequence[str]:
        """The drivers with an open stream about the health of their devices. Raises ClusterError: no kubelet runs."""
        return self._running_kubelet().healths.followed

    def cut_health_stream(self, driver: str) -> None:
        """Breaks that stream; the kubelet opens it again after a while. Raises ClusterError: no kubelet runs."""
        self._running_kubelet().healths.cut(driver)

    def refuse_registrations(self, driver: str, times: int) -> None:
        """The kubelet refuses the next registrations of a driver; with 0, all until ``heal``."""
        self._options.refusals.add(driver, times)

    def heal(self) -> bool:
        """Refuses no registrations from now on. Returns whether some still were to be refused."""
        return self._options.refusals.clear()

    def running_containers(self) -> Sequence[tuple[NamespacedName, str]]:
        """Pod and name of each container that runs here."""
        return [
            (NamespacedName(reference.namespace, reference.name), found.config.name)
            for reference in self.runtime.pods()
            for found in self.runtime.containers(reference.uid)
            if found.process is not None
        ]

    def send_signal(self, pod: NamespacedName, container: str, number: signal.Signals) -> bool:
        """Sends a signal to all processes of a running container. Returns whether there was one.

        SIGKILL to its first process ends all of it, as on a real node; any other signal is up to each process.
        """
        for reference in self.runtime.pods():
            if NamespacedName(reference.namespace, reference.name) == pod:
                for found in self.runtime.containers(reference.uid):
                    # After its end it still counts as running until its output is read.
                    if found.config.name == container and found.process is not None:
                        return found.process.signal_group(number)
        return False

    def _check_on(self) -> None:
        if not self._is_on:
            raise ClusterError(f"The node {self._options.node_name} is switched off: switch it on with start-node")

    def _check_stays(self) -> None:
        if self._is_leaving:
            raise ClusterError(f"The node {self._options.node_name} is being removed")

    # --- the kubelet ---

    def _running_kubelet(self) -> Kubelet:
        self._check_on()
        if self._kubelet is None:
            raise ClusterError(f"The kubelet of {self._options.node_name} is stopped")
        kubelet, _ = self._kubelet
        return kubelet

    def _slice_cleanup(self) -> SliceCleanup:
        found = self._running_kubelet().slices
        if found is None:
            raise ClusterError(
                f"Kubernetes {self._options.kubernetes_version} has classic DRA, in which drivers publish no slices"
            )
        return found

    async def _start_kubelet(self) -> None:
        self._check_stays()
        client = self._server.client("kubelet")
        kubelet = Kubelet(client, self.runtime, self._options)
        task = self._group.create_task(self._run(kubelet, client), name=f"kubelet {self._options.node_name}")
        self._kubelet = kubelet, task
        ready = self._group.create_task(kubelet.is_ready.wait(), name="kubelet start")
        try:
            await asyncio.wait((task, ready), timeout=_START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        self._check_stays()
        if not kubelet.is_ready.is_set():
            raise ClusterError(
                f"The kubelet of {self._options.node_name} could not register its node within {_START_SECONDS:g} s"
            )

    async def _run(self, kubelet: Kubelet, client: Client) -> None:
        try:
            await kubelet.run()
        finally:
            await client.close()

    async def _stop_kubelet(self) -> None:
        if self._kubelet is not None:
            kubelet, task = self._kubelet
            self._kubelet = None
            kubelet.stop()
            await asyncio.wait((task,))

    async def _cut_off(self) -> None:
        """Ends the kubelet without giving it time for anything."""
        if self._kubelet is not None:
            _, task = self._kubelet
            self._kubelet = None
            task.cancel()
            await asyncio.wait((task,))

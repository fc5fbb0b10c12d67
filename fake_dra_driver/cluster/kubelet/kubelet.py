"""The kubelet of one node: how its parts are put together, and how they start and stop.

    images = Images({"example.com/driver:v1": Image(path=("/opt/driver/bin",), api_access=True)})
    async with SocketFolders() as folders, ProcessRuntime(root) as runtime:
        options = KubeletOptions(node_name="node-0", root=root, socket_folders=folders, images=images, kubeconfig=...)
        kubelet = Kubelet(client, runtime, options)
        await kubelet.run()

A kubelet is for one ``run``, and has a client of its own, which outlives it. To restart it, stop it and run another one
on the same runtime: containers keep running. To reboot the node, stop the kubelet, call ``runtime.reboot()``, and run
another kubelet; to lose the node, stop the kubelet and the runtime.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from loguru import logger

from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.cluster.kubelet.containerruntime.cdi import CdiRegistry
from fake_dra_driver.cluster.kubelet.containerruntime.runtime import ProcessRuntime
from fake_dra_driver.cluster.kubelet.containersetup.environment import NodeFacts
from fake_dra_driver.cluster.kubelet.containersetup.images import Images
from fake_dra_driver.cluster.kubelet.containersetup.starter import ContainerStarter, KubeconfigSource
from fake_dra_driver.cluster.kubelet.containersetup.volumes import Volumes
from fake_dra_driver.cluster.kubelet.dra.claimmanager import ClaimManager
from fake_dra_driver.cluster.kubelet.dra.devicehealth import DeviceHealths
from fake_dra_driver.cluster.kubelet.dra.plugins import PluginRegistry
from fake_dra_driver.cluster.kubelet.dra.refusals import Refusals
from fake_dra_driver.cluster.kubelet.dra.slicecleanup import SliceCleanup
from fake_dra_driver.cluster.kubelet.dra.socketfolders import SocketFolders
from fake_dra_driver.cluster.kubelet.logs import PodLogs
from fake_dra_driver.cluster.kubelet.node import RENEW_SECONDS, NodeAgent, NodeIdentity
from fake_dra_driver.cluster.kubelet.pod import Pod
from fake_dra_driver.cluster.kubelet.pods.admission import Admission
from fake_dra_driver.cluster.kubelet.pods.launcher import Timing
from fake_dra_driver.cluster.kubelet.pods.podevents import PodEvents
from fake_dra_driver.cluster.kubelet.pods.podworker import PodServices
from fake_dra_driver.cluster.kubelet.pods.podworkers import PodWorkers
from fake_dra_driver.cluster.kubelet.pods.restarts import RestartBackoff
from fake_dra_driver.cluster.kubelet.pods.statuswriter import StatusWriter
from fake_dra_driver.cluster.kubelet.sessions.podsessions import PodSessions
from fake_dra_driver.cluster.releases import DEFAULT, Release, find_release
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.clock import WallClock, utc_now
from fake_dra_driver.runtime.events import EventRecorder

__all__ = ["Kubelet", "KubeletOptions"]

log = logger.bind(component="kubelet")

_FOLDERS = ("var/lib/kubelet/plugins", "var/lib/kubelet/plugins_registry", "var/lib/kubelet/pods", "var/run")
"""What a real node has before its first pod: the kubelet's own folders, and /var/run."""
_CDI_FOLDERS = ("etc/cdi", "var/run/cdi")
"""As container runtimes are configured; the later wins."""
_FLUSH_SECONDS = 2.0
"""For the events that are still queued when the kubelet stops."""


@dataclass(frozen=True, slots=True)
class KubeletOptions:
    """How a kubelet is configured."""

    node_name: str
    root: Path
    """The folder that is the node's root file system. Short: sockets of plugins are below it, of at most 107 bytes."""
    socket_folders: SocketFolders
    """Finds the sockets of plugins while it is entered; shared by all nodes of a cluster."""
    kubernetes_version: str = DEFAULT.name
    """Which of ``RELEASES`` to behave like, with or without a patch release."""
    address: str = "127.0.0.1"
    """IP of the node and of its pods."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels of the node, in addition to the usual ones."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    taints: Sequence[Mapping[str, str]] = ()
    """Taints with which the node is registered, as in its spec."""
    capacity: Mapping[str, str] = field(default_factory=dict)
    """What the node has for pods, such as ``cpu``, where that is not what this machine has."""
    images: Images = field(default_factory=Images)
    """Shared by all nodes of a cluster."""
    kubeconfig: KubeconfigSource | None = None
    """Credentials for the containers of images with ``api_access``; see ``serviceaccount``."""
    logs: PodLogs | None = None
    """Where the kubelet registers its logs while it runs: the API server's ``logs``."""
    sessions: PodSessions | None = None
    """Where it registers its containers while it runs: the API server's ``sessions``."""
    timing: Timing = field(default_factory=Timing)
    renew_seconds: float = RENEW_SECONDS
    """Between two renewals of the node's lease."""
    refusals: Refusals = field(default_factory=Refusals)
    """Registrations to refuse; shared by all kubelets of the node."""
    now: WallClock = utc_now


class Kubelet:
    """The kubelet of one node.

    Args:
        client: for this kubelet alone.
        runtime: the node's containers; on the same folder as the kubelet.
        options: its configuration.

    Raises:
        ClusterError: nothing is known of the release.
    """

    def __init__(self, client: Client, runtime: ProcessRuntime, options: KubeletOptions) -> None:
        self._runtime = runtime
        self._options = options
        release = find_release(options.kubernetes_version)
        root, kubelet_folder = options.root, options.root / "var/lib/kubelet"
        self._cache = Cache(client)
        self._pods = self._cache.informer(Pod, field_selector=f"spec.nodeName={options.node_name}")
        self._events = EventRecorder(client, "kubelet", host=options.node_name, now=options.now)
        identity = NodeIdentity(
            name=options.node_name,
            address=options.address,
            kubernetes_version=options.kubernetes_version,
            boot_id=runtime.boot_id,
            labels=options.labels,
            annotations=options.annotations,
            taints=options.taints,
            capacity=options.capacity,
        )
        self._node = NodeAgent(client, identity, self._events, now=options.now, renew_seconds=options.renew_seconds)
        self.slices = _slice_cleanup(client, options.node_name, release)
        """Deletes the slices of the node; None: in classic DRA there are none."""
        self.healths = DeviceHealths()
        """What drivers say about the health of their devices."""
        self.plugins = PluginRegistry(
            kubelet_folder / "plugins_registry",
            release,
            options.socket_folders,
            on_change=self._follow_driver,
            healths=self.healths,
            refusals=options.refusals,
        )
        """The plugins that have registered."""
        self._claims = ClaimManager(client, self.plugins, kubelet_folder, release)
        self._statuses = StatusWriter(client, self._pods)
        volumes = Volumes(root, client)
        starter = ContainerStarter(
            node=NodeFacts(options.node_name, options.address),
            client=client,
            runtime=runtime,
            claims=self._claims,
            cdi=CdiRegistry([root / folder for folder in _CDI_FOLDERS]),
            volumes=volumes,
            images=options.images,
            kubeconfig=options.kubeconfig,
        )
        services = PodServices(
            release=release,
            address=options.address,
            runtime=runtime,
            claims=self._claims,
            healths=self.healths,
            volumes=volumes,
            starter=starter,
            statuses=self._statuses,
            admission=Admission(lambda: self._node.known),
            events=PodEvents(self._events),
            backoff=RestartBackoff(options.timing.restart_seconds),
            timing=options.timing,
            now=options.now,
        )
        self._workers = PodWorkers(services, self._pods)
        self.healths.on_change = self._workers.wake_users_of
        self._stopping = asyncio.Event()
        self.is_ready = asyncio.Event()
        """Set once the node is registered and its pods are synced."""

    def stop(self) -> None:
        """Makes ``run`` return soon. Containers keep running."""
        self._stopping.set()

    async def run(self) -> None:
        """Runs until ``stop`` is called, or until cancelled. To be called once.

        Raises:
            DraError: the state that an earlier kubelet has left is damaged.
            OSError: the node's folders cannot be made.
        """
        options = self._options
        await asyncio.to_thread(_make_folders, options.root)
        await self._claims.load()
        if options.logs is not None:
            options.logs.add(options.node_name, self._runtime)
        if options.sessions is not None:
            options.sessions.add(options.node_name, self._workers.target)
        try:
            async with asyncio.TaskGroup() as group:
                events = group.create_task(self._events.run(), name="kubelet events")
                work = group.create_task(self._work(), name=f"kubelet {options.node_name}")
                stopping = group.create_task(self._stopping.wait(), name="kubelet stop")
                try:
                    await asyncio.wait((work, stopping), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    work.cancel()
                    stopping.cancel()
                await asyncio.wait((work,))
                await self._flush()
                events.cancel()
        finally:
            self.is_ready.clear()
            if options.logs is not None:
                options.logs.remove(options.node_name)
            if options.sessions is not None:
                options.sessions.remove(options.node_name)
        log.info("Kubelet has stopped", node=options.node_name)

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._cache.run(), name="kubelet caches")
            group.create_task(self.plugins.run(), name="kubelet plugins")
            await self._node.register()
            await self._cache.wait_for_sync()
            if self.slices is not None:
                group.create_task(self.slices.run(), name="kubelet slices")
            group.create_task(self._node.run(), name="kubelet node")
            group.create_task(self._statuses.controller.run(), name="kubelet pod statuses")
            group.create_task(self._workers.run(), name="kubelet pods")
            self.is_ready.set()
            log.info("Kubelet is ready", node=self._options.node_name)

    def _follow_driver(self, driver: str) -> None:
        """Has the slices of a driver deleted that is gone."""
        if self.slices is None:
            return
        if self.plugins.client(driver) is not None:
            self.slices.registered(driver)
        else:
            self.slices.gone(driver)

    async def _flush(self) -> None:
        try:
            async with asyncio.timeout(_FLUSH_SECONDS):
                await self._events.flush()
        except TimeoutError:
            log.warning("Kubelet stops before all its events are written", node=self._options.node_name)


def _slice_cleanup(client: Client, node_name: str, release: Release) -> SliceCleanup | None:
    """What deletes slices, if the release has any."""
    if not release.structured_version:
        return None
    kind = RESOURCE_APIS[release.structured_version].slices
    return SliceCleanup(client, kind, node_name, release.slice_grace_seconds)


def _make_folders(root: Path) -> None:
    for folder in _FOLDERS:
        (root / folder).mkdir(mode=0o750, parents=True, exist_ok=True)

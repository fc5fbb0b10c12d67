"""A whole cluster in one process: ``async with Cluster() as cluster``. Nothing of it is left afterwards.

Start: API server, controllers and scheduler, then a kubelet for each node; entered once these are Ready. Nodes come and
go while it runs (``nodes``). Stop: the
kubelets with the processes of their containers, the rest in the reverse order, at last the folder. A stop does not
drain: pods are not deleted; their processes are killed, since the cluster that knows them ends too. If this process is
killed, a warden does that (``warden``).

All of it runs in one task of its own, so that it may be left in another task than it was entered in, as fixtures of
pytest-asyncio do, and so that the failure of a part never cancels the code that uses the cluster: it is raised on exit.
"""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from loguru import logger

from fake_dra_driver.api.kube.meta import KubeObject, NamespacedName, ResourceKind
from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.cluster.apiserver.types.resource import Resource
from fake_dra_driver.cluster.clustercommand import ClusterCommand
from fake_dra_driver.cluster.component import Component, MakeControllers, Program
from fake_dra_driver.cluster.control import serving
from fake_dra_driver.cluster.controllers import make_controllers
from fake_dra_driver.cluster.controllers.namespaces import GRACE_SECONDS
from fake_dra_driver.cluster.documents import Document, read_documents
from fake_dra_driver.cluster.errors import ClusterError, no_such
from fake_dra_driver.cluster.faultcommand import FaultCommand
from fake_dra_driver.cluster.faults import ClusterFaults, find_resource
from fake_dra_driver.cluster.folder import KUBECONFIG, folder_of_cluster
from fake_dra_driver.cluster.kubelet.containerruntime.hosts import Hosts
from fake_dra_driver.cluster.kubelet.containersetup.images import Image, Images, UnknownImages
from fake_dra_driver.cluster.kubelet.containersetup.serviceaccount import ServiceAccountKubeconfig
from fake_dra_driver.cluster.kubelet.dra.socketfolders import SocketFolders
from fake_dra_driver.cluster.kubelet.kubelet import KubeletOptions
from fake_dra_driver.cluster.kubelet.logs import PodLogs
from fake_dra_driver.cluster.kubelet.pods.launcher import Timing
from fake_dra_driver.cluster.kubelet.sessions.podsessions import PodSessions
from fake_dra_driver.cluster.kwok import make_kwok_controllers
from fake_dra_driver.cluster.node import EmbeddedNode
from fake_dra_driver.cluster.nodepool import DEFAULT_NODE, NodePool, check_pools, node_name
from fake_dra_driver.cluster.nodes import ClusterNodes
from fake_dra_driver.cluster.releases import DEFAULT, find_release
from fake_dra_driver.cluster.scheduler import make_scheduler
from fake_dra_driver.cluster.warden import Warden
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.errors import NotFoundError
from fake_dra_driver.runtime.events import EventRecorder

__all__ = ["DEFAULT_NODE", "Cluster"]

log = logger.bind(component="cluster")

T = TypeVar("T")

SHARING_NODES: Final = 4
"""From so many nodes on, containers of images that have a ``Host`` share a process. A process of its own can be looked
at and held as on a real node, but takes a second of a processor to start, and 60 MB: three of them are no burden."""
_POLL_SECONDS = 0.05
_FIELD_MANAGER = "fake-dra-driver-cluster"


class Cluster:
    """One cluster. Enter it once."""

    def __init__(
        self,
        *,
        nodes: Sequence[str] | None = None,
        pools: Sequence[NodePool] = (),
        kubernetes_version: str = DEFAULT.name,
        feature_gates: Mapping[str, bool] | None = None,
        runtime_config: Mapping[str, bool] | None = None,
        scheduler: MakeControllers | None = None,
        images: Mapping[str, Image] | None = None,
        unknown_images: UnknownImages = "refuse",
        timing: Timing | None = None,
        namespace_grace_seconds: float = GRACE_SECONDS,
        static_nodes: bool = False,
        share_processes: bool | None = None,
        port: int = 0,
        folder: Path | None = None,
    ) -> None:
        """Allocates nothing yet.

        Args:
            nodes: names of nodes that are in no pool; None: one, if there are no pools either.
            pools: pools of nodes, to begin with.
            kubernetes_version: the release that controllers, scheduler and kubelets behave like; one of ``RELEASES``.
                The API server is that of the same release, or of the latest with classic DRA.
            feature_gates: feature gates to switch on or off, in all parts of the cluster.
            runtime_config: API versions to serve or not, such as ``{"resource.k8s.io/v1beta1": True}``.
            scheduler: makes what schedules pods; None: the cluster's own scheduler.
            images: what stands for images that bring programs of their own; see ``kubelet.images``.
            unknown_images: what becomes of a container of any other image whose command is missing or not on this
                machine: refused, or it sleeps, and its probes succeed.
            timing: how soon kubelets try again; None: as real ones, which is up to 90 s after claims could not be
                prepared.
            namespace_grace_seconds: how long the contents of a namespace outlive its deletion; by default as on a real
                cluster.
            static_nodes: whether Nodes without a kubelet stay as they are: the node lifecycle controller is left out.
                As on a real cluster without that controller, each new Node keeps its not-ready taint.
            share_processes: whether containers of images that have a ``Host`` run in one process for all nodes; None:
                from ``SHARING_NODES`` on.
            port: the API server's port on loopback; 0: any that is free.
            folder: where to keep the nodes' files; None: a new folder, which is removed in the end. Its path must be
                short, since the sockets of plugins are below it: at most 107 bytes for each.

        Raises:
            ClusterError: the release is unknown, or does not have one of the gates or API versions; or two nodes have
                the same name, or there are too many.
        """
        if nodes is None:
            nodes = () if pools else (DEFAULT_NODE,)
        check_pools(pools)
        first_nodes: Sequence[tuple[str, NodePool | None]] = [
            *((name, None) for name in nodes),
            *((node_name(pool, number), pool) for pool in pools for number in range(1, pool.count + 1)),
        ]
        if len({name for name, _ in first_nodes}) != len(first_nodes):
            raise ClusterError("two nodes have the same name")
        self.release = find_release(kubernetes_version).with_gates(feature_gates or {})
        """What the cluster behaves like, with the feature gates that were switched."""
        server_release = self.release.name if self.release.api_server else DEFAULT.name
        self.server = ApiServer(
            port=port,
            kubernetes_version=server_release,
            feature_gates=feature_gates,
            runtime_config=runtime_config,
            admits_accounts=True,
        )
        self._make_scheduler = scheduler or partial(make_scheduler, release=self.release)
        self.kubernetes_version = kubernetes_version
        self.pools = {pool.name: pool for pool in pools}
        """By name. ``add_pool`` adds one."""
        self._warden = Warden()
        self._nodes = ClusterNodes(self.server, self._warden)
        self._first_nodes = first_nodes
        self._components: dict[str, Component] = {}
        # By name, as ``kube-scheduler``.
        self.faults = ClusterFaults(self.server, self._nodes, self._components)
        """What can go wrong, on demand."""
        self._images = Images(images, unknown=unknown_images)
        self._timing = timing or Timing()
        self._namespace_grace_seconds = namespace_grace_seconds
        self._static_nodes = static_nodes
        self._share_processes = share_processes
        self.hosts: Hosts | None = None
        """The processes that nodes share, while it runs."""
        self._port = port
        self.notes: dict[str, str] = {}
        """What ``cluster status`` tells about it, beside what it knows itself."""
        self._given_folder = folder
        self._folder: Path | None = None
        self._client: Client | None = None
        self._leave = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # --- start and stop ---

    async def __aenter__(self) -> Self:
        """Starts everything. A start that fails leaves nothing behind.

        Raises:
            ClusterError: the port is in use.
            OSError: the folder cannot be made.
        """
        ready = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(ready), name="cluster")
        try:
            await asyncio.wait((self._task, ready), return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not ready.done():
                self._task.cancel()
                await asyncio.wait((self._task,))
        if not ready.done():
            self._task.result()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stops everything. Raises what a part of the cluster has failed with."""
        await self._stop()

    async def wait(self) -> None:
        """Waits until the cluster has ended: by ``end``, or since a part of it has failed; leaving raises the error."""
        if self._task is not None:
            await asyncio.wait((self._task,))

    def end(self) -> None:
        """Has the cluster end by itself; it is to be left all the same."""
        self._leave.set()

    async def _stop(self) -> None:
        """Ends the cluster's task, which ends even if the caller is cancelled while it waits."""
        self.end()
        if self._task is not None:
            await asyncio.shield(self._task)

    async def _run(self, ready: asyncio.Future[None]) -> None:
        try:
            async with contextlib.AsyncExitStack() as stack:
                stack.push_async_callback(self._warden.close)  # once the folder is gone, or it would remove that too
                self._folder = await stack.enter_async_context(folder_of_cluster(self._given_folder))
                await self._warden.start(self._folder if self._given_folder is None else None)
                await self._start_server(stack)
                async with asyncio.TaskGroup() as group, contextlib.AsyncExitStack() as parts:
                    await self._start_control_plane(group, parts)
                    await self._start_nodes(group, parts)
                    handlers = {"fault": FaultCommand(self.faults).run, "command": ClusterCommand(self).run}
                    await parts.enter_async_context(serving(self._folder, handlers))
                    log.info("Cluster is ready", folder=str(self._folder), nodes=len(self.nodes))
                    ready.set_result(None)
                    await self._leave.wait()
        finally:
            self._folder = self._client = self.hosts = None
            self._components.clear()

    async def _start_control_plane(self, group: asyncio.TaskGroup, parts: contextlib.AsyncExitStack) -> None:
        make = partial(
            make_controllers,
            release=self.release,
            root_certificate=self.server.certificate,
            namespace_grace_seconds=self._namespace_grace_seconds,
            node_lifecycle=not self._static_nodes,
        )

        def make_all(client: Client, cache: Cache, events: EventRecorder) -> Sequence[Controller]:
            # KWOK's part is in the same program, since what it watches is in its cache already.
            return (*make(client, cache, events), *make_kwok_controllers(client, cache))

        for program in (
            Program("kube-controller-manager", "kube-controller-manager", make_all),
            Program("kube-scheduler", "default-scheduler", self._make_scheduler),
        ):
            component = self._components[program.name] = Component(program, self.server, group)
            component.start()
            parts.push_async_callback(component.stop)

    async def _start_nodes(self, group: asyncio.TaskGroup, parts: contextlib.AsyncExitStack) -> None:
        def has_kubelet(node: str) -> bool:
            return self.machine(node) is not None

        self.server.logs = logs = PodLogs(has_kubelet=has_kubelet)
        self.server.sessions = sessions = PodSessions(has_kubelet=has_kubelet)
        tokens = self.server.client("kubelet")
        parts.push_async_callback(tokens.close)
        await asyncio.to_thread(self._images.unpack, self.folder / "images")
        self.hosts = await parts.enter_async_context(
            Hosts(self.folder, warden=self._warden, are_wanted=self._shares_processes)
        )
        options = KubeletOptions(
            node_name="",
            root=self.folder,
            socket_folders=await parts.enter_async_context(SocketFolders()),
            kubernetes_version=self.kubernetes_version,
            images=self._images,
            kubeconfig=ServiceAccountKubeconfig(tokens, self.server.url, self.server.certificate),
            logs=logs,
            sessions=sessions,
            timing=self._timing,
        )
        self._nodes.open(group, options, self.hosts)
        parts.push_async_callback(self._nodes.close)
        await self._nodes.start(self._first_nodes)

    def _shares_processes(self) -> bool:
        return self._nodes.expected >= SHARING_NODES if self._share_processes is None else self._share_processes

    async def _start_server(self, stack: contextlib.AsyncExitStack) -> None:
        try:
            await stack.enter_async_context(self.server)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            taken = f"Port {self._port} of this machine cannot be listened on ({reason})"
            raise ClusterError(f"{taken}. Choose another one, or 0 for any that is free") from error
        await asyncio.to_thread(self.server.write_kubeconfig, self.kubeconfig)
        self._client = self.server.client(_FIELD_MANAGER)
        stack.push_async_callback(self._client.close)

    # --- parts ---

    @property
    def folder(self) -> Path:
        """Everything on disk, while it runs."""
        if self._folder is None:
            raise ClusterError("The cluster does not run")
        return self._folder

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig, which only the owner of this process can read."""
        return self.folder / KUBECONFIG

    @property
    def client(self) -> Client:
        """A client with all rights."""
        if self._client is None:
            raise ClusterError("The cluster does not run")
        return self._client

    def node_root(self, name: str | None = None) -> Path:
        """The folder that is the root file system of a node; without a name, of the first node.

        Raises:
            ClusterError: there is no node of that name.
        """
        return self._node(name).root

    @property
    def image_names(self) -> Collection[str]:
        """The images that something stands for."""
        return self._images.names

    @property
    def nodes(self) -> Sequence[str]:
        """The names of the nodes with a kubelet, in the order in which they were added; at first and at last those with
        which it starts."""
        if self._folder is None:
            return tuple(name for name, pool in self._first_nodes if pool is None or not pool.simulated)
        return tuple(self._nodes)

    def embedded_nodes(self) -> Sequence[EmbeddedNode]:
        """The nodes with a kubelet, while it runs, in their order."""
        return list(self._nodes.values())

    def machine(self, name: str) -> EmbeddedNode | None:
        """The node of a name; None: it has no kubelet, or is not there."""
        return self._nodes.get(name)

    def nodes_of_pool(self, pool: str) -> Sequence[str]:
        """The names of the nodes of a pool that have started and stay; empty: of those that are in none.

        Raises:
            ClusterError: there is no such pool.
        """
        return self._nodes.of_pool(self._pool(pool))

    def _node(self, name: str | None) -> EmbeddedNode:
        found = self._nodes.get(name or next(iter(self._nodes), ""))
        if found is None:
            raise ClusterError(f"There is no node {name} in this cluster, or the cluster does not run")
        return found

    def _pool(self, name: str) -> NodePool | None:
        if name and name not in self.pools:
            raise no_such("node pool", name, self.pools)
        return self.pools[name] if name else None

    async def wait_until(
        self, what: str, question: Callable[[], Awaitable[T | None]], timeout_seconds: float = 60
    ) -> T:
        """Asks again and again until the answer is true, and returns it.

        Raises:
            TimeoutError: it has not come true in time; ``what`` is in the message.
        """
        try:
            async with asyncio.timeout(timeout_seconds):
                while not (answer := await question()):  # noqa: ASYNC110 - what is asked for may be in other processes
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError as error:
            raise TimeoutError(f"after {timeout_seconds:g} s it is still not true that {what}") from error
        return answer

    # --- nodes that come and go ---

    async def add_nodes(self, pool: str = "", count: int = 1) -> Sequence[str]:
        """Adds nodes to a pool, and waits until they are registered. Returns their names.

        They get the lowest numbers that are free. If cancelled, the nodes are added all the same.

        Args:
            pool: its name; empty: to those that are in none.
            count: how many.

        Raises:
            ClusterError: there is no such pool, more nodes do not fit, or one could not be started.
        """
        return await self._nodes.add(self._pool(pool), count)

    async def add_pool(self, pool: NodePool) -> Sequence[str]:
        """Adds a pool with its nodes. Returns their names.

        Raises:
            ClusterError: as ``add_nodes``; or there is a pool of that name.
        """
        check_pools([*self.pools.values(), pool])
        self.pools[pool.name] = pool
        return await self._nodes.add(pool, pool.count)

    async def remove_node(self, name: str) -> None:
        """Removes a node, as when a cloud takes its machine: nothing on it is asked to stop, and its pods are deleted.

        Returns when its containers, its files, its Node and its pods are gone; what the Node owns follows. It may still
        be starting. If cancelled, the node goes all the same.

        Raises:
            ClusterError: there is no such node, it is being removed already, or the API server does not delete it.
        """
        await self._nodes.remove(name)

    async def cordon(self, name: str) -> bool:
        """Has no pods scheduled on a node. Returns whether that is new. Raises ClusterError: there is no such node."""
        return await self._nodes.cordon(name, unschedulable=True)

    async def uncordon(self, name: str) -> bool:
        """Has pods scheduled on a node again. Returns whether that is new. Raises ClusterError as ``cordon``."""
        return await self._nodes.cordon(name, unschedulable=False)

    # --- manifests ---

    async def apply(self, *sources: Path | str | Mapping[str, Any]) -> None:
        """Creates or updates objects by server-side apply, in the order given.

        Args:
            sources: files of YAML, texts of YAML, or objects.

        Raises:
            ClusterError: a document is not an object, or its kind is not served.
            ApiError: the API server refuses an object.
        """
        for document in await asyncio.to_thread(read_documents, *sources):
            kind, key = self._kind_and_key(document)
            await self.client.apply(kind, key, document.manifest, field_manager=_FIELD_MANAGER, force=True)

    async def delete(self, *sources: Path | str | Mapping[str, Any]) -> None:
        """Deletes objects in the order given, without waiting for their end. Missing objects count as deleted.

        Raises:
            ClusterError, ApiError: as ``apply``.
        """
        for document in await asyncio.to_thread(read_documents, *sources):
            kind, key = self._kind_and_key(document)
            with contextlib.suppress(NotFoundError):
                await self.client.delete(kind, key)

    def _kind_and_key(self, document: Document) -> tuple[type[KubeObject], NamespacedName]:
        found = self.server.registry.by_kind(document.api_version, document.kind)
        if found is None:
            what = f"the kind {document.kind} in {document.api_version}"
            raise ClusterError(f"The cluster does not serve {what}, of {document.origin}: install its CRD first")
        namespace = (document.namespace or "default") if found.namespaced else ""
        return _class_of(found), NamespacedName(namespace, document.name)

    def kind(self, name: str) -> type[KubeObject]:
        """A kind that the cluster serves, for ``client``; its objects have all of their fields in ``to_wire()``.

        Args:
            name: as kubectl takes it: the plural, the singular or a short name, perhaps with its group.

        Raises:
            ClusterError: there is none of that name.
        """
        return _class_of(find_resource(self.server.registry, name))


def _class_of(found: Resource) -> type[KubeObject]:
    place = ResourceKind(found.group, found.version, found.kind, found.plural, namespaced=found.namespaced)
    return type(found.kind, (KubeObject,), {"resource": place, "__module__": __name__})

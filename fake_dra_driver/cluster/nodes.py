"""The nodes of a running cluster, which come and go as those of a cloud: alone, or as nodes of a pool.

Each node is a task from its start to its end, in which nothing else starts or ends it; so whoever asks for one or the
other may be cancelled, and may ask while the node is still starting. A name is given again once all is gone that had
it. A node that is removed has lost its machine: its kubelet and its containers end without a word, then its Node is
deleted, as by a cloud's controller (k8s.io/cloud-provider/controllers/nodelifecycle), with its pods, and at last its
folder. What the Node owns, such as its Lease and ResourceSlices, goes by garbage collection.
"""

import asyncio
import contextlib
import itertools
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from loguru import logger
from typing_extensions import override

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.cluster.controllers.podgc import delete_orphan
from fake_dra_driver.cluster.errors import ClusterError, listed, no_such
from fake_dra_driver.cluster.kinds import Node, Pod
from fake_dra_driver.cluster.kubelet.containerruntime.hosts import Hosts
from fake_dra_driver.cluster.kubelet.kubelet import KubeletOptions
from fake_dra_driver.cluster.node import EmbeddedNode
from fake_dra_driver.cluster.nodepool import NodePool, check_counts, node_name
from fake_dra_driver.cluster.poolnode import node_manifest, node_options
from fake_dra_driver.cluster.warden import Warden
from fake_dra_driver.runtime.backoff import Backoff
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.clock import loop_time, utc_now
from fake_dra_driver.runtime.errors import NotFoundError, RuntimeLayerError

__all__ = ["ClusterNodes"]

log = logger.bind(component="nodes")

_STARTING_AT_ONCE: Final = 16
"""More would not be faster, and each waits the longer for its first answer."""
_REMOVAL_SECONDS: Final = 120.0
"""For the API server to delete a node and its pods; it may be away for 100 s (``restart-apiserver``)."""


@dataclass(slots=True)
class _Life:
    """One node, from its start to its end."""

    name: str
    pool: NodePool | None
    """None: it is a node by itself."""
    folder: str
    started: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it is there, or could not be started."""
    leave: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    is_removed: bool = False
    """Whether it leaves for good, and not because the cluster ends."""
    problem: BaseException | None = None
    """Why it could not be started or removed."""


class ClusterNodes(Mapping[str, EmbeddedNode]):
    """The nodes; as a mapping, those with a kubelet that have started, by name, in the order in which they were added.

    Args:
        server: the API server.
        warden: ends containers when this process is killed.
    """

    def __init__(self, server: ApiServer, warden: Warden) -> None:
        self._server = server
        self._warden = warden
        self._lives: dict[str, _Life] = {}
        self._embedded: dict[str, EmbeddedNode] = {}
        self._folders = itertools.count()
        self._starting = asyncio.Semaphore(_STARTING_AT_ONCE)
        self._hosts: Hosts | None = None
        self._running: tuple[asyncio.TaskGroup, KubeletOptions, Client] | None = None

    @override
    def __getitem__(self, name: str) -> EmbeddedNode:
        return self._embedded[name]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter([name for name in self._lives if name in self._embedded])

    @override
    def __len__(self) -> int:
        return len(self._embedded)

    @property
    def expected(self) -> int:
        """How many have a kubelet, or will have one once they have started."""
        return sum(not _is_simulated(life.pool) for life in self._lives.values())

    def of_pool(self, pool: NodePool | None) -> Sequence[str]:
        """The names of the nodes of a pool, or of none, that have started and stay, in the order of their coming."""
        return [
            life.name
            for life in self._lives.values()
            if life.pool == pool and life.started.is_set() and not life.leave.is_set()
        ]

    # --- start and stop ---

    def open(self, group: asyncio.TaskGroup, options: KubeletOptions, hosts: Hosts) -> None:
        """From now on there may be nodes.

        Args:
            group: the parent of their tasks.
            options: of their kubelets; name and what a pool says are filled in, and the root is below the one here.
            hosts: run programs of containers in processes that all nodes share.
        """
        self._hosts = hosts
        # As the part of a real cluster that asks the cloud for its machines.
        self._running = group, options, self._server.client("cloud-controller-manager")

    async def close(self) -> None:
        """Ends all of them, and waits for that. Their objects stay: the cluster that has them ends as well."""
        if self._running is None:
            return
        (_, _, client), self._running = self._running, None
        lives = list(self._lives.values())
        for life in lives:
            life.leave.set()
        for life in lives:
            await life.ended.wait()
        await client.close()

    # --- nodes come ---

    async def start(self, names: Sequence[tuple[str, NodePool | None]]) -> None:
        """Starts nodes, and waits until all of them are registered.

        If cancelled, they start all the same.

        Raises:
            ClusterError: the cluster does not run; a name is taken, or more nodes do not fit, and none is started; or
                some could not be started: the others are there.
        """
        group = self._parts()[0]
        self._check(names)
        lives = [_Life(name, pool, f"n{next(self._folders)}") for name, pool in names]
        for life in lives:
            self._lives[life.name] = life
            group.create_task(self._live(life), name=f"node {life.name}")
        for life in lives:
            await life.started.wait()
        failed = [life for life in lives if life.problem is not None]
        if failed:
            raise ClusterError(
                f"{listed(life.name for life in failed)} could not be started: {failed[0].problem}"
            ) from failed[0].problem

    async def add(self, pool: NodePool | None, count: int) -> Sequence[str]:
        """Starts more nodes of a pool, or of none, with the lowest numbers that are free. Returns their names.

        Raises:
            ClusterError: as ``start``.
        """
        candidates = (node_name(pool, number) for number in itertools.count(1))
        names = list(itertools.islice((name for name in candidates if name not in self._lives), count))
        await self.start([(name, pool) for name in names])
        return names

    def _check(self, names: Sequence[tuple[str, NodePool | None]]) -> None:
        for name, _ in names:
            if (known := self._lives.get(name)) is not None:
                what = "being removed still" if known.is_removed else "there already"
                raise ClusterError(f"The node {name} is {what}")
        pools = [*(life.pool for life in self._lives.values()), *(pool for _, pool in names)]
        is_simulated = [_is_simulated(pool) for pool in pools]
        check_counts(is_simulated.count(False), is_simulated.count(True))

    # --- nodes go ---

    async def remove(self, name: str) -> None:
        """Takes a node away, also one that is still starting, and waits until nothing is left of it.

        If cancelled, it goes all the same.

        Raises:
            ClusterError: there is no such node, it is being removed already, or the API server does not delete it.
        """
        self._parts()
        life = self._lives.get(name)
        if life is None:
            raise no_such("node", name, self._lives)
        if life.is_removed:
            raise ClusterError(f"The node {name} is being removed already")
        life.is_removed = True
        life.leave.set()
        await life.ended.wait()
        if life.problem is not None:
            raise ClusterError(f"The node {name} was not removed as a whole: {life.problem}") from life.problem

    async def cordon(self, name: str, *, unschedulable: bool) -> bool:
        """Marks a node as unschedulable, or no longer. Returns whether it was not so already. Raises ClusterError."""
        client = self._parts()[2]
        key = NamespacedName("", name)
        try:
            node = await client.get(Node, key)
        except NotFoundError:
            raise no_such("node", name, self._lives) from None
        if node.spec.unschedulable == unschedulable:
            return False
        await client.merge_patch(Node, key, {"spec": {"unschedulable": unschedulable or None}})
        return True

    # --- the life of one node ---

    async def _live(self, life: _Life) -> None:
        """Never raises: who waits for the node gets what went wrong."""
        try:
            async with self._machine(life):
                life.started.set()
                await life.leave.wait()
            if life.is_removed:
                await self._forget(life)
        except (RuntimeLayerError, OSError) as error:
            life.problem = error
            if not life.started.is_set():
                await self._forget_failed(life)
        finally:
            del self._lives[life.name]
            life.started.set()
            life.ended.set()

    @contextlib.asynccontextmanager
    async def _machine(self, life: _Life) -> AsyncIterator[None]:
        """The node as long as it is switched on. Raises RuntimeLayerError or OSError when it cannot be started."""
        group, options, client = self._parts()
        if life.pool is not None and life.pool.simulated:
            async with self._starting:
                await client.create(Node.from_wire(node_manifest(life.pool, life.name)))
            yield
            return
        options = node_options(options, life.name, options.root / life.folder, life.pool)
        node = EmbeddedNode(self._server, options, group, self._warden, self._hosts)
        async with contextlib.AsyncExitStack() as stack:
            async with self._starting:
                await stack.enter_async_context(node)
            self._embedded[life.name] = node
            try:
                yield
            finally:
                del self._embedded[life.name]

    async def _forget_failed(self, life: _Life) -> None:
        """Removes what is left of a node that has not started."""
        try:
            await self._forget(life)
        except (RuntimeLayerError, OSError) as error:
            log.warning("Node that has not started was not removed as a whole", node=life.name, error=str(error))

    async def _forget(self, life: _Life) -> None:
        """Deletes the Node, its pods and its folder. Raises RuntimeLayerError or OSError."""
        try:
            await self._delete_objects(life.name)
        finally:
            if self._running is not None:
                await asyncio.to_thread(_remove, self._running[1].root / life.folder)

    async def _delete_objects(self, name: str) -> None:
        """Raises the last RuntimeLayerError when the API server does not do it in time, or the cluster ends."""
        backoff, deadline = Backoff(0.2, 2.0), loop_time() + _REMOVAL_SECONDS
        while self._running is not None:
            client = self._running[2]
            try:
                await _delete_node(client, name)
                return
            except RuntimeLayerError as error:
                if loop_time() > deadline:
                    raise
                log.warning("Node not deleted, trying again", node=name, error=str(error))
            await asyncio.sleep(backoff.next())

    def _parts(self) -> tuple[asyncio.TaskGroup, KubeletOptions, Client]:
        if self._running is None:
            raise ClusterError("The cluster does not run")
        return self._running


async def _delete_node(client: Client, name: str) -> None:
    """Deletes a Node, then the pods that are bound to it: no pod can be bound any more by who knows of the deletion."""
    with contextlib.suppress(NotFoundError):
        await client.delete(Node, NamespacedName("", name))
    for pod in (await client.list(Pod, field_selector=f"spec.nodeName={name}")).items:
        await delete_orphan(client, pod, utc_now())


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _is_simulated(pool: NodePool | None) -> bool:
    return pool is not None and pool.simulated

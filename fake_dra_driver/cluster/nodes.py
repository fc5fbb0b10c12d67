"""The nodes of a running cluster, which come and go as those of a cloud: alone, or as nodes of a pool.

Each node is a task from its start to its end, in which nothing else starts or ends it; so whoever asks for one or the
other may be cancelled, and may ask while the node is still starting. A name is given again once all is gone that had
it. A node that is removed has lost its machine: its kubelet and its containers end without a word, then its Node is
deleted, as by a cloud's controller (k8s.io/cloud-provider/controllers/nodelifecycle), with its pods, and at last its
folder. What the Node owns, such as its Lease and ResourceSlices, goes by garbage collection.

Others create and delete Nodes as well, by the API. A Node that somebody else has created is left alone, and its name is
not given to another; a simulated node whose Node was deleted is gone.
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

from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.cluster.errors import ClusterError, listed, no_such
from fake_dra_driver.cluster.kubelet.containerruntime.hosts import Hosts
from fake_dra_driver.cluster.kubelet.kubelet import KubeletOptions
from fake_dra_driver.cluster.node import EmbeddedNode
from fake_dra_driver.cluster.nodeobjects import NodeObjects
from fake_dra_driver.cluster.nodepool import NodePool, check_counts, node_name
from fake_dra_driver.cluster.poolnode import node_manifest, node_options
from fake_dra_driver.cluster.warden import Warden
from fake_dra_driver.runtime.errors import AlreadyExistsError, NotFoundError, RuntimeLayerError

__all__ = ["ClusterNodes"]

log = logger.bind(component="nodes")

_STARTING_AT_ONCE: Final = 16
"""More would not be faster, and each waits the longer for its first answer."""


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
    has_node: bool = False
    """Whether the Node of its name is its own, once there is one."""
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
        self._running: tuple[asyncio.TaskGroup, KubeletOptions, NodeObjects] | None = None

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
        gone = {life.name for life in self._deleted_by_others()}
        return [
            life.name
            for life in self._lives.values()
            if life.pool == pool and life.started.is_set() and not life.leave.is_set() and life.name not in gone
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
        self._running = group, options, NodeObjects(self._server)

    async def close(self) -> None:
        """Ends all of them, and waits for that. Their objects stay: the cluster that has them ends as well."""
        if self._running is None:
            return
        (_, _, objects), self._running = self._running, None
        objects.end()
        lives = list(self._lives.values())
        for life in lives:
            life.leave.set()
        for life in lives:
            await life.ended.wait()
        await objects.close()

    # --- nodes come ---

    async def start(self, names: Sequence[tuple[str, NodePool | None]]) -> None:
        """Starts nodes, and waits until all of them are registered.

        If cancelled, they start all the same.

        Raises:
            ClusterError: the cluster does not run; a name is taken, or more nodes do not fit, and none is started; or
                some could not be started: the others are there.
        """
        group, _, objects = self._parts()
        await self._forget_deleted()
        self._check([name for name, _ in names], objects)
        pools = [*(life.pool for life in self._lives.values()), *(pool for _, pool in names)]
        is_simulated = [_is_simulated(pool) for pool in pools]
        check_counts(is_simulated.count(False), is_simulated.count(True))
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
        self._check_running()

    async def add(self, pool: NodePool | None, count: int) -> Sequence[str]:
        """Starts more nodes of a pool, or of none, with the lowest numbers that are free. Returns their names.

        Raises:
            ClusterError: as ``start``.
        """
        objects = self._parts()[2]
        await self._forget_deleted()
        taken = self._lives.keys() | objects.names()
        candidates = (node_name(pool, number) for number in itertools.count(1))
        names = list(itertools.islice((name for name in candidates if name not in taken), count))
        await self.start([(name, pool) for name in names])
        return names

    def _check(self, names: Sequence[str], objects: NodeObjects) -> None:
        """Raises ClusterError where a name cannot be given to a node."""
        for name in names:
            if (known := self._lives.get(name)) is not None:
                what = "being removed still" if known.is_removed else "there already"
                raise ClusterError(f"The node {name} is {what}")
        if others := objects.names().intersection(names):
            raise ClusterError(f"There are Nodes of these names, which the cluster did not create: {listed(others)}")

    # --- nodes go ---

    async def remove(self, name: str) -> None:
        """Takes a node away, also one that is still starting, and waits until nothing is left of it.

        If cancelled, it goes all the same.

        Raises:
            ClusterError: there is no such node, it is being removed already, or the API server does not delete it.
        """
        objects = self._parts()[2]
        await self._forget_deleted()
        life = self._lives.get(name)
        if life is None and name in objects.names():
            raise ClusterError(
                f"The cluster did not create the Node {name}: remove it with 'kubectl delete node {name}'"
            )
        if life is None:
            raise no_such("node", name, self._lives)
        if life.is_removed:
            raise ClusterError(f"The node {name} is being removed already")
        life.is_removed = True
        life.leave.set()
        await life.ended.wait()
        if life.problem is not None:
            raise ClusterError(f"The node {name} was not removed as a whole: {life.problem}") from life.problem
        self._check_running()

    async def cordon(self, name: str, *, unschedulable: bool) -> bool:
        """Marks a node as unschedulable, or no longer. Returns whether it was not so already. Raises ClusterError."""
        objects = self._parts()[2]
        try:
            return await objects.mark(name, unschedulable=unschedulable)
        except NotFoundError:
            if name in self._embedded:
                raise ClusterError(
                    f"The Node {name} was deleted, and comes back when its kubelet is restarted"
                ) from None
            raise no_such("node", name, objects.names()) from None

    def _deleted_by_others(self) -> Sequence[_Life]:
        """The simulated nodes of which the API server has no Node any more."""
        if self._running is None:
            return ()
        names = self._running[2].names()
        return [
            life
            for life in self._lives.values()
            if _is_simulated(life.pool) and life.started.is_set() and not life.leave.is_set() and life.name not in names
        ]

    async def _forget_deleted(self) -> None:
        """Gives the names of nodes free whose Node was deleted by others."""
        deleted = self._deleted_by_others()
        for life in deleted:
            life.leave.set()
        for life in deleted:
            await life.ended.wait()

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
        group, options, objects = self._parts()
        if life.pool is not None and life.pool.simulated:
            life.has_node = True
            try:
                async with self._starting:
                    await objects.create(node_manifest(life.pool, life.name))
            except AlreadyExistsError:
                life.has_node = False
                raise
            yield
            return
        options = node_options(options, life.name, options.root / life.folder, life.pool)
        node = EmbeddedNode(self._server, options, group, self._warden, self._hosts)
        async with contextlib.AsyncExitStack() as stack:
            async with self._starting:
                # A kubelet takes over a Node that is there.
                life.has_node = life.name not in objects.names()
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
        if self._running is None:
            return
        _, options, objects = self._running
        try:
            if life.has_node:
                await objects.delete(life.name)
        finally:
            await asyncio.to_thread(_remove, options.root / life.folder)

    def _parts(self) -> tuple[asyncio.TaskGroup, KubeletOptions, NodeObjects]:
        if self._running is None:
            raise ClusterError("The cluster does not run")
        return self._running

    def _check_running(self) -> None:
        """Raises ClusterError once all nodes have ended, with the cluster."""
        if self._running is None:
            raise ClusterError("The cluster has ended meanwhile")


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _is_simulated(pool: NodePool | None) -> bool:
    return pool is not None and pool.simulated

"""Commands to a running cluster by name, for the command line: nodes that come and go, how it is, and its end.

Options in, JSON out: a sentence about what was done, or what there is. What is so already is said, and is no error, as
with ``kubectl cordon``; what cannot be done is a ClusterError.
"""

import asyncio
import inspect
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.cluster.conditions import is_true
from fake_dra_driver.cluster.devicecounts import devices_by_node
from fake_dra_driver.cluster.errors import ClusterError, listed, no_such
from fake_dra_driver.cluster.kinds import Node
from fake_dra_driver.cluster.node import EmbeddedNode
from fake_dra_driver.cluster.nodepool import POOL_LABEL, NodePool
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.clock import utc_now

__all__ = ["ClusterCommand", "CommandableCluster"]


class CommandableCluster(Protocol):
    """What the commands need of a cluster; ``Cluster`` has the words."""

    kubernetes_version: str
    server: ApiServer
    pools: dict[str, NodePool]
    notes: dict[str, str]

    @property
    def client(self) -> Client: ...

    @property
    def folder(self) -> Path: ...

    @property
    def kubeconfig(self) -> Path: ...

    def machine(self, name: str) -> EmbeddedNode | None: ...

    def nodes_of_pool(self, pool: str) -> Sequence[str]: ...

    async def add_nodes(self, pool: str = "", count: int = 1) -> Sequence[str]: ...

    async def remove_node(self, name: str) -> None: ...

    async def cordon(self, name: str) -> bool: ...

    async def uncordon(self, name: str) -> bool: ...

    def end(self) -> None: ...


class ClusterCommand:
    """Carries out what ``fake-dra-driver cluster node``, ``cluster status`` and ``cluster down`` ask for.

    Its methods have the options as arguments.
    """

    def __init__(self, cluster: CommandableCluster) -> None:
        self._cluster = cluster
        self._since = utc_now()
        self._commands: Mapping[str, Callable[..., Awaitable[Any]]] = {
            "node-add": self._add,
            "node-remove": self._remove,
            "node-cordon": self._cordon,
            "node-uncordon": self._uncordon,
            "status": self._status,
            "down": self._down,
        }

    async def run(self, command: str, options: Mapping[str, Any]) -> Any:
        """Does it. Returns what was done, or what there is.

        Raises:
            ClusterError: there is no such command, its options do not fit, or it cannot be done.
            RuntimeLayerError: the API server does not answer.
        """
        found = self._commands.get(command)
        if found is None:
            raise no_such("command", command, self._commands)
        try:
            inspect.signature(found).bind(**options)
        except TypeError as error:
            raise ClusterError(
                f"The cluster is of another version, and its {command} has other options: {error}"
            ) from error
        return await found(**options)

    # --- nodes ---

    async def _add(self, *, pool: str = "", count: int = 1) -> str:
        if not pool and len(self._cluster.pools) == 1 and not self._cluster.nodes_of_pool(""):
            (pool,) = self._cluster.pools
        elif not pool and self._cluster.pools:
            raise ClusterError(f"Name the pool to add a node to. There are: {listed(self._cluster.pools)}")
        names = await self._cluster.add_nodes(pool, count)
        return f"added: {listed(names)}"

    async def _remove(self, *, nodes: Sequence[str]) -> str:
        problems = await asyncio.gather(*map(self._problem_of_removal, nodes))
        removed = [name for name, problem in zip(nodes, problems, strict=True) if problem is None]
        failed = [str(problem) for problem in problems if problem is not None]
        if failed:
            done = f" Removed: {listed(removed)}" if removed else ""
            raise ClusterError(f"{'; '.join(failed)}{done}")
        return f"removed: {listed(removed)}"

    async def _problem_of_removal(self, name: str) -> ClusterError | None:
        try:
            await self._cluster.remove_node(name)
        except ClusterError as error:
            return error
        return None

    async def _cordon(self, *, nodes: Sequence[str]) -> str:
        new = [name for name in nodes if await self._cluster.cordon(name)]
        return f"cordoned: {listed(new)}" if new else f"cordoned already: {listed(nodes)}"

    async def _uncordon(self, *, nodes: Sequence[str]) -> str:
        new = [name for name in nodes if await self._cluster.uncordon(name)]
        return f"uncordoned: {listed(new)}" if new else f"not cordoned: {listed(nodes)}"

    # --- the cluster ---

    async def _status(self) -> Mapping[str, Any]:
        nodes = (await self._cluster.client.list(Node)).items
        devices = await devices_by_node(self._cluster.server)
        return {
            "kubernetesVersion": self._cluster.kubernetes_version,
            "since": self._since.isoformat(),
            "process": os.getpid(),
            "kubeconfig": str(self._cluster.kubeconfig),
            "server": self._cluster.server.url,
            **self._cluster.notes,
            "pools": [pool.model_dump(exclude_defaults=True) for pool in self._cluster.pools.values()],
            "nodes": [self._node(node, devices.get(node.metadata.name, 0)) for node in nodes],
        }

    def _node(self, node: Node, devices: int) -> Mapping[str, Any]:
        name, allocatable = node.metadata.name, node.status.allocatable
        pool = self._cluster.pools.get(node.metadata.labels.get(POOL_LABEL, ""))
        machine = self._cluster.machine(name)
        return {
            "name": name,
            "pool": pool.name if pool is not None else "",
            "profile": pool.profile if pool is not None else "",
            "isSimulated": machine is None,
            "isReady": is_true(node.status.conditions, "Ready"),
            "isOn": machine is None or machine.is_on,
            "isCordoned": node.spec.unschedulable,
            **{resource: str(allocatable.get(resource, "")) for resource in ("cpu", "memory", "pods")},
            "devices": devices,
            "since": _wire(node.metadata.creation_timestamp),
        }

    async def _down(self) -> str:
        # The answer is on its way when it ends.
        asyncio.get_running_loop().call_soon(self._cluster.end)
        return str(self._cluster.folder)


def _wire(at: datetime | None) -> str:
    return at.isoformat() if at is not None else ""

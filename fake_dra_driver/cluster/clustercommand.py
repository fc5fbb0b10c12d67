"""Commands to a running cluster by name, for the command line: nodes that come and go, how it is, and its end.

Options in, JSON out: a sentence about what was done, or what there is. What is so already is said, and is no error, as
with ``kubectl cordon``; what cannot be done is a ClusterError.
"""

import asyncio
import inspect
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.cluster.conditions import is_true
from fake_dra_driver.cluster.devicecounts import devices_by_node
from fake_dra_driver.cluster.errors import ClusterError, listed, no_such
from fake_dra_driver.cluster.kinds import Node
from fake_dra_driver.cluster.node import EmbeddedNode
from fake_dra_driver.cluster.nodepool import POOL_LABEL, NodePool
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.clock import utc_now
from fake_dra_driver.runtime.errors import RuntimeLayerError

__all__ = ["ClusterCommand", "CommandableCluster"]

_NO_POOL: Final = "-"
"""In place of a pool's name; no pool can have it."""


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

    @property
    def nodes(self) -> Sequence[str]: ...

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
        pools = self._cluster.pools
        if not pool and len(pools) == 1 and not self._cluster.nodes_of_pool(""):
            (pool,) = pools
        elif not pool and pools:
            raise ClusterError(
                f"Name the pool to add a node to, or {_NO_POOL} for a node that is in none. There are: {listed(pools)}"
            )
        names = await self._cluster.add_nodes("" if pool == _NO_POOL else pool, count)
        return f"added: {listed(names)}"

    async def _remove(self, *, nodes: Sequence[str]) -> str:
        had_kubelets = bool(self._cluster.nodes)
        removed = await _for_each(nodes, self._cluster.remove_node, "removed")
        text = f"removed: {listed(removed)}"
        if self._cluster.nodes or not had_kubelets:
            return text
        word = f" {_NO_POOL}" if self._cluster.pools else ""
        return f"{text}. No node with a kubelet is left, so no container runs: 'cluster node add{word}' adds one"

    async def _cordon(self, *, nodes: Sequence[str]) -> str:
        new = await _for_each(nodes, self._cluster.cordon, "cordoned")
        return f"cordoned: {listed(new)}" if new else f"cordoned already: {listed(set(nodes))}"

    async def _uncordon(self, *, nodes: Sequence[str]) -> str:
        new = await _for_each(nodes, self._cluster.uncordon, "uncordoned")
        return f"uncordoned: {listed(new)}" if new else f"not cordoned: {listed(set(nodes))}"

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


async def _for_each(names: Iterable[str], act: Callable[[str], Awaitable[bool | None]], done: str) -> Sequence[str]:
    """Does something to each node, once. Returns those for which the answer was not that it is so already.

    Raises:
        ClusterError: it cannot be done to some; it says to which it was done.
    """
    changed, problems = [], []

    async def attempt(name: str) -> None:
        try:
            if await act(name) is not False:
                changed.append(name)
        except RuntimeLayerError as error:
            problems.append(str(error))

    await asyncio.gather(*map(attempt, dict.fromkeys(names)))
    if problems:
        sentences = [problem if problem.endswith((".", "?")) else f"{problem}." for problem in problems]
        raise ClusterError(" ".join([*sentences, *([f"{done.capitalize()}: {listed(changed)}"] if changed else ())]))
    return changed


def _wire(at: datetime | None) -> str:
    return at.isoformat() if at is not None else ""

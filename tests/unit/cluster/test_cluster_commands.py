"""What other processes tell a cluster to do with its nodes, and ask it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fake_dra_driver.cluster import DEFAULT_NODE, Cluster, ClusterError, NodePool
from fake_dra_driver.cluster.control import command
from fake_dra_driver.cluster.folder import CONTROL_SOCKET
from fake_dra_driver.cluster.testing import QUICK

GPU = NodePool(name="gpu", count=2, cpu="4", memory="8Gi", profile="some")


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with Cluster(pools=(GPU,), **QUICK) as cluster:
        yield cluster


async def _tell(cluster: Cluster, name: str, **options: Any) -> Any:
    return await command(cluster.folder / CONTROL_SOCKET, name, options)


async def _nodes(cluster: Cluster) -> dict[str, Any]:
    return {node["name"]: node for node in (await _tell(cluster, "status"))["nodes"]}


async def test_nodes_come_and_go(cluster: Cluster) -> None:
    # Its only pool need not be named.
    assert await _tell(cluster, "node-add", count=2) == "added: gpu-3, gpu-4"
    assert await _tell(cluster, "node-remove", nodes=["gpu-1", "gpu-4"]) == "removed: gpu-1, gpu-4"
    await cluster.add_pool(NodePool(name="cpu", count=0))
    with pytest.raises(ClusterError, match=r"Name the pool to add a node to, or - for .* none\. There are: cpu, gpu$"):
        await _tell(cluster, "node-add")
    assert await _tell(cluster, "node-add", pool="cpu") == "added: cpu-1"
    assert set(await _nodes(cluster)) == {"gpu-2", "gpu-3", "cpu-1"}


async def test_some_nodes_are_not_there(cluster: Cluster) -> None:
    with pytest.raises(
        ClusterError, match=r"^There is no node gpu-7\. Did .*\? There is no node x\. .*\. Removed: gpu-1$"
    ):
        await _tell(cluster, "node-remove", nodes=["gpu-7", "gpu-1", "x"])
    assert set(await _nodes(cluster)) == {"gpu-2"}


async def test_a_node_is_named_twice(cluster: Cluster) -> None:
    assert await _tell(cluster, "node-cordon", nodes=["gpu-1", "gpu-1"]) == "cordoned: gpu-1"
    assert await _tell(cluster, "node-cordon", nodes=["gpu-1", "gpu-1"]) == "cordoned already: gpu-1"
    assert await _tell(cluster, "node-remove", nodes=["gpu-1", "gpu-1"]) == "removed: gpu-1"


async def test_the_last_node_with_a_kubelet(cluster: Cluster) -> None:
    assert await _tell(cluster, "node-remove", nodes=["gpu-1", "gpu-2"]) == (
        "removed: gpu-1, gpu-2. No node with a kubelet is left, so no container runs: 'cluster node add -' adds one"
    )
    assert await _tell(cluster, "node-add", pool="-") == f"added: {DEFAULT_NODE}"


async def test_some_nodes_to_cordon_are_not_there(cluster: Cluster) -> None:
    with pytest.raises(ClusterError, match=r"^There is no node x\. There are: gpu-1, gpu-2\. Cordoned: gpu-2$"):
        await _tell(cluster, "node-cordon", nodes=["gpu-2", "x"])


async def test_cordon(cluster: Cluster) -> None:
    assert await _tell(cluster, "node-cordon", nodes=["gpu-1", "gpu-2"]) == "cordoned: gpu-1, gpu-2"
    assert await _tell(cluster, "node-cordon", nodes=["gpu-1"]) == "cordoned already: gpu-1"
    assert [node["isCordoned"] for node in (await _nodes(cluster)).values()] == [True, True]
    assert await _tell(cluster, "node-uncordon", nodes=["gpu-1"]) == "uncordoned: gpu-1"
    assert await _tell(cluster, "node-uncordon", nodes=["gpu-1"]) == "not cordoned: gpu-1"


async def test_status(cluster: Cluster) -> None:
    cluster.notes["log"] = "/some/file"
    await cluster.faults.stop_node("gpu-2")
    status = await _tell(cluster, "status")
    assert {**status, "nodes": [], "since": "", "process": 0} == {
        "kubernetesVersion": "1.30",
        "since": "",
        "process": 0,
        "kubeconfig": str(cluster.kubeconfig),
        "server": cluster.server.url,
        "log": "/some/file",
        "pools": [{"name": "gpu", "count": 2, "cpu": "4", "memory": "8Gi", "profile": "some"}],
        "nodes": [],
    }
    first, second = status["nodes"]
    assert {**first, "since": ""} == {
        "name": "gpu-1",
        "pool": "gpu",
        "profile": "some",
        "isSimulated": False,
        "isReady": True,
        "isOn": True,
        "isCordoned": False,
        "cpu": "4",
        "memory": "8Gi",
        "pods": "110",
        "devices": 0,
        "since": "",
    }
    assert (second["name"], second["isOn"]) == ("gpu-2", False)


async def test_a_cluster_without_pools() -> None:
    async with Cluster(**QUICK) as cluster:
        assert await _tell(cluster, "node-add") == f"added: {DEFAULT_NODE}2"
        assert {node["pool"] for node in (await _nodes(cluster)).values()} == {""}


async def test_down() -> None:
    async with Cluster(nodes=(), **QUICK) as cluster:
        assert await _tell(cluster, "down") == str(folder := cluster.folder)
        await cluster.wait()
        assert not await asyncio.to_thread(folder.exists)


async def test_what_it_does_not_know(cluster: Cluster) -> None:
    with pytest.raises(ClusterError, match=r"There is no command node-ad\. Did you mean node-add\?"):
        await _tell(cluster, "node-ad")
    with pytest.raises(ClusterError, match="The cluster is of another version, and its down has other options: "):
        await _tell(cluster, "down", now=True)

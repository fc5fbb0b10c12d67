"""Nodes of pools, and nodes that come and go."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from fake_dra_driver.api.kube.coordination import Lease
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.cluster import Cluster, ClusterError, NodePool, NodeTaint, nodepool
from fake_dra_driver.cluster.apiserver.errors import StatusError
from fake_dra_driver.cluster.apiserver.verbs.podverbs import Connect
from fake_dra_driver.cluster.kinds import Node, Pod
from fake_dra_driver.cluster.remotecommand.negotiation import Agreement
from fake_dra_driver.cluster.remotecommand.streams import StreamOptions
from fake_dra_driver.cluster.testing import QUICK

GPU = NodePool(
    name="gpu",
    count=2,
    labels={"tier": "gpu"},
    annotations={"example.com/note": "any text"},
    taints=(NodeTaint(key="gpu", effect="PreferNoSchedule"),),
    cpu="4",
    memory="8Gi",
    pods=20,
    profile="some",
)
FAKE = NodePool(name="fake", count=1, simulated=True)


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with Cluster(pools=(GPU, FAKE), **QUICK) as cluster:
        yield cluster


def _pod(name: str, node: str) -> dict[str, Any]:
    script = "trap 'exit 0' TERM; sleep 1000 & wait"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "nodeName": node,
            "containers": [{"name": "c", "image": "busybox", "command": ["sh", "-c", script]}],
        },
    }


ACCOUNT = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "default"}}


async def _node(cluster: Cluster, name: str) -> dict[str, Any]:
    return (await cluster.client.get(Node, NamespacedName("", name))).to_wire()


async def _names(cluster: Cluster) -> set[str]:
    return {node.metadata.name for node in (await cluster.client.list(Node)).items}


async def _leases(cluster: Cluster) -> set[str]:
    return {lease.metadata.name for lease in (await cluster.client.list(Lease, "kube-node-lease")).items}


async def _is_running(cluster: Cluster, name: str) -> bool:
    pod = await cluster.client.get(Pod, NamespacedName("default", name))
    return pod.status.phase == "Running"


async def test_nodes_are_as_their_pool_says(cluster: Cluster) -> None:
    assert cluster.nodes == ("gpu-1", "gpu-2")
    assert (cluster.nodes_of_pool("gpu"), cluster.nodes_of_pool("fake")) == (["gpu-1", "gpu-2"], ["fake-1"])
    node = await _node(cluster, "gpu-2")
    labels = node["metadata"]["labels"]
    assert (labels["tier"], labels["fake-dra-driver-cluster/pool"]) == ("gpu", "gpu")
    assert node["metadata"]["annotations"]["example.com/note"] == "any text"
    assert {"key": "gpu", "effect": "PreferNoSchedule"} in node["spec"]["taints"]
    assert node["status"]["allocatable"] == node["status"]["capacity"]
    assert node["status"]["capacity"].items() >= {"cpu": "4", "memory": "8Gi", "pods": "20"}.items()


async def test_a_simulated_node_is_one_of_kwok(cluster: Cluster) -> None:
    node = await _node(cluster, "fake-1")
    assert node["metadata"]["annotations"] == {"kwok.x-k8s.io/node": "fake"}
    assert node["metadata"]["labels"].items() >= {"type": "kwok", "fake-dra-driver-cluster/pool": "fake"}.items()
    assert node["status"]["allocatable"] == {"cpu": "32", "memory": "256Gi", "pods": "110"}
    await cluster.remove_node("fake-1")
    assert "fake-1" not in await _names(cluster)
    assert await cluster.add_nodes("fake", 3) == ["fake-1", "fake-2", "fake-3"]


async def test_a_pool_grows_and_shrinks(cluster: Cluster) -> None:
    assert await cluster.add_nodes("gpu", 2) == ["gpu-3", "gpu-4"]
    await cluster.remove_node("gpu-2")
    assert cluster.nodes == ("gpu-1", "gpu-3", "gpu-4")
    # The lowest number that is free.
    assert await cluster.add_nodes("gpu") == ["gpu-2"]
    assert await cluster.add_pool(NodePool(name="more")) == ["more-1"]
    assert await cluster.add_nodes() == ["fake-dra-driver-cluster-worker"]
    assert {"gpu-1", "gpu-2", "gpu-3", "gpu-4", "more-1", "fake-dra-driver-cluster-worker"} < await _names(cluster)
    assert await cluster.faults.stop_node("more-1")


async def test_nothing_is_left_of_a_node_that_is_removed(cluster: Cluster) -> None:
    await cluster.apply(ACCOUNT, _pod("p", "gpu-1"))
    await cluster.wait_until("the pod runs", lambda: _is_running(cluster, "p"))
    root = cluster.node_root("gpu-1")
    (runtime,) = [node.runtime for node in cluster.embedded_nodes() if node.name == "gpu-1"]
    await cluster.remove_node("gpu-1")
    assert "gpu-1" not in await _names(cluster)
    assert (await cluster.client.list(Pod)).items == ()
    assert all(each.state == "exited" for pod in runtime.pods() for each in runtime.containers(pod.uid))
    assert not await asyncio.to_thread(Path.exists, root)

    async def lease_is_gone() -> bool:
        return "gpu-1" not in await _leases(cluster)

    await cluster.wait_until("its lease is gone", lease_is_gone)
    with pytest.raises(ClusterError, match=r"There is no node gpu-1\. "):
        await cluster.faults.stop_node("gpu-1")


async def test_a_node_is_removed_while_it_and_its_pods_start(cluster: Cluster) -> None:
    await cluster.apply(ACCOUNT)
    async with asyncio.TaskGroup() as group:
        adding = group.create_task(cluster.add_nodes("gpu", 3))
        await asyncio.sleep(0)  # the names are taken at once
        group.create_task(cluster.apply(*(_pod(f"p{number}", "gpu-3") for number in range(5))))
        group.create_task(cluster.remove_node("gpu-3"))
        await asyncio.sleep(0)
        with pytest.raises(ClusterError, match="The node gpu-3 is being removed already"):
            await cluster.remove_node("gpu-3")
        # Its number is free only when all of it is gone.
        assert await cluster.add_nodes("gpu") == ["gpu-6"]
    assert adding.result() == ["gpu-3", "gpu-4", "gpu-5"]
    assert set(cluster.nodes) == {"gpu-1", "gpu-2", "gpu-4", "gpu-5", "gpu-6"}
    assert await _names(cluster) == {"fake-1", *cluster.nodes}


async def test_a_node_is_removed_while_it_is_being_rebooted(cluster: Cluster) -> None:
    async with asyncio.TaskGroup() as group:
        reboot = group.create_task(_problem_of_reboot(cluster, "gpu-1"))
        await asyncio.sleep(0)
        await cluster.remove_node("gpu-1")
    assert reboot.result() == "The node gpu-1 is being removed"
    assert await _names(cluster) == {"fake-1", "gpu-2"}


async def _problem_of_reboot(cluster: Cluster, name: str) -> str:
    try:
        await cluster.faults.reboot_node(name)
    except ClusterError as error:
        return str(error)
    return ""


async def test_a_node_goes_although_nobody_waits_for_it(cluster: Cluster) -> None:
    removal = asyncio.create_task(cluster.remove_node("gpu-1"))
    await asyncio.sleep(0)
    removal.cancel()

    async def is_gone() -> bool:
        return "gpu-1" not in cluster.nodes and "gpu-1" not in await _names(cluster)

    await cluster.wait_until("the node is gone", is_gone)
    with pytest.raises(asyncio.CancelledError):
        await removal


async def test_the_cluster_ends_while_nodes_come_and_go() -> None:
    async with Cluster(pools=(GPU,), **QUICK) as cluster:
        tasks = [asyncio.create_task(work) for work in (cluster.add_nodes("gpu", 3), cluster.remove_node("gpu-1"))]
        await asyncio.sleep(0)
        folder = cluster.folder
    await asyncio.gather(*tasks, return_exceptions=True)
    assert not await asyncio.to_thread(folder.exists)
    with pytest.raises(ClusterError, match="The cluster does not run"):
        await cluster.add_nodes("gpu")


async def test_the_api_server_is_away_while_a_node_is_removed(cluster: Cluster) -> None:
    cluster.faults.fail_requests("503", verb="delete", resource="nodes", times=1)
    await cluster.remove_node("gpu-1")
    assert await _names(cluster) == {"fake-1", "gpu-2"}


async def test_cordon(cluster: Cluster) -> None:
    assert [await cluster.cordon("gpu-1"), await cluster.cordon("gpu-1")] == [True, False]
    assert (await _node(cluster, "gpu-1"))["spec"]["unschedulable"] is True
    assert [await cluster.uncordon("gpu-1"), await cluster.uncordon("gpu-1")] == [True, False]
    assert "unschedulable" not in (await _node(cluster, "gpu-1"))["spec"]


async def test_what_is_not_there(cluster: Cluster) -> None:
    with pytest.raises(ClusterError, match=r"There is no node pool gpus\. Did you mean gpu\?"):
        await cluster.add_nodes("gpus")
    for work in (cluster.remove_node("gpu-9"), cluster.cordon("gpu-9")):
        with pytest.raises(ClusterError, match=r"There is no node gpu-9\. Did you mean gpu-\d\?"):
            await work
    with pytest.raises(ClusterError, match=r"pools\[2\].name: gpu is the name of pools\[0\] as well"):
        await cluster.add_pool(GPU)
    with pytest.raises(ClusterError, match=r"1002 nodes with a kubelet do not fit"):
        await cluster.add_nodes("gpu", 1000)
    assert cluster.nodes == ("gpu-1", "gpu-2")


async def test_a_node_of_somebody_else_is_left_alone(cluster: Cluster) -> None:
    await cluster.apply(
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "fake-3"}},
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "gpu-3"}},
        ACCOUNT,
        _pod("p", "fake-3"),
    )
    assert await cluster.add_nodes("fake", 2) == ["fake-2", "fake-4"]
    assert await cluster.add_nodes("gpu", 1) == ["gpu-4"]
    with pytest.raises(
        ClusterError, match="did not create the Node fake-3: remove it with 'kubectl delete node fake-3'"
    ):
        await cluster.remove_node("fake-3")
    assert await _names(cluster) > {"fake-3", "gpu-3"}
    assert (await cluster.client.get(Pod, NamespacedName("default", "p"))).spec.node_name == "fake-3"


async def test_a_node_that_somebody_else_creates_meanwhile_is_left_alone(cluster: Cluster) -> None:
    await cluster.apply(ACCOUNT)
    adding = asyncio.create_task(cluster.add_nodes("fake", 1))
    await asyncio.sleep(0)  # its name is chosen
    await cluster.client.create(Node.from_wire({"metadata": {"name": "fake-2"}}))
    with pytest.raises(ClusterError, match=r"fake-2 could not be started: .*already exists"):
        await adding
    assert "fake-2" in await _names(cluster)


async def test_a_simulated_node_that_is_deleted_by_the_api_is_gone(cluster: Cluster) -> None:
    await cluster.add_nodes("fake", 2)
    await cluster.client.delete(Node, NamespacedName("", "fake-2"))
    assert cluster.nodes_of_pool("fake") == ["fake-1", "fake-3"]
    for work in (cluster.remove_node("fake-2"), cluster.cordon("fake-2")):
        with pytest.raises(ClusterError, match=r"There is no node fake-2\. Did you mean fake-[13]\?"):
            await work
    assert await cluster.add_nodes("fake") == ["fake-2"]
    await cluster.remove_node("fake-2")


async def test_the_node_of_a_kubelet_is_deleted_by_the_api(cluster: Cluster) -> None:
    """Its machine is there still."""
    await cluster.client.delete(Node, NamespacedName("", "gpu-1"))
    with pytest.raises(ClusterError, match="The Node gpu-1 was deleted, and comes back when its kubelet is restarted"):
        await cluster.cordon("gpu-1")
    assert cluster.nodes_of_pool("gpu") == ["gpu-1", "gpu-2"]
    await cluster.remove_node("gpu-1")
    assert await cluster.add_nodes("gpu") == ["gpu-1"]


async def test_nodes_deleted_by_the_api_do_not_count(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodepool, "MAX_SIMULATED", 3)
    for _ in range(4):
        for name in await cluster.add_nodes("fake", 2):
            await cluster.client.delete(Node, NamespacedName("", name))
    with pytest.raises(ClusterError, match="4 simulated nodes do not fit"):
        await cluster.add_nodes("fake", 3)


@pytest.mark.parametrize("pool", ["fake", "gpu"])
async def test_the_api_server_is_away_while_a_node_comes(cluster: Cluster, pool: str) -> None:
    cluster.faults.fail_requests("503", verb="create", resource="nodes", times=2)
    (name,) = await cluster.add_nodes(pool)
    assert name in await _names(cluster)


async def test_the_cluster_ends_while_somebody_waits_for_a_node() -> None:
    async with Cluster(pools=(FAKE,), **QUICK) as cluster:
        cluster.faults.fail_requests("503", verb="create", resource="nodes")
        cluster.faults.fail_requests("503", verb="delete", resource="nodes")
        tasks = [asyncio.create_task(work) for work in (cluster.add_nodes("fake"), cluster.remove_node("fake-1"))]
        await asyncio.sleep(0)
    for task in tasks:
        with pytest.raises(ClusterError):
            await task


def test_a_node_is_called_like_one_of_a_pool() -> None:
    with pytest.raises(ClusterError, match="two nodes have the same name"):
        Cluster(nodes=("gpu-1",), pools=(GPU,))


async def test_a_simulated_node_has_no_logs_and_no_sessions(cluster: Cluster) -> None:
    await cluster.apply(ACCOUNT, _pod("p", "fake-1"))
    pod = (await cluster.client.get(Pod, NamespacedName("default", "p"))).to_wire()
    logs, sessions = cluster.server.logs, cluster.server.sessions
    assert logs is not None
    assert sessions is not None
    with pytest.raises(StatusError, match="node fake-1 has no kubelet: pods run there in name only, and have no logs"):
        logs.stream(pod, "c", {})
    wanted = Connect("exec", pod, "c", ["ls"], StreamOptions(stdout=True))
    with pytest.raises(StatusError, match=r"dialing backend: node fake-1 has no kubelet: .*, without containers"):
        sessions.open(wanted, Agreement("SPDY", "v4.channel.k8s.io"))
    await cluster.faults.stop_node("gpu-1")
    pod["spec"]["nodeName"] = "gpu-1"
    with pytest.raises(StatusError, match="the kubelet of node gpu-1 does not answer: it does not run"):
        logs.stream(pod, "c", {})

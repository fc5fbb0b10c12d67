"""Nodes of a cluster that go away and come back."""

import asyncio
from pathlib import Path

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.cluster import DEFAULT_NODE, Cluster
from fake_dra_driver.cluster.control import ask
from fake_dra_driver.cluster.kinds import ContainerStatus, Pod

KEY = NamespacedName("default", "p")
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p", "namespace": "default"},
    "spec": {
        "nodeName": DEFAULT_NODE,
        "containers": [
            {"name": "c", "image": "busybox", "command": ["sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait"]}
        ],
    },
}
ACCOUNT = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "default"}}


async def _status(cluster: Cluster) -> ContainerStatus | None:
    statuses = (await cluster.client.get(Pod, KEY)).status.container_statuses
    return statuses[0] if statuses else None


async def _running(cluster: Cluster, restarts: int) -> ContainerStatus:
    """Waits until the container runs after so many restarts."""

    async def runs() -> ContainerStatus | None:
        status = await _status(cluster)
        return status if status and status.state.running and status.restart_count == restarts else None

    status = await cluster.wait_until(f"the container runs after {restarts} restarts", runs)
    assert status is not None
    return status


async def _start(cluster: Cluster) -> ContainerStatus:
    await cluster.apply(ACCOUNT, POD)
    return await _running(cluster, 0)


def _put(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("something")


async def test_reboot(cluster: Cluster) -> None:
    root = cluster.node_root()
    await _start(cluster)
    await asyncio.to_thread(_put, root / "var/run/cdi/some.yaml")
    await asyncio.to_thread(_put, root / "var/lib/kubelet/plugins/some/checkpoint")
    said = await ask(cluster.kubeconfig, "reboot-node", {})
    assert said == f"reboot-node of {DEFAULT_NODE} is done"
    assert not await asyncio.to_thread((root / "var/run/cdi/some.yaml").exists)
    assert await asyncio.to_thread((root / "var/lib/kubelet/plugins/some/checkpoint").exists)
    await _running(cluster, 1)


async def test_containers_go_on_while_the_kubelet_restarts(cluster: Cluster) -> None:
    before = await _start(cluster)
    await cluster.faults.restart_kubelet(DEFAULT_NODE)
    assert await _running(cluster, 0) == before
    cluster.faults.send_signal(KEY, "c")
    after = await _running(cluster, 1)
    assert after.last_state.terminated is not None
    assert (after.last_state.terminated.exit_code, after.last_state.terminated.signal) == (137, 9)


async def test_a_node_that_is_off(cluster: Cluster) -> None:
    await _start(cluster)
    await cluster.faults.stop_node(DEFAULT_NODE)
    await cluster.faults.stop_node(DEFAULT_NODE)
    (node,) = cluster.simulated_nodes()
    assert all(
        container.state == "exited" for pod in node.runtime.pods() for container in node.runtime.containers(pod.uid)
    )
    assert (await _status(cluster)) is not None
    await cluster.faults.start_node(DEFAULT_NODE)
    await _running(cluster, 1)

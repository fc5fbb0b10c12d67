"""Nodes of a cluster that go away and come back."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.cluster import DEFAULT_NODE, Cluster, ClusterError
from fake_dra_driver.cluster.control import ask
from fake_dra_driver.cluster.kinds import ContainerStatus, Pod

KEY = NamespacedName("default", "p")
POD: dict[str, Any] = {
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


async def _ask(cluster: Cluster, fault: str, **options: str) -> str:
    return await ask(str(cluster.kubeconfig), fault, options)


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
    assert await _ask(cluster, "reboot-node") == f"{DEFAULT_NODE} was rebooted"
    assert not await asyncio.to_thread((root / "var/run/cdi/some.yaml").exists)
    assert await asyncio.to_thread((root / "var/lib/kubelet/plugins/some/checkpoint").exists)
    await _running(cluster, 1)


async def test_containers_go_on_while_the_kubelet_restarts(cluster: Cluster) -> None:
    before = await _start(cluster)
    assert await _ask(cluster, "restart-kubelet") == f"the kubelet of {DEFAULT_NODE} was restarted"
    assert await _running(cluster, 0) == before
    cluster.faults.send_signal(KEY, "c")
    after = await _running(cluster, 1)
    assert after.last_state.terminated is not None
    assert (after.last_state.terminated.exit_code, after.last_state.terminated.signal) == (137, 9)


async def test_a_container_to_kill(cluster: Cluster) -> None:
    await _start(cluster)
    with pytest.raises(ClusterError, match=r"Name a pod with --pod\. These run: default/p$"):
        await _ask(cluster, "kill-container")
    with pytest.raises(ClusterError, match=r"There is no running pod kube-system/x\. There are: default/p\.$"):
        await _ask(cluster, "kill-container", pod="kube-system/x")
    with pytest.raises(ClusterError, match=r"no running container of default/p called x\. There are: c\.$"):
        await _ask(cluster, "kill-container", pod="p", container="x")
    # Its only container need not be named.
    assert await _ask(cluster, "kill-container", pod="p") == "the container c of default/p was killed"
    await _running(cluster, 1)


async def test_one_of_several_containers_to_kill_has_to_be_named(cluster: Cluster) -> None:
    (container,) = POD["spec"]["containers"]
    several = [container, {**container, "name": "d10"}, {**container, "name": "d2"}]
    await cluster.apply(ACCOUNT, {**POD, "spec": {**POD["spec"], "containers": several}})
    await _running(cluster, 0)
    with pytest.raises(ClusterError, match=r"Name a container of default/p with --container\. These run: c, d2, d10$"):
        await _ask(cluster, "kill-container", pod="default/p")


async def test_a_node_that_is_off(cluster: Cluster) -> None:
    await _start(cluster)
    assert await _ask(cluster, "stop-node") == f"{DEFAULT_NODE} is switched off"
    assert await _ask(cluster, "stop-node") == f"{DEFAULT_NODE} is off already"
    for fault in ("reboot-node", "restart-kubelet"):
        with pytest.raises(
            ClusterError, match=f"The node {DEFAULT_NODE} is switched off: switch it on with start-node"
        ):
            await _ask(cluster, fault)
    assert await _ask(cluster, "heal") == f"nothing was failing; still switched off: {DEFAULT_NODE}"
    (node,) = cluster.embedded_nodes()
    assert all(
        container.state == "exited" for pod in node.runtime.pods() for container in node.runtime.containers(pod.uid)
    )
    assert (await _status(cluster)) is not None
    assert await _ask(cluster, "start-node") == f"{DEFAULT_NODE} is switched on again"
    assert await _ask(cluster, "start-node") == f"{DEFAULT_NODE} is running already"
    await _running(cluster, 1)


async def test_a_kubelet_that_is_stopped_is_started_with_its_node(cluster: Cluster) -> None:
    (node,) = cluster.embedded_nodes()
    await node.stop_kubelet()
    assert await _ask(cluster, "start-node") == f"{DEFAULT_NODE} is switched on again"

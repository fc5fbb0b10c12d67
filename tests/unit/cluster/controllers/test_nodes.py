"""Nodes that fall silent, their taints, and what becomes of the pods on them."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from fake_dra_driver.api.kube.coordination import Lease
from fake_dra_driver.cluster.controllers.nodelifecycle import node_lifecycle_controller
from fake_dra_driver.cluster.controllers.podgc import pod_garbage_collector
from fake_dra_driver.cluster.controllers.tainteviction import taint_eviction_controller
from fake_dra_driver.cluster.kinds import Node, Pod
from tests.support.control_plane import ControlPlane, control_plane, ref
from tests.unit.cluster.controllers.workloads import make_ready

pytestmark = pytest.mark.looptime

N = ref("node-a", "")
LEASE = ref("node-a", "kube-node-lease")


@pytest.fixture
async def plane() -> AsyncIterator[ControlPlane]:
    make = {
        "kube-controller-manager": lambda plane, client, cache, events: (
            node_lifecycle_controller(client, cache, events, plane.now),
            taint_eviction_controller(client, cache, events, plane.now),
            pod_garbage_collector(client, cache, plane.now),
        )
    }
    async with control_plane(make, (Lease, Node, Pod)) as plane:
        yield plane


def ready(plane: ControlPlane) -> tuple[str, str, str]:
    found = next(each for each in plane.get(Node, N).status.conditions if each.type == "Ready")
    return found.status, found.reason, found.message


def taints(plane: ControlPlane) -> set[tuple[str, str]]:
    return {(each.key.removeprefix("node.kubernetes.io/"), each.effect) for each in plane.get(Node, N).spec.taints}


async def set_ready(plane: ControlPlane, status: str, **others: str) -> None:
    """What a kubelet reports."""
    heartbeat = {"lastHeartbeatTime": plane.now().strftime("%Y-%m-%dT%H:%M:%SZ")}
    conditions = [{"type": type_, "status": each, **heartbeat} for type_, each in {"Ready": status, **others}.items()]
    await plane.patch(Node, N, {"status": {"conditions": conditions}}, "status")


async def renew(plane: ControlPlane) -> None:
    """A kubelet's heartbeat."""
    wire = (plane.now() - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    spec = {"holderIdentity": "node-a", "leaseDurationSeconds": 40, "renewTime": wire}
    if plane.find(Lease, LEASE) is None:
        await plane.create(Lease, "node-a", namespace="kube-node-lease", spec=spec)
    else:
        await plane.patch(Lease, LEASE, {"spec": spec})


async def running_pod(plane: ControlPlane, name: str = "p", **spec: Any) -> Pod:
    pod = await plane.pod(name, nodeName="node-a", **spec)
    await make_ready(plane, pod)
    return pod


SILENT = {("unreachable", "NoSchedule"), ("unreachable", "NoExecute")}


async def test_a_node_that_renews_its_lease_stays_ready(plane: ControlPlane) -> None:
    await plane.node("node-a")
    for _ in range(20):
        await renew(plane)
        await plane.pass_time(30)
    assert ready(plane)[0] == "True"
    assert taints(plane) == set()


async def test_a_node_that_reports_its_status_stays_ready_without_a_lease(plane: ControlPlane) -> None:
    await plane.node("node-a")
    for _ in range(20):
        await set_ready(plane, "True")
        await plane.pass_time(30)
    assert ready(plane)[0] == "True"


async def test_a_silent_node_becomes_unknown_and_is_tainted(plane: ControlPlane) -> None:
    await plane.node("node-a")
    await set_ready(plane, "True", MemoryPressure="False")
    await renew(plane)
    began = plane.seconds()
    await plane.until(lambda: ready(plane)[0] == "Unknown")
    assert 39 <= plane.seconds() - began <= 41
    assert ready(plane) == ("Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")
    assert {each.type for each in plane.get(Node, N).status.conditions if each.status == "Unknown"} == {
        *("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
    }
    await plane.until(lambda: taints(plane) == SILENT)
    assert all(each.time_added for each in plane.get(Node, N).spec.taints)
    await plane.until(lambda: plane.events("node-a"))
    assert plane.events("node-a") == [("NodeNotReady", "Node node-a status is now: NodeNotReady")]
    await set_ready(plane, "True")
    await plane.until(lambda: taints(plane) == set())


async def test_a_heartbeat_alone_does_not_make_a_node_ready_again(plane: ControlPlane) -> None:
    """As upstream: what the node is, its kubelet has to say."""
    await plane.node("node-a")
    await plane.until(lambda: taints(plane) == SILENT)
    await renew(plane)
    await plane.pass_time(10)
    assert taints(plane) == SILENT


async def test_a_node_that_never_says_anything(plane: ControlPlane) -> None:
    await plane.create(Node, "node-a")
    await plane.pass_time(5)
    assert taints(plane) == {("not-ready", "NoSchedule")}
    began = plane.seconds()
    await plane.until(lambda: taints(plane) == SILENT)
    assert 54 <= plane.seconds() - began <= 56
    assert ready(plane) == ("Unknown", "NodeStatusNeverUpdated", "Kubelet never posted node status.")


async def test_taints_follow_what_a_node_reports(plane: ControlPlane) -> None:
    await plane.node("node-a")
    await plane.patch(Node, N, {"spec": {"taints": [{"key": "mine", "effect": "NoSchedule"}]}})
    mine = ("mine", "NoSchedule")
    await set_ready(plane, "False")
    await plane.until(lambda: taints(plane) == {mine, ("not-ready", "NoSchedule"), ("not-ready", "NoExecute")})
    pressures = {"MemoryPressure": "True", "DiskPressure": "True", "PIDPressure": "True", "NetworkUnavailable": "True"}
    await set_ready(plane, "True", **pressures)
    names = ("memory-pressure", "disk-pressure", "pid-pressure", "network-unavailable")
    await plane.until(lambda: taints(plane) == {mine, *((name, "NoSchedule") for name in names)})
    await set_ready(plane, "True")
    await plane.patch(Node, N, {"spec": {"unschedulable": True}})
    await plane.until(lambda: taints(plane) == {mine, ("unschedulable", "NoSchedule")})
    await plane.patch(Node, N, {"spec": {"unschedulable": None}})
    await plane.until(lambda: taints(plane) == {mine})


async def test_pods_of_a_silent_node_are_not_ready(plane: ControlPlane) -> None:
    await plane.node("node-a")
    await running_pod(plane)
    await plane.until(lambda: taints(plane) == SILENT)
    await plane.until(lambda: (found := plane.get(Pod, ref("p")).condition("Ready")) and found.status == "False")
    await plane.until(lambda: ("NodeNotReady", "Node is not ready") in plane.events("p"))


async def test_pods_are_evicted_after_as_long_as_they_tolerate(plane: ControlPlane) -> None:
    """By default 300 s, which the API server adds to pods that do not say otherwise."""
    await plane.node("node-a")
    await running_pod(plane)
    await running_pod(plane, "short", tolerations=[toleration("unreachable", tolerationSeconds=20)])
    await running_pod(plane, "ever", tolerations=[toleration("unreachable"), toleration("not-ready")])
    await plane.until(lambda: taints(plane) == SILENT)
    began = plane.seconds()
    await plane.until(lambda: plane.get(Pod, ref("short")).is_deleting)
    assert 19 <= plane.seconds() - began <= 21
    await plane.until(lambda: plane.get(Pod, ref("p")).is_deleting)
    assert 299 <= plane.seconds() - began <= 301
    condition = plane.get(Pod, ref("p")).condition("DisruptionTarget")
    assert condition is not None
    assert (condition.status, condition.reason) == ("True", "DeletionByTaintManager")
    await plane.until(lambda: ("TaintManagerEviction", "Marking for deletion Pod default/p") in plane.events("p"))
    await plane.pass_time(3600)
    assert not plane.get(Pod, ref("ever")).is_deleting


def toleration(name: str, **more: Any) -> dict[str, Any]:
    return {"key": f"node.kubernetes.io/{name}", "operator": "Exists", "effect": "NoExecute", **more}


async def test_a_node_that_comes_back_in_time_keeps_its_pods(plane: ControlPlane) -> None:
    await plane.node("node-a")
    await running_pod(plane)
    await plane.until(lambda: taints(plane) == SILENT)
    await plane.pass_time(200)
    for _ in range(40):
        await set_ready(plane, "True")
        await plane.pass_time(30)
    assert not plane.get(Pod, ref("p")).is_deleting
    assert ("TaintManagerEviction", "Cancelling deletion of Pod default/p") in plane.events("p")


async def test_a_taint_that_is_not_tolerated_evicts_at_once(plane: ControlPlane) -> None:
    await plane.node("node-a")
    await running_pod(plane)
    taint = {"key": "k", "value": "v", "effect": "NoExecute"}
    await running_pod(plane, "q", tolerations=[{"key": "k", "value": "v"}])
    await plane.patch(Node, N, {"spec": {"taints": [taint]}})
    began = plane.seconds()
    await plane.until(lambda: plane.get(Pod, ref("p")).is_deleting)
    assert plane.seconds() - began < 1
    await plane.pass_time(20)
    assert not plane.get(Pod, ref("q")).is_deleting


async def test_a_pod_that_is_bound_to_a_tainted_node_is_evicted(plane: ControlPlane) -> None:
    await plane.node("node-a")
    await plane.patch(Node, N, {"spec": {"taints": [{"key": "k", "effect": "NoExecute"}]}})
    await plane.pass_time(1)
    await plane.pod("p", nodeName="node-a")
    await plane.until(lambda: plane.get(Pod, ref("p")).is_deleting)


async def test_pods_of_a_node_that_has_gone_are_deleted(plane: ControlPlane) -> None:
    await plane.node("node-a")
    await running_pod(plane)
    await plane.pod("stays", metadata={"finalizers": ["example.com/stay"]}, nodeName="node-a")
    await plane.delete(Node, N)
    began = plane.seconds()
    await plane.until_gone(Pod, ref("p"))
    assert 39 <= plane.seconds() - began <= 41
    await plane.until(lambda: plane.get(Pod, ref("stays")).is_deleting)
    left = plane.get(Pod, ref("stays"))
    assert left.status.phase == "Failed"
    condition = left.condition("DisruptionTarget")
    assert condition is not None
    assert (condition.reason, condition.message) == ("DeletionByPodGC", "PodGC: node no longer exists")


async def test_pods_of_a_node_that_comes_back_stay(plane: ControlPlane) -> None:
    await plane.node("node-a")
    await running_pod(plane)
    await plane.delete(Node, N)
    await plane.pass_time(30)
    await plane.node("node-a")
    await plane.pass_time(30)
    assert not plane.get(Pod, ref("p")).is_deleting


async def test_a_node_that_goes_a_second_time_is_waited_for_as_long_as_the_first(plane: ControlPlane) -> None:
    await plane.node("node-a")
    await running_pod(plane)
    await plane.delete(Node, N)
    await plane.pass_time(30)
    await plane.node("node-a")
    await plane.pass_time(1)
    await plane.delete(Node, N)
    await plane.pass_time(30)
    assert not plane.get(Pod, ref("p")).is_deleting
    await plane.until_gone(Pod, ref("p"))


async def test_the_successor_of_a_pod_of_a_node_that_has_gone_stays(plane: ControlPlane) -> None:
    await plane.node("node-a")
    await plane.pod("p", nodeName="node-a")
    await plane.finish("p")
    await plane.delete(Node, N)
    await plane.pass_time(30)
    with plane.server.late_events("", "pods"):
        await plane.delete(Pod, ref("p"), grace_period_seconds=0)
        await plane.pod("p")
        await plane.pass_time(60)
        assert not (await plane.client.get(Pod, ref("p"))).is_deleting


async def test_the_successor_of_a_pod_that_has_to_leave_stays(plane: ControlPlane) -> None:
    await plane.node("node-a")
    tolerations = [{"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 30}]
    await plane.pod("p", nodeName="node-a", tolerations=tolerations)
    await plane.patch(Node, N, {"spec": {"taints": [{"key": "k", "effect": "NoExecute"}]}})
    await plane.pass_time(10)
    with plane.server.late_events("", "pods"):
        await plane.delete(Pod, ref("p"), grace_period_seconds=0)
        await plane.pod("p")
        await plane.pass_time(25)
        assert not (await plane.client.get(Pod, ref("p"))).is_deleting


async def test_a_node_that_the_cache_does_not_know_keeps_its_pods(plane: ControlPlane) -> None:
    with plane.server.late_events("", "nodes"):
        await plane.node("node-a")
        await plane.pod("p", nodeName="node-a")
        await plane.pass_time(60)
        assert not plane.get(Pod, ref("p")).is_deleting


async def test_a_pod_that_was_bound_to_a_node_that_never_was_goes(plane: ControlPlane) -> None:
    await plane.pod("p")
    await plane.client.create_subresource(
        Pod, ref("p"), "binding", {"metadata": {"name": "p"}, "target": {"name": "nowhere"}}
    )
    await plane.until_gone(Pod, ref("p"))

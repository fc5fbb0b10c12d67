"""Nodes without a kubelet, and pods on them: what people see of them is what KWOK shows."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from fake_dra_driver.api.kube.coordination import Lease, LeaseSpec
from fake_dra_driver.api.kube.meta import ObjectMeta
from fake_dra_driver.cluster.controllers import make_controllers
from fake_dra_driver.cluster.jobkinds import Job
from fake_dra_driver.cluster.kinds import Node, Pod
from fake_dra_driver.cluster.kwok import make_kwok_controllers
from fake_dra_driver.cluster.kwok.addresses import AddressPool
from fake_dra_driver.cluster.releases import RELEASES
from fake_dra_driver.cluster.scheduler import make_scheduler
from fake_dra_driver.runtime.cache import Cache
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.controller import Controller
from fake_dra_driver.runtime.events import EventRecorder
from tests.support.control_plane import ControlPlane, control_plane, ref

pytestmark = pytest.mark.looptime

FAKE = {"kwok.x-k8s.io/node": "fake"}
LEASE = ref("fake-1", "kube-node-lease")
RELEASE = RELEASES["1.37"]


@pytest.fixture
async def plane() -> AsyncIterator[ControlPlane]:
    def controllers(plane: ControlPlane, client: Client, cache: Cache, events: EventRecorder) -> Sequence[Controller]:
        return (
            *make_controllers(client, cache, events, release=RELEASE, now=plane.now),
            *make_kwok_controllers(client, cache, plane.now),
        )

    def scheduler(plane: ControlPlane, client: Client, cache: Cache, events: EventRecorder) -> Sequence[Controller]:
        return make_scheduler(client, cache, events, release=RELEASE, now=plane.now)

    make = {"kube-controller-manager": controllers, "default-scheduler": scheduler}
    async with control_plane(make, (Node, Pod, Lease, Job), kubernetes_version="1.37") as plane:
        yield plane


async def fake_node(plane: ControlPlane, name: str = "fake-1", **fields: Any) -> Node:
    await plane.create(Node, name, metadata={"annotations": FAKE}, **fields)
    await plane.until(lambda: is_ready(plane, name) and not plane.get(Node, ref(name, "")).spec.taints)
    return plane.get(Node, ref(name, ""))


def is_ready(plane: ControlPlane, name: str) -> bool:
    node = plane.find(Node, ref(name, ""))
    return node is not None and any(each.type == "Ready" and each.status == "True" for each in node.status.conditions)


async def run(plane: ControlPlane, name: str, **spec: Any) -> Pod:
    await plane.pod(name, **spec)
    await plane.until(lambda: plane.get(Pod, ref(name)).status.phase == "Running")
    return plane.get(Pod, ref(name))


async def test_a_node_with_the_annotation_becomes_ready(plane: ControlPlane) -> None:
    node = await fake_node(plane)
    status = node.status.to_wire()
    assert status["allocatable"] == status["capacity"] == {"cpu": "1k", "memory": "1Ti", "pods": "1M"}
    assert status["addresses"] == [{"type": "InternalIP", "address": "127.0.0.1"}]
    assert status["phase"] == "Running"
    assert status["nodeInfo"] == {
        "architecture": "amd64",
        "bootID": "",
        "containerRuntimeVersion": "kwok-0.7.0",
        "kernelVersion": "kwok-0.7.0",
        "kubeProxyVersion": "kwok-0.7.0",
        "kubeletVersion": "kwok-0.7.0",
        "machineID": "",
        "operatingSystem": "linux",
        "osImage": "",
        "systemUUID": "",
    }
    assert [(each.type, each.status, each.reason) for each in node.status.conditions] == [
        ("Ready", "True", "KubeletReady"),
        ("MemoryPressure", "False", "KubeletHasSufficientMemory"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID"),
        ("NetworkUnavailable", "False", "RouteCreated"),
    ]


async def test_what_a_node_says_itself_stays(plane: ControlPlane) -> None:
    said = {"cpu": "8", "memory": "16Gi", "pods": "10"}
    info = {"kubeletVersion": "v1.37.2", "operatingSystem": "linux", "architecture": "arm64"}
    node = await fake_node(plane, status={"allocatable": said, "capacity": said, "nodeInfo": info})
    status = node.status.to_wire()
    assert status["allocatable"] == said
    assert (status["nodeInfo"]["kubeletVersion"], status["nodeInfo"]["architecture"]) == ("v1.37.2", "arm64")
    assert status["nodeInfo"]["kernelVersion"] == "kwok-0.7.0"


async def test_other_nodes_are_left_alone(plane: ControlPlane) -> None:
    await plane.create(Node, "plain", metadata={"annotations": {"kwok.x-k8s.io/node": "real"}})
    await plane.pass_time(5)
    assert plane.get(Node, ref("plain", "")).status.to_wire().get("nodeInfo", {}).get("kubeletVersion", "") == ""


async def test_a_node_stays_ready_by_its_lease(plane: ControlPlane) -> None:
    node = await fake_node(plane)
    lease = plane.get(Lease, LEASE)
    assert (lease.spec.holder_identity, lease.spec.lease_duration_seconds) == ("kwok", 40)
    assert [each.uid for each in lease.metadata.owner_references] == [node.uid]
    await plane.pass_time(300)
    assert is_ready(plane, "fake-1")
    assert plane.get(Node, node.key).metadata.resource_version == node.metadata.resource_version
    renewed = plane.get(Lease, LEASE).spec.renew_time
    assert renewed is not None
    assert (plane.now() - renewed).total_seconds() <= 40
    await plane.pass_time(400)
    assert plane.get(Node, node.key).metadata.resource_version != node.metadata.resource_version


async def test_a_node_that_was_given_up_becomes_ready_again(plane: ControlPlane) -> None:
    node = await fake_node(plane)
    unknown = [{"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "message": "?"}]
    await plane.patch(Node, node.key, {"status": {"conditions": unknown}}, "status")
    await plane.until(lambda: is_ready(plane, "fake-1"))


async def test_a_node_whose_lease_another_holds_is_left_to_it(plane: ControlPlane) -> None:
    spec = LeaseSpec(holder_identity="a real KWOK", lease_duration_seconds=40, renew_time=plane.now())
    await plane.client.create(Lease(metadata=ObjectMeta(name="fake-1", namespace="kube-node-lease"), spec=spec))
    await plane.create(Node, "fake-1", metadata={"annotations": FAKE})
    await plane.pass_time(30)
    assert not is_ready(plane, "fake-1")
    await plane.until(lambda: is_ready(plane, "fake-1"))
    assert plane.get(Lease, LEASE).spec.holder_identity == "kwok"


async def test_a_pod_runs_at_once(plane: ControlPlane) -> None:
    await fake_node(plane)
    sidecar = {"name": "s", "image": "side", "restartPolicy": "Always"}
    pod = await run(
        plane,
        "p",
        initContainers=[{"name": "i", "image": "init"}, sidecar],
        readinessGates=[{"conditionType": "example.com/ok"}],
    )
    assert [(each.type, each.status) for each in pod.status.conditions] == [
        ("Initialized", "True"),
        ("Ready", "True"),
        ("ContainersReady", "True"),
        ("example.com/ok", "True"),
        ("PodScheduled", "True"),
    ]
    assert (pod.status.host_ip, pod.status.pod_ip) == ("127.0.0.1", "10.0.0.1")
    assert (pod.status.model_extra or {})["podIPs"] == [{"ip": "10.0.0.1"}]
    assert pod.status.start_time is not None
    [main] = pod.status.container_statuses
    assert (main.name, main.image, main.ready, main.restart_count) == ("ctr0", "busybox", True, 0)
    assert main.state.running is not None
    first, second = pod.status.init_container_statuses
    assert first.state.terminated is not None
    assert (first.state.terminated.reason, first.state.terminated.exit_code) == ("Completed", 0)
    assert (second.state.running is not None, second.started) == (True, True)


async def test_pods_have_addresses_of_their_own(plane: ControlPlane) -> None:
    await fake_node(plane)
    assert [(await run(plane, name)).status.pod_ip for name in ("a", "b")] == ["10.0.0.1", "10.0.0.2"]
    assert (await run(plane, "h", hostNetwork=True)).status.pod_ip == "127.0.0.1"
    await plane.delete(Pod, ref("a"))
    await plane.until(lambda: plane.find(Pod, ref("a")) is None)
    assert (await run(plane, "c")).status.pod_ip == "10.0.0.1"


async def test_a_deleted_pod_goes_at_once_whatever_its_finalizers(plane: ControlPlane) -> None:
    await fake_node(plane)
    await run(plane, "p", metadata={"finalizers": ["example.com/kept"]})
    await plane.delete(Pod, ref("p"))
    await plane.until(lambda: plane.find(Pod, ref("p")) is None)


async def test_the_pods_of_a_job_succeed(plane: ControlPlane) -> None:
    await fake_node(plane)
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox"}]}}
    await plane.create(Job, "j", spec={"completions": 2, "parallelism": 2, "template": template})
    await plane.until(lambda: plane.get(Job, ref("j")).status.succeeded == 2)
    pods = plane.list(Pod)
    assert [each.status.phase for each in pods] == ["Succeeded", "Succeeded"]
    ended = pods[0].status.container_statuses[0].state.terminated
    assert ended is not None
    assert (ended.exit_code, ended.reason) == (0, "Completed")


async def test_pods_that_were_bound_before_their_node_came_run_then(plane: ControlPlane) -> None:
    await plane.pod("p", nodeName="fake-1")
    await plane.pass_time(5)
    assert not plane.get(Pod, ref("p")).status.pod_ip
    await fake_node(plane)
    await plane.until(lambda: plane.get(Pod, ref("p")).status.phase == "Running")


async def test_a_node_without_room_takes_no_pod(plane: ControlPlane) -> None:
    small = {"cpu": "1", "memory": "1Gi", "pods": "1"}
    await fake_node(plane, status={"allocatable": small, "capacity": small})
    await run(plane, "a")
    await plane.pod("b")
    await plane.until(lambda: plane.get(Pod, ref("b")).condition("PodScheduled"))
    condition = plane.get(Pod, ref("b")).condition("PodScheduled")
    assert condition is not None
    assert condition.message.startswith("0/1 nodes are available: 1 Too many pods. ")
    await plane.delete(Pod, ref("a"))
    await plane.until(lambda: plane.get(Pod, ref("b")).status.phase == "Running")


def test_an_address_is_given_once_until_it_comes_back() -> None:
    pool = AddressPool()
    pool.use("10.0.0.2")
    pool.use("127.0.0.1")
    assert [pool.take(), pool.take()] == ["10.0.0.1", "10.0.0.3"]
    pool.give_back("127.0.0.1")
    pool.give_back("10.0.0.1")
    pool.give_back("10.0.0.1")
    pool.give_back("fd00::1")
    assert [pool.take(), pool.take()] == ["10.0.0.1", "10.0.0.4"]

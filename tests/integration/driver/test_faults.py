"""Each effect of a DeviceFault, on a node of the embedded cluster, and that all heals."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import pytest

from fake_dra_driver.api.devicefault import DeviceFault, FaultOnNode
from fake_dra_driver.api.fake import DRIVER_NAME, RESOURCE_CLASS_NAME, NodeAllocationState
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource.v1 import ResourceClaim, ResourceSlice
from fake_dra_driver.cluster import Cluster
from fake_dra_driver.cluster.kinds import Pod
from fake_dra_driver.cluster.testing import BackgroundCluster, Claim
from fake_dra_driver.demo.install import DRIVER_IMAGES, NAMESPACE, install_driver
from fake_dra_driver.runtime.errors import NotFoundError

NODE = "node-0"
DEVICES = [f"fake-{index}" for index in range(8)]
ONE = Claim(DRIVER_NAME, device_class=RESOURCE_CLASS_NAME)
SLEEP = ("sleep", "3600")


class Break(Protocol):
    """Makes a DeviceFault, which is deleted at the end of the test."""

    def __call__(self, effects: Mapping[str, Any], **spec: Any) -> str: ...


@pytest.fixture(scope="module")
def cluster() -> Iterator[BackgroundCluster]:
    with BackgroundCluster(kubernetes_version="1.37", nodes=(NODE,), images=DRIVER_IMAGES) as cluster:
        cluster.call(install_driver)
        cluster.wait_for_plugin(DRIVER_NAME)
        yield cluster


@pytest.fixture
def broken(cluster: BackgroundCluster) -> Iterator[Break]:
    made: list[Mapping[str, Any]] = []

    def make(effects: Mapping[str, Any], **spec: Any) -> str:
        name = f"fault-{len(made)}"
        whole = {
            "apiVersion": DeviceFault.resource.api_version,
            "kind": "DeviceFault",
            "metadata": {"name": name},
            "spec": {"effects": effects, **spec},
        }
        cluster.apply(whole)
        made.append(whole)
        return name

    yield make
    cluster.delete(*made)
    cluster.wait_until("all devices are healthy again", _is_healed)


async def _is_healed(cluster: Cluster) -> bool:
    return await _published(cluster) == {name: [] for name in DEVICES}


async def _published(cluster: Cluster) -> Mapping[str, Sequence[tuple[str, str]]]:
    """By name of each device in slices: its taints."""
    slices = (await cluster.client.list(ResourceSlice)).items
    return {
        device.name: [(taint.key, taint.effect) for taint in device.taints]
        for each in slices
        for device in each.spec.devices
    }


def _entry(
    fault: str, is_enough: Callable[[FaultOnNode], object]
) -> Callable[[Cluster], Awaitable[FaultOnNode | None]]:
    """What the node says of a fault, once it says enough."""

    async def read(cluster: Cluster) -> FaultOnNode | None:
        found = await cluster.client.get(DeviceFault, NamespacedName("", fault))
        entries = () if found.status is None else found.status.nodes
        return next((entry for entry in entries if entry.node == NODE and is_enough(entry)), None)

    return read


@contextmanager
def _running(cluster: BackgroundCluster, name: str) -> Iterator[str]:
    """A pod that runs with a claim of its name; gives the name of its device."""
    cluster.make_claim(ONE, name)
    cluster.run_pod(name, name=name, command=SLEEP, until="ready")
    yield _device_of(cluster, name)
    cluster.delete_pod(name)
    cluster.call(lambda each: each.client.delete(ResourceClaim, NamespacedName("default", name)))


def _device_of(cluster: BackgroundCluster, claim: str) -> str:
    (result,) = cluster.get("resourceclaims", claim)["status"]["allocation"]["devices"]["results"]
    return str(result["device"])


async def _state(cluster: Cluster) -> NodeAllocationState:
    return await cluster.client.get(NodeAllocationState, NamespacedName(NAMESPACE, NODE))


def test_an_unhealthy_device_is_so_in_the_status_of_its_pod(cluster: BackgroundCluster, broken: Break) -> None:
    with _running(cluster, "sick") as device:
        fault = broken({"health": {"message": "too hot"}}, target={"devices": [device]})

        async def health(each: Cluster) -> Sequence[tuple[str, str]]:
            pod = await each.client.get(Pod, NamespacedName("default", "sick"))
            found = pod.to_wire()["status"]["containerStatuses"][0].get("allocatedResourcesStatus", ())
            return [
                (resource["health"], resource.get("message", ""))
                for claim in found
                for resource in claim["resources"]
                if resource["health"] == "Unhealthy"
            ]

        assert cluster.wait_until("the device is unhealthy", health) == [("Unhealthy", "too hot")]
        entry = cluster.wait_until("the node says what is hit", _entry(fault, lambda each: each.devices))
        assert (entry.devices, entry.device_count, entry.times) == ((device,), 1, 0)
        assert entry.since is not None
        assert f"hits {device}" in cluster.wait_for_event(f"DeviceFault {fault}", about=NODE, namespace=NAMESPACE)


def test_a_tainted_device_evicts_its_pod(cluster: BackgroundCluster, broken: Break) -> None:
    with _running(cluster, "evicted") as device:
        broken({"taint": {"key": "example.com/burnt", "effect": "NoExecute"}}, target={"devices": [device]})

        async def is_gone(each: Cluster) -> bool:
            try:
                pod = await each.client.get(Pod, NamespacedName("default", "evicted"))
            except NotFoundError:
                return True
            return pod.metadata.deletion_timestamp is not None

        cluster.wait_until("the pod is evicted", is_gone)
        assert cluster.call(_published)[device] == [("example.com/burnt", "NoExecute")]


def test_a_device_that_has_vanished_is_not_allocated(cluster: BackgroundCluster, broken: Break) -> None:
    broken({"vanish": True}, target={"devices": DEVICES[1:]})

    async def is_alone(each: Cluster) -> bool:
        return list(await _published(each)) == DEVICES[:1]

    async def is_alone_on_record(each: Cluster) -> bool:
        return len((await _state(each)).spec.allocatable_device) == 1

    cluster.wait_until("one device is left in the slices", is_alone)
    cluster.wait_until("one device is left on record", is_alone_on_record)
    with _running(cluster, "last") as device:
        assert device == DEVICES[0]


def test_a_prepare_fails_as_often_as_it_is_to(cluster: BackgroundCluster, broken: Break) -> None:
    fault = broken({"prepare": {"fail": {"times": 2, "message": "no answer from the bus"}}})
    with _running(cluster, "patient"):
        message = cluster.wait_for_event("no answer from the bus", about="patient")
        assert f"(DeviceFault {fault})" in message
        entry = cluster.wait_until("both failures are counted", _entry(fault, lambda each: each.times == 2))
        assert entry.device_count == 8
    with _running(cluster, "next"):
        assert cluster.call(_entry(fault, lambda each: each.times == 2)) is not None


def test_a_claim_whose_prepare_fails_is_hit(cluster: BackgroundCluster, broken: Break) -> None:
    claim = {"namespace": "default", "name": "singled-out"}
    fault = broken({"prepare": {"fail": {"times": 2, "message": "no answer"}}}, target={"claim": claim})
    with _running(cluster, "singled-out") as device:
        entry = cluster.wait_until("both failures are counted", _entry(fault, lambda each: each.times == 2))
        assert entry.devices == (device,)
        assert f"hits {device}" in cluster.wait_for_event(f"DeviceFault {fault}", about=NODE, namespace=NAMESPACE)


def test_an_unprepare_that_fails_keeps_the_claim(cluster: BackgroundCluster, broken: Break) -> None:
    with _running(cluster, "stuck") as device:
        fault = broken(
            {"unprepare": {"fail": {"times": 1}}}, target={"claim": {"namespace": "default", "name": "stuck"}}
        )
        cluster.wait_until("the claim's device is found", _entry(fault, lambda each: each.devices == (device,)))
    cluster.wait_until("the failure is counted", _entry(fault, lambda each: each.times == 1))


def test_lost_slices_come_back(cluster: BackgroundCluster, broken: Break) -> None:
    broken({"slicesLost": True})

    async def are_lost(each: Cluster) -> bool:
        return not await _published(each)

    cluster.wait_until("the slices are gone", are_lost)


def test_a_deregistered_plugin_is_not_ready(cluster: BackgroundCluster, broken: Break) -> None:
    fault = broken({"deregister": True}, target={"nodes": [NODE]})

    def has_status(status: str) -> Callable[[Cluster], Awaitable[bool]]:
        async def asked(each: Cluster) -> bool:
            return (await _state(each)).status == status

        return asked

    cluster.wait_until("the node is not ready", has_status("NotReady"))
    cluster.call(lambda each: each.client.delete(DeviceFault, NamespacedName("", fault)))
    cluster.wait_until("the node is ready", has_status("Ready"))
    with _running(cluster, "served"):
        pass


def test_a_fault_ends_by_itself(cluster: BackgroundCluster, broken: Break) -> None:
    fault = broken({"vanish": True}, duration="2s")
    cluster.wait_until("the fault has hit", _entry(fault, lambda each: each.device_count == 8))
    cluster.wait_until("the fault has ended", _entry(fault, lambda each: not each.device_count))


def test_a_fault_that_matches_nothing_leaves_no_trace(cluster: BackgroundCluster, broken: Break) -> None:
    broken({"vanish": True}, target={"devices": ["fake-99"]})
    seen = broken({"taint": {"key": "example.com/seen"}}, target={"count": 1})
    cluster.wait_until("a later fault has hit", _entry(seen, lambda each: each.device_count))
    status = cluster.get("devicefaults", "fault-0").get("status", {})
    assert not status.get("nodes")


def test_an_expression_that_fails_is_said(cluster: BackgroundCluster, broken: Break) -> None:
    fault = broken({"vanish": True}, target={"cel": f'device.attributes["{DRIVER_NAME}"].serial == "7"'})
    entry = cluster.wait_until("the node says so", _entry(fault, lambda each: each.message))
    assert entry.message == "spec.target.cel fails for fake-0: no such key: serial, and 7 others"
    assert "no such key" in cluster.wait_for_event("FaultUnusable", about=NODE, namespace=NAMESPACE)

"""What classic DRA has of DeviceFaults: devices that are not offered, a node that is not ready, calls that fail."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from fake_dra_driver.api.devicefault import DeviceFault, FaultOnNode
from fake_dra_driver.api.fake import DRIVER_NAME, RESOURCE_CLASS_NAME, NodeAllocationState
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.cluster import Cluster
from fake_dra_driver.cluster.testing import BackgroundCluster, Claim
from fake_dra_driver.demo.install import DRIVER_IMAGES, NAMESPACE, install_driver

NODE = "node-0"
ONE = Claim(DRIVER_NAME, device_class=RESOURCE_CLASS_NAME)


@pytest.fixture(scope="module")
def cluster() -> Iterator[BackgroundCluster]:
    with BackgroundCluster(kubernetes_version="1.30", nodes=(NODE,), images=DRIVER_IMAGES) as cluster:
        cluster.call(install_driver)
        cluster.wait_for_plugin(DRIVER_NAME)
        yield cluster


def _fault(effects: Mapping[str, Any], **spec: Any) -> Mapping[str, Any]:
    return {
        "apiVersion": DeviceFault.resource.api_version,
        "kind": "DeviceFault",
        "metadata": {"name": "broken"},
        "spec": {"effects": effects, **spec},
    }


def _wait_for_record(cluster: BackgroundCluster, status: str, devices: int) -> None:
    async def is_so(each: Cluster) -> bool:
        state = await each.client.get(NodeAllocationState, NamespacedName(NAMESPACE, NODE))
        return (state.status, len(state.spec.allocatable_device)) == (status, devices)

    cluster.wait_until(f"the node is {status} with {devices} devices", is_so)


def _wait_for_entry(cluster: BackgroundCluster, is_enough: Callable[[FaultOnNode], bool]) -> None:
    async def says_enough(each: Cluster) -> bool:
        status = (await each.client.get(DeviceFault, NamespacedName("", "broken"))).status
        return status is not None and any(entry.node == NODE and is_enough(entry) for entry in status.nodes)

    cluster.wait_until("the node says in the fault's status what it has hit", says_enough)


@pytest.mark.parametrize(
    ("effects", "devices"),
    [
        ({"vanish": True}, 1),
        ({"taint": {"key": "example.com/burnt", "effect": "NoExecute"}}, 1),
        ({"taint": {"key": "example.com/seen", "effect": "None"}}, 8),
        ({"slicesLost": True}, 0),
    ],
)
def test_devices_that_are_not_offered(cluster: BackgroundCluster, effects: Mapping[str, Any], devices: int) -> None:
    fault = _fault(effects, target={"devices": [f"fake-{index}" for index in range(1, 8)]})
    cluster.apply(fault)
    _wait_for_entry(cluster, lambda entry: entry.device_count == 7)
    _wait_for_record(cluster, "Ready", devices)
    cluster.delete(fault)
    _wait_for_record(cluster, "Ready", 8)


def test_a_node_whose_plugin_is_gone(cluster: BackgroundCluster) -> None:
    fault = _fault({"deregister": True})
    cluster.apply(fault)
    _wait_for_record(cluster, "NotReady", 8)
    cluster.delete(fault)
    _wait_for_record(cluster, "Ready", 8)


def test_a_prepare_fails_as_often_as_it_is_to(cluster: BackgroundCluster) -> None:
    fault = _fault(
        {"prepare": {"fail": {"times": 1, "message": "no answer"}}},
        target={"claim": {"namespace": "default", "name": "patient"}},
    )
    cluster.apply(fault)
    cluster.make_claim(ONE, "patient")
    cluster.run_pod("patient", name="patient")
    assert "(DeviceFault broken)" in cluster.wait_for_event("no answer", about="patient")
    _wait_for_entry(cluster, lambda entry: entry.times == 1)
    cluster.delete_pod("patient")
    cluster.delete(fault)

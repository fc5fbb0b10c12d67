"""A pod waits until its devices can be bound to, in the embedded cluster: by profile and by fault."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from fake_dra_driver.api.devicefault import DeviceFault
from fake_dra_driver.api.deviceprofile import DeviceProfile
from fake_dra_driver.api.fake import DRIVER_NAME, RESOURCE_CLASS_NAME
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.api.resource.v1 import ResourceSlice
from fake_dra_driver.cluster import Cluster
from fake_dra_driver.cluster.testing import BackgroundCluster, Claim
from fake_dra_driver.demo.install import DRIVER_IMAGES, install_driver

NODE = "node-0"
ONE = Claim(DRIVER_NAME, device_class=RESOURCE_CLASS_NAME)
SLEEP = ("sleep", "3600")
GROUP: Mapping[str, Any] = {
    "name": "fabric",
    "count": 2,
    "bindsToNode": True,
    "bindingConditions": ["FabricAttached"],
    "bindingFailureConditions": ["FabricBroken"],
    "binding": {"delaySeconds": 1},
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[BackgroundCluster]:
    """One node, whose devices have to be attached to it."""
    with BackgroundCluster(kubernetes_version="1.37", nodes=(NODE,), images=DRIVER_IMAGES) as cluster:
        cluster.call(install_driver)
        cluster.wait_for_plugin(DRIVER_NAME)
        cluster.apply(_object(DeviceProfile, "fabric", groups=[GROUP]))
        cluster.wait_until("the profile's devices are published", _has_fabric)
        yield cluster


def _object(kind: type[DeviceProfile | DeviceFault], name: str, **spec: Any) -> Mapping[str, Any]:
    resource = kind.resource
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": name}, "spec": spec}


async def _has_fabric(cluster: Cluster) -> bool:
    slices = (await cluster.client.list(ResourceSlice)).items
    devices = [device for each in slices for device in each.spec.devices]
    return any(device.name == "fabric-0" and device.binding_conditions for device in devices)


async def _says_of_fault(cluster: Cluster, wanted: tuple[str, str]) -> bool:
    fault = await cluster.client.get(DeviceFault, NamespacedName("", "loose"))
    return fault.status is not None and [(each.reason, each.message) for each in fault.status.conditions] == [wanted]


def _pod(name: str) -> Mapping[str, Any]:
    """A pod with the claim of its name."""
    container = {"name": "main", "image": "busybox", "command": SLEEP, "resources": {"claims": [{"name": "fabric"}]}}
    spec = {"containers": [container], "resourceClaims": [{"name": "fabric", "resourceClaimName": name}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


def _conditions(cluster: BackgroundCluster, claim: str) -> Mapping[str, str]:
    (device,) = cluster.get("resourceclaims", claim)["status"]["devices"]
    return {each["type"]: each["message"] for each in device["conditions"] if each["status"] == "True"}


def test_a_pod_waits_until_its_device_is_attached(cluster: BackgroundCluster) -> None:
    cluster.make_claim(ONE, "patient")
    cluster.run_pod("patient", name="patient", command=SLEEP, until="ready")
    cluster.wait_for_event(f"waiting for binding conditions for device on node {NODE}", about="patient")
    found = _conditions(cluster, "patient")
    assert found["FabricAttached"] == "ready 1 s after the allocation (DeviceProfile fabric)"
    cluster.delete_pod("patient")


def test_a_device_that_fails_to_be_attached_is_allocated_again_when_all_is_well(cluster: BackgroundCluster) -> None:
    fault = _object(DeviceFault, "loose", effects={"binding": {"failure": "the cable is loose"}})
    cluster.apply(fault)
    cluster.make_claim(ONE, "unlucky")
    cluster.apply(_pod("unlucky"))
    words = "device fabric-0 of node-0: the cable is loose (DeviceProfile fabric and DeviceFault loose)"
    assert cluster.wait_for_event("the cable is loose", about="unlucky") == words
    active = ("Hit", "2 devices of 1 node: node-0 (fabric-0, fabric-1)")
    cluster.wait_until("it is said what the fault hits", lambda each: _says_of_fault(each, active))
    cluster.call(lambda each: each.client.delete(DeviceFault, NamespacedName("", "loose")))
    cluster.wait_for_pod("unlucky", until="ready")
    assert "FabricBroken" not in _conditions(cluster, "unlucky")
    cluster.delete_pod("unlucky")

"""Two releases of the chart share a node: each has devices, sockets, files and records of its own."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from fake_dra_driver.api.fake import DRIVER_NAME, NodeAllocationState
from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.cluster import Cluster
from fake_dra_driver.cluster.testing import BackgroundCluster
from fake_dra_driver.demo.install import DRIVER_IMAGES
from fake_dra_driver.packaging.project import CHART

OURS, THEIRS = DRIVER_NAME, "gpu.example.com"
CLASSES: Final = {OURS: "fake.3-shake.com", THEIRS: THEIRS}
NAMESPACES: Final = {OURS: "fake-system", THEIRS: "gpu-system"}
NODE: Final = "node-a"


@pytest.fixture(scope="module", params=["1.30", "1.37"])
def cluster(request: pytest.FixtureRequest) -> Iterator[BackgroundCluster]:
    """A cluster with both releases, of which the second has another number of devices."""
    chart = Path(__file__).parents[3] / CHART
    values = {"driverName": THEIRS, "kubeletPlugin": {"settings": {"deviceCount": 3}}}
    with BackgroundCluster(kubernetes_version=request.param, nodes=(NODE,), images=DRIVER_IMAGES) as found:
        found.install_chart(chart, NAMESPACES[OURS], release="fake-dra-driver")
        found.install_chart(chart, NAMESPACES[THEIRS], release="gpu", values=values)
        yield found


def is_classic(cluster: BackgroundCluster) -> bool:
    """Whether its DRA is the classic one."""
    return cluster.call(_version).startswith("1.30")


async def _version(cluster: Cluster) -> str:
    return cluster.kubernetes_version


def claim(cluster: BackgroundCluster, driver: str) -> Mapping[str, Any]:
    """A claim of one device of a driver."""
    metadata = {"name": NAMESPACES[driver], "namespace": "default"}
    if is_classic(cluster):
        spec: Mapping[str, Any] = {"resourceClassName": CLASSES[driver]}
        return {"apiVersion": "resource.k8s.io/v1alpha2", "kind": "ResourceClaim", "metadata": metadata, "spec": spec}
    requests = [{"name": "device", "exactly": {"deviceClassName": CLASSES[driver]}}]
    spec = {"devices": {"requests": requests}}
    return {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaim", "metadata": metadata, "spec": spec}


def pod(cluster: BackgroundCluster) -> Mapping[str, Any]:
    """A pod with a claim of each driver."""
    names = list(NAMESPACES.values())
    claims = [
        {
            "name": name,
            **({"source": {"resourceClaimName": name}} if is_classic(cluster) else {"resourceClaimName": name}),
        }
        for name in names
    ]
    container = {
        "name": "main",
        "image": "busybox:1.37",
        "command": ["sh", "-c", "env; sleep 9999"],
        "resources": {"claims": [{"name": name} for name in names]},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "both", "namespace": "default"},
        "spec": {"resourceClaims": claims, "containers": [container]},
    }


def test_a_pod_gets_a_device_of_each(cluster: BackgroundCluster) -> None:
    for driver in (OURS, THEIRS):
        cluster.wait_for_plugin(driver)
        cluster.apply(claim(cluster, driver))
    cluster.apply(pod(cluster))
    cluster.wait_for_pod("both", "default", until="ready")

    async def are_prepared(found: Cluster) -> bool:
        return all(state.spec.prepared_devices for state in (await _states(found)).values())

    # The NodeAllocationState follows what a plugin has prepared; it does not wait for that.
    cluster.wait_until("both drivers show a prepared device", are_prepared)
    states = cluster.call(_states)
    assert {driver: len(state.spec.allocatable_device) for driver, state in states.items()} == {OURS: 8, THEIRS: 3}
    root = cluster.call(_root)
    for driver, state in states.items():
        (uid,) = state.spec.prepared_devices
        assert (root / f"var/lib/kubelet/plugins/{driver}/checkpoint.json").is_file()
        assert (root / f"var/run/cdi/k8s.{driver}-fake_{uid}.yaml").is_file()
    uids = [next(iter(state.spec.prepared_devices)) for state in states.values()]
    assert len(set(uids)) == 2


def test_one_stops_and_the_other_goes_on(cluster: BackgroundCluster) -> None:
    cluster.delete({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "both", "namespace": "default"}})
    daemon_set = {"name": "gpu-fake-dra-driver-kubeletplugin", "namespace": NAMESPACES[THEIRS]}
    cluster.delete({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": daemon_set})

    async def is_unprepared(found: Cluster) -> bool:
        return not (await _state(found, NAMESPACES[OURS])).spec.prepared_devices

    cluster.wait_until("the device of the driver that goes on is no longer prepared", is_unprepared)


async def _state(cluster: Cluster, namespace: str) -> NodeAllocationState:
    return await cluster.client.get(NodeAllocationState, NamespacedName(namespace, NODE))


async def _states(cluster: Cluster) -> Mapping[str, NodeAllocationState]:
    return {driver: await _state(cluster, namespace) for driver, namespace in NAMESPACES.items()}


async def _root(cluster: Cluster) -> Path:
    return cluster.node_root()

"""The cluster for tests that are not asynchronous."""

from collections.abc import Mapping
from typing import Any

import pytest

from fake_dra_driver.api.kube.meta import NamespacedName
from fake_dra_driver.cluster import Cluster, ClusterError
from fake_dra_driver.cluster.kinds import Namespace, Node
from fake_dra_driver.cluster.testing import BackgroundCluster, embedded_cluster
from tests.unit.cluster.manifest import NAMESPACE

__all__ = ["embedded_cluster"]


@pytest.fixture(scope="session")
def embedded_cluster_options() -> Mapping[str, Any]:
    return {"nodes": ("node-a", "node-b")}


async def _namespace_is_there(cluster: Cluster) -> bool:
    return any(each.key.name == "a" for each in (await cluster.client.list(Namespace)).items)


async def _never(_: Cluster) -> bool:
    return False


def test_a_fixture_with_options(embedded_cluster: BackgroundCluster) -> None:
    nodes = embedded_cluster.call(lambda cluster: cluster.client.list(Node))
    assert [node.key for node in nodes.items] == [NamespacedName("", "node-a"), NamespacedName("", "node-b")]
    assert embedded_cluster.kubeconfig.is_file()


def test_manifests_and_waiting(embedded_cluster: BackgroundCluster) -> None:
    embedded_cluster.apply(NAMESPACE)
    assert embedded_cluster.wait_until("the namespace is there", _namespace_is_there)
    embedded_cluster.delete(NAMESPACE)
    with pytest.raises(TimeoutError, match=r"after 0\.01 s it is still not true that pigs fly"):
        embedded_cluster.wait_until("pigs fly", _never, timeout_seconds=0.01)


def test_nothing_is_left_and_errors_come_out() -> None:
    with BackgroundCluster() as first:
        folder = first.cluster.folder
        port = int(first.cluster.server.url.rpartition(":")[2])
        with pytest.raises(ClusterError, match=f"Port {port}"), BackgroundCluster(port=port):
            pass
        with pytest.raises(ClusterError, match="not a Kubernetes object"):
            first.apply("a: b")
    assert not folder.exists()
    with pytest.raises(ClusterError, match="does not run"):
        BackgroundCluster().apply("a: b")

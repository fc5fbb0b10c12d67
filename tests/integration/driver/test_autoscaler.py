"""An autoscaler's loop on nodes that start and end with all that a node has: a kubelet, and the driver's plugin."""

from collections import Counter
from collections.abc import Mapping

from typing_extensions import override

from fake_dra_driver.api.kube.core import Pod
from fake_dra_driver.cluster.nodepool import NodePool
from fake_dra_driver.cluster.testing import QUICK, BackgroundCluster
from fake_dra_driver.demo.install import DRIVER_IMAGES, install_driver
from tests.e2e.objects import RunningPod
from tests.e2e.waiting import wait_until
from tests.scenarios.http import HttpClient
from tests.scenarios.structured.fleet import cards_of, pool_template, profile_manifest
from tests.scenarios.structured.manifests import pod
from tests.support.autoscaler import POOL_LABEL, Autoscaler, Machines

SMALL, LARGE = profile_manifest("small", 2), profile_manifest("large", 8)
NAMESPACE = "default"
SECONDS = 120


class EmbeddedMachines(Machines):
    """Starts nodes of the cluster's pools."""

    def __init__(self, cluster: BackgroundCluster) -> None:
        self._cluster = cluster

    @override
    def add(self, pool: str, count: int) -> None:
        self._cluster.add_nodes(pool, count)

    @override
    def remove(self, node: str) -> None:
        self._cluster.remove_node(node)


def test_pools_follow_the_pods() -> None:
    """Pods wait, their pools grow by what they need, they run, and the pools shrink when they are gone."""
    pools = [NodePool(name=name, count=0, labels={POOL_LABEL: name}) for name in ("small", "large")]
    with BackgroundCluster(
        kubernetes_version="1.37", nodes=("worker",), pools=pools, images=DRIVER_IMAGES, **QUICK
    ) as cluster:
        cluster.call(install_driver)
        cluster.apply(SMALL, LARGE)
        client = HttpClient(cluster.kubeconfig)
        try:
            _follow(cluster, client)
        finally:
            client.close()


def _follow(cluster: BackgroundCluster, client: HttpClient) -> None:
    templates = [pool_template(SMALL, most=3), pool_template(LARGE, most=3)]
    autoscaler = Autoscaler(client, EmbeddedMachines(cluster), templates, NAMESPACE)
    cluster.apply(cards_of("small", NAMESPACE), cards_of("large", NAMESPACE, count=4))
    wanted = {"small-0": "small", "large-0": "large", "large-1": "large", "large-2": "large"}
    cluster.apply(*(pod(name, NAMESPACE, templates={"cards": pool}, pool=None) for name, pool in wanted.items()))

    def run() -> bool:
        autoscaler.step()
        assert Counter(each.status.phase for each in client.list(RunningPod, NAMESPACE)) == {"Running": len(wanted)}
        return True

    def has_sizes(sizes: Mapping[str, int]) -> bool:
        autoscaler.step()
        assert autoscaler.sizes() == sizes
        return True

    wait_until("the pods run", run, SECONDS)
    assert autoscaler.sizes() == {"small": 1, "large": 2}
    nodes = {each.metadata.name: each.spec.node_name for each in client.list(Pod, NAMESPACE)}
    (leaves,) = (name for name in wanted if Counter(nodes.values())[nodes[name]] == 1 and name.startswith("large"))
    client.delete(Pod, leaves, NAMESPACE)
    wait_until("the node that nothing is on any more is gone", lambda: has_sizes({"small": 1, "large": 1}), SECONDS)
    client.delete_all(Pod, NAMESPACE)
    wait_until("both pools are empty", lambda: has_sizes({"small": 0, "large": 0}), SECONDS)
    assert cluster.nodes == ("worker",)

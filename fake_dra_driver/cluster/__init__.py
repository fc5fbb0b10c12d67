"""The embedded cluster: everything of a Kubernetes cluster that a driver meets, in one Python process.

``apiserver`` is the API server; everything else is a client of it, as in a real cluster. Nothing here knows this
project's driver: CRDs come as YAML. Needs the extra ``fake-dra-driver[cluster]``::

    async with Cluster(images={"example.com/driver:v1": Image(cmd=("my-driver",), api_access=True)}) as cluster:
        await cluster.apply(Path("my-driver.yaml"), Path("pod.yaml"))

``testing`` has it as a fixture of pytest, ``kinds`` and ``workloadkinds`` have the kinds that ``cluster.client`` reads.
The names of this face are loaded when they are first asked for: what is known of Kubernetes' releases, kinds and nodes
(``releases``, ``kinds``, ``nodefit``) can be used without the extra.
"""

from typing import TYPE_CHECKING, Final

from fake_dra_driver.lazyface import lazy_face

if TYPE_CHECKING:
    from fake_dra_driver.cluster.cluster import Cluster
    from fake_dra_driver.cluster.errors import ClusterError
    from fake_dra_driver.cluster.kubelet.containerruntime.hosts import Host
    from fake_dra_driver.cluster.kubelet.containersetup.images import Image
    from fake_dra_driver.cluster.kubelet.pods.launcher import Timing
    from fake_dra_driver.cluster.nodepool import DEFAULT_NODE, NodePool, NodeTaint
    from fake_dra_driver.cluster.releases import RELEASES

__all__ = ["DEFAULT_NODE", "RELEASES", "Cluster", "ClusterError", "Host", "Image", "NodePool", "NodeTaint", "Timing"]

_MODULES: Final = {
    "DEFAULT_NODE": "nodepool",
    "Cluster": "cluster",
    "ClusterError": "errors",
    "Host": "kubelet.containerruntime.hosts",
    "Image": "kubelet.containersetup.images",
    "NodePool": "nodepool",
    "NodeTaint": "nodepool",
    "Timing": "kubelet.pods.launcher",
    "RELEASES": "releases",
}
"""Where each name is."""

if not TYPE_CHECKING:  # type checkers know the names from above, and no others
    __getattr__, __dir__ = lazy_face(__name__, _MODULES)

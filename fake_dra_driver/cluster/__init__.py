"""The embedded cluster: everything of a Kubernetes cluster that a driver meets, in one Python process.

``apiserver`` is the API server; everything else is a client of it, as in a real cluster. Nothing here knows this
project's driver: CRDs come as YAML. Needs the extra ``fake-dra-driver[cluster]``::

    async with Cluster(images={"example.com/driver:v1": Image(cmd=("my-driver",), api_access=True)}) as cluster:
        await cluster.apply(Path("my-driver.yaml"), Path("pod.yaml"))

``testing`` has it as a fixture of pytest, ``kinds`` and ``workloadkinds`` have the kinds that ``cluster.client`` reads.
"""

from fake_dra_driver.cluster.cluster import DEFAULT_NODE, Cluster
from fake_dra_driver.cluster.errors import ClusterError
from fake_dra_driver.cluster.kubelet.containersetup.images import Image
from fake_dra_driver.cluster.kubelet.pods.launcher import Timing
from fake_dra_driver.cluster.releases import RELEASES

__all__ = ["DEFAULT_NODE", "RELEASES", "Cluster", "ClusterError", "Image", "Timing"]

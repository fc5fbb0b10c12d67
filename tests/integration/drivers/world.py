"""A cluster with one of the drivers of demo/drivers in it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fake_dra_driver.cluster.testing import BackgroundCluster, python_image

__all__ = ["RELEASES", "driver_cluster", "kill_programs", "manifests_of"]

DRIVERS = Path(__file__).parents[3] / "demo/drivers"
RELEASES = ("1.30", "1.37")
"""Of classic, and of structured DRA."""


@contextmanager
def driver_cluster(
    driver: str,
    release: str,
    *,
    nodes: Sequence[str] = ("node-a",),
    values: Mapping[str, Any] | None = None,
    program: str = "",
    furnish: Callable[[BackgroundCluster], None] = lambda _: None,
) -> Iterator[BackgroundCluster]:
    """The cluster, once the driver is ready on all nodes.

    Args:
        driver: first label of its name, by which its files are called.
        release: of Kubernetes.
        nodes: of the cluster.
        values: of the driver's chart.
        program: the module that runs instead of the driver's own; empty: that.
        furnish: gives the nodes their devices.
    """
    name, folder = f"{driver}-driver", DRIVERS / driver
    images = {f"{name}:v0.1.0": python_image({name: program or folder / f"{driver}.py"})}
    with BackgroundCluster(kubernetes_version=release, nodes=nodes, images=images) as cluster:
        furnish(cluster)
        cluster.install_chart(folder / "deployments/helm" / name, name, values=values, crds=folder / "crds")
        cluster.wait_for_plugin(f"{driver}.example.com")
        yield cluster


def manifests_of(driver: str, release: str) -> Path:
    """The driver's example for this release."""
    return DRIVERS / driver / ("classic.yaml" if release == "1.30" else "structured.yaml")


def kill_programs(cluster: BackgroundCluster, driver: str) -> None:
    """Kills every controller and plugin of the driver, and spares the next controller the wait for the dead leader."""
    for pod, container in cluster.faults.running_containers():
        if container in ("plugin", "controller"):
            cluster.faults.send_signal(pod, container)
    lease = {"name": f"{driver}-controller", "namespace": f"{driver}-driver"}
    cluster.delete({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": lease})

"""The driver in an embedded cluster: the chart's manifests, and the programs that their image stands for."""

from collections.abc import Mapping
from typing import Any

from fake_dra_driver.cluster.cluster import Cluster
from fake_dra_driver.codegen.manifests import chart_manifests, crd_manifests

__all__ = ["NAMESPACE", "install_driver"]

NAMESPACE = "fake-system"
"""The quickstart's."""


async def install_driver(cluster: Cluster, values: Mapping[str, Any] | None = None) -> None:
    """Installs CRDs and chart, as helm would with these values. Returns at once; the pods come up by and by."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    await cluster.apply(namespace, *crd_manifests(), *chart_manifests(NAMESPACE, values=values))

"""CRDs and chart of a project that is not this driver, in the embedded cluster."""

import pytest

from fake_dra_driver.cluster.testing import BackgroundCluster
from fake_dra_driver.runtime import InvalidError
from tests.support.kiln import BAD, GOOD, Firing
from tests.support.kilnproject import kiln_project

NAMESPACE = "pottery"


@pytest.mark.parametrize("release", ["1.30", "1.37"])
def test_a_cluster_takes_what_the_project_ships(release: str) -> None:
    project = kiln_project()
    with BackgroundCluster(kubernetes_version=release) as cluster:
        cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        cluster.apply(*project.crd_manifests())
        cluster.apply(*project.manifests(NAMESPACE, kube_version=release))
        head = {"apiVersion": Firing.resource.api_version, "kind": "Firing"}
        metadata = {"name": "first", "namespace": NAMESPACE}
        cluster.apply({**head, "metadata": metadata, "spec": GOOD[1]})
        with pytest.raises(InvalidError, match="Unsupported value"):
            cluster.apply({**head, "metadata": {**metadata, "name": "second"}, "spec": BAD[0][0]})

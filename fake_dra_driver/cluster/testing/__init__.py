"""A cluster for the tests of a driver of your own: ``pytest_plugins = ["fake_dra_driver.cluster.testing"]``.

``embedded_cluster`` is one cluster for the whole test session, in a thread of its own, so that tests need not be
asynchronous; ``embedded_cluster_options`` is there to be overridden, with parameters where there are to be several
clusters, one after the other::

    @pytest.fixture(scope="session", params=["1.30", "1.37"])
    def embedded_cluster_options(request):
        image = python_image({"lamp-driver": "lamp_driver"})
        return {"kubernetes_version": request.param, "images": {"lamp-driver:v0.1.0": image}}

    @pytest.fixture(scope="session")
    def cluster(embedded_cluster):
        embedded_cluster.install_chart(Path("deployments/helm/lamp-driver"), "lamp", crds=Path("crds"))
        embedded_cluster.wait_for_plugin("lamp.example.com")
        return embedded_cluster

    def test_a_pod_gets_a_lamp(cluster):
        pod = cluster.run_pod(Claim("lamp.example.com"))
        assert pod.env["LAMP"] == "lamp-0"

What does not come true is an error that says what there was instead: conditions, events, claims, and the end of the
driver's logs, which are in the report of every other failed test as well. Asynchronous tests, and tests that need a
cluster of their own, write ``async with Cluster() as cluster`` or ``with BackgroundCluster() as cluster`` instead.

It is no entry point of pytest: that would be loaded by every run of pytest in an environment with this package, also by
those that need no cluster, and where the libraries of one are not installed. (PYTEST_DONT_REWRITE: nothing is
asserted here, and a conftest.py may import names from here before it names the plugin.)
"""

from collections.abc import Generator, Iterator, Mapping
from typing import Any

import pytest

from fake_dra_driver.cluster.kubelet.containerruntime.cdi import DeviceEdits
from fake_dra_driver.cluster.testing.background import QUICK, BackgroundCluster
from fake_dra_driver.cluster.testing.claims import Claim
from fake_dra_driver.cluster.testing.errors import PodFailedError, UnmetError
from fake_dra_driver.cluster.testing.images import python_image
from fake_dra_driver.cluster.testing.pods import ContainerRun, PodRun

__all__ = [
    "QUICK",
    "BackgroundCluster",
    "Claim",
    "ContainerRun",
    "DeviceEdits",
    "PodFailedError",
    "PodRun",
    "UnmetError",
    "embedded_cluster",
    "embedded_cluster_options",
    "pytest_runtest_makereport",
    "python_image",
]


@pytest.fixture(scope="session")
def embedded_cluster_options() -> Mapping[str, Any]:
    """Options of the cluster: those of ``Cluster``, by default ``QUICK``. Override it in your conftest.py."""
    return {}


@pytest.fixture(scope="session")
def embedded_cluster(embedded_cluster_options: Mapping[str, Any]) -> Iterator[BackgroundCluster]:
    """One cluster for all tests of the session."""
    with BackgroundCluster(**embedded_cluster_options) as cluster:
        yield cluster


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds how the driver's pods are to the report of a test that has failed with a cluster.

    Not where the error says that itself.
    """
    report = yield
    is_told = call.excinfo is not None and call.excinfo.errisinstance((PodFailedError, UnmetError))
    if report.failed and not is_told:
        fixtures: Mapping[str, object] = getattr(item, "funcargs", {})
        clusters = {id(value): value for value in fixtures.values() if isinstance(value, BackgroundCluster)}
        for cluster in clusters.values():
            if text := cluster.describe_drivers():
                report.sections.append(("The pods of the driver", text))
    return report

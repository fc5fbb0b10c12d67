"""Fixtures of the tests that need a cluster, and what is printed when one of them fails."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.demo import Demo
from tests.e2e.driver import DRIVER_NAMESPACE, PLUGIN, Driver, ListFolder
from tests.e2e.kubectl import Kubectl
from tests.e2e.local import LOCAL_CLUSTER_VARIABLE, LocalCluster
from tests.e2e.objects import RunningPod
from tests.e2e.protocol import find_protocol, manifests_of

__all__ = [
    "demo",
    "driver",
    "initial_specs",
    "kubectl",
    "list_folder_of",
    "local_cluster",
    "pytest_runtest_makereport",
    "show_cluster",
    "started",
]


@pytest.fixture(scope="session")
def kubectl() -> Kubectl:
    """kubectl on the cluster of the kubeconfig. Fails the test when no API server answers there."""
    kubectl = Kubectl()
    kubectl("get", "--raw", "/readyz")
    return kubectl


@pytest.fixture(scope="session")
def driver(kubectl: Kubectl) -> Driver:
    """The installed driver, Ready."""
    driver = Driver(kubectl, list_folder_of(kubectl), find_protocol(kubectl))
    driver.wait_ready()
    return driver


def list_folder_of(kubectl: Kubectl) -> ListFolder:
    """How to look into a folder of a node: this machine if it is the node, else through its plugin's pod."""
    return _list_here if LocalCluster.from_environment() else partial(_list_by_exec, kubectl)


def _list_here(plugin: RunningPod, folder: str) -> Sequence[str]:
    return [path.name for path in Path(folder).iterdir()]


def _list_by_exec(kubectl: Kubectl, plugin: RunningPod, folder: str) -> Sequence[str]:
    where = (plugin.key.name, "-n", plugin.key.namespace, "-c", PLUGIN)
    return kubectl("exec", *where, "--", "ls", "-1", folder).split()


@pytest.fixture(scope="session")
def initial_specs(driver: Driver) -> Mapping[str, Mapping[str, object]]:
    """``spec`` of each NodeAllocationState before the first test; nothing may be allocated then."""
    specs = driver.specs()
    driver.wait_initial(specs, seconds=0)
    assert all(set(spec) == {"allocatableDevice"} for spec in specs.values()), f"a device is in use already: {specs}"
    return specs


@pytest.fixture
def started() -> datetime:
    """When the test began: what it looks for in logs came later."""
    return datetime.now(UTC)


@pytest.fixture(scope="session")
def demo(kubectl: Kubectl, driver: Driver) -> Iterator[Demo]:
    """The demo's manifests, those for the cluster's version of DRA."""
    with manifests_of(driver.protocol) as folder:
        yield Demo(kubectl, driver, folder)


@pytest.fixture(scope="session")
def local_cluster() -> LocalCluster:
    """The cluster on this machine; without one the test is skipped."""
    cluster = LocalCluster.from_environment()
    if cluster is None:
        pytest.skip(f"needs a cluster whose node is this machine: {LOCAL_CLUSTER_VARIABLE}")
    return cluster


_REPORTS: Mapping[str, tuple[str, ...]] = {
    "nodes and pods": ("get", "nodes,pods", "-A", "-o", "wide"),
    "claims": ("get", "resourceclaims", "-A", "-o", "yaml"),
    "negotiations of classic DRA": ("get", "podschedulingcontexts", "-A", "-o", "yaml"),
    "ResourceSlices of structured DRA": ("get", "resourceslices", "-o", "yaml"),
    "nodeallocationstates": ("describe", "nas", "-n", DRIVER_NAMESPACE),
    "pods of the driver": ("describe", "pods", "-n", DRIVER_NAMESPACE),
    "events": ("get", "events", "-A", "--sort-by=.lastTimestamp"),
}
_REPORT_LINES = 150


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A hook for conftest.py: shows the cluster when a test has failed."""
    report = yield
    if report.failed:
        show_cluster(report)
    return report


def show_cluster(report: pytest.TestReport) -> None:
    """Adds what a person needs to a failed test's report: objects, events and the driver's logs, their last lines."""
    kubectl = Kubectl()
    for title, arguments in _REPORTS.items():
        report.sections.append((title, _tail(kubectl.said(*arguments))))
    pods = kubectl.said("get", "pods", "-n", DRIVER_NAMESPACE, "-o", "name").split()
    for pod in pods:
        logs = kubectl.said("logs", pod, "-n", DRIVER_NAMESPACE, "--all-containers", f"--tail={_REPORT_LINES}")
        report.sections.append((f"logs of {pod}", _tail(logs)))


def _tail(text: str) -> str:
    lines = text.splitlines()
    return "\n".join(lines[-_REPORT_LINES:])

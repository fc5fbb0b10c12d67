"""Claims that share devices in classic DRA, from an author's class to running pods, and pods that wait for room."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fake_dra_driver.cluster.testing import BackgroundCluster, Claim, python_image
from fake_dra_driver.cluster.testing.claims import pod_manifest
from fake_dra_driver.dra import project_of
from tests.integration.author.portdriver import PortConfig, PortDriver

DRIVER = PortDriver.name


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the ports of the node."""
    return tmp_path_factory.mktemp("ports")


@pytest.fixture(scope="module")
def cluster(ports: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackgroundCluster]:
    (ports / "port-0").write_text("up")
    folder = tmp_path_factory.mktemp("project")
    project = project_of(PortDriver())
    assert project.generate(folder) == 0
    image = python_image({project.name: "tests.integration.author.portdriver"})
    images = {f"{project.name}:v{project.version}": image}
    with BackgroundCluster(kubernetes_version="1.30", nodes=("node-a",), images=images) as cluster:
        settings = {"kubeletPlugin": {"settings": {"ports": str(ports)}}}
        cluster.install_chart(folder / project.chart, "ports", values=settings, crds=folder / "crds")
        cluster.wait_for_plugin(DRIVER)
        yield cluster


@pytest.fixture(autouse=True)
def one_port(cluster: BackgroundCluster, ports: Path) -> Iterator[None]:
    """Each test begins with one port, of which no pod has anything."""
    yield
    for pod in cluster.list("pods", "default"):
        cluster.delete_pod(pod["metadata"]["name"])
    for file in ports.iterdir():
        file.unlink()
    (ports / "port-0").write_text("up")


def start(cluster: BackgroundCluster, name: str, bandwidth: str) -> None:
    """A pod that goes on and on, with a claim for that much."""
    cluster.make_claim(Claim(DRIVER, PortConfig(bandwidth=bandwidth)), name)
    uses = {"port": {"resourceClaimName": name}}
    command = ("sh", "-c", "env; exec sleep 86400")
    cluster.apply(pod_manifest(cluster.cluster.release, name, "default", command, uses, node=""))


def port_of(cluster: BackgroundCluster, pod: str) -> str:
    return cluster.wait_for_pod(pod, until="ready").env["PORT"]


@pytest.mark.parametrize("change", ["freed", "healthy", "added"])
def test_a_pod_that_waits_starts_when_there_is_room(cluster: BackgroundCluster, ports: Path, change: str) -> None:
    (ports / "port-1").write_text("down")
    names = [f"{change}-{number}" for number in range(3)]
    for name, bandwidth in zip(names, ("6G", "4G", "5G"), strict=True):
        start(cluster, name, bandwidth)
        if bandwidth != "5G":
            assert port_of(cluster, name) == f"{bandwidth} of port-0"
    told = cluster.wait_for_event("asked for 1 device", about=names[2])
    assert "port-1 is unhealthy (no carrier)" in told
    match change:
        case "freed":
            cluster.delete_pod(names[0])
            assert port_of(cluster, names[2]) == "5G of port-0"
        case "healthy":
            (ports / "port-1").write_text("up")
            assert port_of(cluster, names[2]) == "5G of port-1"
        case "added":
            (ports / "port-2").write_text("up")
            assert port_of(cluster, names[2]) == "5G of port-2"

"""What a driver's code does wrong while it runs: it is told where people look, and stops nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fake_dra_driver.cluster.cluster import Cluster
from fake_dra_driver.cluster.testing import BackgroundCluster, Claim, python_image
from fake_dra_driver.cluster.testing.claims import pod_manifest
from fake_dra_driver.dra import project_of
from fake_dra_driver.dra.nodestate.kind import node_allocation_state
from tests.integration.author.moodydriver import MoodyDriver, MoodyLamp

DRIVER = MoodyDriver.name


class Moods:
    """Those that the driver is in.

    Args:
        folder: with a file for each.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def be(self, mood: str) -> Iterator[None]:
        (self.folder / mood).touch()
        yield
        (self.folder / mood).unlink()


@pytest.fixture(scope="module")
def moods(tmp_path_factory: pytest.TempPathFactory) -> Moods:
    return Moods(tmp_path_factory.mktemp("moods"))


@pytest.fixture(scope="module")
def cluster(moods: Moods, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackgroundCluster]:
    folder = tmp_path_factory.mktemp("project")
    project = project_of(MoodyDriver())
    assert project.generate(folder) == 0
    image = python_image({project.name: "tests.integration.author.moodydriver"})
    images = {f"{project.name}:v{project.version}": image}
    with BackgroundCluster(kubernetes_version="1.37", nodes=("node-a",), images=images) as cluster:
        settings = {"kubeletPlugin": {"settings": {"moods": str(moods.folder)}}}
        cluster.install_chart(folder / project.chart, "lamps", values=settings)
        cluster.wait_for_plugin(DRIVER)
        yield cluster


def offered(cluster: BackgroundCluster) -> list[str]:
    return [device["name"] for found in cluster.list("resourceslices") for device in found["spec"].get("devices", [])]


def wait_for_devices(cluster: BackgroundCluster, count: int) -> None:
    async def are_there(each: Cluster) -> bool:
        found = await each.client.list(each.kind("resourceslices"))
        devices = [device for one in found.items for device in one.to_wire()["spec"].get("devices", [])]
        return len(devices) == count

    cluster.wait_until(f"{count} devices are offered", are_there)


def test_a_device_that_is_plugged_in_is_offered_at_once(cluster: BackgroundCluster, moods: Moods) -> None:
    with moods.be("more"):
        wait_for_devices(cluster, 3)
    wait_for_devices(cluster, 2)


def test_devices_that_cannot_be_change_nothing_and_are_told(cluster: BackgroundCluster, moods: Moods) -> None:
    def plugin_is(status: str) -> None:
        async def it_is(each: Cluster) -> bool:
            found = await each.client.list(each.kind("pods"), "lamps")
            plugins = [pod.to_wire() for pod in found.items if "kubeletplugin" in pod.metadata.name]
            ready = [
                condition["status"]
                for pod in plugins
                for condition in pod["status"]["conditions"]
                if condition["type"] == "Ready"
            ]
            return ready == [status]

        cluster.wait_until(f"the plugin's pod is ready: {status}", it_is)

    def node_says(problem: str) -> None:
        async def it_does(each: Cluster) -> bool:
            (state,) = (await each.client.list(node_allocation_state(MoodyDriver.name), "lamps")).items
            return state.spec.devices_problem == problem

        cluster.wait_until(f"the node's object says: {problem or 'nothing is wrong'}", it_does)

    with moods.be("twice"):
        told = cluster.wait_for_event("BadDevices", namespace="lamps")
        assert told == (
            "MoodyDriver.devices(node-a) returned what no node can have: device lamp-0: is there twice; "
            "device lamp-1: is there twice; the node keeps the devices that it had"
        )
        node_says(told)
        plugin_is("False")
        assert offered(cluster) == ["lamp-0", "lamp-1"]
        assert cluster.run_pod(Claim(DRIVER)).env["LAMP"].startswith("lamp-")
    plugin_is("True")
    node_says("")


def test_a_claim_whose_device_hangs_keeps_no_other_waiting(cluster: BackgroundCluster, moods: Moods) -> None:
    with moods.be("slow"):
        cluster.make_claim(Claim(DRIVER, MoodyLamp(way="hangs")), "slow")
        uses = {"lamp": {"resourceClaimName": "slow"}}
        cluster.apply(pod_manifest(cluster.cluster.release, "slow", "default", ("env",), uses, node=""))

        async def is_allocated(each: Cluster) -> bool:
            (found,) = (await each.client.list(each.kind("resourceclaims"), "default")).items
            return "allocation" in found.to_wire().get("status", {})

        cluster.wait_until("the claim is allocated", is_allocated)
        assert cluster.run_pod(Claim(DRIVER)).env["LAMP"].startswith("lamp-")
        assert cluster.get("pod", "slow")["status"]["phase"] == "Pending"
    assert cluster.wait_for_pod("slow").env["LAMP"].startswith("lamp-")


def test_a_device_that_is_not_healthy_gets_no_new_claims(cluster: BackgroundCluster, moods: Moods) -> None:
    with moods.be("broken"):

        async def is_tainted(each: Cluster) -> bool:
            (found,) = (await each.client.list(each.kind("resourceslices"))).items
            return [bool(device.get("taints")) for device in found.to_wire()["spec"]["devices"]] == [True, False]

        cluster.wait_until("the scheduler knows of it", is_tainted)
        assert cluster.run_pod(Claim(DRIVER)).env["LAMP"] == "lamp-1"
